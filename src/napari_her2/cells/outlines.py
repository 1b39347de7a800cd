"""Outlines of nuclei as distances from their centres."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.detection import FoundNuclei
from napari_her2.cells.table import RAYS

__all__ = ["outline_radii"]

LONGEST_PX: Final = 60
"""Rays end here, working pixels."""


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
    h, w = nuclei.labels.shape
    flat = nuclei.labels.ravel()
    n = len(kept)
    radii = np.full(n * RAYS, 0.5)
    cell = np.repeat(np.arange(n), RAYS)
    ray = np.tile(np.arange(RAYS), n)
    centre = nuclei.centres_yx[kept]
    own = (np.asarray(kept) + 1).astype(np.int32)
    for k in range(1, LONGEST_PX):
        if not len(cell):
            break
        y = np.rint(centre[cell, 0] + k * dy[ray]).astype(np.intp)
        x = np.rint(centre[cell, 1] + k * dx[ray]).astype(np.intp)
        on = (x >= 0) & (y >= 0) & (x < w) & (y < h)
        inside = np.zeros(len(cell), np.bool_)
        inside[on] = flat[y[on] * w + x[on]] == own[cell[on]]
        cell, ray = cell[inside], ray[inside]
        radii[cell * RAYS + ray] = k + 0.5
    return (radii.reshape(n, RAYS) * step).astype(np.float32)
