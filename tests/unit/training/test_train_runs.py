"""From a label set to a model folder, in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from made_label_sets import write_cells

from napari_her2.cells.classifiers import load_classifier
from napari_her2.errors import CannotTrainError
from napari_her2.models.card import read_card
from napari_her2.models.registry import Registry
from napari_her2.training import handmade_recipe
from napari_her2.training.evaluation import Evaluation
from napari_her2.training.predictions import read_predictions
from napari_her2.training.request import TrainRequest
from napari_her2.training.run import run_training
from napari_her2.training.watch import Silent
from napari_her2.training.workplace import WORK, resume_state


class Wishing(Silent):
    """Wishes to stop after so many steps; remembers what it heard."""

    def __init__(self, after=10**9, wish="pause"):
        self.after, self.wanted, self.steps, self.epochs, self.stages = after, wish, 0, [], []

    def stage(self, name):
        self.stages.append(name)

    def step(self, done, total):
        self.steps = done

    def epoch(self, event):
        self.epochs.append(event)

    def wish(self):
        return self.wanted if self.steps >= self.after else "go"


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("made") / "cells-set")


def ask(labels, out, **more):
    given = {"epochs": 2, "threads": 1, "device": "cpu", "precision": "32", "name": "Lab cells"}
    return TrainRequest(labels, "cells-convnet", out, **{**given, **more})


def test_a_network_becomes_a_model_that_cells_takes(labels, tmp_path):
    out, seen = tmp_path / "m", Wishing()
    document = run_training(ask(labels, out), seen)
    assert seen.stages == ["loading", "training", "testing", "saving"]
    assert [e.epoch for e in seen.epochs] == [1, 2]
    assert 0 < seen.epochs[-1].tune_metrics["macro_f1"] <= 1
    assert document["status"] == "completed"
    assert document["model_id"] == "lab-cells"
    assert set(document) >= {"model_id", "metrics", "splits", "epochs", "seconds"}
    assert document["splits"]["train"]["slides"] == 3
    card = read_card(out / "card.json")
    assert card.status == "user-unvalidated"
    assert card.validation[0].metric == "macro F1"
    assert card.validation[0].n == document["splits"]["test"]["n"] == 140
    assert "420 cells of 3 slides" in card.training_data
    assert not (out / WORK).exists()
    evaluation = json.loads((out / "evaluation.json").read_text())
    assert Evaluation.from_json(evaluation).n == 140
    answers = read_predictions(out / "predictions.parquet")
    assert set(answers.slide) == {"slide-4"}
    assert Registry().verify("lab-cells")
    classifier = load_classifier("lab-cells", runtime="torch")
    assert classifier.classes[0] == "tumour 0"
    assert (Registry().resolve("lab-cells").folder / "evaluation.json").exists()


def test_paused_again_and_again_ends_with_the_weights_of_one_go(labels, tmp_path):
    whole, parts = ask(labels, tmp_path / "a"), ask(labels, tmp_path / "b", name="Other")
    run_training(whole)
    first = run_training(parts, Wishing(2))
    assert first["paused"]
    assert first["resumable"]
    assert first["status"] == "cancelled"
    assert "Paused" in first["sentence"]
    left = resume_state(tmp_path / "b")
    assert left is not None
    assert left.request == parts
    run_training(left.request, Wishing(4))
    document = run_training(parts)
    assert document["status"] == "completed"
    same = [(tmp_path / f / "weights.safetensors").read_bytes() for f in "ab"]
    assert same[0] == same[1]
    figures = [(tmp_path / f / "evaluation.json").read_bytes() for f in "ab"]
    assert figures[0] == figures[1]


def test_cancel_keeps_the_best_weights_so_far(labels, tmp_path):
    request = ask(labels, tmp_path / "m", epochs=3)
    document = run_training(request, Wishing(4, "cancel"))
    assert document["status"] == "cancelled"
    assert document["sentence"].endswith("the best weights so far (epoch 1) are kept.")
    assert document["resumable"]
    card = read_card(tmp_path / "m" / "card.json")
    assert "1 epochs, weights of epoch 1" in card.training_data
    # The same request goes on, and its model takes the place of the earlier state.
    done = run_training(request)
    assert done["status"] == "completed"
    assert done["epochs"] == 3
    assert done["model_id"] == document["model_id"]


def test_cancel_before_the_first_epoch_makes_no_model(labels, tmp_path):
    document = run_training(ask(labels, tmp_path / "m"), Wishing(1, "cancel"))
    assert document["epochs"] == 0
    assert not (tmp_path / "m" / "card.json").exists()


def test_the_same_request_is_not_trained_twice_and_another_is_refused(labels, tmp_path):
    request = ask(labels, tmp_path / "m", epochs=1)
    first, seen = run_training(request), Wishing()
    again = run_training(request, seen)
    assert again == first
    assert seen.steps == 0
    with pytest.raises(CannotTrainError) as found:
        run_training(replace(request, seed=2))
    assert found.value.message_id == "model_folder_taken"
    assert run_training(replace(request, seed=2, resume=False))["status"] == "completed"


def test_an_unfinished_run_with_other_settings_is_left_alone(labels, tmp_path):
    request = ask(labels, tmp_path / "m")
    run_training(request, Wishing(1))
    with pytest.raises(CannotTrainError) as found:
        run_training(replace(request, balance=False))
    assert found.value.message_id == "other_training"
    assert resume_state(tmp_path / "m") is not None


def test_a_damaged_checkpoint_costs_time_not_the_model(labels, tmp_path, caplog):
    request = ask(labels, tmp_path / "m", epochs=1)
    run_training(request, Wishing(2))
    path = tmp_path / "m" / WORK / "last.safetensors"
    path.write_bytes(path.read_bytes()[:-5])
    assert run_training(request)["status"] == "completed"
    assert "training starts from the beginning" in caplog.text


@pytest.mark.parametrize("recipe", ["cells-svm", "cells-rf"])
def test_the_baselines_learn_from_the_features(labels, tmp_path, recipe, monkeypatch):
    few = partial(handmade_recipe.fit_forest, trees=40)
    monkeypatch.setattr(handmade_recipe, "fit_forest", few)
    request = replace(ask(labels, tmp_path / "m"), recipe=recipe)
    document = run_training(request)
    assert document["metrics"]["f1_macro"]["value"] > 0.7
    record = json.loads((tmp_path / "m" / "training.json").read_text())
    assert record["details"].keys() & {"C", "mtry"}
    assert load_classifier(document["model_id"]).needs_crops is False


def test_the_network_may_be_given_the_membrane(labels, tmp_path):
    run_training(ask(labels, tmp_path / "m", membrane=True, epochs=1))
    card = read_card(tmp_path / "m" / "card.json")
    assert card.tile_model["extra_features"] == ["membrane_od", "membrane_completeness"]
    assert Registry().verify(card.id)


def test_one_slide_gives_training_figures_only_and_says_so(tmp_path):
    labels = write_cells(tmp_path / "one", 300, slides=1)
    document = run_training(ask(labels, tmp_path / "m", epochs=1))
    assert document["measured_on"] == "train"
    assert any("All labels come from one slide" in w for w in document["warnings"])
    assert read_card(tmp_path / "m" / "card.json").validation == ()


def test_what_nothing_can_be_learned_from_is_one_sentence(tmp_path, labels):
    from napari_her2.training.label_set import LabelSet
    from napari_her2.training.material import check_material, material_of

    request = ask(labels, tmp_path / "m")
    material = material_of(LabelSet.read(labels), request)
    material = replace(material, split=np.where(material.label == 3, "", material.split))
    with pytest.raises(CannotTrainError, match="tumour 3"):
        check_material(material)
    with pytest.raises(CannotTrainError) as found:
        run_training(replace(request, recipe="stage1"))
    assert found.value.message_id == "wrong_kind"
