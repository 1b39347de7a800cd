"""SVM and random forest: our numbers are scikit-learn's, the files hold no program code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.handmade import FeatureClassifier, Forest, LinearSvm
from napari_her2.cells.handmade_fit import fit_forest, fit_svm, forest_of, svm_of
from napari_her2.cells.table import CellTable
from napari_her2.models.arrays import read_arrays, write_arrays
from napari_her2.models.card import ModelCard

Data = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def data() -> Data:
    rng = np.random.default_rng(3)
    labels = np.repeat(np.arange(7), 90)
    centres = rng.normal(0, 1.6, (7, 18))
    features = (centres[labels] + rng.normal(0, 1, (630, 18))).astype(np.float32)
    # Equal rows of two classes: a leaf that can't be pure.
    features[0], features[100] = features[200], features[200]
    features[:, 5] = np.round(features[:, 5])
    return features, labels, np.tile(np.arange(10), 63)


def test_forest_gives_what_scikit_learn_gives(data: Data) -> None:
    fitted, mtry = fit_forest(*data, mtry=(2, 6), trees=40)
    assert mtry in (2, 6)
    ours = forest_of(fitted)
    new = np.random.default_rng(4).normal(0, 2, (3000, 18)).astype(np.float32)
    for x in (data[0], new):
        np.testing.assert_allclose(ours.probabilities(x), fitted.predict_proba(x), atol=1e-6)
    assert (ours.leaf_share.max(1) < 1).any()


def test_a_cell_on_a_threshold_goes_the_same_way(data: Data) -> None:
    fitted, _ = fit_forest(*data, mtry=(4,), trees=5)
    limits = np.concatenate([t.tree_.threshold for t in fitted.estimators_])
    x = np.full((len(limits), 18), 0, np.float32) + limits[:, None].astype(np.float32)
    x = np.concatenate([x, np.nextafter(x, np.float32(9)), np.nextafter(x, np.float32(-9))])
    np.testing.assert_allclose(
        forest_of(fitted).probabilities(x), fitted.predict_proba(x), atol=1e-6
    )


def test_svm_gives_what_scikit_learn_gives(data: Data) -> None:
    fitted, cost = fit_svm(*data, costs=(0.1, 1.0))
    assert cost in (0.1, 1.0)
    ours = svm_of(fitted)
    np.testing.assert_allclose(ours.decision(data[0]), fitted.decision_function(data[0]), atol=1e-6)
    probs = ours.probabilities(data[0])
    assert (probs.argmax(1) == fitted.predict(data[0])).all()
    np.testing.assert_allclose(probs.sum(1), 1)


def test_written_and_read_they_are_the_same(data: Data, tmp_path: Path) -> None:
    forest = forest_of(fit_forest(*data, mtry=(4,), trees=12)[0])
    path = tmp_path / "weights.safetensors"
    digest = write_arrays(path, forest.arrays())
    shapes = {k: v.shape for k, v in forest.arrays().items()}
    whole = frozenset({"feature", "link", "tree_size"})
    back = read_arrays(path, shapes, sha256=digest, model="m", whole=whole)
    again = Forest.from_arrays(back)
    assert (again.probabilities(data[0]) == forest.probabilities(data[0])).all()
    svm = svm_of(fit_svm(*data, costs=(1.0,))[0])
    write_arrays(path, svm.arrays())
    shapes = {k: v.shape for k, v in svm.arrays().items()}
    back = read_arrays(path, shapes, sha256=None, model="m")
    assert (LinearSvm.from_arrays(back).decision(data[0]) == svm.decision(data[0])).all()


@pytest.mark.parametrize(
    ("link", "size"),
    [([1, 0, 0], 3), ([3, 0, 0], 3), ([2, 0, 0], 2), ([2, 0, 9], 3), ([0, 0, 0], 3)],
)
def test_trees_that_lead_nowhere_are_refused(link: list[int], size: int) -> None:
    arrays = (
        np.array([0, 255, 255], np.uint8), np.array(link, np.uint16), np.zeros(1, np.float32),
        np.array([size], np.int32), np.eye(2, dtype=np.float32),
    )  # fmt: skip
    with pytest.raises(ValueError, match="its trees"):
        Forest(*arrays)


def test_classifier_takes_columns_and_no_crops(data: Data) -> None:
    svm = svm_of(fit_svm(*data, costs=(1.0,))[0])
    card = ModelCard.model_validate(
        {
            "architecture": "linear-svm", "num_classes": 7, "patch_size_pixels": 44,
            "spacing_um_px": 0.49, "class_names": CELL_CLASSES, "transform": [], "id": "svm",
            "name": "SVM", "version": "1", "biomarker": "HER2", "stain": "H-DAB", "organ": "any",
            "class_roles": {}, "selector": {"kind": "cells"}, "licence": "x", "source": "x",
            "training_data": "x", "status": "user-unvalidated", "intended_use": "x",
        }
    )  # fmt: skip
    classifier = FeatureClassifier(card, svm, "d", lambda table: table["f"])
    table = CellTable({"x_px": np.zeros(630), "y_px": np.zeros(630), "f": data[0]})
    probs = classifier.classify(table)
    assert probs.shape == (630, 7)
    assert probs.dtype == np.float32
    assert (probs.argmax(1) == data[1]).mean() > 0.8
    assert classifier.classify(table.take(np.zeros(0, int))).shape == (0, 7)
    assert not classifier.needs_crops
