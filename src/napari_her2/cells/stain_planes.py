"""Pixels of a window at working resolution, separated into two stains."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import NOT_SCANNED, OUTSIDE, Slide
from napari_her2.types import BoolMask, RgbImage

__all__ = ["UNITS_PER_OD", "StainPlanes", "read_planes", "stain_planes"]

UNITS_PER_OD: Final = 2000
"""Stains are computed in whole numbers of 1/2000 optical density. Sums of whole numbers do not
depend on where a pixel lies in an array, as sums of floats do in their last bits: a pixel has the
same value in each window that shows it."""


class _Colours(Protocol):
    """The part of a calibration that colours depend on."""

    @property
    def background(self) -> tuple[float, float, float]: ...
    @property
    def matrix(self) -> tuple[tuple[float, float, float], ...]: ...
    @property
    def level(self) -> int: ...
    @property
    def factor_x(self) -> int: ...
    @property
    def factor_y(self) -> int: ...
    @property
    def mpp_x(self) -> float: ...
    @property
    def mpp_y(self) -> float: ...


@dataclass(frozen=True)
class StainPlanes:
    """A window of a slide at working resolution; stains are separated when first asked for.

    Attributes
    ----------
    rgb : RgbImage
        Shape (height, width, 3); colour of bare glass where ``missing``.
    background : (float, float, float)
        Colour of bare glass.
    matrix : tuple of tuple of float
        A stain a row, see :func:`napari_her2.stains.deconvolution.stain_matrix`.
    mpp_x, mpp_y : float
        Micrometres per pixel.
    origin_x, origin_y : int
        Working pixel of the slide that the first pixel is.
    missing : BoolMask or None
        Shape (height, width); what could not be read or was not scanned.
    reason : str or None
        Why pixels are missing, where that is a fault.
    """

    rgb: RgbImage
    background: tuple[float, float, float]
    matrix: tuple[tuple[float, float, float], ...]
    mpp_x: float
    mpp_y: float
    origin_x: int = 0
    origin_y: int = 0
    missing: BoolMask | None = None
    reason: str | None = None

    @cached_property
    def channels(self) -> tuple[NDArray[np.uint8], ...]:
        """Red, green and blue, (height, width) each: taken apart once for all that look."""
        return tuple(np.asarray(plane, np.uint8) for plane in cv2.split(self.rgb))

    @cached_property
    def haematoxylin(self) -> NDArray[np.float32]:
        """Optical density (base 10) along the haematoxylin vector, (height, width); may be < 0."""
        return self._amount(0)

    @cached_property
    def second(self) -> NDArray[np.float32]:
        """Optical density (base 10) along the vector of DAB or eosin, (height, width)."""
        return self._amount(1)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width."""
        return self.rgb.shape[0], self.rgb.shape[1]

    def _amount(self, stain: int) -> NDArray[np.float32]:
        """Ruifrok and Johnston (2001) by three table look-ups."""
        weights = np.linalg.inv(np.array(self.matrix))[:, stain]
        parts = []
        for plane, glass, weight in zip(self.channels, self.background, weights, strict=True):
            density = np.log10(max(glass, 1.0) / np.maximum(np.arange(256), 1))
            table = np.rint(np.clip(density * weight * UNITS_PER_OD, -10_000, 10_000))
            parts.append(cv2.LUT(plane, table.astype(np.int16)[None]))
        total, *rest = parts
        for part in rest:
            cv2.add(total, part, dst=total)
        return np.multiply(total, np.float32(1 / UNITS_PER_OD), dtype=np.float32)


def stain_planes(
    rgb: RgbImage,
    colours: _Colours,
    *,
    origin: tuple[int, int] = (0, 0),
    missing: BoolMask | None = None,
    reason: str | None = None,
) -> StainPlanes:
    """Take pixels as a window whose stains can be asked for.

    Parameters
    ----------
    rgb : RgbImage
        Shape (height, width, 3) at working resolution.
    colours : Calibration
        Colour of glass and stain matrix.
    origin : (int, int)
        x and y of the window, working pixels.
    missing : BoolMask, optional
        Pixels that are not there: they count as bare glass.
    reason : str, optional
        Why.
    """
    if missing is not None and missing.any():
        rgb = rgb.copy()
        rgb[missing] = np.rint(colours.background).astype(np.uint8)
    return StainPlanes(
        rgb, colours.background, colours.matrix, colours.mpp_x, colours.mpp_y, *origin, missing,
        reason,
    )  # fmt: skip


def read_planes(
    slide: Slide, colours: _Colours, x: int, y: int, width: int, height: int
) -> StainPlanes:
    """Read a window that lies wholly on the slide.

    Parameters
    ----------
    slide : Slide
        The slide.
    colours : Calibration
        Level, factors, glass and stain matrix.
    x, y, width, height : int
        The window in working pixels.

    Returns
    -------
    StainPlanes
        With ``missing`` and ``reason`` where something can't be read.
    """
    fx, fy = colours.factor_x, colours.factor_y
    got = slide.read(colours.level, x * fx, y * fy, width * fx, height * fy)
    rgb, missing = got.rgb, got.missing
    if (fx, fy) != (1, 1):
        rgb = np.asarray(cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
        if missing is not None:
            # A working pixel is there only if all its level pixels are.
            whole = missing.reshape(height, fy, width, fx)
            missing = np.asarray(whole.any(axis=(1, 3)), np.bool_)
    if missing is not None and not missing.any():
        missing = None
    fault = None
    if missing is not None and got.reason not in (OUTSIDE, NOT_SCANNED):
        fault = got.reason or "it is missing in the file"
    return stain_planes(
        np.ascontiguousarray(rgb), colours, origin=(x, y), missing=missing, reason=fault
    )
