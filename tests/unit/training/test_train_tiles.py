"""Stage 1: labelled tiles become a tile model that predict takes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from made_label_sets import write_tiles

from napari_her2.errors import BadModelError, CannotTrainError
from napari_her2.models.card import read_card
from napari_her2.models.registry import Registry
from napari_her2.models.stain_step import StainStep, stain_step
from napari_her2.training import stage1
from napari_her2.training.label_set import LabelSet
from napari_her2.training.material import check_material, fields, material_of
from napari_her2.training.request import TrainRequest
from napari_her2.training.run import run_training
from napari_her2.training.stain_reference import reference_look
from napari_her2.training.tile_task import Crops, TileRecipe, TileTask

TINY = TileRecipe(epochs=2, steps=14, rate=4e-3, cycle=True, dense=0.5,
                  crops=(Crops(0.5, 80, 12), Crops(1.0, None, 9)))  # fmt: skip


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_tiles(tmp_path_factory.mktemp("made") / "he-set")


@pytest.fixture
def asked(labels, tmp_path, monkeypatch):
    for name in ("QUICK", "FINE"):
        monkeypatch.setattr(stage1, name, TINY)
    return TrainRequest(
        labels, "stage1", tmp_path / "m", name="Lab ER", width=0.1, threads=1, device="cpu",
        precision="32",
    )  # fmt: skip


def test_tiles_become_a_model_that_predict_takes(asked, labels):
    document = run_training(replace(asked, stain_normalise=True))
    assert document["status"] == "completed"
    assert document["metrics"]["auc non-tumour"]["value"] > 0.9
    card = read_card(asked.out / "card.json")
    assert (card.biomarker, card.stain, card.status) == ("ER", "H&E", "user-unvalidated")
    assert card.class_roles == {"positive": 0, "negative": 1, "non_tumour": 2}
    assert card.patch_size_pixels == 96
    assert card.spacing_um_px == 2.0
    loaded = Registry().load("lab-er", "cpu")
    tiles = np.asarray(LabelSet.read(labels).tiles([0, 1]))
    assert loaded.tile_model.predict(tiles).shape == (2, 3)
    # Colours are brought to the reference on the way in, from the card alone.
    step = stain_step(card)
    assert isinstance(step, StainStep)
    bare = Registry().load("lab-er", "cpu").tile_model
    bare._stain = None
    assert np.allclose(loaded.tile_model.predict(tiles), bare.predict(step(tiles)), atol=1e-6)
    # Another model of the same laboratory may start from it.
    again = replace(asked, out=asked.out.with_name("n"), name="Next", start_from="lab-er",
                    epochs=1, width=0.2)  # fmt: skip
    with pytest.raises(CannotTrainError, match=r"has width 0\.1, not 0\.2"):
        run_training(again)
    # What never began leaves nothing, so the folder is free for the next try.
    assert not again.out.exists()
    again = replace(again, width=None)
    assert run_training(again)["status"] == "completed"
    record = json.loads((again.out / "training.json").read_text())
    assert record["details"]["start_from"] == "lab-er"


def test_a_damaged_reference_is_a_sentence(asked):
    look = StainStep(reference_look(material_of(LabelSet.read(asked.label_set), asked)))
    assert look.reference.vectors.stain == "H&E"
    card = Registry().resolve("ER").card
    bad = card.model_copy(update={"tile_model": {"stain_reference": {"vectors": 3}}})
    with pytest.raises(BadModelError, match="stain reference"):
        stain_step(bad)


def test_batches_are_a_function_of_the_step_and_devices_share_them(asked):
    material = material_of(LabelSet.read(asked.label_set), asked)
    task = TileTask(material, TINY, 1, width=0.1)
    x, label = task.batch(3)
    assert x.shape == (12, 3, 80, 80)
    assert task.batch(20)[0].shape == (9, 3, 96, 96)
    again = TileTask(material, TINY, 1, width=0.1).batch(3)
    assert bool((x == again[0]).all())
    halves = [task.batch(3, rank, 2) for rank in (0, 1)]
    assert bool((halves[0][0] == x[::2]).all())
    assert bool((halves[1][1] == label[1::2]).all())


def test_tuning_that_is_blind_for_a_class_does_not_choose(asked):
    material = material_of(LabelSet.read(asked.label_set), asked)
    gone = (material.split == "tune") & (material.label == 0)
    blind = replace(material, split=np.where(gone, "", material.split))
    assert any("hold no ER+" in s for s in check_material(blind))
    task = TileTask(blind, TINY, 1, width=0.1)
    with torch.no_grad():
        assert task.score not in task.tune(task.network.eval())


def test_fields_shrink_until_each_class_lies_in_three(asked):
    material = material_of(LabelSet.read(asked.label_set), asked)
    rows = material.rows("train")
    number = fields(material, rows)
    for k in range(3):
        assert len(np.unique(number[material.label[rows] == k])) >= 3
    near = replace(material, x_um=material.x_um * 0, y_um=material.y_um * 0,
                   slide=np.full(len(material), "one"))  # fmt: skip
    assert fields(near, rows).tolist() == list(range(len(rows)))
