"""The whole chain on a synthetic slide: completeness and scores near the drawn ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.spatial import cKDTree

from napari_her2.cells.calibration import Calibration, calibrate
from napari_her2.cells.classes import CELL_CLASSES, TUMOUR_CLASSES
from napari_her2.cells.connectivity import membrane_connectivity
from napari_her2.cells.membrane import measure_cells
from napari_her2.cells.membrane_classifier import MembraneClassifier
from napari_her2.cells.stitching import detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.slides.base import Slide
from napari_her2.slides.opening import open_slide
from napari_her2.synthetic.writing import write_slide
from napari_her2.tiles.tissue import find_tissue

SIDE = 1400


def _cells(slide: Slide, calibration: Calibration, region: Region) -> CellTable:
    def measure(planes: Any, nuclei: Any, kept: Any) -> Any:
        return measure_cells(planes, nuclei, calibration, calibration.mpp, kept)

    table = detect_tile(slide, calibration, region, measure)
    found = MembraneClassifier().classify(table).argmax(1).astype(np.uint8)
    return CellTable({**table.columns, "class": found}, CELL_CLASSES)


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("ihc") / "slide.svs"
    truth = write_slide("her2-ihc", SIDE, 962, path, label=False)
    with open_slide(path) as slide:
        calibration = calibrate(slide, find_tissue(slide), "her2-ihc")
        whole = _cells(slide, calibration, Region(0, 0, SIDE, SIDE))
        split = 611
        halves = [
            _cells(slide, calibration, Region(0, 0, split, SIDE)),
            _cells(slide, calibration, Region(split, 0, SIDE - split, SIDE)),
        ]
    true = {k: np.array(v) for k, v in pq.read_table(truth.cells).to_pydict().items()}
    distance, index = cKDTree(whole.points_yx).query(np.stack([true["y_px"], true["x_px"]], 1))
    tumour = np.isin(true["class"], TUMOUR_CLASSES) & (distance < 6)
    return whole, halves, {k: v[tumour] for k, v in true.items()}, index[tumour]


def test_completeness_is_near_the_drawn_one(scored: Any) -> None:
    whole, _, true, index = scored
    assert len(index) > 300
    error = whole["membrane_completeness"][index] - true["membrane_completeness"]
    assert np.abs(error).mean() < 0.1
    assert (whole["membrane_visible"] + 0.2 >= whole["membrane_completeness"]).all()


def test_density_is_near_the_drawn_one(scored: Any) -> None:
    whole, _, true, index = scored
    strong = np.isin(true["class"], ["tumour 2+", "tumour 3+"])
    ratio = whole["membrane_od"][index][strong] / true["membrane_od"][strong]
    assert 0.75 < np.median(ratio) < 1.15


def test_scores_follow_the_drawn_ones(scored: Any) -> None:
    whole, _, true, index = scored
    found = whole.class_names[index]
    right = {k: (found[true["class"] == k] == k).mean() for k in TUMOUR_CLASSES}
    assert right["tumour 3+"] > 0.95
    assert right["tumour 2+"] > 0.88
    assert min(right["tumour 0"], right["tumour 1+"]) > 0.75
    score = np.array([int(name[7]) if name[:1] == "t" else -1 for name in found])
    drawn = np.array([int(name[7]) for name in true["class"]])
    called = score >= 0
    assert np.abs(score - drawn)[called].max() <= 2
    assert (np.abs(score - drawn)[called] == 2).mean() < 0.01


def test_two_tiles_give_the_cells_of_one(scored: Any) -> None:
    whole, halves, _, _ = scored
    joined = CellTable.join(halves)
    assert len(joined) == len(whole)
    ours = np.lexsort((whole["x_px"], whole["y_px"]))
    theirs = np.lexsort((joined["x_px"], joined["y_px"]))
    for name in whole:
        assert np.array_equal(whole[name][ours], joined[name][theirs]), name
    assert membrane_connectivity(halves) == pytest.approx(membrane_connectivity(whole))
