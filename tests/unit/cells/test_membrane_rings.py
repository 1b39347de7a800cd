"""The membrane along 32 rays: place, strength, completeness, and whose it is."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_rings import MPP, Scale, apart, drawn, packed

from napari_her2.cells.membrane import measure_cells, weighted_quantile
from napari_her2.cells.rings import measure_rings
from napari_her2.cells.sharing import cell_veil, own_stain, possibly_own
from napari_her2.cells.table import RAYS


def test_ring_is_found_where_it_was_drawn_and_as_strong() -> None:
    planes, nuclei = drawn(apart(8), [1.0] * 8, [0.9, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15])
    rings = measure_rings(planes, nuclei, MPP)
    assert np.abs(rings.membrane_px - 15).max() <= 1.5
    assert np.abs(rings.nucleus_px - 8).max() <= 1.0
    assert rings.od.mean(1) == pytest.approx([0.9, 0.7, 0.5, 0.4, 0.3, 0.25, 0.2, 0.15], rel=0.15)
    assert (rings.neighbour == -1).all()
    assert rings.weight.sum(1) == pytest.approx(np.ones(8), abs=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])
def test_completeness_is_the_share_of_the_perimeter(share: float) -> None:
    planes, nuclei = drawn(apart(4), [share] * 4, [0.6] * 4)
    got = measure_cells(planes, nuclei, Scale(), MPP)
    assert got["membrane_completeness"] == pytest.approx([share] * 4, abs=0.07)
    assert got["membrane_visible"] == pytest.approx(got["membrane_completeness"], abs=1e-6)


def test_brown_cytoplasm_is_no_membrane() -> None:
    planes, nuclei = drawn(apart(4), [0.0] * 4, [0.0] * 4, cytoplasm=0.4)
    got = measure_cells(planes, nuclei, Scale(), MPP)
    assert (got["membrane_completeness"] < 0.1).all()
    assert (got["cytoplasm_dab"] > 0.3).all()


def test_a_membrane_is_seen_above_brown_cytoplasm() -> None:
    planes, nuclei = drawn(apart(4), [1.0] * 4, [0.8] * 4, cytoplasm=0.3)
    got = measure_cells(planes, nuclei, Scale(), MPP)
    assert (got["membrane_completeness"] > 0.9).all()
    assert got["membrane_od"] == pytest.approx([0.8] * 4, rel=0.15)


def test_an_unstained_cell_among_stained_ones_keeps_its_own_low_share() -> None:
    centres = packed(5, 5)
    share = np.ones(25)
    share[[6, 8, 16, 18]] = 0.0
    # Every second cell of the sheet's inside is unstained; its neighbours wrap part of it.
    share[[1, 3, 5, 9, 15, 19, 21, 23]] = 0.0
    planes, nuclei = drawn(centres, share, [0.8] * 25)
    got = measure_cells(planes, nuclei, Scale(), MPP)
    unstained = share == 0
    assert (got["membrane_completeness"] <= got["membrane_visible"] + 1e-6).all()
    seen, own = got["membrane_visible"][unstained], got["membrane_completeness"][unstained]
    assert own.mean() < 0.7 * seen.mean()
    assert got["membrane_completeness"][~unstained].mean() > 0.8


def test_sharing_of_two_cells_by_hand() -> None:
    stained = np.zeros((2, RAYS), bool)
    stained[0, :8] = True
    stained[1] = True
    stained[1, 0] = False
    neighbour = np.full((2, RAYS), -1, np.int32)
    neighbour[0, :8], neighbour[1, 16:24] = 1, 0
    weight = np.full((2, RAYS), 1 / RAYS, np.float32)
    anything = np.ones_like(stained)
    seen = own_stain(stained, anything, weight, neighbour, rounds=0)
    assert seen.share == pytest.approx([8 / 32, 31 / 32])
    one = own_stain(stained, anything, weight, neighbour, rounds=1)
    a, b = 8 / 32, 31 / 32
    assert one.share[0] == pytest.approx(a * a / (a + b - a * b), abs=1e-5)
    # Cell 1 is seen stained nearly all round: that is taken for its own.
    assert one.share[1] == pytest.approx(b)


def test_what_can_not_be_the_cells_own_says_nothing_about_it() -> None:
    stained = np.zeros((1, RAYS), bool)
    stained[0, :16] = True
    possible = np.ones_like(stained)
    possible[0, :8] = False
    weight = np.full((1, RAYS), 1 / RAYS, np.float32)
    alone = np.full((1, RAYS), -1, np.int32)
    got = own_stain(stained, possible, weight, alone)
    assert got.visible[0] == pytest.approx(0.5)
    assert got.share[0] == pytest.approx(8 / 24)
    assert not got.part[0, :8].any()


def test_a_strong_membrane_belongs_to_the_neighbour_with_a_veil() -> None:
    od = np.array([[0.1, 0.5, 0.9]] * 2, np.float32)
    cytoplasm = np.zeros((2, RAYS), np.float32)
    cytoplasm[0, :12] = 0.3  # blur of a neighbour's membrane on one side
    pale, veiled, thin = 0.01, 0.2, 0.06
    neighbour = np.array([[1, 1, 1], [0, 0, 0]], np.int32)

    def own(first: float, second: float, other: np.ndarray = neighbour) -> list[list[bool]]:
        veil = cell_veil(np.array([first, second], np.float32), cytoplasm)
        assert veil == pytest.approx([first, second])
        return possibly_own(od, veil, other).tolist()

    assert own(pale, veiled) == [[True, False, False], [True, True, True]]
    assert own(thin, veiled) == [[True, True, False], [True, True, True]]
    # Where neither explains it, or nobody is there, it may be the cell's own.
    assert own(pale, pale) == [[True] * 3] * 2
    assert own(pale, veiled, np.full((2, 3), -1, np.int32)) == [[True] * 3] * 2


def test_only_the_wanted_rows_come_back_and_equal_those_of_all() -> None:
    planes, nuclei = drawn(packed(4, 4), np.linspace(0, 1, 16), [0.5] * 16)
    every = measure_cells(planes, nuclei, Scale(), MPP)
    some = measure_cells(planes, nuclei, Scale(), MPP, np.array([3, 7, 8]))
    for name, values in every.items():
        assert np.array_equal(some[name], values[[3, 7, 8]]), name
        assert len(values) == 16


def test_no_cell_and_one_cell() -> None:
    planes, nuclei = drawn(apart(1), [1.0], [0.5])
    assert measure_cells(planes, nuclei, Scale(), MPP)["membrane_completeness"][0] > 0.9
    none = measure_cells(planes, nuclei, Scale(), MPP, np.zeros(0, np.intp))
    assert all(len(v) == 0 for v in none.values())
    assert none["membrane_stained"].shape == (0, RAYS)


def test_radii_are_level_0_pixels() -> None:
    planes, nuclei = drawn(apart(2), [1.0, 1.0], [0.6, 0.6])
    plain = measure_cells(planes, nuclei, Scale(), MPP)["membrane_radii"]
    wide = measure_cells(planes, nuclei, Scale(2.0, 4.0), MPP)["membrane_radii"]
    assert wide[:, 0] == pytest.approx(2 * plain[:, 0])
    assert wide[:, RAYS // 4] == pytest.approx(4 * plain[:, RAYS // 4])


def test_cells_at_the_rim_of_a_window_are_measured() -> None:
    planes, nuclei = drawn([[9.0, 9.0], [9.0, 60.0]], [1.0, 0.0], [0.6, 0.0], shape=(30, 90))
    got = measure_cells(planes, nuclei, Scale(), MPP)
    assert all(np.isfinite(v).all() for v in got.values())
    assert got["membrane_completeness"][0] > got["membrane_completeness"][1]


def test_weighted_quantile() -> None:
    values = np.array([[3.0, 1.0, 2.0], [5.0, 6.0, 7.0]], np.float32)
    weight = np.array([[1.0, 1.0, 2.0], [0.0, 0.0, 0.0]], np.float32)
    assert weighted_quantile(values, weight, 0.25).tolist() == [1.0, 0.0]
    assert weighted_quantile(values, weight, 0.5).tolist() == [2.0, 0.0]
    assert weighted_quantile(values, weight, 1.0).tolist() == [3.0, 0.0]
