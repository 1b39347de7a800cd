"""A scene of tissue in micrometres: what is where, before any stain or pixel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.synthetic.architecture import Placed, draw_duct, draw_lobule, draw_tumour
from napari_her2.synthetic.canvas import Canvas
from napari_her2.synthetic.fibres import FibreField
from napari_her2.synthetic.fields import Raster, noise
from napari_her2.synthetic.holes import fat_cells
from napari_her2.synthetic.layout import COARSE_UM, CoreShape, Layout, make_layout
from napari_her2.synthetic.morphology import Morphology, Statuses
from napari_her2.synthetic.nuclei import Kind, Nuclei, hex_points, join, nuclei
from napari_her2.synthetic.vessels import draw_vessels
from napari_her2.types import BIOMARKERS, Biomarker

__all__ = ["Tissue", "make_tissue"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Tissue:
    """One scene.

    Attributes
    ----------
    width_um, height_um : float
        Extent.
    layout : Layout
        Coarse maps and tumour regions.
    outline, epithelium, lumen, necrosis, mucin : Raster
        Signed distance (µm) to the edge of each; positive inside.
    desmoplasia : Raster
        0 loose to 1 dense wavy collagen.
    tumour : Raster
        1 in tumour regions, 0 elsewhere, soft at the border.
    fibres : FibreField
        Course of the collagen.
    holes : list of ndarray
        Outlines (n, 2) in µm of fat cells.
    nuclei : Nuclei
        All nuclei.
    red_cells : Nuclei
        Erythrocytes in vessels, in the same form.
    """

    seed: int
    width_um: float
    height_um: float
    layout: Layout
    outline: Raster
    epithelium: Raster
    lumen: Raster
    necrosis: Raster
    mucin: Raster
    desmoplasia: Raster
    tumour: Raster
    fibres: FibreField
    holes: list[NDArray[np.float64]]
    nuclei: Nuclei
    red_cells: Nuclei

    @property
    def slide_statuses(self) -> Statuses:
        """Positive where the majority of the tumour area is; negative without tumour."""
        share: dict[Biomarker, float] = dict.fromkeys(BIOMARKERS, 0.0)
        total = sum(r.area_mm2 for r in self.layout.regions)
        for region in self.layout.regions:
            for name in BIOMARKERS:
                share[name] += region.area_mm2 * region.statuses[name]
        return {name: total > 0 and share[name] > total / 2 for name in BIOMARKERS}

    def label_map(self, um_per_px: float) -> dict[Biomarker, NDArray[np.int8]]:
        """Truth per biomarker: 0 positive tumour, 1 negative tumour, 2 other tissue, -1 glass."""
        rows = int(np.ceil(self.height_um / um_per_px))
        cols = int(np.ceil(self.width_um / um_per_px))
        n_rows, n_cols = self.layout.region.shape
        r = np.minimum(((np.arange(rows) + 0.5) * um_per_px / COARSE_UM).astype(int), n_rows - 1)
        c = np.minimum(((np.arange(cols) + 0.5) * um_per_px / COARSE_UM).astype(int), n_cols - 1)
        number = self.layout.region[r[:, None], c]
        tissue = self.layout.tissue[r[:, None], c] > 0
        out: dict[Biomarker, NDArray[np.int8]] = {}
        for name in BIOMARKERS:
            table = np.full(256, 2, np.int8)
            for region in self.layout.regions:
                table[region.number] = 0 if region.statuses[name] else 1
            out[name] = np.where(tissue, table[number], np.int8(-1)).astype(np.int8)
        return out


def make_tissue(
    seed: int,
    width_um: float,
    height_um: float,
    statuses: Mapping[Biomarker, bool] | None = None,
    heterogeneous: bool | None = None,
    tumour_share: float = 0.55,
    full: bool = False,
    core: CoreShape | None = None,
    normal: bool = True,
    compact: bool = False,
) -> Tissue:
    """Build a scene; parameters as in :func:`napari_her2.synthetic.layout.make_layout`.

    ``normal=False`` leaves out normal lobules and ducts.
    """
    wanted: Statuses | None = dict(statuses) if statuses is not None else None
    layout = make_layout(
        seed, width_um, height_um, wanted, heterogeneous, tumour_share, full, core, compact
    )
    rng = np.random.default_rng([102, seed])
    canvas = Canvas(width_um, height_um)
    fibres = FibreField(rng)
    cells: list[Nuclei] = []
    rows, cols = layout.region.shape
    looks = {r.number: r.morphology for r in layout.regions}

    for region in layout.regions:
        placed = draw_tumour(rng, canvas, region, layout.region, fibres)
        x, y, angle = placed.arrays()
        cells.append(_tumour_cells(rng, x, y, angle, region.morphology, region.number))
    if normal:
        cells.append(_normal(rng, canvas, layout))
    endothelium, red_cells = draw_vessels(rng, canvas, fibres)
    cells.append(endothelium)

    outline_map = np.asarray(
        cv2.GaussianBlur((layout.tissue > 0).astype(np.float32), (0, 0), 1.0) - 0.5, np.float32
    )
    heights = {
        name: Canvas.height(getattr(canvas, name))
        for name in ("epithelium", "lumen", "necrosis", "mucin")
    }
    for region in layout.regions:
        cells.append(_sheet_cells(rng, layout, region.number, heights, cells[:]))

    inside = _Lookup(layout)
    desmo = np.zeros((rows, cols), np.float32) + 0.12
    tils = np.zeros((rows, cols), np.float32) + 110.0
    for number, look in looks.items():
        here = layout.region == number
        desmo[here], tils[here] = look.desmoplasia, look.tils
    cells.append(_debris(rng, heights, width_um, height_um))
    cells.append(_stroma(rng, fibres, heights, layout, inside, desmo, width_um, height_um))
    cells.append(_immune(rng, heights, layout, inside, tils, width_um, height_um))
    everything = join(cells)
    ok = inside.tissue(everything.x, everything.y)
    ok &= (everything.x > -20) & (everything.x < width_um + 20)
    ok &= (everything.y > -20) & (everything.y < height_um + 20)
    holes, in_fat = fat_cells(rng, layout, heights["epithelium"], everything, full)
    everything = everything.take(ok & ~in_fat)
    return Tissue(
        seed,
        width_um,
        height_um,
        layout,
        Raster(outline_map, COARSE_UM, -0.5, 0.5),
        heights["epithelium"],
        heights["lumen"],
        heights["necrosis"],
        heights["mucin"],
        _soft(desmo),
        _soft((layout.region > 0).astype(np.float32)),
        fibres,
        holes,
        everything,
        red_cells.take(inside.tissue(red_cells.x, red_cells.y)),
    )


def _soft(share: NDArray[np.float32]) -> Raster:
    """A coarse map of values 0 to 1 with soft borders."""
    blurred = np.asarray(cv2.GaussianBlur(share, (0, 0), 2.5), dtype=np.float32)
    return Raster(blurred, COARSE_UM, 0, 1)


class _Lookup:
    """Coarse maps at points given in µm."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def at(self, grid: NDArray[np.float32] | NDArray[np.uint8], x: Floats, y: Floats) -> Floats:
        """Value of a coarse map."""
        r = np.clip((y / COARSE_UM).astype(np.intp), 0, grid.shape[0] - 1)
        c = np.clip((x / COARSE_UM).astype(np.intp), 0, grid.shape[1] - 1)
        return np.asarray(grid[r, c], dtype=np.float64)

    def tissue(self, x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Whether there is tissue."""
        return np.asarray(self.at(self._layout.tissue, x, y) > 0)


def _tumour_cells(
    rng: np.random.Generator,
    x: Floats,
    y: Floats,
    angle: Floats | None,
    look: Morphology,
    number: int,
) -> Nuclei:
    high = look.pleomorphism > 0.14
    body = nuclei(
        rng,
        x,
        y,
        Kind.TUMOUR,
        diameter=look.nucleus_um,
        spread=look.pleomorphism,
        aspect=(0.58, 1.0) if high else (0.72, 0.98),
        angle=angle,
        dark=(look.darkness, 0.13 if high else 0.05),
        vesicular=look.vesicular,
        rough=0.13 if high else 0.05,
        region=number,
    )
    dividing = rng.random(len(body)) < look.mitoses
    body.kind[dividing] = int(Kind.MITOSIS)
    body.dark[dividing] = 1.0
    return body


def _sheet_cells(
    rng: np.random.Generator,
    layout: Layout,
    number: int,
    heights: Mapping[str, Raster],
    before: list[Nuclei],
) -> Nuclei:
    """Fill epithelium that has no nuclei yet (sheets, in-situ ducts) from a lattice."""
    region = layout.regions[number - 1]
    look = region.morphology
    rows, cols = np.nonzero(layout.region == number)
    box = (
        float(cols.min() * COARSE_UM - 160),
        float(rows.min() * COARSE_UM - 160),
        float((cols.max() + 1) * COARSE_UM + 160),
        float((rows.max() + 1) * COARSE_UM + 160),
    )
    spacing = look.nucleus_um * 1.12 + look.cytoplasm_um
    x, y = hex_points(rng, box, spacing, 0.15)
    margin = 0.4 * look.nucleus_um
    ok = (x > 0) & (y > 0)
    ok &= heights["epithelium"].at(x, y) > margin
    ok &= heights["lumen"].at(x, y) < -margin
    ok &= heights["necrosis"].at(x, y) < -margin
    x, y = x[ok], y[ok]
    ok = _nearest_region(layout, x, y) == number
    x, y = x[ok], y[ok]
    others = [p for p in before if len(p)]
    if others and len(x):
        tree = cKDTree(np.concatenate([np.stack([p.x, p.y], 1) for p in others]))
        distance, _ = tree.query(np.stack([x, y], 1), distance_upper_bound=spacing * 0.72)
        free = ~np.isfinite(distance)
        x, y = x[free], y[free]
    angle = heights["epithelium"].gradient_angle(x, y)
    near = heights["epithelium"].at(x, y) < spacing
    angle = np.where(near, angle, rng.uniform(0, np.pi, len(x)))
    return _tumour_cells(rng, x, y, angle, look, number)


def _nearest_region(layout: Layout, x: Floats, y: Floats) -> NDArray[np.uint8]:
    """Region number at points, ducts that bulge over a border included."""
    r = np.clip((y / COARSE_UM).astype(np.intp), 0, layout.region.shape[0] - 1)
    c = np.clip((x / COARSE_UM).astype(np.intp), 0, layout.region.shape[1] - 1)
    wide = cv2.dilate(layout.region, np.ones((21, 21), np.uint8))
    grown = np.where(layout.region > 0, layout.region, wide)
    return np.asarray(grown[r, c], dtype=np.uint8)


def _normal(rng: np.random.Generator, canvas: Canvas, layout: Layout) -> Nuclei:
    """Lobules and ducts of the tissue that is no tumour."""
    h, w = layout.region.shape
    free = (layout.region == 0) & (layout.tissue > 0.25)
    room = cv2.distanceTransform(free.astype(np.uint8), cv2.DIST_L2, 3) * COARSE_UM
    placed = Placed()
    x, y = hex_points(rng, (0, 0, w * COARSE_UM, h * COARSE_UM), 430.0, 0.2)
    lobular = noise(16.0, 220.0, 512, 31).shifted(rng).at(x, y)
    for px, py, v in zip(x, y, lobular, strict=True):
        r, c = min(int(py / COARSE_UM), h - 1), min(int(px / COARSE_UM), w - 1)
        if room[r, c] > 170 and v > -0.9:
            draw_lobule(rng, canvas, placed, (px, py))
        elif room[r, c] > 70:
            draw_duct(rng, canvas, placed, (px, py), float(rng.uniform(32, 60)), 13.0)
    x, y, angle = placed.arrays()
    return nuclei(
        rng,
        x,
        y,
        Kind.NORMAL,
        diameter=6.3,
        spread=0.08,
        aspect=(0.55, 0.9),
        angle=angle,
        dark=(0.66, 0.07),
    )


def _uniform(
    rng: np.random.Generator, per_mm2: float, width_um: float, height_um: float
) -> tuple[Floats, Floats]:
    n = int(per_mm2 * width_um * height_um / 1e6)
    return rng.uniform(0, width_um, n), rng.uniform(0, height_um, n)


def _debris(
    rng: np.random.Generator, heights: Mapping[str, Raster], width_um: float, height_um: float
) -> Nuclei:
    """Nuclear dust in comedo necrosis."""
    x, y = _uniform(rng, 5200, width_um, height_um)
    ok = heights["necrosis"].at(x, y) > 2
    return nuclei(
        rng,
        x[ok],
        y[ok],
        Kind.DEBRIS,
        diameter=2.6,
        spread=0.4,
        aspect=(0.5, 1.0),
        dark=(0.75, 0.2),
        rough=0.15,
    )


def _stroma(
    rng: np.random.Generator,
    fibres: FibreField,
    heights: Mapping[str, Raster],
    layout: Layout,
    inside: _Lookup,
    desmo: NDArray[np.float32],
    width_um: float,
    height_um: float,
) -> Nuclei:
    """Spindle-shaped fibroblasts along the fibres, denser where the stroma reacts."""
    x, y = _uniform(rng, 1500, width_um, height_um)
    density = 0.3 + 0.7 * inside.at(desmo, x, y)
    ok = rng.random(len(x)) < density
    x, y = x[ok], y[ok]
    ok = (heights["epithelium"].at(x, y) < -4) & (heights["lumen"].at(x, y) < -3)
    ok &= (heights["mucin"].at(x, y) < 0) & inside.tissue(x, y)
    x, y = x[ok], y[ok]
    return nuclei(
        rng,
        x,
        y,
        Kind.STROMA,
        diameter=6.0,
        spread=0.16,
        aspect=(0.16, 0.42),
        angle=fibres.angle_at(x, y),
        dark=(0.66, 0.12),
        rough=0.07,
        region=_nearest_region(layout, x, y),
    )


def _immune(
    rng: np.random.Generator,
    heights: Mapping[str, Raster],
    layout: Layout,
    inside: _Lookup,
    tils: NDArray[np.float32],
    width_um: float,
    height_um: float,
) -> Nuclei:
    """Lymphocytes: TILs in tumour stroma, a few in the epithelium, aggregates in normal tissue."""
    patchy = noise(4.0, 34.0, 1024, 32).shifted(rng)
    nodes = noise(16.0, 120.0, 512, 33).shifted(rng)
    x, y = _uniform(rng, 9000, width_um, height_um)
    density = inside.at(tils, x, y) * np.clip(1 + 1.1 * patchy.at(x, y), 0.12, 2.4)
    outside_tumour = inside.at(layout.region, x, y) == 0
    density = np.where(outside_tumour & (nodes.at(x, y) > 1.9), 9000, density)
    epithelium = heights["epithelium"].at(x, y)
    density = np.where(epithelium > 2, density * 0.05, density)
    ok = (rng.random(len(x)) * 9000 < density) & (heights["lumen"].at(x, y) < -3)
    ok &= (heights["necrosis"].at(x, y) < -3) & (np.abs(epithelium) > 2.0) & inside.tissue(x, y)
    x, y = x[ok], y[ok]
    return nuclei(
        rng,
        x,
        y,
        Kind.IMMUNE,
        diameter=5.7,
        spread=0.09,
        aspect=(0.78, 1.0),
        dark=(0.86, 0.07),
        rough=0.04,
        region=_nearest_region(layout, x, y),
    )
