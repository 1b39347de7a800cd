"""HER2 immunohistochemistry: haematoxylin and DAB, membranes of known completeness and strength."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.draw import draw_holes, draw_nuclei
from napari_her2.synthetic.fields import FloatImage, Window, noise
from napari_her2.synthetic.layout import COARSE_UM, CoreShape, smooth_field
from napari_her2.synthetic.membranes import (
    LARGEST_OD,
    draw_membranes,
    make_membranes,
)
from napari_her2.synthetic.nuclei import Kind, Nuclei, join, nuclei
from napari_her2.synthetic.scene import Scene, step
from napari_her2.synthetic.stain import StainSet, her2_stains
from napari_her2.synthetic.tissue import Tissue, make_tissue
from napari_her2.types import Biomarker, IhcScore

__all__ = ["CLASSES", "GENERATOR", "MIXED", "SCORES", "IhcScene", "case_score"]

GENERATOR = "her2-ihc-1"
"""Name of this way of drawing; changes whenever pixels or labels of a seed change."""

SCORES: tuple[IhcScore, ...] = ("0", "1+", "2+", "3+")

CLASSES = ("stroma", "immune", *(f"tumour {s}" for s in SCORES), "artefact", "normal")
"""Classes of the cell table: the seven of Vandenberghe 2017, and normal epithelium in pairs."""

MIXED = 4
"""Value of the patch map where tumour cells of all scores are mixed."""

_EPITHELIAL = (Kind.TUMOUR, Kind.MITOSIS, Kind.NORMAL)
_FINEST_NEEDED = 0.5
_LN10 = float(np.log(10))
_PURITY = 0.9


def case_score(percent: Mapping[IhcScore, float]) -> IhcScore:
    """Score of a case from the percentages of its tumour cells (breast guideline 2018)."""
    if percent["3+"] > 10:
        return "3+"
    if percent["3+"] + percent["2+"] > 10:
        return "2+"
    if percent["3+"] + percent["2+"] + percent["1+"] > 10:
        return "1+"
    return "0"


class IhcScene(Scene):
    """A piece of tissue stained for HER2, every cell's class and membrane known.

    Parameters
    ----------
    seed : int
        Same seed, same scene.
    size_um : float or (float, float)
        Side, or width and height, µm.
    score : {"0", "1+", "2+", "3+"}, optional
        Score that most of the tumour has; by default the tumour is a patchwork of all four.
    tissue : Tissue, optional
        Stain this tissue (the serial section of a pair): each tumour region is stained as its
        HER2 status asks.
    core : {"whole", "torn"}, optional
        Make a tissue-microarray core.
    full : bool
        No glass; by default for scenes under 1.5 mm.
    """

    def __init__(
        self,
        seed: int,
        size_um: float | tuple[float, float],
        score: IhcScore | None = None,
        *,
        statuses: Mapping[Biomarker, bool] | None = None,
        tissue: Tissue | None = None,
        core: CoreShape | None = None,
        full: bool | None = None,
        tumour_share: float = 0.6,
        stains: StainSet | None = None,
    ) -> None:
        width, height = (size_um, size_um) if isinstance(size_um, int | float) else size_um
        rng = np.random.default_rng([201, seed])
        colours = her2_stains(rng)
        filled = (min(width, height) < 1500 and core is None) if full is None else full
        drawn = tissue or make_tissue(
            seed + 500_009, float(width), float(height), statuses, False, tumour_share, filled,
            core, normal=False, compact=True,
        )  # fmt: skip
        super().__init__(seed, drawn, stains or colours, coarsest_um=_FINEST_NEEDED)
        self._fine = noise(0.25, 0.45, 1024, 41).shifted(rng)
        self._mottle = noise(1.0, 4.5, 1024, 43).shifted(rng)
        self._cloud = noise(8.0, 55.0, 512, 44).shifted(rng)
        self.patches = self._patch_map(rng, score, statuses is not None or tissue is not None)
        self.artefact_map, self._clumps = self._artefacts(rng)
        cells = drawn.nuclei
        epithelial = np.isin(cells.kind, _EPITHELIAL)
        self._epithelium_index = np.flatnonzero(epithelial)
        part = cells.take(self._epithelium_index)
        look = np.full(256, 3.0)
        for region in drawn.layout.regions:
            look[region.number] = region.morphology.cytoplasm_um
        self.membranes = make_membranes(rng, part, look[part.region], self._cell_scores(rng, part))

    def _patch_map(
        self, rng: np.random.Generator, score: IhcScore | None, by_status: bool
    ) -> NDArray[np.uint8]:
        """Score that dominates each place of the tumour (pixels of 16 µm); MIXED for mixtures."""
        layout = self.tissue.layout
        shape = layout.region.shape
        grain = float(np.clip(min(self.width_um, self.height_um) / 6, 70, 260))
        fields = np.stack([smooth_field(rng, shape, grain) for _ in range(5)])
        if score is not None:
            fields[SCORES.index(score)] += 2.6
        elif by_status:
            for region in layout.regions:
                high = bool(rng.random() < 0.75)
                leading = (3 if high else 2) if region.statuses["HER2"] else (1 if high else 0)
                fields[leading][layout.region == region.number] += 2.6
        return np.asarray(fields.argmax(0), dtype=np.uint8)

    def _cell_scores(self, rng: np.random.Generator, cells: Nuclei) -> NDArray[np.uint8]:
        """Score of each epithelial cell: mostly that of its patch."""
        r = np.clip((cells.y / COARSE_UM).astype(np.intp), 0, self.patches.shape[0] - 1)
        c = np.clip((cells.x / COARSE_UM).astype(np.intp), 0, self.patches.shape[1] - 1)
        patch = self.patches[r, c].astype(np.int64)
        n = len(cells)
        aside = np.clip(patch + np.where(rng.random(n) < 0.5, 1, -1), 0, 3)
        score = np.where(rng.random(n) < _PURITY, patch, aside)
        score = np.where(patch == MIXED, rng.integers(0, 4, n), score)
        score = np.where(cells.kind == Kind.NORMAL, rng.random(n) < 0.05, score)
        return np.asarray(score, dtype=np.uint8)

    def _artefacts(self, rng: np.random.Generator) -> tuple[NDArray[np.bool_], Nuclei]:
        """Patches of DAB precipitate: clumps that are no cells."""
        layout = self.tissue.layout
        shape = layout.region.shape
        tissue = layout.tissue > 0
        area = tissue.sum() * COARSE_UM**2 / 1e6
        where = np.zeros(shape, np.uint8)
        rows, cols = np.nonzero(tissue)
        for _ in range(int(rng.poisson(0.5 * area)) + int(area > 0.15)):
            if not len(rows):
                break
            k = int(rng.integers(len(rows)))
            axes = (int(rng.uniform(2.5, 6)), int(rng.uniform(2, 4)))
            centre = (int(cols[k]), int(rows[k]))
            cv2.ellipse(where, centre, axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
        mask = (where > 0) & tissue
        n = int(1100 * mask.sum() * COARSE_UM**2 / 1e6) if mask.any() else 0
        pick = (
            np.flatnonzero(mask)[rng.integers(0, max(mask.sum(), 1), n)] if n else np.zeros(0, int)
        )
        y, x = np.divmod(pick, shape[1])
        clumps = nuclei(
            rng, (x + rng.uniform(0, 1, n)) * COARSE_UM, (y + rng.uniform(0, 1, n)) * COARSE_UM,
            Kind.DEBRIS, diameter=6.5, spread=0.45, aspect=(0.4, 1.0), dark=(0.75, 0.18),
            rough=0.22,
        )  # fmt: skip
        dust = nuclei(
            rng, np.repeat(clumps.x, 3) + rng.normal(0, 14, 3 * n),
            np.repeat(clumps.y, 3) + rng.normal(0, 14, 3 * n), Kind.RED_CELL, diameter=1.6,
            spread=0.5, aspect=(0.6, 1.0), dark=(0.7, 0.2),
        )  # fmt: skip
        return mask, join([clumps, dust])

    # truth ------------------------------------------------------------------------------

    def cell_table(self) -> dict[str, NDArray[Any]]:
        """All cells, column by column, with centres in µm (``x_um``, ``y_um``).

        Membrane columns are NaN for what has no epithelial membrane.
        """
        cells = self.tissue.nuclei
        n = len(cells)
        number = np.full(n, CLASSES.index("stroma"))
        number[cells.kind == Kind.IMMUNE] = CLASSES.index("immune")
        number[cells.kind == Kind.DEBRIS] = CLASSES.index("artefact")
        number[self._epithelium_index] = CLASSES.index("tumour 0") + self.membranes.score
        number[cells.kind == Kind.NORMAL] = CLASSES.index("normal")
        complete, od = np.full(n, np.nan), np.full(n, np.nan)
        complete[self._epithelium_index] = self.membranes.completeness
        od[self._epithelium_index] = self.membranes.od
        clumps = self._clumps.take(self._clumps.kind == Kind.DEBRIS)
        none = np.full(len(clumps), np.nan)
        names = np.array(CLASSES)
        return {
            "x_um": np.concatenate([cells.x, clumps.x]),
            "y_um": np.concatenate([cells.y, clumps.y]),
            "class": np.concatenate([names[number], np.full(len(clumps), "artefact")]),
            "membrane_completeness": np.concatenate([complete, none]),
            "membrane_od": np.concatenate([od, none]),
            "nucleus_area_um2": np.concatenate([cells.area_um2, clumps.area_um2]),
            "region": np.concatenate([cells.region, clumps.region]).astype(np.int32),
        }

    def percent(self) -> dict[IhcScore, float]:
        """Share of each score among the tumour cells, per cent."""
        kinds = self.tissue.nuclei.kind[self._epithelium_index]
        scores = self.membranes.score[kinds != Kind.NORMAL]
        total = max(len(scores), 1)
        return {s: float(100 * (scores == k).sum() / total) for k, s in enumerate(SCORES)}

    # pixels -----------------------------------------------------------------------------

    def amounts_drawn(self, win: Window) -> tuple[FloatImage, FloatImage]:
        """Haematoxylin and DAB of a window."""
        tissue = self.tissue
        shape = (win.height, win.width)
        outline = step(tissue.outline.window(win) + 0.05 * self._mottle.window(win), 0.06)
        if not outline.any():
            return np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        fine, mottle, cloud = (t.window(win) for t in (self._fine, self._mottle, self._cloud))
        along, across = tissue.fibres.course(win)
        thin = tissue.fibres.sample(along, across, 0.8, 0.6)
        thick = tissue.fibres.sample(along, across, 2.2, 1.0)
        gap = np.clip((np.float32(0.30) - thin - 0.35 * (thick - 0.5)) * 9, 0, 1)
        first = 0.03 + 0.12 * thin * thick + 0.02 * fine + 0.015 * cloud
        second = 0.018 + 0.015 * thin + 0.008 * fine
        e = step(tissue.epithelium.window(win) + 0.9 * mottle, 2.2)
        first += e * (0.13 + 0.03 * mottle + 0.03 * fine - first)
        second += e * (0.035 + 0.012 * mottle + 0.012 * fine - second)
        dead = step(tissue.necrosis.window(win) + 1.5 * mottle, 4.0)
        first += dead * (0.16 + 0.06 * fine - first)
        second += dead * (0.14 + 0.05 * fine + 0.04 * mottle - second)
        clear = np.maximum(0.8 * gap * (1 - e), step(tissue.lumen.window(win) + 0.7 * mottle, 1.6))
        plane = np.zeros(shape, np.uint8)
        draw_holes(plane, tissue.holes, win)
        np.maximum(clear, plane * np.float32(1 / 255), out=clear)
        body = outline * (1 - 0.96 * clear)
        first *= body
        second *= body

        plane[:] = 0
        draw_nuclei(plane, tissue.nuclei, win, 0.55)
        nuclear = plane.astype(np.float32) * np.float32(1.0 / 255)
        cover = np.clip(nuclear * np.float32(3.5), 0, 1)
        first += cover * (nuclear * (1 + 0.22 * fine) - first)

        per_od = _LN10 / self.stains.second_strength
        plane[:] = 0
        draw_membranes(plane, self.membranes, win)
        stain = plane.astype(np.float32) * np.float32(LARGEST_OD / 255 * per_od)
        stain = np.asarray(cv2.GaussianBlur(stain, (0, 0), max(0.3 / win.mpp, 0.3)), np.float32)
        stain *= 1 + np.float32(0.16) * fine + np.float32(0.10) * mottle
        second += stain
        plane[:] = 0
        draw_nuclei(plane, self._clumps, win, 1.0)
        second += plane.astype(np.float32) * np.float32(1.15 / 255 * per_od)
        return np.maximum(first, 0), np.maximum(second, 0)
