from __future__ import annotations

import numpy as np

from napari_her2._qt.score.growing import GrowingTable
from napari_her2._qt.score.run_state import ScoreRun, most_doubtful
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.layers.cells import doubt_of
from napari_her2.pipelines.cells_events import CellsPartial


def cells(n, seed=0):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet(np.ones(7), n).astype(np.float32)
    return CellTable(
        {
            "x_px": rng.uniform(0, 1000, n), "y_px": rng.uniform(0, 1000, n), "probs": probs,
            "class": probs.argmax(axis=1).astype(np.uint8), "nucleus_texture": rng.random(n),
        },
        CELL_CLASSES,
    )  # fmt: skip


def test_a_growing_table_equals_its_parts_joined():
    parts = [cells(n, n) for n in (0, 3, 50, 1, 700)]
    growing = GrowingTable()
    seen = []
    for part in parts:
        growing.add(part)
        seen.append((growing.table, len(growing)))
    whole = CellTable.join([p for p in parts if len(p)])
    assert set(growing.table) == set(whole)
    for name in whole:
        assert np.array_equal(growing.table[name], whole[name])
    # What was handed out earlier is not changed by later cells.
    early, n = seen[2]
    assert len(early) == n == 53
    assert np.array_equal(early["x_px"], whole["x_px"][:53])


def test_growing_copies_little():
    growing = GrowingTable()
    for i in range(200):
        growing.add(cells(20, i))
    assert len(growing._columns["x_px"]) <= 2 * len(growing)


def test_only_columns_that_are_shown_are_held():
    run = ScoreRun("s", [Region(0, 0, 10, 10)] * 4, area_mm2=8.0)
    run.add(CellsPartial("s", cells(5), Region(0, 0, 10, 10), {"cells_detected": 5}))
    assert "nucleus_texture" not in run.table
    assert "probs" in run.table
    assert run.share_done == 0.25
    assert run.done_mm2 == 2.0
    assert run.said == {"cells_detected": 5}


def test_unreadable_tiles_are_counted():
    run = ScoreRun("s", [Region(0, 0, 10, 10)] * 2)
    run.add(CellsPartial("s", cells(0), Region(0, 0, 10, 10), {}, "damaged"))
    assert run.failed_tiles == run.done_tiles == 1
    assert len(run.table) == 0


def test_most_doubtful_cells_come_first_and_artefacts_never():
    table = cells(500)
    found = most_doubtful(table, 40)
    doubt = doubt_of(table["probs"])
    assert len(found) == 40
    assert np.all(np.diff(doubt[found]) <= 0)
    assert CELL_CLASSES.index("artefact") not in table["class"][found]
    rest = np.setdiff1d(np.flatnonzero(table["class"] != 6), found)
    assert doubt[rest].max() <= doubt[found].min()
    assert len(most_doubtful(cells(0))) == 0
