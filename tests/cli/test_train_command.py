"""``train`` on the command line: one document, sentences, exit codes."""

from __future__ import annotations

import json

import pytest
from made_label_sets import write_cells

from napari_her2.cli.app import run


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("made") / "set", 300)


def test_a_forest_is_trained_installed_and_taken_by_its_id(labels, tmp_path, capfd):
    out = tmp_path / "m"
    command = ["train", "cells", str(labels), "--out", str(out), "--recipe", "svm", "--json"]
    assert run([*command, "--name", "Lab SVM", "--threads", "1"]) == 0
    said = capfd.readouterr()
    document = json.loads(said.out)
    assert {"model_id", "metrics", "splits", "epochs", "seconds", "notice"} <= document.keys()
    assert document["model_id"] == "lab-svm"
    assert document["metrics"]["f1_macro"]["ci95"][0] > 0.5
    assert (out / "model.html").exists()
    assert run(["models", "show", "lab-svm"]) == 0
    assert "user-unvalidated" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["mil", "x"], 2, "can't be trained with this version"),
        (["cells", "nowhere", "--out", "m"], 3, "nowhere is not a label set"),
        (["cells", "x"], 2, "--out"),
    ],
)
def test_what_can_not_be_done_is_one_sentence(
    arguments, code, sentence, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    assert run(["train", *arguments]) == code
    said = capfd.readouterr()
    assert sentence in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
