"""What a table of cells comes to."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.errors import UsageError
from napari_her2.pipelines.cells_summary import (
    RESAMPLE_UM,
    SMALL_RESAMPLE_UM,
    counts_by_tile,
    resample_side,
    resample_tiles,
    summarise_cells,
)


def her2_table(n, shares, size=8000.0, seed=0) -> CellTable:
    rng = np.random.default_rng(seed)
    of_class = rng.choice(7, n, p=np.array(shares) / sum(shares)).astype(np.uint8)
    columns = {
        "x_px": rng.uniform(0, size, n),
        "y_px": rng.uniform(0, size, n),
        "class": of_class,
        "probs": np.eye(7, dtype=np.float32)[of_class],
        "membrane_od": (of_class * 0.1).astype(np.float32),
        "membrane_completeness": np.full(n, 0.5, np.float32),
    }
    return CellTable(columns, CELL_CLASSES)


def test_rules_that_disagree_are_named():
    # Finding 6 of the paper: 3+ 8 %, 2+ 5 %, 1+ 20 %.
    of_class = np.repeat([3, 2, 1, 0], [80, 50, 200, 670]).astype(np.uint8)
    table = CellTable(
        {"x_px": np.arange(1000.0), "y_px": np.zeros(1000), "class": of_class}, CELL_CLASSES
    )
    said = summarise_cells(table, None)
    by_rule = {s["rule"]: s for s in said["scores"]}
    assert by_rule["p2-2017"]["status"] == "negative"
    assert by_rule["asco-cap-breast-2018"]["ihc"] == "2+"
    assert said["rules_disagree"] is True
    assert "P2 2017 negative" in said["rules_disagree_why"]
    assert said["percent"] == {"0": 67.0, "1+": 20.0, "2+": 5.0, "3+": 8.0}
    assert said["h_score"] == pytest.approx(20 + 10 + 24)
    assert said["positive_fraction"] == pytest.approx(0.33)
    assert said["mean_membrane_od"] is None
    assert said["ci95"] == {}


def test_the_chosen_rule_stands_first_and_must_fit_the_organ():
    table = her2_table(2000, (1, 1, 1, 1, 0, 0, 0))
    said = summarise_cells(table, None, rule="p2-2017")
    assert said["rule"] == said["scores"][0]["rule"] == "p2-2017"
    with pytest.raises(UsageError):
        summarise_cells(table, None, organ="gea", rule="p2-2017")


def test_a_biopsy_is_scored_by_clusters_at_any_percentage():
    table = her2_table(3000, (1, 0, 0, 0, 0, 0, 0))
    strong = np.array(table["class"])
    near = np.argsort(np.hypot(table["x_px"] - 4000, table["y_px"] - 4000))[:6]
    strong[near] = 3
    table = table.with_columns({"class": strong})
    places = {"organ": "gea", "specimen": "biopsy"}
    said = summarise_cells(table, None, mpp=(0.1, 0.1), **places)
    assert said["scores"][0]["rule"] == "gea-biopsy-2016"
    assert said["ihc"] == "3+"
    assert summarise_cells(table, None, mpp=(10.0, 10.0), **places)["ihc"] == "0"
    unknown = summarise_cells(table, None, **places)
    assert unknown["assessable"] is False
    assert unknown["reason_id"] == "no_clusters"


def test_intervals_hold_the_value_and_need_several_squares():
    table = her2_table(4000, (4, 3, 2, 1, 1, 0, 0), size=6000)
    tiles = resample_tiles(table, 0.5, 0.5)
    assert resample_side(table, 0.5, 0.5) == RESAMPLE_UM
    said = summarise_cells(table, tiles)
    for grade, value in said["percent"].items():
        low, high = said["ci95"][grade]
        assert low < value < high
    assert said["scores"][0]["interval"]["ci95"][0] < said["scores"][0]["share"]
    counts = counts_by_tile(table, tiles)
    assert counts.sum(axis=0).tolist() == list(table.counts().values())
    core = her2_table(500, (1, 1, 1, 1, 0, 0, 0), size=1000)
    assert resample_side(core, 0.5, 0.5) == SMALL_RESAMPLE_UM
    assert summarise_cells(core, resample_tiles(core, 0.5, 0.5))["ci95"]["h_score"] is not None


def test_nuclei_and_nuclear_staining_have_documents_of_their_own():
    n = 400
    of_class = np.repeat([0, 1, 2, 3], 100).astype(np.uint8)
    base = {"x_px": np.arange(n, dtype=float), "y_px": np.zeros(n)}
    nuclear = CellTable({**base, "class": of_class}, NUCLEAR_CLASSES)
    said = summarise_cells(nuclear, None)
    assert said["positive_fraction"] == pytest.approx(0.75)
    assert said["h_score"] == pytest.approx(150)
    assert said["allred"]["total"] == 5 + 2
    plain = CellTable({**base, "class": np.zeros(n, np.uint8)}, ("nucleus",))
    said = summarise_cells(plain, None, tissue_mm2=2.0)
    assert said["cells_detected"] == 400
    assert said["cells_per_mm2"] == 200
    assert said["assessable"] is True
    assert summarise_cells(plain.take(np.zeros(0, int)), None)["reason"].startswith("No cell")


def test_a_million_cells_are_summed_up_quickly():
    table = her2_table(1_000_000, (4, 3, 2, 1, 1, 1, 0), size=60_000)
    tiles = resample_tiles(table, 0.5, 0.5)
    began = time.process_time()
    summarise_cells(table, tiles)
    assert time.process_time() - began < 2.0
