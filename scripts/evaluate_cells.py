"""How well cells are found: synthetic slides of unseen seeds, real H&E and Ki67 nuclei.

    python scripts/evaluate_cells.py [--shared DIR] [--seeds 21 22 23] [--size 2048] [--json OUT]

A synthetic cell is hit by a found centre within 3 µm, nearest pairs first, each used once; specks
of debris under 8 µm² are neither asked for nor held against whoever finds them. A real nucleus is
hit by a centre inside its outline that no other centre has hit. Nothing is fitted here;
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
from napari_her2.cells.nuclear import DEFAULT_NUCLEAR_CUTS, NUCLEAR_OD, measure_nuclear
from napari_her2.cells.stitching import cell_tiles, detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.slides import open_slide
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.slides.base import Slide
from napari_her2.synthetic.writing import write_slide
from napari_her2.tiles.tissue import find_tissue

HIT_UM = 3.0
REAL_MPP = 0.25
"""The real tiles state no pixel size."""

LEAST_OUTLINE_PX = 20

KI67_TILES = ("22_2", "34_3", "Lung1")
KI67_MPP = (0.25, 0.4, 0.5)
KI67_CUTS = (0.12, 0.15, 0.18, 0.20, 0.22, 0.25, 0.30)
"""Densities tried as the least of a positive nucleus."""


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
    """All objects; and cells alone, debris and precipitate neither asked for nor held against.

    Specks (``napari_her2.synthetic.truth.SPECK_UM2``) are in neither: each may be found or not.
    """
    with tempfile.TemporaryDirectory() as folder:
        truth = write_slide("her2-ihc", size, seed, Path(folder) / "s.svs", mpp=0.5)
        table = pq.read_table(truth.cells)
        with open_slide(truth.slide) as slide:
            found = centres(slide, "her2-ihc")
    points = np.stack([table["x_px"], table["y_px"]], axis=1).astype(np.float64)
    debris = np.array(table["class"].to_pylist()) == "artefact"
    return {
        "all objects": asked_for(found, points, np.array(table["speck"])),
        "cells": asked_for(found, points, debris),
    }


def asked_for(
    found: NDArray[np.float64], points: NDArray[np.float64], spare: NDArray[np.bool_]
) -> Score:
    """Score over all true points but the spare ones; each of these excuses one found point."""
    reach = HIT_UM / 0.5
    hit, used = pairs(found, points[~spare], reach)
    excused, _ = pairs(found[~hit], points[spare], reach)
    return Score(int(used.sum()), len(found) - int(excused.sum()), int((~spare).sum()))


def he_tiles(folder: Path) -> Iterator[tuple[str, Score]]:
    """Real H&E tiles with drawn outlines: group (patient where known) and score."""
    for path in sorted((folder / "images").glob("*.png")):
        rgb = np.asarray(Image.open(path).convert("RGB"))
        labels = np.asarray(Image.open(folder / "labels" / path.name)).astype(np.int64)
        slide = ArraySlide([rgb], (REAL_MPP, REAL_MPP), path.stem)
        group = "GBM" if path.stem.startswith("gbm") else f"LGG {path.stem[:12]}"
        yield group, inside(centres(slide, "he"), labels)


def ki67_tile(folder: Path, name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Pixels of a Ki67 tile and its coloured truth: red and blue nuclei."""
    if name == "Lung1":
        six = np.asarray(Image.open(folder / "Lung1_composite.png").convert("RGB"))
        return np.ascontiguousarray(six[:, :512]), six[:, -512:]
    rgb, truth = (
        np.asarray(Image.open(folder / f"{name}_{kind}.png").convert("RGB"))
        for kind in ("ihc", "gt")
    )
    return rgb, truth


def ki67_tiles(folder: Path) -> Iterator[tuple[str, Score]]:
    """Detection on real Ki67 tiles."""
    for name in KI67_TILES:
        rgb, truth = ki67_tile(folder, name)
        slide = ArraySlide([rgb], (REAL_MPP, REAL_MPP), name)
        yield name, inside(centres(slide, "nuclear-ihc"), coloured(truth)[0])


def ki67_fractions(folder: Path) -> None:
    """Positive fraction at three assumed pixel sizes and several cuts, less that of the truth."""
    head = " | ".join(f"{cut:.2f}" for cut in KI67_CUTS)
    print(f"\n| tile | µm/px | truth, % | {head} | outlined nuclei alone | not outlined, brown |")
    print("|---" * (len(KI67_CUTS) + 5) + "|")
    right = np.zeros((2, len(KI67_CUTS)), int)
    of = np.zeros(2, int)
    for name in KI67_TILES:
        rgb, truth = ki67_tile(folder, name)
        labels, last_red = coloured(truth)
        for mpp in KI67_MPP:
            slide = ArraySlide([rgb], (mpp, mpp), name)
            tissue = find_tissue(slide)
            calibration = calibrate(slide, tissue, "nuclear-ihc")
            tiles = cell_tiles(slide, tissue, calibration)
            table = CellTable.join([
                CellTable(detect_tile(slide, calibration, tile, measure_nuclear).columns)
                for tile in tiles
            ])  # fmt: skip
            x, y = np.clip(table.points_yx[:, ::-1].astype(int), 0, 511).T
            density, at = table[NUCLEAR_OD], labels[y, x]
            every = len(np.unique(labels)) - 1
            true = 100 * len(np.unique(labels[(labels > 0) & (labels <= last_red)])) / every
            brown = density >= DEFAULT_NUCLEAR_CUTS.weak
            met = np.unique(at[at > 0])
            of_outlined = 100 * np.isin(met, at[brown]).mean()
            off = " | ".join(f"{100 * (density >= cut).mean() - true:+.1f}" for cut in KI67_CUTS)
            print(f"| {name} | {mpp:g} | {true:.1f} | {off} | {of_outlined - true:+.1f} "
                  f"(n = {len(met)}) | {(brown & (at == 0)).sum()} |")  # fmt: skip
            if mpp == REAL_MPP:
                red, blue = (at > 0) & (at <= last_red), at > last_red
                of += red.sum(), blue.sum()
                for k, cut in enumerate(KI67_CUTS):
                    right[:, k] += (density >= cut)[red].sum(), (density < cut)[blue].sum()
    for word, hits, n in zip(("Positive", "Negative"), right, of, strict=True):
        told = ", ".join(f"{cut:.2f}: {k}" for cut, k in zip(KI67_CUTS, hits, strict=True))
        print(f"{word} nuclei graded right at {REAL_MPP} µm/px, of {n}: {told}")


def coloured(truth: NDArray[np.uint8]) -> tuple[NDArray[np.int64], int]:
    """Numbers of the red and then of the blue areas; the last number of the red ones."""
    from skimage.measure import label

    red, green, blue = np.moveaxis(truth.astype(int), -1, 0)
    out, last = np.zeros(truth.shape[:2], np.int64), []
    for on in (
        (red > 150) & (green < 100) & (blue < 100),
        (blue > 150) & (red < 100) & (green < 100),
    ):
        pieces = label(on)
        large = np.bincount(pieces.ravel()) >= LEAST_OUTLINE_PX
        on &= large[pieces]
        out[on] = pieces[on] + sum(last)
        last.append(int(out.max()))
    return out, last[0]


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
    if a.shared is not None:
        ki67_fractions(a.shared / "ki67-ihc-deepliif")
    if a.json is not None:
        a.json.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
