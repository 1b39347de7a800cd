"""Draws epithelium into the plan: tubules, sheets, cords, in-situ ducts, normal lobules."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.canvas import PLAN_UM, Canvas, blob_radius, ring_points
from napari_her2.synthetic.fibres import FibreField
from napari_her2.synthetic.fields import FloatImage, Window, noise
from napari_her2.synthetic.layout import COARSE_UM, TumourRegion
from napari_her2.synthetic.nuclei import hex_points

__all__ = ["Placed", "draw_duct", "draw_lobule", "draw_tumour", "region_height"]

Floats = NDArray[np.float64]


@dataclass(slots=True)
class Placed:
    """Nuclei put along walls and cords while drawing: centre (µm) and direction (radians)."""

    x: list[Floats] = field(default_factory=list)
    y: list[Floats] = field(default_factory=list)
    angle: list[Floats] = field(default_factory=list)

    def add(self, x: Floats, y: Floats, angle: Floats) -> None:
        """Append some."""
        self.x.append(x)
        self.y.append(y)
        self.angle.append(angle)

    def arrays(self) -> tuple[Floats, Floats, Floats]:
        """All of them."""
        if not self.x:
            none = np.zeros(0)
            return none, none, none
        return np.concatenate(self.x), np.concatenate(self.y), np.concatenate(self.angle)


def _along(
    rng: np.random.Generator, outline: Floats, centre: tuple[float, float], spacing: float
) -> tuple[Floats, Floats, Floats]:
    """Places ``spacing`` apart on a closed outline, and the direction away from its centre."""
    closed = np.vstack([outline, outline[:1]])
    length = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(closed, axis=0).T))])
    n = max(3, round(length[-1] / spacing))
    t = (np.arange(n) + rng.uniform(0, 1) + rng.normal(0, 0.16, n)) / n * length[-1]
    t %= length[-1]
    x = np.interp(t, length, closed[:, 0]) + rng.normal(0, 0.05 * spacing, n)
    y = np.interp(t, length, closed[:, 1]) + rng.normal(0, 0.05 * spacing, n)
    return x, y, np.arctan2(y - centre[1], x - centre[0])


def _tubule(
    rng: np.random.Generator,
    canvas: Canvas,
    placed: Placed,
    centre: tuple[float, float],
    radius: float,
    wall: float,
    spacing: float,
    angle: float,
    cleft: float,
) -> None:
    """A gland: outer wall, lumen, one row of nuclei, sometimes a retraction cleft beside it."""
    cx, cy = centre
    relative = blob_radius(rng, 0.22)
    stretch = float(rng.uniform(1.0, 1.9))
    outer = ring_points(cx, cy, radius * relative, stretch, angle)
    if rng.random() < cleft:
        push = rng.uniform(2, 5)
        way = rng.uniform(0, 2 * np.pi)
        wide = ring_points(
            cx + push * np.cos(way), cy + push * np.sin(way), radius * relative + 4, stretch, angle
        )
        canvas.fill(canvas.lumen, wide)
    canvas.fill(canvas.lumen, outer, 0)
    canvas.fill(canvas.epithelium, outer)
    inner = radius * relative - wall
    if inner.mean() > 3:
        hollow = ring_points(cx, cy, np.maximum(inner, 1.0), stretch * 1.04, angle)
        canvas.fill(canvas.lumen, hollow)
    middle = ring_points(cx, cy, np.maximum(radius * relative - 0.48 * wall, 2), stretch, angle)
    placed.add(*_along(rng, middle, centre, spacing))


def _in_situ(
    rng: np.random.Generator,
    canvas: Canvas,
    centre: tuple[float, float],
    radius: float,
    comedo: bool,
) -> None:
    """A distended duct filled with tumour cells: comedo necrosis or punched-out holes."""
    cx, cy = centre
    relative = blob_radius(rng, 0.13)
    stretch, angle = float(rng.uniform(1.0, 1.35)), float(rng.uniform(0, np.pi))

    def outline(extra: float) -> Floats:
        return ring_points(cx, cy, np.maximum(radius * relative + extra, 2), stretch, angle)

    for layer in (canvas.epithelium, canvas.lumen, canvas.mucin, canvas.necrosis):
        canvas.fill(layer, outline(14), 0)
    canvas.fill(canvas.epithelium, outline(0))
    if comedo:
        rim = float(rng.uniform(38, 56))
        core = np.maximum(radius * relative * (1 + 0.06 * rng.normal(size=48)) - rim, 6)
        canvas.fill(canvas.necrosis, ring_points(cx, cy, core, stretch, angle))
        if rng.random() < 0.6:  # shrinkage gap at the edge of the dead core
            gap = ring_points(cx + rng.normal(0, 4), cy + rng.normal(0, 4), core, stretch, angle)
            canvas.fill(canvas.lumen, gap)
            canvas.fill(canvas.lumen, ring_points(cx, cy, core, stretch, angle), 0)
        return
    for _ in range(int(rng.integers(6, 13))):
        a, r = rng.uniform(0, 2 * np.pi), radius * np.sqrt(rng.uniform(0, 0.45))
        hole = blob_radius(rng, 0.1) * rng.uniform(9, 19)
        canvas.fill(
            canvas.lumen, ring_points(cx + r * np.cos(a), cy + r * np.sin(a), hole, 1.0, 0.0)
        )


def _sheets(
    rng: np.random.Generator,
    region: TumourRegion,
    win: Window,
    fibres: FibreField,
) -> NDArray[np.bool_]:
    """Solid growth: broad sheets cut by thin septa, or bands along the fibres."""
    if region.morphology.architecture == "trabeculae":
        along, across = fibres.course(win)
        bands = fibres.sample(along, across, wide=8.0, long=0.9)
        edge = noise(2.0, 9.0, 1024, 21).shifted(rng).window(win)
        return np.asarray(bands + 0.05 * edge > 0.47)
    bulk = noise(4.0, 62.0, 1024, 22).shifted(rng).window(win)
    septa = noise(4.0, 44.0, 1024, 23).shifted(rng).window(win)
    edge = noise(2.0, 9.0, 1024, 21).shifted(rng).window(win)
    return np.asarray((bulk + 0.1 * edge > -0.75) & (np.abs(septa + 0.06 * edge) > 0.17))


def _cords(
    rng: np.random.Generator,
    canvas: Canvas,
    placed: Placed,
    region: TumourRegion,
    height: FloatImage,
    box: tuple[float, float, float, float],
    fibres: FibreField,
) -> None:
    """Single files: rows of cells that follow the fibres."""
    look = region.morphology
    step = look.nucleus_um + look.cytoplasm_um + 0.8
    x, y = hex_points(rng, box, 66.0, 0.32)
    angle = fibres.angle_at(x, y)
    length = rng.integers(3, 17, len(x))
    alive = np.ones(len(x), bool)
    paths = [(x, y, alive)]
    for k in range(1, int(length.max(initial=1))):
        alive = alive & (k < length)
        turn = fibres.angle_at(x, y)
        # The field gives a line, not a direction: go on the way the cord already goes.
        turn = np.where(np.cos(turn - angle) < 0, turn + np.pi, turn)
        angle = turn + rng.normal(0, 0.2, len(x))
        x, y = x + step * np.cos(angle), y + step * np.sin(angle)
        alive = alive & (_at(height, box, x, y) > 0)
        paths.append((x, y, alive))
    px = np.stack([p[0] for p in paths])
    py = np.stack([p[1] for p in paths])
    ok = np.stack([p[2] for p in paths])
    ok &= (_at(height, box, px, py) > 0) & ~canvas.is_set(canvas.epithelium, px, py)
    width = look.nucleus_um + 0.8 * look.cytoplasm_um + 1.0
    for i in rng.permutation(px.shape[1]):
        # A cord drawn before is in the way: go round it by leaving its cells out.
        run = ok[:, i] & ~canvas.is_set(canvas.epithelium, px[:, i], py[:, i])
        if run.sum() >= 2:
            line = np.stack([px[run, i], py[run, i]], 1)
            canvas.line(canvas.epithelium, line, width)
            step_xy = np.diff(line, axis=0, append=2 * line[-1:] - line[-2:-1])
            placed.add(line[:, 0], line[:, 1], np.arctan2(step_xy[:, 1], step_xy[:, 0]))


def _at(height: FloatImage, box: tuple[float, float, float, float], x: Floats, y: Floats) -> Floats:
    """Values of a plan cut-out at points in µm; -1 outside."""
    col = ((x - box[0]) / PLAN_UM).astype(np.intp)
    row = ((y - box[1]) / PLAN_UM).astype(np.intp)
    inside = (col >= 0) & (row >= 0) & (col < height.shape[1]) & (row < height.shape[0])
    out = np.full(x.shape, -1.0)
    out[inside] = height[row[inside], col[inside]]
    return out


def region_height(mask: NDArray[np.bool_], win: Window) -> FloatImage:
    """Smooth region map at plan resolution: > 0 inside."""
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 1.5) - np.float32(0.5)
    scale = round(COARSE_UM / PLAN_UM)
    big = cv2.resize(soft, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return np.asarray(big[: win.height, : win.width], dtype=np.float32)


def draw_tumour(
    rng: np.random.Generator,
    canvas: Canvas,
    region: TumourRegion,
    numbers: NDArray[np.uint8],
    fibres: FibreField,
) -> Placed:
    """Draw one tumour region into the plan.

    Parameters
    ----------
    numbers : ndarray of uint8
        The coarse map of region numbers.

    Returns
    -------
    Placed
        Nuclei of tubules and cords; those of sheets and ducts come from a lattice later.
    """
    look = region.morphology
    rows, cols = np.nonzero(numbers == region.number)
    r0, c0 = max(rows.min() - 2, 0), max(cols.min() - 2, 0)
    r1, c1 = rows.max() + 3, cols.max() + 3
    scale = round(COARSE_UM / PLAN_UM)
    part = numbers[r0:r1, c0:c1] == region.number
    top, left = r0 * scale, c0 * scale
    size = (min(part.shape[0] * scale, canvas.shape[0] - top),
            min(part.shape[1] * scale, canvas.shape[1] - left))  # fmt: skip
    win = Window(left * PLAN_UM, top * PLAN_UM, size[1], size[0], PLAN_UM)
    height = region_height(part, win)
    box = (win.x_um, win.y_um, win.right_um, win.bottom_um)
    placed = Placed()
    spacing = look.nucleus_um * 1.12 + look.cytoplasm_um

    def inside(x: Floats, y: Floats, level: float = 0.0) -> NDArray[np.bool_]:
        return np.asarray(_at(height, box, x, y) > level)

    here = (slice(top, top + size[0]), slice(left, left + size[1]))
    if look.architecture in ("solid", "trabeculae"):
        solid = _sheets(rng, region, win, fibres) & (height > 0)
        canvas.epithelium[here][solid] = 255
        # Retraction clefts: sheets shrink away from the stroma here and there, as tubules do.
        gap = cv2.dilate(solid.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        patchy = noise(4.0, 40.0, 1024, 24).shifted(rng).window(win) > 0.5
        canvas.lumen[here][gap & ~solid & patchy & (height > 0)] = 255
    ducts = np.zeros((0, 3))
    if look.dcis > 0:
        pitch = np.sqrt(2 / np.sqrt(3) / look.dcis) * 1000
        x, y = hex_points(rng, box, min(pitch, 900.0), 0.12)
        ok = inside(x, y, 0.2)
        radius = rng.uniform(105, 165, len(x)) if look.comedo else rng.uniform(75, 115, len(x))
        ducts = np.stack([x, y, radius], 1)[ok]
    if look.architecture in ("tubules", "mucinous"):
        wall = spacing * 1.15 + 1.5
        mean = wall * 1.75 + 4
        mucinous = look.architecture == "mucinous"
        apart = mean * (2.9 if mucinous else 2.75)
        x, y = hex_points(rng, box, apart, 0.16)
        ok = inside(x, y)
        for duct in ducts:
            ok &= np.hypot(x - duct[0], y - duct[1]) > duct[2] + mean * 1.5
        x, y = x[ok], y[ok]
        turn = fibres.angle_at(x, y)
        for i in range(len(x)):
            extent = mean * float(rng.uniform(0.72, 1.12))
            _tubule(rng, canvas, placed, (x[i], y[i]), extent, wall, spacing, float(turn[i]), 0.3)
        if mucinous:
            lakes = noise(4.0, 70.0, 1024, 25).shifted(rng).window(win) > -0.1
            canvas.mucin[here][lakes & (height > 0)] = 255
    for d in ducts:
        _in_situ(rng, canvas, (d[0], d[1]), d[2], look.comedo)
    if look.architecture == "single-file":
        _cords(rng, canvas, placed, region, height, box, fibres)
    return placed


def draw_lobule(
    rng: np.random.Generator, canvas: Canvas, placed: Placed, centre: tuple[float, float]
) -> None:
    """A normal terminal duct lobular unit: a cluster of small two-layered acini."""
    cx, cy = centre
    reach = rng.uniform(110, 210)
    x, y = hex_points(rng, (cx - reach, cy - reach, cx + reach, cy + reach), 45.0, 0.14)
    keep = np.hypot((x - cx) / rng.uniform(0.8, 1.1), y - cy) < reach
    for px, py in zip(x[keep], y[keep], strict=True):
        if not canvas.is_set(canvas.epithelium, np.array([px]), np.array([py]))[0]:
            draw_duct(rng, canvas, placed, (px, py), float(rng.uniform(14, 19)), wall=10.5)


def draw_duct(
    rng: np.random.Generator,
    canvas: Canvas,
    placed: Placed,
    centre: tuple[float, float],
    radius: float,
    wall: float = 12.0,
) -> None:
    """A normal duct or acinus: even lining cells, flat myoepithelium outside, open lumen."""
    cx, cy = centre
    relative = blob_radius(rng, 0.16)
    stretch, angle = float(rng.uniform(1.0, 1.5)), float(rng.uniform(0, np.pi))
    canvas.fill(canvas.epithelium, ring_points(cx, cy, radius * relative, stretch, angle))
    hollow = ring_points(cx, cy, np.maximum(radius * relative - wall, 1.2), stretch, angle)
    canvas.fill(canvas.lumen, hollow)
    lining = ring_points(cx, cy, np.maximum(radius * relative - 0.55 * wall, 2), stretch, angle)
    placed.add(*_along(rng, lining, centre, 7.6))
    outside = ring_points(cx, cy, radius * relative - 1.2, stretch, angle)
    x, y, away = _along(rng, outside, centre, 15.0)
    placed.add(x, y, away + np.pi / 2)
