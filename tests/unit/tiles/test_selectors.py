"""Cells are chosen by their own area and scored in an order that covers the slide early."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.geometry import Region
from napari_her2.models.protocols import TileSelector
from napari_her2.tiles.coverage import Coverage
from napari_her2.tiles.selectors import AllOf, PolygonSelector, TissueSelector, coarse_to_fine
from napari_her2.tiles.spec import TileGrid, TileSpec

SPEC = TileSpec(64, 2.0, 64)


def grid(width=640.0, height=640.0, x=0.0, y=0.0, mpp=1.0) -> TileGrid:
    return TileGrid(SPEC, Region(x, y, width, height), mpp, mpp)


@pytest.mark.parametrize("selector", [TissueSelector(), PolygonSelector(()), AllOf(())])
def test_selectors_keep_to_the_protocol(selector):
    assert isinstance(selector, TileSelector)


def test_the_cell_counts_not_the_window_around_it():
    tissue = np.zeros((80, 80), bool)
    tissue[16:24, 16:24] = True
    chosen = TissueSelector(0.5).select(grid(), tissue, (8.0, 8.0))
    # The 128-px windows of the eight neighbours see this tissue too.
    assert chosen.tolist() == [[2, 2]]


@pytest.mark.parametrize(("share", "taken"), [(0.5, True), (0.51, False)])
def test_the_share_is_exact(share, taken):
    tissue = np.zeros((80, 80), bool)
    tissue[0:8, 0:4] = True
    assert bool(len(TissueSelector(share).select(grid(), tissue, (8.0, 8.0)))) is taken


def test_cells_that_cut_mask_pixels_are_weighed_by_area():
    mask = np.random.default_rng(1).random((37, 29)) > 0.4
    cover = Coverage(mask, (3.7, 5.3))
    fine = np.repeat(np.repeat(mask, 53, axis=0), 37, axis=1)  # ten samples a level-0 pixel
    for x, y, w, h in [(0.4, 1.3, 20.1, 33.3), (11.0, 7.7, 0.5, 0.9), (60, 100, 40, 60)]:
        got = cover.fraction_in(Region(x, y, w, h))
        part = fine[round(y * 10) : round((y + h) * 10), round(x * 10) : round((x + w) * 10)]
        assert got == pytest.approx(part.mean(), abs=1e-9)


def test_beyond_the_slide_counts_for_nothing():
    tissue = np.ones((10, 10), bool)
    chosen = TissueSelector(0.9).select(grid(100, 100), tissue, (10.0, 10.0))
    assert chosen.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert Coverage(tissue, (10.0, 10.0)).fraction_in(Region(200, 0, 50, 50)) == 0


def test_row_major_order():
    tissue = np.random.default_rng(0).random((80, 80)) > 0.5
    chosen = TissueSelector(0.4).select(grid(), tissue, (8.0, 8.0))
    assert len(chosen) > 10
    assert chosen.tolist() == sorted(chosen.tolist())


def test_polygons_choose_cells_by_their_centre():
    triangle = ((0.0, 0.0), (640.0, 0.0), (0.0, 640.0))
    chosen = PolygonSelector((triangle,)).select(grid(), np.zeros((1, 1), bool), (640.0, 640.0))
    assert chosen.tolist() == [[r, c] for r in range(10) for c in range(10) if r + c <= 9]


def test_several_polygons_are_joined_and_a_grid_may_start_anywhere():
    squares = tuple(((x, 90.0), (x + 64, 90.0), (x + 64, 154.0), (x, 154.0)) for x in (70.0, 198.0))
    chosen = PolygonSelector(squares).select(
        grid(320, 320, x=50, y=60), np.zeros((1, 1), bool), (9.0, 9.0)
    )
    assert chosen.tolist() == [[0, 0], [0, 2]]


def test_a_polygon_smaller_than_a_cell_is_not_lost():
    small = ((300.0, 300.0), (306.0, 300.0), (306.0, 306.0))
    chosen = PolygonSelector((small,)).select(grid(), np.zeros((1, 1), bool), (640.0, 640.0))
    assert chosen.tolist() == [[4, 4]]


def test_a_self_crossing_outline_is_taken_for_what_it_encloses():
    bow = ((0.0, 0.0), (640.0, 640.0), (640.0, 0.0), (0.0, 640.0))
    chosen = PolygonSelector((bow,)).select(grid(), np.zeros((1, 1), bool), (640.0, 640.0))
    assert [5, 0] in chosen.tolist()
    assert [0, 5] not in chosen.tolist()


def test_tissue_and_a_drawn_region_together():
    tissue = np.zeros((80, 80), bool)
    tissue[:, :40] = True
    top = ((0.0, 0.0), (640.0, 0.0), (640.0, 128.0), (0.0, 128.0))
    chosen = AllOf((TissueSelector(0.5), PolygonSelector((top,)))).select(
        grid(), tissue, (8.0, 8.0)
    )
    assert chosen.tolist() == [[r, c] for r in range(2) for c in range(5)]


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (3, 50), (40, 40), (64, 31)])
def test_coarse_to_fine_gives_each_cell_once_and_always_alike(rows, cols):
    cells = np.argwhere(np.ones((rows, cols), bool))
    order = coarse_to_fine(cells, (rows, cols), seed=5)
    assert sorted(order.tolist()) == cells.tolist()
    assert np.array_equal(order, coarse_to_fine(cells[::-1], (rows, cols), seed=5))


def test_the_first_tenth_already_covers_the_slide():
    cells = np.argwhere(np.ones((64, 64), bool))
    for seed in range(5):
        first = coarse_to_fine(cells, (64, 64), seed=seed)[: len(cells) // 10]
        gaps = np.abs(cells[:, None, :] - first[None]).max(axis=2).min(axis=1)
        assert gaps.max() <= 14
        counts = np.histogram2d(*first.T, bins=4)[0]
        assert counts.min() >= 0.5 * counts.mean()


def test_the_seed_changes_the_order():
    cells = np.argwhere(np.ones((64, 64), bool))
    assert not np.array_equal(
        coarse_to_fine(cells, (64, 64), 0), coarse_to_fine(cells, (64, 64), 1)
    )


def test_no_cells_is_no_order():
    assert coarse_to_fine(np.empty((0, 2), np.intp), (4, 4)).shape == (0, 2)
