"""Nuclei on real H&E tiles whose outlines were drawn by hand, and the same cells for any tile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_her2.cells.calibration import calibrate
from napari_her2.cells.stitching import detect_tile
from napari_her2.geometry import Region
from napari_her2.slides import open_slide
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.tiles.tissue import find_tissue

pytestmark = pytest.mark.shared

TILES = "he-nuclei-gbm-lgg"
PLAIN_F1 = 0.90
"""What a plain scikit-image pipeline, tuned on these tiles, reaches."""


def score(path: Path, mpp: float = 0.25) -> np.ndarray:
    """Outlines hit, centres found, outlines; the file states no pixel size."""
    rgb = np.asarray(Image.open(path).convert("RGB"))
    labels = np.asarray(Image.open(path.parents[1] / "labels" / path.name)).astype(np.int64)
    slide = ArraySlide([rgb], (mpp, mpp), path.stem)
    calibration = calibrate(slide, find_tissue(slide, qc=False), "he")
    table = detect_tile(slide, calibration, Region(0, 0, *rgb.shape[1::-1]))
    x, y = np.minimum(table["x_px"], 511).astype(int), np.minimum(table["y_px"], 511).astype(int)
    hit, true = np.unique(labels[y, x]), np.unique(labels)
    return np.array([(hit > 0).sum(), len(table), (true > 0).sum()])


def f1(counts: np.ndarray) -> float:
    hits, found, true = counts
    return 2 * hits / (found + true)


def test_outlined_nuclei_are_found(shared_data):
    paths = sorted((shared_data / TILES / "images").glob("*.png"))
    assert len(paths) == 26
    glioblastoma = sum(score(p) for p in paths if p.stem.startswith("gbm"))
    lower_grade = sum(score(p) for p in paths if not p.stem.startswith("gbm"))
    assert f1(glioblastoma) > 0.93
    assert f1(lower_grade) > PLAIN_F1
    assert f1(glioblastoma + lower_grade) > PLAIN_F1 + 0.015


@pytest.mark.parametrize("mpp", [0.18, 0.33])
def test_a_pixel_size_that_is_a_third_off_costs_little(shared_data, mpp):
    paths = sorted((shared_data / TILES / "images").glob("*1.png"))
    assert f1(sum(score(p, mpp) for p in paths)) > 0.80


def test_the_same_cells_of_a_real_core_for_every_tile(shared_data):
    """A core with stained membranes, cut to a part of it: tiles of 512 to 4096 px."""
    path = next(iter(sorted((shared_data / "her2-ihc-gea-cores").glob("2_0123*.jpg"))))
    with open_slide(path, mpp=0.23) as slide:
        rgb = slide.read(0, 1500, 1500, 2100, 1300).rgb.copy()
    crop = ArraySlide([rgb], (0.23, 0.23), "crop")
    calibration = calibrate(crop, find_tissue(crop, qc=False), "her2-ihc")
    tables = []
    for side in (512, 1000, 2000, 4096):
        parts = [
            detect_tile(crop, calibration, Region(x, y, side, side))
            for y in range(0, 1300, side)
            for x in range(0, 2100, side)
        ]
        columns = {k: np.concatenate([p[k] for p in parts]) for k in parts[0]}
        order = np.lexsort((columns["x_px"], columns["y_px"]))
        tables.append({k: v[order] for k, v in columns.items()})
    assert len(tables[0]["x_px"]) > 1000
    for other in tables[1:]:
        for name, values in tables[0].items():
            np.testing.assert_array_equal(other[name], values)
