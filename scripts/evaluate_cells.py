"""How well cells are found: synthetic slides of unseen seeds, real H&E and Ki67 nuclei.

    python scripts/evaluate_cells.py [--shared DIR] [--seeds 21 22 23] [--size 2048] [--json OUT]

A synthetic cell is hit by a found centre within 3 µm, nearest pairs first, each used once. A real
nucleus is hit by a centre inside its outline that no other centre has hit. Nothing is fitted here;
``docs/cell_detection.md`` says on which images the constants were chosen.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial import cKDTree

from napari_her2.cells.calibration import calibrate
from napari_her2.cells.classes import CellMode
from napari_her2.cells.stitching import cell_tiles, detect_tile
from napari_her2.slides import open_slide
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.slides.base import Slide
from napari_her2.synthetic.writing import write_slide
from napari_her2.tiles.tissue import find_tissue

HIT_UM = 3.0
REAL_MPP = 0.25
"""The real tiles state no pixel size."""

LEAST_OUTLINE_PX = 20


@dataclass(frozen=True)
class Score:
    """Hits, found and true objects."""

    hits: int
    found: int
    true: int

    def __add__(self, other: Score) -> Score:
        return Score(self.hits + other.hits, self.found + other.found, self.true + other.true)

    def to_json(self) -> dict[str, float]:
        """Counts and the figures made of them."""
        return {
            "hits": self.hits, "found": self.found, "true": self.true,
            "precision": round(self.hits / max(self.found, 1), 4),
            "recall": round(self.hits / max(self.true, 1), 4),
            "f1": round(2 * self.hits / max(self.found + self.true, 1), 4),
        }  # fmt: skip


def centres(slide: Slide, mode: CellMode) -> NDArray[np.float64]:
    """All cells of a slide, x then y, level-0 pixels."""
    tissue = find_tissue(slide)
    calibration = calibrate(slide, tissue, mode)
    tiles = cell_tiles(slide, tissue, calibration)
    parts = [detect_tile(slide, calibration, tile).points_yx[:, ::-1] for tile in tiles]
    return np.concatenate([np.empty((0, 2)), *parts])


def pairs(
    found: NDArray[np.float64], true: NDArray[np.float64], reach: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which found and which true points have a partner."""
    used = np.zeros(len(found), np.bool_), np.zeros(len(true), np.bool_)
    near = cKDTree(found).sparse_distance_matrix(cKDTree(true), reach, output_type="coo_matrix")
    for k in np.argsort(near.data, kind="stable"):
        i, j = near.row[k], near.col[k]
        if not used[0][i] and not used[1][j]:
            used[0][i] = used[1][j] = True
    return used


def inside(found: NDArray[np.float64], labels: NDArray[np.integer]) -> Score:
    """Outlines that hold a centre; a second centre in one is a miss."""
    x, y = np.clip(found.astype(int), 0, np.array(labels.shape[::-1]) - 1).T
    hit = np.unique(labels[y, x])
    true = np.unique(labels)
    return Score(int((hit > 0).sum()), len(found), int((true > 0).sum()))


def synthetic(seed: int, size: int) -> dict[str, Score]:
    """All objects; and cells alone, debris and precipitate neither asked for nor held against."""
    with tempfile.TemporaryDirectory() as folder:
        truth = write_slide("her2-ihc", size, seed, Path(folder) / "s.svs", mpp=0.5)
        table = pq.read_table(truth.cells)
        with open_slide(truth.slide) as slide:
            found = centres(slide, "her2-ihc")
    points = np.stack([table["x_px"], table["y_px"]], axis=1).astype(np.float64)
    debris = np.array(table["class"].to_pylist()) == "artefact"
    reach = HIT_UM / 0.5
    _, used_true = pairs(found, points, reach)
    cell_found, cell_true = pairs(found, points[~debris], reach)
    on_debris = cKDTree(np.concatenate([points[debris], [[-1e9, -1e9]]])).query(found)[0] < reach
    return {
        "all objects": Score(int(used_true.sum()), len(found), len(points)),
        "cells": Score(
            int(cell_true.sum()), int((cell_found | ~on_debris).sum()), int((~debris).sum())
        ),
    }


def he_tiles(folder: Path) -> Iterator[tuple[str, Score]]:
    """Real H&E tiles with drawn outlines: group (patient where known) and score."""
    for path in sorted((folder / "images").glob("*.png")):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(folder / "labels" / path.name)).astype(np.int64)
        slide = ArraySlide([rgb], (REAL_MPP, REAL_MPP), path.stem)
        group = "GBM" if path.stem.startswith("gbm") else f"LGG {path.stem[:12]}"
        yield group, inside(centres(slide, "he"), labels)


def ki67_tiles(folder: Path) -> Iterator[tuple[str, Score]]:
    """Real Ki67 tiles with coloured truth: red and blue nuclei."""
    for name in ("22_2", "34_3", "Lung1"):
        if name == "Lung1":
            six = np.asarray(Image.open(folder / "Lung1_composite.png").convert("RGB"))
            rgb, truth = np.ascontiguousarray(six[:, :512]), six[:, -512:]
        else:
            rgb, truth = (
                np.asarray(Image.open(folder / f"{name}_{kind}.png").convert("RGB"))
                for kind in ("ihc", "gt")
            )
        slide = ArraySlide([rgb], (REAL_MPP, REAL_MPP), name)
        yield name, inside(centres(slide, "nuclear-ihc"), coloured(truth))


def coloured(truth: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Numbers of the red and of the blue areas."""
    from skimage.measure import label

    red, green, blue = np.moveaxis(truth.astype(int), -1, 0)
    out, last = np.zeros(truth.shape[:2], np.int64), 0
    for on in (
        (red > 150) & (green < 100) & (blue < 100),
        (blue > 150) & (red < 100) & (green < 100),
    ):
        pieces = label(on)
        large = np.bincount(pieces.ravel()) >= LEAST_OUTLINE_PX
        on &= large[pieces]
        out[on] = pieces[on] + last
        last = int(out.max())
    return out


def main() -> int:
    """Evaluate and print."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--shared", type=Path, help="folder of the real images")
    p.add_argument("--seeds", type=int, nargs="*", default=[21, 22, 23, 24, 25, 26])
    p.add_argument("--size", type=int, default=2048, help="side of a synthetic slide, px")
    p.add_argument("--json", type=Path)
    a = p.parse_args()
    scores: dict[str, Score] = {}

    def add(name: str, score: Score) -> None:
        scores[name] = scores.get(name, Score(0, 0, 0)) + score

    for seed in a.seeds:
        for kind, score in synthetic(seed, a.size).items():
            add(f"synthetic seed {seed}, {kind}", score)
            add(f"synthetic, {kind}", score)
    if a.shared is not None:
        for group, score in he_tiles(a.shared / "he-nuclei-gbm-lgg"):
            for name in (f"H&E {group}", f"H&E {group.split()[0]} together", "H&E all"):
                add(name, score)
        for name, score in ki67_tiles(a.shared / "ki67-ihc-deepliif"):
            add(f"Ki67 {name}", score)
            add("Ki67 all", score)
    document = {name: score.to_json() for name, score in scores.items()}
    for name, row in document.items():
        print(
            f"{name:<34} F1 {row['f1']:.3f}  precision {row['precision']:.3f}  "
            f"recall {row['recall']:.3f}  ({row['found']} found, {row['true']} true)"
        )
    if a.json is not None:
        a.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
