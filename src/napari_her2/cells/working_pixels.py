"""The grid of pixels that cells are looked for on: whole pixels of one level, put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from napari_her2.errors import UnknownMppError, WrongMppError
from napari_her2.slides.base import Slide

__all__ = ["WORKING_UM", "WorkingPixels", "working_pixels"]

WORKING_UM: Final = 0.5
"""Micrometres per pixel that cells are looked for at (Vandenberghe 2017: 0.49)."""

COARSEST_UM: Final = 1.05
"""Coarser than this a nucleus of a lymphocyte is six pixels wide and no membrane can be seen."""

_FINE_ENOUGH = 1.15


@dataclass(frozen=True)
class WorkingPixels:
    """Where the working pixels lie.

    Working pixel ``i`` holds the level pixels ``i * factor`` to ``(i + 1) * factor - 1``, so a
    position on the working grid (corner of the first pixel = 0) times ``scale`` is an exact
    level-0 position. Level pixels that do not fill a working pixel at the right and lower edge are
    left out.

    Attributes
    ----------
    level : int
        Index of the level.
    factor_x, factor_y : int
        Its pixels per working pixel.
    scale_x, scale_y : float
        Level-0 pixels per working pixel.
    mpp_x, mpp_y : float
        Micrometres per working pixel.
    width, height : int
        Extent of the slide, working pixels.
    """

    level: int
    factor_x: int
    factor_y: int
    scale_x: float
    scale_y: float
    mpp_x: float
    mpp_y: float
    width: int
    height: int


def working_pixels(slide: Slide, target_um: float = WORKING_UM) -> WorkingPixels:
    """Choose the level and the whole factors that come nearest to the wanted resolution.

    Parameters
    ----------
    slide : Slide
        The slide.
    target_um : float
        Wanted micrometres per pixel. What comes out lies within a factor of 1.5 of it, because
        pixels are put together in whole numbers only.

    Raises
    ------
    UnknownMppError
        If the slide states no pixel size.
    WrongMppError
        If it is too coarse to show cells.
    """
    mpp = slide.mpp
    if mpp is None:
        raise UnknownMppError("no_mpp")
    if max(mpp.x, mpp.y) > COARSEST_UM:
        raise WrongMppError(
            "wrong_mpp", model="Finding cells", needed=f"{target_um:g}",
            offered=f"{max(mpp.x, mpp.y):.3g}",
        )  # fmt: skip
    fine = [
        one
        for one in slide.levels
        if max(mpp.x * one.downsample_x, mpp.y * one.downsample_y) <= _FINE_ENOUGH * target_um
    ]
    level = max(fine, key=lambda one: one.downsample) if fine else slide.levels[0]
    x_um, y_um = mpp.x * level.downsample_x, mpp.y * level.downsample_y
    fx = min(max(1, round(target_um / x_um)), level.width)
    fy = min(max(1, round(target_um / y_um)), level.height)
    return WorkingPixels(
        level.index, fx, fy, fx * level.downsample_x, fy * level.downsample_y, fx * x_um, fy * y_um,
        level.width // fx, level.height // fy,
    )  # fmt: skip
