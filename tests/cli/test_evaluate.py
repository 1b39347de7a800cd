"""``evaluate`` as a shell sees it: one document, the same figures as a table, one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from made_label_sets import write_cells
from made_predictions import made_predictions

from napari_her2.messages import NOTICE
from napari_her2.training.evaluation import evaluate_predictions
from napari_her2.training.predictions import Predictions, write_predictions

SVM = "demo-her2-cells-svm"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("labels") / "cells", n=210, slides=3)


def test_a_label_set_gives_one_document_and_all_files(run_here, cells, tmp_path):
    answer = run_here(
        "evaluate", SVM, "--data", cells, "--n-boot", 20, "--out", tmp_path / "out", "--json"
    )
    assert answer.code == 0, answer.err
    document = answer.json
    assert document["notice"] == NOTICE
    assert document["model_id"] == SVM
    assert document["n"] == 70
    assert {"f1_macro", "balanced_accuracy", "accuracy", "auc_macro", "ece", "brier",
            "auc tumour 3+", "recall stroma"} <= set(document["metrics"])  # fmt: skip
    for figure in document["metrics"].values():
        assert set(figure) == {"value", "ci95"}
    assert sum(map(sum, document["confusion"])) == 70
    for name in ("evaluation.json", "predictions.parquet", "model.html"):
        assert (tmp_path / "out" / name).is_file(), name
    assert Path(document["page"]).read_text("utf-8").count("data:image/svg+xml") == 5
    assert Path(document["page"]).read_text("utf-8").count("data:image/jpeg") == 24
    assert document["unit"] == "cells"


def test_a_table_of_predictions_needs_no_model(run_here, tmp_path):
    truth, probs, groups = made_predictions(300)
    n = len(truth)

    split = np.full(n, "")
    p = Predictions(("a", "b", "c"), truth, probs, groups, split, *(np.zeros(n),) * 2,
                    np.arange(n))  # fmt: skip
    write_predictions(tmp_path / "p.parquet", p)
    answer = run_here("evaluate", "--data", tmp_path / "p.parquet", "--json")
    expected = evaluate_predictions(truth, probs.astype("float32"), p.classes, groups)
    assert answer.json["metrics"] == expected.to_json()["metrics"]
    assert answer.json["resampled"] == "group"
    told = run_here("evaluate", "--data", tmp_path / "p.parquet")
    value = expected.f1_macro
    assert f"f1_macro             {value.value:.2f} ({value.ci95[0]:.2f}–" in told.out
    assert "n = 300, 8 slides" in told.out


def test_a_recipe_is_cross_validated(run_here, cells):
    asked = ("evaluate", "--data", cells, "--cv", "tile", "--folds", 3, "--n-boot", 20)
    answer = run_here(*asked, "--recipe", "cells-svm", "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert set(document["recipes"]) == {"cells-svm"}
    assert document["comparisons"] == []
    assert "figures are optimistic" in " ".join(document["warnings"])


def test_wrong_use_is_one_sentence(run_here, cells, tmp_path):
    nothing = run_here("evaluate")
    assert (nothing.code, nothing.is_one_sentence()) == (2, True)
    unknown = run_here("evaluate", "nobody", "--data", cells)
    assert (unknown.code, unknown.is_one_sentence()) == (3, True)
    absent = run_here("evaluate", SVM, "--data", tmp_path / "gone.parquet")
    assert (absent.code, absent.is_one_sentence()) == (3, True)
    own = run_here("evaluate", SVM)
    assert (own.code, own.is_one_sentence()) == (3, True)
    assert "predictions.parquet" in own.err
