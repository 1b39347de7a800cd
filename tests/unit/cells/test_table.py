"""Cells as columns."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells.classes import CELL_CLASSES, QUPATH_NAMES, SCORE_OF, TUMOUR_CLASSES
from napari_her2.cells.table import CellTable


def some(n: int = 4) -> CellTable:
    return CellTable(
        {
            "x_px": np.arange(n) * 10.0,
            "y_px": np.arange(n) * 1.0,
            "class": np.array([0, 3, 3, 6][:n], np.uint8),
        },
        CELL_CLASSES,
    )


def test_counts_names_and_points():
    cells = some()
    assert cells.counts()["tumour 3+"] == 2
    assert cells.counts()["stroma"] == 0
    assert list(cells.class_names) == ["tumour 0", "tumour 3+", "tumour 3+", "artefact"]
    assert cells.points_yx[2].tolist() == [2.0, 20.0]
    assert len(cells.take(cells["class"] == 3)) == 2


def test_join_keeps_order_and_refuses_other_columns():
    both = CellTable.join([some(2), some(3)])
    assert both["x_px"].tolist() == [0.0, 10.0, 0.0, 10.0, 20.0]
    with pytest.raises(ValueError, match="different"):
        CellTable.join([some(2), some(2).with_columns({"area_um2": np.ones(2)})])
    with pytest.raises(ValueError, match="nothing"):
        CellTable.join([])


def test_columns_are_of_one_length():
    with pytest.raises(ValueError, match="lengths"):
        CellTable({"x_px": np.zeros(2), "y_px": np.zeros(3)})


def test_classes_are_the_seven_of_the_paper_in_the_order_of_their_keys():
    assert len(CELL_CLASSES) == 7
    assert tuple(SCORE_OF) == TUMOUR_CLASSES
    assert set(CELL_CLASSES) <= set(QUPATH_NAMES)
