"""The slide level: settings chosen by grouped folds, figures of slides that had no say in them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_her2.errors import CannotTrainError
from napari_her2.models.registry import Registry
from napari_her2.training import stage2, stage2_fit
from napari_her2.training.request import TrainRequest
from napari_her2.training.run import run_training
from napari_her2.training.slide_scores import read_statuses
from napari_her2.training.stage2_fit import Choice, Columns, choose, cross_predict, folds_of

SMALL = tuple(Choice(0.7, 5, penalty, c) for penalty in ("l1", "l2") for c in (0.3, 3.0))


def scores(positive, rng, tiles=60):
    """Tile probabilities (positive, negative, non-tumour) of a slide."""
    share = rng.uniform(0.5, 0.9) if positive else rng.uniform(0.05, 0.4)
    kind = rng.random(tiles)
    alpha = np.where((kind < share)[:, None], (12, 1, 1), (1, 12, 1))
    alpha = np.where((kind > 0.9)[:, None], (1, 1, 12), alpha)
    return np.stack([rng.dirichlet(a) for a in alpha]).astype(np.float32)


def slides(n=24, seed=0):
    rng = np.random.default_rng(seed)
    positive = np.arange(n) % 2 == 0
    return [scores(p, rng) for p in positive], positive


@pytest.fixture
def few_settings(monkeypatch):
    monkeypatch.setattr(stage2_fit, "GRID", SMALL)
    for function in (choose, cross_predict):
        monkeypatch.setitem(function.__kwdefaults__ or {}, "grid", SMALL)
    monkeypatch.setattr(choose, "__defaults__", (None, SMALL))


def write(folder: Path, probs, positive, statuses=None, test=()):
    table, tiles = folder / "status.csv", folder / "tiles.csv"
    with table.open("w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["slide", "status", "patient", "split"])
        for i, p in enumerate(positive):
            said = (statuses or {}).get(i, "positive" if p else "neg")
            rows.writerow([f"s{i}.svs", said, f"p{i // 4}-{int(p)}", "test" if i in test else ""])
    names = Registry().resolve("ER").card.class_names
    with tiles.open("w", newline="") as f:
        rows = csv.writer(f)
        rows.writerow(["slide", *(f"prob_{n}" for n in names)])
        for i, p in enumerate(probs):
            rows.writerows([f"s{i}", *row] for row in p.tolist())
    return table, tiles


def test_folds_keep_groups_together_and_hold_both_statuses():
    positive = np.arange(40) % 2 == 0
    group = np.array([f"p{i // 4}" for i in range(40)])
    folds = folds_of(positive, group, 1)
    assert len(folds) == 10
    assert sorted(np.concatenate([t for _, t in folds])) == list(range(40))
    for train, test in folds:
        assert not set(group[train]) & set(group[test])
        assert len(set(positive[test])) == 2


def test_the_choice_is_seeded_and_held_out_slides_have_no_say():
    probs, positive = slides()
    group = np.array([f"p{i}" for i in range(len(probs))])
    first = choose(probs, positive, group, Columns(0, 1), 3, grid=SMALL)
    assert first == choose(probs, positive, group, Columns(0, 1), 3, grid=SMALL)
    assert first[1] > 0.9
    said = cross_predict(probs, positive, group, Columns(0, 1), 3, outer=3, grid=SMALL)
    rng = np.random.default_rng(5)
    noise = cross_predict(
        probs, rng.permutation(positive), group, Columns(0, 1), 3, outer=3, grid=SMALL
    )
    assert said[positive].mean() - said[~positive].mean() > 0.3
    assert abs(noise[positive].mean() - noise[~positive].mean()) < 0.3


def test_a_slide_level_becomes_a_model(tmp_path, few_settings):
    probs, positive = slides(26)
    table, tiles = write(
        tmp_path, probs, positive, statuses={24: "indeterminate"}, test=(20, 21, 22, 23)
    )
    request = TrainRequest(
        table, "stage2", tmp_path / "m", name="Lab ER slides", scores=tiles, model="ER"
    )
    document = run_training(request)
    assert document["status"] == "completed"
    assert document["splits"]["test"]["n"] == 4
    assert document["splits"]["train"]["n"] == 21
    assert any("1 (status neither" in w for w in document["warnings"])
    loaded = Registry().load("lab-er-slides")
    assert loaded.aggregator is not None
    answers = [loaded.aggregator.aggregate(p).probability for p in probs]
    assert np.mean([a for a, p in zip(answers, positive, strict=True) if p]) > 0.6
    # Tiles are still those of a model of synthetic tissue, and the card says so.
    assert loaded.card.status == "synthetic-demo"
    assert loaded.card.validation[0].unit == "slides"
    assert run_training(request) == document


def test_bad_tables_are_sentences(tmp_path, few_settings):
    probs, positive = slides(6)
    table, tiles = write(tmp_path, probs, positive)
    request = TrainRequest(table, "stage2", tmp_path / "m", scores=tiles, model="ER")
    table.write_text("slide,colour\na,b\n")
    with pytest.raises(CannotTrainError, match="no column status"):
        run_training(request)
    table.write_text("slide,status,patient,split\na,1,x,test\nb,0,x,\n")
    with pytest.raises(CannotTrainError, match="in the test and outside"):
        read_statuses(table)
    table.write_text("slide,status\ns0,1\ns2,1\n")
    with pytest.raises(CannotTrainError) as found:
        run_training(request)
    assert found.value.message_id == "stage2_one_status"
    with pytest.raises(CannotTrainError) as found:
        stage2.slide_material(table, tmp_path, Registry().resolve("ER").card)
    assert found.value.message_id == "no_scores"
