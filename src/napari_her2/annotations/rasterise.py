"""From masks to outlines and back, exact to the pixel.

A mask lies on the slide by the corner of its first pixel and the size of its pixels. Outlines run
along the edges of pixels; a pixel is inside an outline if its centre is. So a mask that becomes
outlines and a mask again is the same mask.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import Polygon
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.geometry_edits import polygons_in
from napari_her2.annotations.tracing import traced
from napari_her2.types import BoolMask

__all__ = ["PixelSize", "fill", "mask_of_polygons", "polygons_of_mask"]

PixelSize: TypeAlias = float | tuple[float, float]
"""Level-0 pixels in one pixel of a mask: of both axes, or of x and of y."""


def polygons_of_mask(
    mask: ArrayLike, x0: float = 0.0, y0: float = 0.0, px: PixelSize = 1.0, *, smooth: float = 0.0
) -> list[Polygon]:
    """Outlines of what is True in a mask.

    Parameters
    ----------
    mask : array_like
        Shape (height, width), bool.
    x0, y0 : float
        Top-left corner of the first pixel (not its centre), level-0 pixels.
    px : float or tuple of float
        See :data:`PixelSize`.
    smooth : float
        Take the stairs off: corners are left out so that no point of an outline moves further
        than so many pixels *of the mask*. 0.75 turns stairs into slopes. The area may change, and
        neighbouring outlines may then overlap by as much; 0 keeps the outlines exact.

    Returns
    -------
    list of Polygon
        One for each region of pixels that touch along an edge, with its holes, in the order of
        their first rows. Regions that touch at a corner are two polygons that touch there. All are
        valid.
    """
    filled = np.asarray(mask, bool)
    if filled.ndim != 2:
        msg = f"a mask has two axes, not {filled.ndim}"
        raise ValueError(msg)
    if not filled.any():
        return []
    kept = traced(filled)
    bounds = shapely.bounds(kept)
    kept = kept[np.lexsort((bounds[:, 0], bounds[:, 1]))]
    if smooth > 0:
        simple = shapely.simplify(kept, smooth, preserve_topology=True)
        good = shapely.is_valid(simple) & ~shapely.is_empty(simple)
        kept = np.where(good, simple, kept)
    step_x, step_y = _steps(px)
    placed = shapely.transform(kept, lambda xy: xy * (step_x, step_y) + (x0, y0))
    return [p for p in placed if isinstance(p, Polygon)]


def mask_of_polygons(
    geometries: BaseGeometry | Iterable[BaseGeometry],
    shape: tuple[int, int],
    x0: float = 0.0,
    y0: float = 0.0,
    px: PixelSize = 1.0,
) -> BoolMask:
    """Which pixels have their centre in one of some areas.

    Parameters
    ----------
    geometries : shapely geometry or iterable of them
        Areas, with their holes; lines and points fill nothing.
    shape : tuple of int
        (height, width) of the mask.
    x0, y0, px
        As in :func:`polygons_of_mask`.

    Returns
    -------
    ndarray of bool
        Shape (height, width). A centre exactly on an outline belongs to the area on its right or
        below: areas that share an edge never share a pixel.
    """
    out = np.zeros(shape, bool)
    many = (geometries,) if isinstance(geometries, BaseGeometry) else geometries
    for geometry in many:
        fill(out, geometry, True, x0, y0, px)
    return out


def fill(
    target: NDArray[Any],
    geometry: BaseGeometry,
    value: Any,
    x0: float = 0.0,
    y0: float = 0.0,
    px: PixelSize = 1.0,
) -> int:
    """Write a value into all pixels of an array whose centre lies in an area.

    Parameters
    ----------
    target : ndarray
        Shape (height, width, ...); changed in place.
    geometry : shapely geometry
        An area with holes; what lies outside the array is left out.
    value : object
        What to write: True, a class number.
    x0, y0, px
        As in :func:`polygons_of_mask`.

    Returns
    -------
    int
        How many pixels were written.
    """
    step_x, step_y = _steps(px)
    height, width = target.shape[:2]
    written = 0
    for part in polygons_in(geometry):
        # In these coordinates the centre of pixel (i, j) lies at (j, i).
        rings = [
            (shapely.get_coordinates(r) - (x0, y0)) / (step_x, step_y) - 0.5
            for r in (part.exterior, *part.interiors)
        ]
        low, high = rings[0].min(axis=0), rings[0].max(axis=0)
        left, top = max(0, int(np.ceil(low[0]))), max(0, int(np.ceil(low[1])))
        right, bottom = min(width, int(np.floor(high[0])) + 1), min(height, int(high[1]) + 1)
        if left >= right or top >= bottom:
            continue
        inside = _even_odd(rings, left, top, right - left, bottom - top)
        target[top:bottom, left:right][inside] = value
        written += int(np.count_nonzero(inside))
    return written


def _even_odd(
    rings: list[NDArray[np.float64]], left: int, top: int, width: int, height: int
) -> BoolMask:
    """Which whole-numbered points of a window have an odd number of edges to their left."""
    places: list[NDArray[np.int64]] = []
    for ring in rings:
        x, y = ring[:, 0] - left, ring[:, 1] - top
        y1, y2 = y[:-1], y[1:]
        # Rows from the upper end on to, but not with, the lower end: a corner counts once.
        first = np.clip(np.ceil(np.minimum(y1, y2)), 0, height).astype(np.int64)
        last = np.clip(np.ceil(np.maximum(y1, y2)), 0, height).astype(np.int64)
        n = last - first
        edge = np.repeat(np.arange(len(n)), n)
        if not len(edge):
            continue
        row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(n) - n, n)
        # The end with the smaller y goes first, so that an edge shared by two areas, walked in
        # opposite directions, gives the same number for both.
        down = (y1 <= y2)[edge]
        i, j = np.where(down, edge, edge + 1), np.where(down, edge + 1, edge)
        at = x[i] + (row - y[i]) * ((x[j] - x[i]) / (y[j] - y[i]))
        column = np.clip(np.ceil(at), 0, width).astype(np.int64)
        places.append(row * (width + 1) + column)
    if not places:
        return np.zeros((height, width), bool)
    crossings = np.bincount(np.concatenate(places), minlength=height * (width + 1))
    grid = crossings.reshape(height, width + 1)[:, :width]
    return np.asarray(np.cumsum(grid, axis=1) & 1, bool)


def _steps(px: PixelSize) -> tuple[float, float]:
    x, y = (px, px) if isinstance(px, (int, float)) else px
    if not (x > 0 and y > 0):
        msg = f"not a pixel size: {px}"
        raise ValueError(msg)
    return float(x), float(y)
