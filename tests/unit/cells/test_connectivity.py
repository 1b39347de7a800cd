"""Connectivity of stained membranes."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.connectivity import Connectivity, membrane_connectivity, ring_connectivity
from napari_her2.cells.table import RAYS, CellTable


def _rays(*patterns: str) -> np.ndarray:
    return np.array([[c == "#" for c in (p * RAYS)[:RAYS]] for p in patterns])


def _table(stained: np.ndarray, classes: list[int]) -> CellTable:
    n = len(stained)
    return CellTable(
        {
            "x_px": np.zeros(n),
            "y_px": np.zeros(n),
            "membrane_stained": stained,
            "membrane_radii": np.full((n, RAYS), 20.0, np.float32),
            "class": np.array(classes, np.uint8),
        },
        CELL_CLASSES,
    )


def test_whole_none_half_and_pieces() -> None:
    stained = _rays("#", ".", "#" * 16 + "." * 16, "#" * 4 + "." * 4, "#.")
    got = ring_connectivity(stained, np.full((5, RAYS), 12.0))
    assert got == pytest.approx([1.0, 0.0, 0.25, 4 * (4 / 32) ** 2, 16 * (1 / 32) ** 2], abs=1e-5)


def test_where_the_rays_begin_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    stained = rng.random((50, RAYS)) < 0.7
    radii = np.full((50, RAYS), 9.0)
    first = ring_connectivity(stained, radii)
    for shift in (1, 7, 20):
        turned = ring_connectivity(np.roll(stained, shift, 1), radii)
        assert turned == pytest.approx(first, abs=1e-5)


def test_unit_does_not_matter_and_no_cell_is_fine() -> None:
    stained = _rays("#" * 10 + "." * 22)
    radii = 10 + np.arange(RAYS, dtype=float)[None]
    one, two = ring_connectivity(stained, radii), ring_connectivity(stained, 3 * radii)
    assert one == pytest.approx(two)
    assert ring_connectivity(stained[:0], radii[:0]).shape == (0,)


def test_tiles_add_up_and_only_tumour_cells_count() -> None:
    stained = _rays("#", ".", "#" * 16 + "." * 16, "#", "#")
    table = _table(stained, [3, 0, 1, 4, 5])
    whole = membrane_connectivity(table)
    assert whole == pytest.approx((1 + 0 + 0.25) / 3, abs=1e-5)
    parts = [table.take([0]), table.take([1, 3]), table.take([2, 4])]
    assert membrane_connectivity(parts) == pytest.approx(whole)
    added = Connectivity.of(parts[0]) + Connectivity.of(parts[1]) + Connectivity.of(parts[2])
    assert added.cells == 3
    assert membrane_connectivity(table.take([3, 4])) is None
    assert membrane_connectivity([]) is None
