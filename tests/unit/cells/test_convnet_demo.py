"""The shipped models of cells: whole, small, honest, and right on synthetic cells."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

from napari_her2.cells.calibration import calibrate
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.classifiers import list_classifiers, load_classifier
from napari_her2.cells.crops import cut_crops
from napari_her2.cells.membrane import measure_cells
from napari_her2.cells.stitching import detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.models.registry import Registry
from napari_her2.slides import open_array
from napari_her2.synthetic.ihc import IhcScene
from napari_her2.tiles.tissue import find_tissue

REPO = Path(__file__).resolve().parents[3]
DEMOS = ("demo-her2-cells", "demo-her2-cells-svm", "demo-her2-cells-rf")
UNSEEN_SEED = 77


@pytest.fixture(scope="module")
def found() -> tuple[CellTable, np.ndarray, np.ndarray]:
    """Cells the program finds on a small scene no model has seen: table, crops, true class."""
    mpp = 0.5
    scene = IhcScene(UNSEEN_SEED, 420.0, full=True)
    rgb = scene.render(mpp)
    with open_array(rgb, mpp=mpp, slide_id="unseen") as slide:
        calibration = calibrate(slide, find_tissue(slide), "her2-ihc")

        def measure(planes: Any, nuclei: Any, kept: np.ndarray) -> dict[str, Any]:
            crops = cut_crops(planes, nuclei.centres_yx[kept], calibration.mpp)
            columns = measure_cells(planes, nuclei, calibration, calibration.mpp, kept)
            return {**columns, "crops": crops}

        table = detect_tile(slide, calibration, Region(0, 0, *rgb.shape[1::-1]), measure)
    truth = scene.cell_table()
    at = np.stack([truth["x_um"], truth["y_um"]], 1)
    distance, i = cKDTree(at).query(np.stack([table["x_px"], table["y_px"]], 1) * mpp)
    near = np.flatnonzero(distance < 3)
    names = truth["class"][i[near]]
    label = np.array([CELL_CLASSES.index(n) for n in names])
    part = table.take(near)
    return CellTable({k: part[k] for k in part if k != "crops"}), part["crops"], label


@pytest.mark.parametrize("name", DEMOS)
def test_cards_and_files(name: str) -> None:
    registry = Registry()
    model = registry.resolve(name)
    card = model.card
    assert model.built_in
    assert registry.verify(name)
    assert model.weights_path.stat().st_size <= 5_000_000
    assert card.is_demo
    assert card.is_cell_model
    assert card.class_names == CELL_CLASSES
    assert (card.patch_size_pixels, card.spacing_um_px) == (44, 0.49)
    assert (card.biomarker, card.stain) == ("HER2", "H-DAB")
    assert "No real tissue" in card.training_data
    assert "real" in card.weak_at
    figures = {v.metric: v for v in card.validation}
    assert set(figures) == {"macro F1", "accuracy", *(f"F1 {c}" for c in CELL_CLASSES)}
    assert figures["macro F1"].value >= 0.85
    assert all(v.ci95 and v.ci95[0] <= v.value <= v.ci95[1] for v in card.validation)
    assert all(v.unit == "cells" and v.site == "synthetic" for v in card.validation)


@pytest.mark.parametrize("name", DEMOS)
def test_unseen_synthetic_cells(name: str, found: tuple[CellTable, np.ndarray, np.ndarray]) -> None:
    table, crops, label = found
    classifier = load_classifier(name, runtime="torch")
    probs = classifier.classify(table, crops if classifier.needs_crops else None)
    assert probs.shape == (len(label), 7)
    np.testing.assert_allclose(probs.sum(1), 1, atol=1e-5)
    assert len(label) > 300
    assert (probs.argmax(1) == label).mean() >= 0.85


def test_they_stand_beside_the_models_for_tiles() -> None:
    names = [n for n, _ in list_classifiers()]
    assert names[0] == "membrane"
    assert set(DEMOS) <= set(names)
    assert "demo-her2" not in names
    assert Registry().resolve("HER2").card.id == "demo-her2"


def test_page_shows_the_figures_that_were_measured() -> None:
    path = REPO / "scripts" / "cell_training" / "page.py"
    spec = importlib.util.spec_from_file_location("cell_page", path)
    assert spec is not None
    assert spec.loader is not None
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    assert page.write(REPO / "docs" / "cell_models.json", check=True) == 0
