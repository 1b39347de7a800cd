"""Columns of probabilities: no class loses its column to another."""

from __future__ import annotations

import io

import numpy as np
import pyarrow.parquet as pq
import pytest

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.geometry import Region
from napari_her2.results.tiles import TileScores, column, prob_names, tiles_parquet
from napari_her2.tiles.spec import TileGrid, TileSpec


@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        (("ER+", "ER-", "non-tumour"),
         ["prob_er_positive", "prob_er_negative", "prob_non_tumour"]),
        (("positive", "negative"), ["prob_positive", "prob_negative"]),
        (("a b", "a.b", "a_b"), ["prob_a_b", "prob_a_b_2", "prob_a_b_3"]),
        ((), []),
    ],
)  # fmt: skip
def test_no_two_are_alike_and_the_rest_stays_as_it_was(classes, expected):
    assert prob_names(classes) == expected
    assert prob_names(CELL_CLASSES) == [column(c) for c in CELL_CLASSES]


def test_tiles_of_a_model_with_signs_in_its_classes_keep_all_probabilities():
    grid = TileGrid(TileSpec(32, 2.0, 64.0), Region(0, 0, 64, 32), 2.0, 2.0)
    probs = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]], np.float32)
    names = ("ER+", "ER-", "non-tumour")
    cells = np.array([[0, 0], [0, 1]])
    scores = TileScores("m", "ER", names, grid, cells, probs, np.zeros(2, bool), (None, None))
    table = pq.read_table(io.BytesIO(tiles_parquet([scores])))
    names = [n for n in table.column_names if n.startswith("prob_")]
    assert np.stack([table[n].to_numpy() for n in names], 1).tolist() == probs.tolist()
