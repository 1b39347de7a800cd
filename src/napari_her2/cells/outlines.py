"""Outlines of nuclei as distances from their centres."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.detection import FoundNuclei
from napari_her2.cells.table import RAYS

__all__ = ["outline_radii"]

LONGEST_PX: Final = 60
"""Rays end here, working pixels."""


CHUNK: Final = 512
"""Nuclei looked at together: their rays stay in the cache."""


class _Labels(NamedTuple):
    flat: NDArray[np.int32]
    width: int
    frame: int


def outline_radii(
    nuclei: FoundNuclei, kept: NDArray[np.intp], scale_x: float = 1.0, scale_y: float = 1.0
) -> NDArray[np.float32]:
    """Distance from the centre of each nucleus to its outline along 32 directions.

    Parameters
    ----------
    nuclei : FoundNuclei
        Nuclei of a window.
    kept : ndarray of int
        Rows that are wanted.
    scale_x, scale_y : float
        Level-0 pixels per pixel of the window.

    Returns
    -------
    ndarray of float32
        Shape (len(kept), 32), level-0 pixels. Ray ``k`` points to the angle ``2 pi k / 32`` on
        level 0, from x towards y. The outline is where the ray leaves the nucleus first, to half a
        working pixel; at least half a pixel, also where the centre lies outside (a crescent).
    """
    angle = 2 * np.pi * np.arange(RAYS) / RAYS
    # A step is one working pixel long, in the direction that the ray has on level 0.
    dx, dy = np.cos(angle) / scale_x, np.sin(angle) / scale_y
    length = np.hypot(dx, dy)
    dx, dy, step = dx / length, dy / length, 1 / length
    centre = nuclei.centres_yx[kept]
    own = (np.asarray(kept) + 1).astype(np.int32)
    steps = np.empty((len(kept), RAYS), np.intp)
    # One pixel beyond the edge a ray has left its nucleus, so it never gets further.
    labels = _framed(nuclei.labels, centre)
    for start in range(0, len(kept), CHUNK):
        some = np.s_[start : start + CHUNK]
        steps[some] = _steps_inside(labels, centre[some], own[some], dy, dx)
    return ((steps + 0.5) * step).astype(np.float32)


def _framed(labels: NDArray[np.int32], centre: NDArray[np.float64]) -> _Labels:
    """Labels with a frame of nothing, unless all rays end before the edge anyway."""
    size = np.array(labels.shape)
    if ((centre >= LONGEST_PX) & (centre < size - 1 - LONGEST_PX)).all():
        return _Labels(labels.reshape(-1), labels.shape[1], 0)
    wide = np.pad(labels, 2)
    return _Labels(wide.reshape(-1), wide.shape[1], 2)


def _steps_inside(
    labels: _Labels,
    centre: NDArray[np.float64],
    own: NDArray[np.int32],
    dy: NDArray[np.float64],
    dx: NDArray[np.float64],
) -> NDArray[np.intp]:
    """Steps that each ray takes before it leaves its nucleus, shape (n, 32)."""
    n = len(own)
    out = np.zeros(n * RAYS, np.intp)
    y, x = (np.repeat(v, RAYS) for v in centre.T)
    own = np.repeat(own, RAYS)
    way_y, way_x = np.tile(dy, n), np.tile(dx, n)
    ray = np.arange(n * RAYS)
    inside = np.ones(len(ray), np.bool_)
    for k in range(1, LONGEST_PX):
        # Whole numbers, as floats: exact, and fewer conversions.
        row = np.rint(y + k * way_y) + labels.frame
        place = row * labels.width + (np.rint(x + k * way_x) + labels.frame)
        inside &= np.take(labels.flat, place.astype(np.intp), mode="clip") == own
        out[ray] += inside
        left = np.count_nonzero(inside)
        if not left:
            break
        if left < 0.7 * len(inside):
            y, x, own, ray = y[inside], x[inside], own[inside], ray[inside]
            way_y, way_x = way_y[inside], way_x[inside]
            inside = np.ones(left, np.bool_)
    return out.reshape(n, RAYS)
