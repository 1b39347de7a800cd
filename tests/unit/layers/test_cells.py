"""How cells look, where they are found again, how dense they lie."""

from __future__ import annotations

import numpy as np
import pytest
from scattered_cells import scattered

from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES, NUCLEUS_CLASS
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region, world_yx_to_xy
from napari_her2.layers.cell_density import CELL_UM, density_grid, density_layer
from napari_her2.layers.cell_index import CellIndex
from napari_her2.layers.cells import (
    available_colourings,
    cell_style,
    cells_layer,
    doubt_of,
    look_of,
    membrane_paths,
)
from napari_her2.layers.colours import hex_to_rgb

SIDE = 4000.0
EVERYONE = np.ones(7, bool)


@pytest.fixture(scope="module")
def table():
    return scattered(5000, SIDE, SIDE / 2)


@pytest.fixture(scope="module")
def index(table):
    return CellIndex(table["x_px"], table["y_px"], table["class"], 7)


# look --------------------------------------------------------------------------------------


def test_every_class_has_its_colour_border_symbol_and_size():
    styles = {name: cell_style(name) for name in CELL_CLASSES}
    assert len({s.fill for s in styles.values()}) == 7
    assert styles["tumour 0"].border == styles["tumour 3+"].border == "#FFFFFF"
    assert styles["tumour 1+"].border == styles["tumour 2+"].border == "#000000"
    assert [s.symbol for s in styles.values()] == [
        "disc", "disc", "disc", "disc", "diamond", "square", "cross",
    ]  # fmt: skip
    # White borders vanish on pale tissue: those are larger.
    assert {s.size_px for s in styles.values() if s.border == "#FFFFFF"} == {11.0}
    assert {s.size_px for s in styles.values() if s.border == "#000000"} == {9.0}


def test_nuclear_grades_take_the_colours_of_the_scores():
    assert [cell_style(n).fill for n in NUCLEAR_CLASSES[:4]] == [
        cell_style(n).fill for n in CELL_CLASSES[:4]
    ]
    assert cell_style("artefact") == cell_style(NUCLEAR_CLASSES[4])
    assert cell_style(NUCLEUS_CLASS).fill == cell_style("stroma").fill


def test_colour_tells_the_class_and_the_corrected_have_a_white_ring(table):
    rows = np.array([3, 1, 7])
    look = look_of(table, rows, corrected=[1, 4])
    for at, row in enumerate(rows):
        style = cell_style(table.classes[table["class"][row]])
        assert look.fill[at, :3] == pytest.approx(hex_to_rgb(style.fill))
        assert look.symbol[at] == style.symbol
    assert look.border[1].tolist() == [1, 1, 1, 1]
    assert look.border_px.tolist() == [1, 3, 1]
    assert look.size_px[1] > look.size_px[[0, 2]].max()


def test_other_colourings_run_from_blue_to_red_with_limits_that_never_move(table):
    row = np.zeros(1, np.intp)

    def shade(value):
        made = table.with_columns({"membrane_completeness": np.full(5000, value, np.float32)})
        return look_of(made, row, "completeness").fill[0, :3]

    assert shade(0.0) == pytest.approx(hex_to_rgb("#1F4FA0"), abs=1e-6)
    assert shade(1.0) == pytest.approx(hex_to_rgb("#A81428"), abs=1e-6)
    assert shade(np.nan) == pytest.approx([0.5] * 3)


def test_only_what_was_measured_is_offered(table):
    assert available_colourings(table) == ("class", "completeness", "od", "doubt")
    bare = CellTable({"x_px": np.zeros(1), "y_px": np.zeros(1)})
    assert available_colourings(bare) == ("class",)


def test_doubt_is_how_close_the_second_class_comes():
    probs = [[1, 0, 0], [0.5, 0.5, 0], [0.6, 0.1, 0.3]]
    assert doubt_of(probs) == pytest.approx([0, 1, 0.7])
    assert doubt_of(np.ones((2, 1))).tolist() == [0, 0]


def test_points_lie_on_their_cells_in_micrometres(table):
    data, kwargs, kind = cells_layer(table, [5, 9], "s1", (0.25, 0.5), screen_px=2.0)
    assert kind == "points"
    world = data * np.array(kwargs["scale"])
    back = world_yx_to_xy(world, 0.25, 0.5)
    assert back == pytest.approx(np.stack([table["x_px"], table["y_px"]], 1)[[5, 9]])
    assert kwargs["units"] == ("um", "um")
    assert kwargs["canvas_size_limits"] == (6, 14)
    assert kwargs["metadata"]["her2"]["kind"] == "cells"
    assert set(kwargs["size"]) <= {18.0, 22.0}
    assert cells_layer(table, [5], "s1", None)[1]["units"] == ("pixel", "pixel")


def test_the_membrane_ring_is_cut_where_staining_ends():
    radii = np.full((1, 32), 8.0, np.float32)
    stained = np.zeros((1, 32), bool)
    stained[0, 4:12] = True
    table = CellTable(
        {
            "x_px": np.array([100.0]),
            "y_px": np.array([50.0]),
            "membrane_radii": radii,
            "membrane_stained": stained,
        }
    )
    parts = membrane_paths(table, 0, (1.0, 1.0))
    assert [s for _, s in parts] == [True, False]
    around = [np.hypot(*(p - [49.5, 99.5]).T) for p, _ in parts]
    assert np.allclose(np.concatenate(around), 8.0)
    # Rays 4 to 11 stand for a quarter of the way round, from half-way to ray 3 on.
    first = parts[0][0]
    angle = np.degrees(np.arctan2(first[:, 0] - 49.5, first[:, 1] - 99.5))
    assert angle[0] == pytest.approx(3.5 * 360 / 32)
    assert angle[-1] == pytest.approx(11.5 * 360 / 32)
    assert parts[1][0][0] == pytest.approx(first[-1])
    all_round = table.with_columns({"membrane_stained": np.ones_like(stained)})
    whole = membrane_paths(all_round, 0, (1.0, 1.0))
    assert len(whole) == 1
    assert whole[0][1]
    assert membrane_paths(table.with_columns({"membrane_radii": radii * np.nan}), 0, (1, 1)) == []


