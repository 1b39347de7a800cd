"""A model asked about labels: the same figures as by hand, and one sentence for what makes none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from made_label_sets import write_cells, write_tiles
from made_predictions import made_predictions

from napari_her2.cells.classifiers import load_classifier
from napari_her2.cells.table import CellTable
from napari_her2.errors import Her2Error
from napari_her2.models.registry import Registry
from napari_her2.pipelines.evaluate import EvaluateRequest, evaluate_model
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.reporting.model_page import (
    crop_picture,
    label_set_pictures,
    read_evaluation,
    write_model_page,
)
from napari_her2.training import fold_methods
from napari_her2.training.evaluation import Evaluation, evaluate_predictions
from napari_her2.training.label_set import LabelSet
from napari_her2.training.predictions import Predictions, read_predictions, write_predictions

SVM = "demo-her2-cells-svm"


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_cells(tmp_path_factory.mktemp("labels") / "cells", n=280, slides=5)


def run(**asked) -> Outcome:
    *_, outcome = evaluate_model(EvaluateRequest(n_boot=20, **asked))
    assert isinstance(outcome, Outcome)
    return outcome


def sentence(**asked) -> str:
    outcome = run(**asked)
    assert outcome.status == "failed"
    assert isinstance(outcome.error, Her2Error)
    return outcome.error.sentence


def test_figures_are_those_of_the_classifier_on_the_test_slides(cells: Path, tmp_path: Path):
    document = run(model=SVM, data=cells, out=tmp_path / "out").document
    labels = LabelSet.read(cells)
    rows = labels.rows("test")
    features = labels.features()[rows]
    zeros = np.zeros(len(rows))
    table = CellTable({"x_px": zeros, "y_px": zeros,
                       **dict(zip(labels.feature_names, features.T, strict=True))})  # fmt: skip
    probs = load_classifier(SVM).classify(table)
    expected = evaluate_predictions(
        labels.labels[rows], probs, labels.classes, labels.column("slide")[rows], n_boot=20
    )
    assert document["part"] == "test"
    assert document["n"] == len(rows) == 56
    assert document["metrics"] == expected.to_json()["metrics"]
    assert document["model_status"] == "synthetic-demo"
    kept = read_predictions(tmp_path / "out" / "predictions.parquet")
    assert kept.row.tolist() == rows.tolist()
    assert kept.probs == pytest.approx(probs.astype(np.float64), abs=1e-6)
    again = json.loads((tmp_path / "out" / "evaluation.json").read_text("utf-8"))
    assert Evaluation.from_json(again).to_json()["metrics"] == document["metrics"]


def test_other_parts_and_carried_over_labels(cells: Path):
    assert run(model=SVM, data=cells, part="all").document["n"] == 280
    assert run(model=SVM, data=cells, part="tune").document["n"] == 56


def test_a_table_of_predictions_gives_the_same_figures(cells: Path, tmp_path: Path):
    document = run(model=SVM, data=cells, out=tmp_path).document
    again = run(data=tmp_path / "predictions.parquet").document
    for name, figure in document["metrics"].items():
        if figure["value"] is not None:
            assert again["metrics"][name]["value"] == pytest.approx(figure["value"], abs=1e-5)


def test_temperature_is_fitted_on_the_tuning_part_only(tmp_path: Path):
    truth, probs, groups = made_predictions(900)
    sharp = probs**3 / (probs**3).sum(axis=1, keepdims=True)
    split = np.where(np.arange(900) % 3, "test", "tune")
    zeros, none = np.zeros(900), np.full(900, -1)
    p = Predictions(("a", "b", "c"), truth, sharp, groups, split, zeros, zeros, none)
    write_predictions(tmp_path / "p.parquet", p)
    plain = run(data=tmp_path / "p.parquet").document
    mended = run(data=tmp_path / "p.parquet", temperature=True).document
    assert plain["n"] == mended["n"] == 600
    assert mended["temperature"] == pytest.approx(3, rel=0.15)
    assert mended["metrics"]["ece"]["value"] < plain["metrics"]["ece"]["value"] / 2
    assert mended["metrics"]["accuracy"] == plain["metrics"]["accuracy"]


def test_methods_are_cross_validated_and_compared(cells: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(fold_methods, "TREES", 10)
    events = list(evaluate_model(EvaluateRequest(data=cells, cv="slide", folds=3, n_boot=20)))
    document = events[-1].document
    assert [e.done for e in events if isinstance(e, Progress) and e.stage == "scoring"] == list(
        range(6)
    )
    svm, forest = (document["recipes"][name] for name in ("cells-svm", "cells-rf"))
    for found in (svm, forest):
        assert found["n"] == 280
        assert len(found["per_fold"]["f1_macro"]["folds"]) == 3
        assert found["metrics"]["f1_macro"]["value"] > 0.8
    first = document["comparisons"][0]
    assert (first["a"], first["b"], first["metric"]) == ("cells-svm", "cells-rf", "f1_macro")
    assert first["p_holm"] is None or first["p_holm"] >= first["p"]
    assert document["metrics"] == svm["metrics"]


def test_what_makes_no_figure_is_one_sentence(cells: Path, tmp_path: Path):
    tiles = write_tiles(tmp_path / "tiles", n=15)
    one = write_cells(tmp_path / "one", n=70, slides=1)
    nowhere = tmp_path / "nowhere"
    assert "Say which model" in sentence(data=cells)
    assert "is made for cells" in sentence(model=SVM, data=tiles)
    assert "is made for tiles" in sentence(model="ER", data=cells)
    assert "512 px" in sentence(model="ER", data=tiles)
    assert "nothing to test on" in sentence(model=SVM, data=one, part="test")
    assert "from two slides" in sentence(data=one, cv="slide")
    assert "Not every slide" in sentence(data=cells, cv="patient")
    assert "made for cells" in sentence(data=tiles, cv="slide")
    assert "nowhere" in sentence(model=SVM, data=nowhere)
    assert "No model called" in sentence(model="nobody", data=cells)
    assert "needs a label set" in sentence(model=SVM, cv="slide")


def test_a_set_of_one_slide_is_tested_as_a_whole_and_that_is_said(tmp_path: Path):
    one = write_cells(tmp_path / "one", n=70, slides=1)
    document = run(model=SVM, data=one).document
    assert document["part"] == "all"
    assert any("one slide" in w for w in document["warnings"])


def test_cancel_writes_nothing(cells: Path, tmp_path: Path):
    token = Event()
    token.set()
    request = EvaluateRequest(model=SVM, data=cells, out=tmp_path / "out")
    *_, outcome = evaluate_model(request, token)
    assert outcome.status == "cancelled"
    assert not (tmp_path / "out").exists()


def test_the_page_holds_all_and_nothing_from_outside(cells: Path, tmp_path: Path):
    folder = tmp_path / "model"
    shutil.copytree(Registry().resolve(SVM).folder, folder)
    run(model=SVM, data=cells, out=folder)
    labels = LabelSet.read(cells)
    path = write_model_page(folder, label_set_pictures(labels))
    page = path.read_text("utf-8")
    assert "<script" not in page
    assert "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert page.count("data:image/svg+xml") == 5
    assert page.count("data:image/jpeg") == 24
    assert "Demo model" in page
    assert "tumour 3+" in page
    assert "Not validated here" in page
    found = read_evaluation(folder)
    assert found is not None
    value = found[0].f1_macro.value
    assert f"{value:.2f} (" in page


def test_the_page_of_a_model_without_figures_says_so(tmp_path: Path):
    folder = tmp_path / "model"
    shutil.copytree(Registry().resolve(SVM).folder, folder)
    (folder / "evaluation.json").write_text("{", "utf-8")
    assert "has not been tested" in write_model_page(folder).read_text("utf-8")


def test_names_are_escaped(tmp_path: Path):
    truth, probs, groups = made_predictions(60, k=2)
    names = ("<script>x</script>", "b")
    folder = tmp_path / "model"
    shutil.copytree(Registry().resolve(SVM).folder, folder)
    document = evaluate_predictions(truth, probs, names, groups, n_boot=5).to_json()
    (folder / "evaluation.json").write_text(json.dumps(document), "utf-8")
    page = write_model_page(folder).read_text("utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_crop_shows_haematoxylin_blue_and_dab_brown():
    crop = np.zeros((2, 2, 2), np.uint8)
    crop[0, 0, 0] = crop[0, 1, 1] = 100
    rgb = crop_picture(crop).astype(int)
    assert rgb[1, 1].tolist() == [255, 255, 255]
    assert rgb[0, 0, 2] > rgb[0, 0, 0]
    assert rgb[0, 1, 0] > rgb[0, 1, 2]
