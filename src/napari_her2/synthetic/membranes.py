"""Cell outlines and HER2 staining of each membrane: how much of it, how strong.

The four scores follow the wording of the breast guideline (2018, affirmed 2023): 0 no or hardly
any staining, 1+ faint and incomplete, 2+ weak to moderate and complete, 3+ intense and complete.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.synthetic.fields import Window
from napari_her2.synthetic.nuclei import Nuclei

__all__ = ["LARGEST_OD", "Membranes", "draw_membranes", "make_membranes"]

Floats = NDArray[np.float64]

LARGEST_OD = 1.6
"""Absorbance (base 10) that byte 255 of the membrane plane stands for."""

_CORNERS = 32
_NEIGHBOURS = 10
_SHIFT = 4
_REACH_UM = 30.0
# score: (completeness from, to, absorbance from, to, width in µm)
_LOOK = {
    0: (0.0, 0.12, 0.0, 0.06, 0.7),
    1: (0.22, 0.62, 0.10, 0.20, 0.8),
    2: (0.86, 1.0, 0.26, 0.48, 1.0),
    3: (0.93, 1.0, 0.75, 1.30, 1.3),
}


@dataclass(frozen=True, slots=True)
class Membranes:
    """Membranes of the epithelial cells of a scene; all arrays have the length of ``x``.

    Attributes
    ----------
    x, y : ndarray of float64
        Centres of the cells, µm.
    outline : ndarray of float64
        Shape (n, 32, 2), µm.
    stained : ndarray of bool
        Shape (n, 32): whether the stretch from a corner to the next one is stained.
    completeness : ndarray of float64
        Stained share of the perimeter, 0 to 1.
    od : ndarray of float64
        Absorbance (base 10, along the unit DAB vector) of the stained stretches.
    score : ndarray of uint8
        0 to 3.
    """

    x: Floats
    y: Floats
    outline: Floats
    stained: NDArray[np.bool_]
    completeness: Floats
    od: Floats
    score: NDArray[np.uint8]


def _radii(cells: Nuclei, cytoplasm_um: Floats) -> Floats:
    """Distance from the centre to the membrane at 32 angles: half-way to the nearest cell."""
    theta = np.arange(_CORNERS) / _CORNERS * 2 * np.pi
    mean = np.sqrt(cells.a * cells.b)
    reach = np.repeat((mean + 0.8 * cytoplasm_um + 2.6)[:, None], _CORNERS, 1)
    # Free borders are not perfect circles.
    wave = 0.07 * np.cos(2 * theta[None] + (cells.x * 0.73)[:, None])
    wave = wave + 0.05 * np.cos(3 * theta[None] + (cells.y * 0.91)[:, None])
    reach = reach * (1 + wave)
    n = len(cells)
    if n > 1:
        xy = np.stack([cells.x, cells.y], 1)
        k = min(_NEIGHBOURS + 1, n)
        distance, index = cKDTree(xy).query(xy, k=k, distance_upper_bound=60.0)
        for j in range(1, k):
            ok = np.isfinite(distance[:, j])
            other = xy[np.where(ok, index[:, j], 0)]
            way = np.arctan2(other[:, 1] - cells.y, other[:, 0] - cells.x)
            facing = np.cos(theta[None] - way[:, None])
            half = np.where(ok, distance[:, j] / 2 - 0.25, 99.0)[:, None]
            limit = np.where(facing > 0.08, half / np.maximum(facing, 0.08), 99.0)
            reach = np.minimum(reach, limit)
    c, s = np.cos(theta[None] - cells.angle[:, None]), np.sin(theta[None] - cells.angle[:, None])
    nucleus = cells.a[:, None] * cells.b[:, None]
    nucleus = nucleus / np.hypot(cells.b[:, None] * c, cells.a[:, None] * s)
    return np.asarray(np.maximum(reach, nucleus + 0.35))


def make_membranes(
    rng: np.random.Generator, cells: Nuclei, cytoplasm_um: Floats, score: NDArray[np.uint8]
) -> Membranes:
    """Lay a membrane round every epithelial nucleus and stain it as its score says.

    Parameters
    ----------
    cells : Nuclei
        Epithelial nuclei.
    cytoplasm_um : ndarray
        Room between neighbouring nuclei of their region.
    score : ndarray of uint8
        0 to 3 for each.
    """
    n = len(cells)
    radius = _radii(cells, cytoplasm_um)
    theta = np.arange(_CORNERS) / _CORNERS * 2 * np.pi
    outline = np.stack(
        [
            cells.x[:, None] + radius * np.cos(theta),
            cells.y[:, None] + radius * np.sin(theta),
        ],
        -1,
    )
    length = np.hypot(*np.moveaxis(np.roll(outline, -1, 1) - outline, -1, 0))
    table = np.array([_LOOK[k] for k in range(4)])
    low, high = table[score, 0], table[score, 1]
    wanted = low + (high - low) * rng.uniform(0, 1, n)
    wanted = np.where(score == 0, wanted * (rng.random(n) < 0.35), wanted)
    od = table[score, 2] + (table[score, 3] - table[score, 2]) * rng.uniform(0, 1, n)
    # Arcs of equal length, one to three of them, starting anywhere.
    arcs = rng.integers(1, 4, n)[:, None]
    along = np.cumsum(length, 1) - length / 2
    along /= length.sum(1, keepdims=True)
    stained = (along * arcs + rng.uniform(0, 1, n)[:, None]) % 1.0 < wanted[:, None]
    completeness = (length * stained).sum(1) / length.sum(1)
    return Membranes(
        cells.x, cells.y, outline, stained, completeness, np.where(completeness > 0, od, 0.0), score
    )


def draw_membranes(plane: NDArray[np.uint8], cells: Membranes, win: Window) -> None:
    """Paint stained membranes and the faint cytoplasm of stained cells into a plane."""
    near = (cells.x > win.x_um - _REACH_UM) & (cells.x < win.right_um + _REACH_UM)
    near &= (cells.y > win.y_um - _REACH_UM) & (cells.y < win.bottom_um + _REACH_UM)
    near &= cells.od > 0.01
    index = np.flatnonzero(near)
    index = index[np.argsort(cells.od[index], kind="stable")]  # the stronger one of two stays
    if not len(index):
        return
    origin = np.array([win.x_um, win.y_um])
    points = (cells.outline[index] - origin) / win.mpp - 0.5
    points = np.rint(points * (1 << _SHIFT)).astype(np.int32)
    value = np.clip(cells.od[index] / LARGEST_OD * 255, 1, 255).astype(int).tolist()
    faint = np.rint(cells.od[index] * cells.completeness[index] * 0.14 / LARGEST_OD * 255)
    for ring, v in zip(points, faint.astype(int).tolist(), strict=True):
        if v > 0:
            cv2.fillPoly(plane, [ring], v, cv2.LINE_AA, _SHIFT)
    for ring, on, v, score in zip(
        points, cells.stained[index], value, cells.score[index].tolist(), strict=True
    ):
        width = max(1, round(_LOOK[score][4] / win.mpp))
        if on.all():
            cv2.polylines(plane, [ring], True, v, width, cv2.LINE_AA, _SHIFT)
            continue
        for run in _runs(on):
            cv2.polylines(plane, [ring[run]], False, v, width, cv2.LINE_AA, _SHIFT)


def _runs(on: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """Corner numbers of each stained stretch, both ends included."""
    starts = np.flatnonzero(on & ~np.roll(on, 1))
    out = []
    for first in starts:
        count = 0
        while on[(first + count) % _CORNERS]:
            count += 1
        out.append((first + np.arange(count + 1)) % _CORNERS)
    return out
