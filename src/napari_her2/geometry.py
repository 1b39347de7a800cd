"""Points, sizes and regions of a slide, and the one place where xy becomes yx.

Two conventions meet here.

* **Stored coordinates** (files, tables, GeoJSON) are level-0 pixels, x then y, measured from the
  top-left *corner* of the slide: the first pixel covers 0 to 1, its centre is at 0.5.
* **World coordinates** (napari layers) are micrometres, y then x, measured from the *centre* of
  the first level-0 pixel, because napari places data index 0 at world 0.

Every conversion between the two goes through this module, so that no overlay is off by half a
pixel or has its axes exchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Point",
    "Region",
    "ScaleTranslate",
    "Size",
    "grid_transform",
    "level_transform",
    "world_yx_to_xy",
    "xy_to_world_yx",
]


@dataclass(frozen=True, slots=True)
class Point:
    """A place on a slide in level-0 pixels from the top-left corner."""

    x: float
    y: float


@dataclass(frozen=True, slots=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle: top-left corner and extent, in pixels of the level it belongs to.

    Raises
    ------
    ValueError
        If the extent is not positive or a number is not finite.
    """

    x: float
    y: float
    width: float
    height: float

    def __post_init__(self) -> None:
        values = (self.x, self.y, self.width, self.height)
        if not all(math.isfinite(v) for v in values) or self.width <= 0 or self.height <= 0:
            msg = f"not a rectangle: {values}"
            raise ValueError(msg)

    @property
    def right(self) -> float:
        """First x to the right of the region."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """First y below the region."""
        return self.y + self.height

    def scaled(self, factor_x: float, factor_y: float) -> Region:
        """The same area in pixels that are ``factor`` times smaller."""
        return Region(
            self.x * factor_x, self.y * factor_y, self.width * factor_x, self.height * factor_y
        )

    def intersect(self, other: Region) -> Region | None:
        """The common area, or None where there is none."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        if right <= x or bottom <= y:
            return None
        return Region(x, y, right - x, bottom - y)


@dataclass(frozen=True, slots=True)
class ScaleTranslate:
    """Scale and translation of a napari layer, (y, x), in µm (pixels if mpp is unknown)."""

    scale: tuple[float, float]
    translate: tuple[float, float]


def level_transform(
    downsample_x: float, downsample_y: float, mpp_x: float, mpp_y: float
) -> ScaleTranslate:
    """Place one pyramid level in the world.

    Parameters
    ----------
    downsample_x, downsample_y : float
        True shape ratios to level 0, never rounded (4.000089 stays 4.000089).
    mpp_x, mpp_y : float
        Micrometres per level-0 pixel; 1 where the pixel size is unknown.

    Returns
    -------
    ScaleTranslate
        The centre of level pixel 0 lies ``(downsample - 1) / 2`` level-0 pixels from the centre
        of level-0 pixel 0.
    """
    return ScaleTranslate(
        (downsample_y * mpp_y, downsample_x * mpp_x),
        ((downsample_y - 1) / 2 * mpp_y, (downsample_x - 1) / 2 * mpp_x),
    )


def grid_transform(
    origin: Point, cell_width: float, cell_height: float, mpp_x: float, mpp_y: float
) -> ScaleTranslate:
    """Place a grid of cells (a heatmap) in the world.

    Parameters
    ----------
    origin : Point
        Top-left corner of cell (0, 0), level-0 pixels.
    cell_width, cell_height : float
        Extent of one cell, level-0 pixels.
    mpp_x, mpp_y : float
        Micrometres per level-0 pixel; 1 where the pixel size is unknown.
    """
    return ScaleTranslate(
        (cell_height * mpp_y, cell_width * mpp_x),
        (
            (origin.y + cell_height / 2 - 0.5) * mpp_y,
            (origin.x + cell_width / 2 - 0.5) * mpp_x,
        ),
    )


def xy_to_world_yx(xy: ArrayLike, mpp_x: float, mpp_y: float) -> NDArray[np.float64]:
    """Convert stored level-0 coordinates to world coordinates.

    Parameters
    ----------
    xy : array_like
        Shape (..., 2), x then y, level-0 pixels from the top-left corner.
    mpp_x, mpp_y : float
        Micrometres per level-0 pixel; 1 where the pixel size is unknown.

    Returns
    -------
    ndarray of float64
        Shape (..., 2), y then x, micrometres from the centre of the first pixel.
    """
    a = np.asarray(xy, dtype=np.float64)
    return np.asarray((a[..., ::-1] - 0.5) * np.array([mpp_y, mpp_x]))


def world_yx_to_xy(yx: ArrayLike, mpp_x: float, mpp_y: float) -> NDArray[np.float64]:
    """Convert world to stored level-0 coordinates; inverse of :func:`xy_to_world_yx`."""
    a = np.asarray(yx, dtype=np.float64)
    return np.asarray((a / np.array([mpp_y, mpp_x]))[..., ::-1] + 0.5)
