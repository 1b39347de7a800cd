"""How far each cell reaches: half-way to its neighbours, or to a free border.

Distances are in working pixels of one window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.cells.polar import ray_angles
from napari_her2.cells.table import RAYS

__all__ = ["Reach", "half_way"]

Floats = NDArray[np.float32]

NEIGHBOURS: Final = 8
"""Nearest cells looked at; six surround a cell in a plane."""

SPACED: Final = 6
"""Nearest cells whose mean distance is the spacing."""

FACING: Final = 0.15
"""Cosine below which a neighbour lies sideways of a ray and does not end it."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Where cells end.

    Attributes
    ----------
    border_px : ndarray of float32
        Shape (n, 32): from the centre to the point half-way between both nuclei.
    neighbour : ndarray of int32
        Shape (n, 32): row of the cell on the other side; -1 where no cell is near.
    spacing_px : ndarray of float32
        Shape (n,): mean distance of the six nearest centres; one that is missing counts as the
        largest distance looked at.
    """

    border_px: Floats
    neighbour: NDArray[np.int32]
    spacing_px: Floats


def half_way(
    centres_yx: NDArray[np.float64], radius_px: NDArray[np.float64], far_px: float
) -> Reach:
    """Divide the plane between nuclei, ray by ray.

    Parameters
    ----------
    centres_yx : ndarray of float64
        Shape (n, 2).
    radius_px : ndarray of float64
        Shape (n,): of the circle of the nucleus's area.
    far_px : float
        Neighbours whose nuclei are further apart than this share no border.

    Notes
    -----
    The line between two cells is perpendicular to the line between their centres and cuts it
    half-way: the Voronoi diagram of the centres, without its bookkeeping.
    """
    n = len(centres_yx)
    border = np.full((n, RAYS), np.inf, np.float32)
    if n < 2:
        neighbour = np.full((n, RAYS), -1, np.int32)
        return Reach(border, neighbour, np.full(n, far_px, np.float32))
    k = min(NEIGHBOURS, n - 1)
    bound = far_px + 2 * float(radius_px.max())
    distance, index = cKDTree(centres_yx).query(centres_yx, k=k + 1, distance_upper_bound=bound)
    spacing = np.minimum(distance[:, 1 : SPACED + 1], 2 * far_px).sum(1)
    spacing = (spacing + 2 * far_px * max(0, SPACED - k)) / SPACED
    ray = ray_angles().astype(np.float32)
    cos, sin = np.cos(ray), np.sin(ray)
    # Which of its neighbours, counted from 1, a ray ends at. Numbers instead of masks all the way:
    # choosing by masks takes many times as long.
    ended = np.zeros((n, RAYS), np.uint8)
    for j in range(1, k + 1):
        other = np.minimum(index[:, j], n - 1)
        gap = distance[:, j] - radius_px - radius_px[other]
        way = (centres_yx[other] - centres_yx).astype(np.float32)
        length = np.maximum(np.hypot(way[:, 0], way[:, 1]), np.float32(1e-3))[:, None]
        facing = (way[:, 1:] * cos + way[:, :1] * sin) / length
        half = np.where((gap <= far_px)[:, None], length / 2, np.float32(np.inf))
        # 0 for a neighbour that lies sideways: its limit is infinite.
        facing = np.maximum(facing, 0) * (facing > FACING)
        with np.errstate(divide="ignore"):
            limit = half / facing
        nearer = (limit < border).view(np.uint8)
        np.minimum(border, limit, out=border)
        np.maximum(ended, nearer * np.uint8(j), out=ended)
    index[:, 0] = -1
    neighbour = np.take_along_axis(index.astype(np.int32), ended.astype(np.intp), 1)
    return Reach(border, neighbour, spacing.astype(np.float32))
