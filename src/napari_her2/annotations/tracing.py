"""Outlines of a mask along the edges of its pixels, in whole numbers."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import label

from napari_her2.types import BoolMask

__all__ = ["traced"]

Ints: TypeAlias = NDArray[np.int64]


def traced(filled: BoolMask) -> NDArray[Any]:
    """Polygons of the regions of a mask.

    Every edge between a pixel that is filled and one that is not is walked once, with the filled
    one on the right. Where two filled pixels touch at a corner only, four edges meet: the walk
    goes round its own pixel if the two belong to different regions, and across to the other one
    if they are one region, which then has a hole touching its edge there. So no ring ever touches
    itself, and all polygons are valid.

    Parameters
    ----------
    filled : ndarray of bool
        Shape (height, width).

    Returns
    -------
    ndarray of shapely.Polygon
        One for each region of pixels that touch along an edge; corner coordinates (x, y) are
        whole numbers, (0, 0) the outer corner of the first pixel.
    """
    regions: Ints = np.pad(label(filled)[0].astype(np.int64), 1)
    if not regions.any():
        return np.empty(0, object)
    start, stop, region = _runs(regions)
    follower = _followers(start, stop, regions)
    order, first = _rings(follower)
    at = start[order]
    n = np.diff(np.append(first, len(order)))
    ring = np.repeat(np.arange(len(first)), n)
    # The shoelace formula: walked with the filled side on the right, y downwards, shells are > 0.
    after = np.empty_like(at)
    after[:-1] = at[1:]
    after[first + n - 1] = at[first]
    area = np.add.reduceat(at[:, 0] * after[:, 1] - after[:, 0] * at[:, 1], first)
    rings = shapely.linearrings(at.astype(np.float64), indices=ring)
    owner = region[order][first]
    by_region = np.lexsort((area < 0, owner))
    return np.asarray(shapely.polygons(rings[by_region], indices=owner[by_region] - 1))


def _runs(regions: Ints) -> tuple[Ints, Ints, Ints]:
    """Straight pieces of the boundary: where each starts and stops (n, 2), and whose it is."""
    filled = regions > 0
    # Where two regions touch at a corner straight lines end, though edges go on.
    a, b, c, d = filled[:-1, :-1], filled[:-1, 1:], filled[1:, :-1], filled[1:, 1:]
    crossing = (a == d) & (b == c) & (a != b)
    starts, stops, owners = [], [], []
    for upright in (False, True):
        grid = regions.T if upright else regions
        before, after = grid[:-1, 1:-1], grid[1:, 1:-1]
        edge = (before > 0) != (after > 0)
        row, low, high = _along(edge, (crossing.T if upright else crossing)[:, 1:-1])
        # Lying: filled below goes right. Upright: filled on the right goes up.
        near = after[row, low] > 0
        forwards = near != upright
        one, two = np.where(forwards, low, high), np.where(forwards, high, low)
        starts.append(np.stack((row, one) if upright else (one, row), -1))
        stops.append(np.stack((row, two) if upright else (two, row), -1))
        owners.append(np.where(near, after[row, low], before[row, low]))
    return np.concatenate(starts), np.concatenate(stops), np.concatenate(owners)


def _along(edge: BoolMask, crossing: BoolMask) -> tuple[Ints, Ints, Ints]:
    """Row, first and last point of each run of edges; a run ends at a crossing.

    ``edge`` has shape (rows, n), ``crossing`` (rows, n - 1): the points between the edges.
    """
    before = np.zeros_like(edge)
    before[:, 1:] = edge[:, :-1] & ~crossing
    after = np.zeros_like(edge)
    after[:, :-1] = edge[:, 1:] & ~crossing
    row, low = np.nonzero(edge & ~before)
    _, last = np.nonzero(edge & ~after)
    return row, low, last + 1


def _followers(start: Ints, stop: Ints, regions: Ints) -> Ints:
    """Which run goes on where each of them stops."""
    width = regions.shape[1]
    way = np.sign(stop - start)
    code = (way[:, 0] + 1) + 3 * (way[:, 1] + 1)
    begins = (start[:, 1] * width + start[:, 0]) * 9 + code
    order = np.argsort(begins)
    x, y = stop.T
    corner = (y * width + x) * 9
    # The four pixels round the corner; the frame of empty ones shifts indices by one.
    a, b, c, d = regions[y, x], regions[y, x + 1], regions[y + 1, x], regions[y + 1, x + 1]
    crossing = ((a > 0) == (d > 0)) & ((b > 0) == (c > 0)) & ((a > 0) != (b > 0))
    one = np.where(a > 0, a == d, b == c)
    turn = np.where(one, -1, 1)
    onward = (-way[:, 1] * turn + 1) + 3 * (way[:, 0] * turn + 1)
    wanted = corner + np.where(crossing, onward, 0)
    return np.asarray(order[np.searchsorted(begins[order], wanted)])


def _rings(follower: Ints) -> tuple[Ints, Ints]:
    """All runs in the order of walking, ring by ring, and where each ring begins."""
    links = follower.tolist()
    seen = bytearray(len(links))
    order: list[int] = []
    first: list[int] = []
    for run in range(len(links)):
        if seen[run]:
            continue
        first.append(len(order))
        at = run
        while not seen[at]:
            seen[at] = 1
            order.append(at)
            at = links[at]
    return np.array(order), np.array(first)
