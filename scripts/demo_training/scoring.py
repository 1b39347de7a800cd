"""Runs demo models over synthetic slides with the program's own tissue, grid and tile reader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from demo_training.pool import BIOMARKERS, LABEL_PX, TILE_MPP, Slide, load
from napari_her2.geometry import Region
from napari_her2.models.protocols import TileModel
from napari_her2.slides import open_array
from napari_her2.tiles.reading import TileReader
from napari_her2.tiles.selectors import TissueSelector
from napari_her2.tiles.spec import TileGrid, TileSpec
from napari_her2.tiles.tissue import find_tissue

SPEC = TileSpec(512, TILE_MPP, 512.0)
"""The program's default: 1024 µm fields, centred on heatmap cells of 512 µm."""


@dataclass(frozen=True)
class ScoredSlide:
    """Tiles of one slide.

    Attributes
    ----------
    seed : int
        Of the slide.
    statuses : dict of str to bool
        Truth of the slide.
    probs : dict of str to ndarray
        By biomarker, shape (n, 3).
    tile_truth : ndarray
        Shape (3, n), ER, PR, HER2: the class that covers most of the tile's tissue; 0 positive,
        1 negative, 2 non-tumour.
    cell_truth : ndarray
        The same for the heatmap cell, the middle quarter of the tile's area.
    colour : ndarray
        Shape (n, 3): mean RGB of the tile.
    """

    seed: int
    statuses: dict[str, bool]
    probs: dict[str, NDArray[np.float32]]
    tile_truth: NDArray[np.int8]
    cell_truth: NDArray[np.int8]
    colour: NDArray[np.float64]


def score(slide: Slide, models: Mapping[str, TileModel], batch: int = 8) -> ScoredSlide:
    """Score all tissue tiles of a slide."""
    with open_array(slide.rgb, mpp=TILE_MPP, slide_id=f"seed-{slide.seed}") as opened:
        height, width = slide.rgb.shape[:2]
        tissue = find_tissue(opened)
        grid = TileGrid(SPEC, Region(0, 0, width, height), TILE_MPP, TILE_MPP)
        cells = TissueSelector().select(grid, tissue.usable, tissue.downsample)
        reader = TileReader(opened, SPEC)
        kept, colour = [], []
        parts: dict[str, list[NDArray[np.float32]]] = {b: [] for b in models}
        for start in range(0, len(cells), batch):
            group = cells[start : start + batch]
            tiles = np.stack([reader.read(grid.window(int(r), int(c))).rgb for r, c in group])
            kept.append(group)
            colour.append(tiles.reshape(len(tiles), -1, 3).mean(1))
            for biomarker, model in models.items():
                parts[biomarker].append(model.predict(tiles))
    where = np.concatenate(kept)
    return ScoredSlide(
        slide.seed,
        slide.statuses,
        {b: np.concatenate(p) for b, p in parts.items()},
        _truth(slide, [grid.window(int(r), int(c)) for r, c in where]),
        _truth(slide, [grid.cell(int(r), int(c)) for r, c in where]),
        np.concatenate(colour),
    )


def score_all(paths: Iterable[Path], models: Mapping[str, TileModel]) -> list[ScoredSlide]:
    """Score slides one after another, so that only one is in memory."""
    out = []
    for i, path in enumerate(paths, 1):
        out.append(score(load([path])[0], models))
        if i % 10 == 0:
            print(f"scored {i} slides", flush=True)
    return out


def _truth(slide: Slide, regions: list[Region]) -> NDArray[np.int8]:
    rows, cols = slide.labels.shape[1:]
    out = np.full((len(BIOMARKERS), len(regions)), 2, np.int8)
    for i, region in enumerate(regions):
        top, bottom = _span(region.y, region.bottom, rows)
        left, right = _span(region.x, region.right, cols)
        for b in range(len(BIOMARKERS)):
            part = slide.labels[b, top:bottom, left:right]
            counts = [int(np.count_nonzero(part == k)) for k in range(3)]
            if sum(counts):
                out[b, i] = int(np.argmax(counts))
    return out


def _span(start: float, stop: float, size: int) -> tuple[int, int]:
    return max(0, round(start / LABEL_PX)), min(size, round(stop / LABEL_PX))
