from __future__ import annotations

import numpy as np
import pytest
from made_runs import fake_model

from napari_her2._qt.predict.run_state import RunState
from napari_her2.geometry import Region
from napari_her2.pipelines.events import Partial
from napari_her2.tiles.spec import TileGrid, TileSpec

ROWS, COLS = 8, 10


def grid() -> TileGrid:
    spec = TileSpec(96, 2.0, 96.0)
    return TileGrid(spec, Region(0, 0, COLS * 192, ROWS * 192), 0.5, 0.5)


def probs(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.dirichlet([1, 1, 1], ROWS * COLS).astype(np.float32)


@pytest.fixture
def run():
    model = fake_model()
    run = RunState("s")
    cells = np.argwhere(np.ones((ROWS, COLS), bool))
    run.lay_out(grid(), cells, [(model.card, model.aggregator)])
    return run, model, cells


def test_scores_in_any_order_give_the_aggregator_the_pipelines_order(run):
    state, model, cells = run
    p = probs()
    order = np.random.default_rng(1).permutation(len(cells))
    for part in np.array_split(order, 7):
        state.add(Partial("s", cells[part], {"fake-er": p[part]}, np.zeros(len(part), bool)))
    assert np.array_equal(state.models["fake-er"].tile_probs(), p)
    assert state.slide_score("fake-er") == model.aggregator.aggregate(p)
    assert state.n_done == state.n_total == ROWS * COLS


def test_unreadable_tiles_are_counted_and_left_out(run):
    state, model, cells = run
    p = probs()
    failed = np.zeros(len(cells), bool)
    failed[::9] = True
    p[failed] = np.nan
    state.add(Partial("s", cells, {"fake-er": p}, failed))
    assert state.n_failed == failed.sum()
    assert state.slide_score("fake-er") == model.aggregator.aggregate(p[~failed])
    assert state.tile("fake-er", 0, 0) is None
    assert state.tile("fake-er", 0, 1).index == 1


def test_nothing_is_said_before_the_first_tile(run):
    state, _, _ = run
    assert state.slide_score("fake-er") is None
    assert state.places("fake-er", "strongest") == []


def test_places_are_ranked_and_spread(run):
    state, _, cells = run
    p = probs()
    state.add(Partial("s", cells, {"fake-er": p}, np.zeros(len(cells), bool)))
    strongest = state.places("fake-er", "strongest", n=4)
    assert strongest[0].tile.positive == pytest.approx(p[:, 0].max())
    for a in strongest:
        for b in strongest:
            apart = max(abs(a.tile.row - b.tile.row), abs(a.tile.col - b.tile.col))
            assert a is b or apart > 1
    doubtful = state.places("fake-er", "doubtful", n=4)[0].tile
    assert doubtful.positive == pytest.approx(doubtful.negative, abs=0.1)
    weakest = state.places("fake-er", "weakest")
    assert weakest[0].tile.negative >= weakest[3].tile.negative
    mixed = state.places("fake-er", "mixed")[0]
    assert mixed.high > mixed.low
    assert state.places("fake-er", "random") == state.places("fake-er", "random")


def test_a_small_slide_still_fills_the_list(run):
    state, _, cells = run
    few = cells[:3]
    state.add(Partial("s", few, {"fake-er": probs()[:3]}, np.zeros(3, bool)))
    assert len(state.places("fake-er", "strongest")) == 3


def test_a_chosen_threshold_changes_the_slide_result_only(run):
    state, model, cells = run
    p = probs()
    state.add(Partial("s", cells, {"fake-er": p}, np.zeros(len(cells), bool)))
    state.thresholds["fake-er"] = 0.8
    assert state.slide_score("fake-er") == model.aggregator.aggregate(p, 0.8)
    assert np.array_equal(state.models["fake-er"].tile_probs(), p)