# finding -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "region", [Region(0, 0, 4000, 2000), Region(510, 700, 900, 333), Region(-50, -50, 60, 60)]
)
def test_cells_of_a_view_are_those_that_lie_in_it(table, index, region):
    wanted = np.array([True, False, True, True, False, False, True])
    x, y = table["x_px"], table["y_px"]
    inside = (x >= region.x) & (x < region.right) & (y >= region.y) & (y < region.bottom)
    expected = np.flatnonzero(inside & wanted[table["class"]])
    assert index.within(region, wanted).tolist() == expected.tolist()
    assert index.count(region, wanted) >= len(expected)


def test_the_nearest_cell_is_the_nearest_of_the_classes_asked_for(table, index):
    only = EVERYONE.copy()
    only[:3] = False
    rng = np.random.default_rng(1)
    for x, y in rng.uniform(0, 2000, (50, 2)):
        far = np.hypot(table["x_px"] - x, table["y_px"] - y)
        far[~only[table["class"]]] = np.inf
        expected = int(far.argmin()) if far.min() <= 40 else None
        assert index.nearest(x, y, 40.0, only) == expected


def test_nothing_is_found_where_there_is_nothing(index):
    assert index.nearest(-500, -500, 40, EVERYONE) is None
    empty = CellIndex([], [], [], 7)
    assert len(empty) == 0
    assert empty.nearest(1, 1, 10, EVERYONE) is None
    assert empty.within(Region(0, 0, 10, 10), EVERYONE).tolist() == []
    assert empty.count(Region(0, 0, 10, 10), EVERYONE) == 0


def test_a_corrected_cell_counts_for_its_new_class(table):
    index = CellIndex(table["x_px"], table["y_px"], table["class"], 7)
    row = 17
    x, y = table["x_px"][row], table["y_px"][row]
    new = (int(table["class"][row]) + 1) % 7
    mask = np.zeros(7, bool)
    mask[new] = True
    everywhere = Region(0, 0, SIDE, SIDE)
    before = index.count(everywhere, mask)
    index.set_class(row, new)
    assert index.count(everywhere, mask) == before + 1
    assert index.nearest(x, y, 1.0, mask) == row


# density -----------------------------------------------------------------------------------


def test_density_counts_cells_in_squares_of_the_paper(table):
    grid = density_grid(table, Region(0, 0, SIDE, SIDE / 2), (0.49, 0.49))
    assert grid.width * 0.49 == pytest.approx(CELL_UM)
    assert grid.square_mm2 == pytest.approx(0.015, rel=0.001)
    assert grid.counts.sum() == len(table)
    assert dict(zip(table.classes, grid.counts.sum(axis=(1, 2)), strict=True)) == table.counts()
    both = grid.of(["tumour 3+", "stroma"])
    assert np.nansum(both) * grid.square_mm2 == pytest.approx(
        table.counts()["tumour 3+"] + table.counts()["stroma"], rel=1e-5
    )
    row, column = 3, 5
    here = (table["x_px"] // 250 == column) & (table["y_px"] // 250 == row)
    assert grid.counts[:, row, column].sum() == here.sum()
    data, kwargs, kind = density_layer(grid, ["tumour 3+"], "s1", "Density 3+")
    assert kind == "image"
    assert kwargs["name"] == "Density 3+ · s1"
    # The corner of square (0, 0) is the corner of the slide.
    corner = np.array(kwargs["translate"]) - np.array(kwargs["scale"]) / 2
    assert corner == pytest.approx([-0.5 * 0.49] * 2)
    assert data.shape == grid.counts.shape[1:]


def test_squares_without_cells_stay_bare():
    table = CellTable(
        {"x_px": np.array([10.0]), "y_px": np.array([10.0]), "class": np.zeros(1, np.uint8)},
        ("tumour 0", "stroma"),
    )
    values = density_grid(table, Region(0, 0, 1000, 500), None).of(["tumour 0"])
    assert values.shape == (2, 4)
    assert int(np.isnan(values).sum()) == 7
    assert values[0, 0] == 1


def test_dense_places_are_the_densest_and_lie_apart(table):
    grid = density_grid(table, Region(0, 0, SIDE, SIDE / 2), (0.49, 0.49))
    places = grid.places("tumour 3+")
    counts = grid.counts[3]
    assert places[0].n_cells == counts.max()
    assert [p.n_cells for p in places] == sorted((p.n_cells for p in places), reverse=True)
    assert min(p.n_cells for p in places) >= counts.max() / 2
    assert all(p.region.x >= SIDE / 2 - 250 for p in places)
    corners = np.array([(p.region.x, p.region.y) for p in places]) / 250
    apart = np.abs(corners[:, None] - corners).max(axis=2)
    assert apart[~np.eye(len(places), dtype=bool)].min() > 1.5
    assert places[0].density_mm2 == pytest.approx(places[0].n_cells / grid.square_mm2)
    assert grid.places("no such class") == ()
