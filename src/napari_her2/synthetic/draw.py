"""Draws the nuclei and holes of a window into byte planes, smoothed at their edges."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Voronoi

from napari_her2.synthetic.fields import Window
from napari_her2.synthetic.nuclei import Kind, Nuclei

__all__ = ["FINE_UM", "draw_borders", "draw_holes", "draw_nuclei", "nucleus_outlines"]

FINE_UM = 0.75
"""Below this pixel size nuclei get a rim, nucleoli and irregular outlines."""

_SHIFT = 5
_REACH_UM = 24.0
_UNIT = 1 << _SHIFT


def nucleus_outlines(cells: Nuclei, corners: int, shrink_um: float = 0.0) -> NDArray[np.float64]:
    """Outlines of nuclei, shape (n, corners, 2), µm.

    Irregularities are taken from the position, so that the same nucleus looks the same in every
    window and at every pixel size.
    """
    t = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    phase = (cells.x * 12.9898 + cells.y * 78.233) % (2 * np.pi)
    phase2 = (cells.x * 39.346 + cells.y * 11.135) % (2 * np.pi)
    rough = cells.rough[:, None]
    r = 1 + rough * (
        0.75 * np.cos(2 * t + phase[:, None])
        + 0.8 * np.cos(3 * t + phase2[:, None])
        + 0.45 * np.cos(5 * t + phase[:, None] * 3)
    )
    a = np.maximum(cells.a - shrink_um, 0.4)[:, None]
    b = np.maximum(cells.b - shrink_um, 0.3)[:, None]
    u, v = r * a * np.cos(t), r * b * np.sin(t)
    c, s = np.cos(cells.angle)[:, None], np.sin(cells.angle)[:, None]
    return np.stack([cells.x[:, None] + u * c - v * s, cells.y[:, None] + u * s + v * c], -1)


def _pixels(points_um: NDArray[np.float64], win: Window) -> NDArray[np.int32]:
    """Fixed-point pixel coordinates; pixel centres lie at whole numbers."""
    origin = np.array([win.x_um, win.y_um])
    scaled = ((points_um - origin) / win.mpp - 0.5) * _UNIT
    return np.asarray(np.rint(scaled), dtype=np.int32)


def _inside(cells: Nuclei, win: Window) -> NDArray[np.intp]:
    near = (cells.x > win.x_um - _REACH_UM) & (cells.x < win.right_um + _REACH_UM)
    near &= (cells.y > win.y_um - _REACH_UM) & (cells.y < win.bottom_um + _REACH_UM)
    return np.flatnonzero(near)


def _fill(
    plane: NDArray[np.uint8], outlines: NDArray[np.int32], values: NDArray[np.int64], convex: bool
) -> None:
    paint = cv2.fillConvexPoly if convex else _fill_one
    for points, value in zip(outlines, values.tolist(), strict=True):
        paint(plane, points, value, cv2.LINE_AA, _SHIFT)


def _fill_one(
    plane: NDArray[np.uint8], points: NDArray[np.int32], value: int, line: int, shift: int
) -> None:
    cv2.fillPoly(plane, [points], value, line, shift)


def draw_nuclei(plane: NDArray[np.uint8], cells: Nuclei, win: Window, paleness: float) -> None:
    """Paint nuclei into a plane; byte 255 stands for the darkest nucleus.

    Parameters
    ----------
    plane : ndarray of uint8
        Shape of the window; painted over in place.
    cells : Nuclei
        Those of the scene; the ones outside the window are passed over.
    paleness : float
        Interior of a vesicular nucleus relative to its rim.
    """
    part = cells.take(_inside(cells, win))
    if not len(part):
        return
    value = np.rint(part.dark * 255)
    pale = part.vesicular > 0
    if win.mpp > FINE_UM:
        mean = np.where(pale, value * (0.35 + 0.65 * paleness), value)
        # Anti-aliasing widens a filled outline by about a third of a pixel.
        outline = _pixels(nucleus_outlines(part, 10, 0.28 * win.mpp), win)
        _fill(plane, outline, np.rint(mean).astype(np.int64), True)
        return
    outline = _pixels(nucleus_outlines(part, 18, 0.25 * win.mpp), win)
    dividing = (part.kind == Kind.MITOSIS) | (part.kind == Kind.DEBRIS)
    rim = np.where(pale, value * 1.05, value * 1.1)
    _fill(plane, outline, np.clip(rim, 0, 255).astype(np.int64), False)
    within = ~dividing & (part.kind != Kind.IMMUNE)
    core = part.take(within)
    inner = _pixels(nucleus_outlines(core, 14, 0.45 + 0.3 * win.mpp), win)
    level = np.where(pale[within], value[within] * paleness, value[within] * 0.9)
    _fill(plane, inner, level.astype(np.int64), True)
    _nucleoli(plane, part.take(pale), win)


def _nucleoli(plane: NDArray[np.uint8], cells: Nuclei, win: Window) -> None:
    """One or two dark dots per pale nucleus."""
    where = (cells.x * 7.13 + cells.y * 3.77) % (2 * np.pi)
    for k, size in ((0, 0.95), (1, 0.65)):
        turn = where + 2.4 * k
        x = cells.x + 0.35 * cells.b * np.cos(turn)
        y = cells.y + 0.35 * cells.b * np.sin(turn)
        centre = _pixels(np.stack([x, y], 1), win)
        radius = round(size / win.mpp * _UNIT)
        value = np.clip(cells.dark * 285, 0, 255).astype(int)
        for point, v in zip(centre.tolist(), value.tolist(), strict=True):
            cv2.circle(plane, point, radius, v, -1, cv2.LINE_AA, _SHIFT)


def draw_holes(plane: NDArray[np.uint8], holes: Sequence[NDArray[np.float64]], win: Window) -> None:
    """Paint outlines (µm) as 255."""
    for outline in holes:
        low, high = outline.min(0), outline.max(0)
        if low[0] > win.right_um or low[1] > win.bottom_um:
            continue
        if high[0] < win.x_um or high[1] < win.y_um:
            continue
        cv2.fillPoly(plane, [_pixels(outline, win)], 255, cv2.LINE_AA, _SHIFT)


def draw_borders(plane: NDArray[np.uint8], cells: Nuclei, win: Window) -> None:
    """Paint the borders between neighbouring epithelial cells as thin lines."""
    near = _inside(cells, win)
    kind = cells.kind[near]
    part = cells.take(near[(kind == Kind.TUMOUR) | (kind == Kind.NORMAL) | (kind == Kind.MITOSIS)])
    if len(part) < 5:
        return
    diagram = Voronoi(np.stack([part.x, part.y], 1), qhull_options="Qbb Qc Qz Q12")
    ends = np.array([e for e in diagram.ridge_vertices if -1 not in e], np.intp)
    if not len(ends):
        return
    lines = diagram.vertices[ends]
    short = np.hypot(*(lines[:, 0] - lines[:, 1]).T) < _REACH_UM
    width = max(1, round(0.7 / win.mpp))
    for a, b in _pixels(lines[short], win).tolist():
        cv2.line(plane, a, b, 255, width, cv2.LINE_AA, _SHIFT)
