"""Cells on the picture: what is drawn at which zoom, what a click finds, what a key corrects."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from made_windows import wait_for
from napari.components import ViewerModel
from napari.layers import Image, Layer, Points, Shapes
from napari.utils.key_bindings import coerce_keybinding
from scattered_cells import scattered

from napari_her2._qt import camera
from napari_her2._qt.keys import CELLS_SILENCED
from napari_her2._qt.layer_order import kind_of
from napari_her2._qt.score import cell_view
from napari_her2._qt.score.cell_layers import CellLayers
from napari_her2._qt.score.corrections import reader_name
from napari_her2._qt.session import session_of
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import CELL_CLASSES, NUCLEUS_CLASS, TUMOUR_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region, world_yx_to_xy, xy_to_world_yx
from napari_her2.layers import slide_layer
from napari_her2.slides import open_array

N = 3000
GLASS = np.full((2048, 3072, 3), 235, np.uint8)


class Bench:
    """A window with one slide and the cells of one run on it."""

    def __init__(self, folder):
        self.viewer = ViewerModel()
        self.session = session_of(self.viewer)
        slide = open_array(GLASS, mpp=0.5)
        self.viewer.add_layer(Layer.create(*slide_layer(slide)))
        self.entry = self.session.active
        self.table = scattered(N, self.entry.bounds.width, self.entry.bounds.height)
        self.folder = folder
        self.cells = CellLayers(self.session)
        self.picked, self.refused, self.hints, self.counts = [], [], [], []
        self.cells.picked.connect(self.picked.append)
        self.cells.refused.connect(self.refused.append)
        self.cells.zoom_hint.connect(self.hints.append)
        self.cells.corrected.connect(self.counts.append)

    def show(self, table=None, **options):
        table = self.table if table is None else table
        self.cells.show(self.entry, table, self.folder, run_id="r1", **options)

    def layer(self, kind):
        return next((x for x in self.viewer.layers if kind_of(x) == kind), None)

    def look(self, region):
        centre, zoom = camera.frame(self.viewer, self.entry, region)
        self.viewer.scene.camera.zoom = zoom
        self.viewer.scene.camera.center = (0, *centre)
        self.cells._on_view_moved()

    def place(self, row):
        return xy_to_world_yx((self.table["x_px"][row], self.table["y_px"][row]), 0.5, 0.5)

    def press(self, keys):
        layer = self.layer("cells")
        layer.keymap[coerce_keybinding(keys)](layer)

    def rows_drawn(self):
        layer = self.layer("cells")
        xy = world_yx_to_xy(layer.data * layer.scale, 0.5, 0.5)
        index = self.cells._view.index
        everyone = np.ones(7, bool)
        return sorted(index.nearest(x, y, 0.01, everyone) for x, y in xy)


@pytest.fixture
def bench(qtbot, tmp_path):
    folder = tmp_path / "run-1"
    folder.mkdir()
    made = Bench(folder)
    yield made
    made.session.close()


@pytest.fixture
def crowded(monkeypatch):
    """As if a thousand cells were a million."""
    monkeypatch.setattr(cell_view, "MOST_POINTS", 500)


# what is drawn -----------------------------------------------------------------------------


def test_cells_of_the_shown_classes_lie_where_the_table_says(bench):
    bench.show()
    layer = bench.layer("cells")
    assert isinstance(layer, Points)
    assert not layer.editable
    assert layer.name.startswith("Cells · ")
    tumour = np.flatnonzero(bench.table["class"] < 4)
    assert bench.cells.visible_classes == TUMOUR_CLASSES
    assert bench.rows_drawn() == tumour.tolist()
    bench.cells.set_visible_classes(["stroma", "tumour 3+"])
    assert bench.cells.visible_classes == ("tumour 3+", "stroma")
    assert bench.rows_drawn() == np.flatnonzero(np.isin(bench.table["class"], [3, 4])).tolist()
    assert {str(s) for s in layer.symbol} == {"disc", "diamond"}
    bench.cells.set_visible_classes([])
    assert len(layer.data) == 0
    bench.cells.set_visible_classes(CELL_CLASSES)
    assert len(layer.data) == N
    assert not layer.editable
    assert bench.layer("cells") is layer


def test_far_out_their_density_is_shown_and_a_sentence_says_so(bench, crowded):
    bench.show()
    density, cells = bench.layer("density"), bench.layer("cells")
    assert isinstance(density, Image)
    assert density.visible
    assert not cells.visible
    assert bench.hints == [ui("zoom_to_cells")]
    n = int(np.isin(bench.table["class"], range(4)).sum())
    square = bench.cells._view.density.square_mm2
    assert np.nansum(density.data) * square == pytest.approx(n, rel=1e-4)
    region = Region(200, 300, 400, 300)
    bench.look(region)
    assert cells.visible
    assert not density.visible
    assert bench.hints[-1] == ""
    seen = camera.region_in_view(bench.viewer, bench.entry)
    x, y = bench.table["x_px"], bench.table["y_px"]
    inside = (x >= seen.x) & (x < seen.right) & (y >= seen.y) & (y < seen.bottom)
    wanted = np.flatnonzero(inside & (bench.table["class"] < 4))
    drawn = bench.rows_drawn()
    assert set(wanted.tolist()) <= set(drawn)
    assert len(drawn) <= 500
    bench.look(bench.entry.bounds)
    assert not cells.visible
    assert density.visible


def test_points_keep_their_size_on_the_screen(bench):
    bench.show()
    layer = bench.layer("cells")
    for side in (2000, 700, 150):
        bench.look(Region(500, 500, side, side))
        mpp = layer.scale[-1]
        on_screen = layer.size * mpp * bench.viewer.scene.camera.zoom
        assert set(np.round(on_screen, 3)) <= {9.0, 11.0}
        rim = on_screen * layer.border_width
        assert set(np.round(rim, 4)) == {1.0}


def test_a_small_step_lays_nothing_out_anew_and_a_large_one_does(bench):
    bench.show()
    bench.look(Region(400, 400, 800, 600))
    filled = bench.cells._view._filled
    bench.look(Region(420, 410, 800, 600))
    assert bench.cells._view._filled is filled
    bench.look(Region(1400, 400, 800, 600))
    assert bench.cells._view._filled is not filled


def test_density_of_one_class_and_its_places(bench):
    bench.show()
    assert bench.cells.map_names() == (
        "class", "completeness", "od", "doubt", *(f"density {n}" for n in TUMOUR_CLASSES),
    )  # fmt: skip
    bench.cells.set_colouring("density tumour 3+")
    density = bench.layer("density")
    assert density.visible
    assert density.name == f"Density 3+ · {bench.entry.short}"
    assert not bench.layer("cells").visible
    places = bench.cells.places
    assert {p.class_name for p in places} == {"tumour 3+"}
    bench.cells.goto_place(0)
    box = bench.layer("marks")
    assert isinstance(box, Shapes)
    corners = world_yx_to_xy(box.data[0], 0.5, 0.5)
    r = places[0].region
    assert corners.min(axis=0) == pytest.approx([r.x, r.y])
    assert corners.max(axis=0) == pytest.approx([r.right, r.bottom])
    seen = camera.region_in_view(bench.viewer, bench.entry)
    assert seen.intersect(r) == r
    # Near in the class is purple among black cells: the picture would be a veil.
    bench.look(Region(r.x, r.y, r.width, r.height))
    layer = bench.layer("cells")
    assert layer.visible
    assert not density.visible
    purple = np.all(np.round(layer.face_color[:, :3] * 255) == [0x5B, 0x1A, 0x8B], axis=1)
    rows = bench.cells._view.points.rows
    assert np.array_equal(purple, bench.table["class"][rows] == 3)
    assert np.all(layer.face_color[~purple, :3] == 0)


def test_a_demo_model_stands_in_the_names_of_the_layers(bench):
    bench.show(model_status="synthetic-demo")
    bench.cells.set_colouring("density tumour 3+")
    names = [bench.layer(kind).name for kind in ("cells", "density")]
    assert names == [f"Cells demo · {bench.entry.short}", f"Density demo · {bench.entry.short}"]


def test_colour_tells_what_was_chosen(bench):
    bench.show()
    layer = bench.layer("cells")
    by_class = layer.face_color.copy()
    bench.cells.set_colouring("completeness")
    rows = bench.cells._view.points.rows
    highest = rows[np.argmax(bench.table["membrane_completeness"][rows])]
    at = int(np.flatnonzero(rows == highest)[0])
    assert layer.face_color[at, 0] > layer.face_color[at, 2]
    assert not np.allclose(by_class, layer.face_color)
    bench.cells.set_colouring("class")
    assert np.allclose(by_class, layer.face_color)


def test_hiding_by_key_and_by_the_eye_of_the_layer(bench, crowded):
    bench.show()
    changed = []
    bench.cells.changed.connect(lambda: changed.append(bench.cells.shown))
    bench.cells.set_shown(False)
    assert not bench.layer("density").visible
    bench.look(Region(200, 300, 400, 300))
    assert not bench.layer("cells").visible
    bench.cells.set_shown(True)
    assert bench.layer("cells").visible
    bench.layer("cells").visible = False
    assert changed == [False, True, False]
    bench.look(bench.entry.bounds)
    assert not bench.layer("density").visible


def test_a_layer_deleted_by_hand_closes_the_view_and_comes_back_when_asked(bench):
    bench.show()
    bench.viewer.layers.remove(bench.layer("cells"))
    wait_for(lambda: not bench.cells.shown)
    assert bench.layer("cells") is None
    bench.cells.set_shown(True)
    assert len(bench.layer("cells").data) == int((bench.table["class"] < 4).sum())


def test_a_growing_table_fills_the_same_layer_at_leisure(bench):
    first, whole = bench.table.take(np.arange(1000)), bench.table
    bench.show(first, partial=True)
    layer = bench.layer("cells")
    assert len(layer.data) == int((first["class"] < 4).sum())
    bench.show(whole, partial=True)
    assert len(layer.data) == int((first["class"] < 4).sum())
    wait_for(lambda: len(layer.data) == int((whole["class"] < 4).sum()))
    assert [x for x in bench.viewer.layers if kind_of(x) == "cells"] == [layer]
    bench.show(whole.take(np.arange(0)), partial=False)
    assert not layer.visible


def test_no_cells_yet_is_fine_and_so_are_nuclei_without_classes(bench):
    nothing = CellTable({"x_px": np.empty(0), "y_px": np.empty(0)})
    bench.show(nothing, partial=True)
    assert bench.cells.places == ()
    assert bench.cells.map_names() == ("class",)
    places = {"x_px": bench.table["x_px"], "y_px": bench.table["y_px"]}
    bench.show(CellTable({**places, "class": np.zeros(N, np.uint8)}, (NUCLEUS_CLASS,)))
    assert len(bench.layer("cells").data) == N
    bench.cells.pick(4)
    assert bench.picked[-1].class_name == NUCLEUS_CLASS
    assert bench.picked[-1].probs == ()
    assert bench.cells.describe_at(tuple(bench.place(4))) == "cell nucleus"


def test_clear_takes_everything_off_the_picture(bench):
    bench.show()
    bench.cells.set_colouring("density tumour 3+")
    bench.cells.goto_place(0)
    bench.cells.clear()
    kinds = {"cells", "density", "marks"}
    assert [k for k in kinds if bench.layer(k) is not None] == []
    assert not bench.cells.shown
    assert bench.cells.table is None
    bench.cells.set_colouring("class")
    bench.show()
    assert bench.layer("cells").visible


def test_cells_move_with_their_slide_when_it_gets_another_pixel_size(bench):
    bench.show()
    bench.cells.correct("artefact", 3)
    bench.session.set_mpp(bench.entry, 0.25, 0.25, remember=False)
    layer = bench.layer("cells")
    assert layer.scale.tolist() == [0.25, 0.25]
    row = int(bench.cells._view.points.rows[0])
    assert layer.data[0] * layer.scale == pytest.approx(
        xy_to_world_yx((bench.table["x_px"][row], bench.table["y_px"][row]), 0.25, 0.25)
    )
    assert bench.cells.n_corrected == 1
    assert bench.cells.corrected_table().class_names[3] == "artefact"
    bench.cells.pick(3)
    assert bench.picked[-1].given_class == bench.table.class_names[3]
    assert bench.cells._correcting.rows.tolist() == [3]


# the cell that is looked at ----------------------------------------------------------------


def test_a_click_picks_the_nearest_cell_and_draws_its_membrane(bench):
    bench.show()
    bench.look(Region(900, 700, 400, 300))
    rows = bench.cells._view.points.rows
    row = int(rows[len(rows) // 2])
    assert bench.cells.pick_at(tuple(bench.place(row) + 0.05))
    facts = bench.picked[0]
    assert facts.index == row
    assert facts.class_name == bench.table.class_names[row]
    assert facts.probs[0][1] == pytest.approx(float(bench.table["probs"][row].max()))
    assert [p for _, p in facts.probs] == sorted((p for _, p in facts.probs), reverse=True)
    assert facts.completeness == pytest.approx(float(bench.table["membrane_completeness"][row]))
    assert not facts.corrected
    marks = bench.layer("marks")
    far = [np.hypot(*(path - bench.place(row)).T) for path in marks.data]
    assert np.allclose(np.concatenate(far), 10.0 * 0.5)
    # The keys of classes act from now on.
    assert bench.viewer.layers.selection.active is bench.layer("cells")
    wait_for(lambda: bench.picked[-1].crop is not None)
    crop = bench.picked[-1].crop
    assert crop.shape == (96, 96, 3)
    assert not bench.cells.pick_at((-500.0, -500.0))
    bench.cells.pick(None)
    assert bench.picked[-1] is None
    assert len(marks.data) == 0


def test_hover_tells_class_probability_and_membrane(bench):
    bench.show()
    row = int(np.flatnonzero(bench.table["class"] == 3)[0])
    line = bench.cells.describe_at(tuple(bench.place(row)))
    p = float(bench.table["probs"][row, 3])
    share = float(bench.table["membrane_completeness"][row])
    od = float(bench.table["membrane_od"][row])
    assert line == f"cell 3+ {p:.2f} · membrane {100 * share:.0f} % complete, OD {od:.2f}"
    assert len(line) <= 70
    bench.cells.tell(line)
    assert bench.viewer.help == line
    hidden = int(np.flatnonzero(bench.table["class"] == 4)[0])
    near = bench.cells.describe_at(tuple(bench.place(hidden)))
    assert near is None or "stroma" not in near
    bench.cells.set_shown(False)
    assert bench.cells.describe_at(tuple(bench.place(row))) is None


def test_doubtful_cells_in_view_come_in_order_round_and_round(bench):
    bench.show()
    bench.look(Region(900, 700, 120, 90))
    seen = camera.region_in_view(bench.viewer, bench.entry)
    probs = np.sort(bench.table["probs"], axis=1)
    sure = probs[:, -1] - probs[:, -2]
    x, y = bench.table["x_px"], bench.table["y_px"]
    inside = (x >= seen.x) & (x < seen.right) & (y >= seen.y) & (y < seen.bottom)
    rows = np.flatnonzero(inside & (bench.table["class"] < 4))
    expected = rows[np.argsort(sure[rows], kind="stable")].tolist()
    got = []
    for _ in range(len(expected) + 1):
        bench.press("]")
        got.append(bench.cells._choice.index)
    assert got == [*expected, expected[0]]
    bench.press("[")
    assert bench.cells._choice.index == expected[-1]


def test_going_to_a_cell_shows_it_near_enough(bench):
    bench.show()
    bench.cells.goto(7)
    seen = camera.region_in_view(bench.viewer, bench.entry)
    assert bench.viewer.scene.camera.zoom >= 2
    assert seen.intersect(Region(bench.table["x_px"][7] - 1, bench.table["y_px"][7] - 1, 2, 2))
    assert bench.picked[0].index == 7


# corrections -------------------------------------------------------------------------------


def test_a_key_corrects_the_picked_cell_and_it_is_on_the_disk(bench):
    bench.show()
    row = int(np.flatnonzero(bench.table["class"] == 2)[0])
    bench.cells.pick(row)
    bench.press("3")
    table = bench.cells.corrected_table()
    assert table.class_names[row] == "tumour 3+"
    assert bench.table.class_names[row] == "tumour 2+"
    assert bench.counts == [1]
    facts = bench.picked[-1]
    assert (facts.class_name, facts.given_class, facts.corrected) == (
        "tumour 3+", "tumour 2+", True,
    )  # fmt: skip
    layer = bench.layer("cells")
    at = int(np.flatnonzero(bench.cells._view.points.rows == row)[0])
    assert layer.border_color[at].tolist() == [1, 1, 1, 1]
    rim = layer.border_width * layer.size
    assert rim[at] == pytest.approx(3 * np.median(rim))
    line = json.loads(bench.cells.corrections_file.read_text().splitlines()[-1])
    assert line["from"] == "tumour 2+"
    assert line["to"] == "tumour 3+"
    assert line["author"] == reader_name()
    assert (line["x_px"], line["y_px"]) == (bench.table["x_px"][row], bench.table["y_px"][row])
    bench.press("3")
    assert bench.counts == [1]


def test_a_cell_corrected_to_a_hidden_class_stays_to_be_seen(bench):
    bench.show()
    row = int(np.flatnonzero(bench.table["class"] == 2)[0])
    bench.cells.correct("stroma", row)
    assert row in bench.cells._view.points.rows
    assert bench.cells.pick_at(tuple(bench.place(row)))
    assert bench.cells._choice.index == row


def test_undo_and_redo_by_key(bench):
    bench.show()
    rows = np.flatnonzero(bench.table["class"] == 1)[:2]
    for row in rows:
        bench.cells.correct("artefact", int(row))
    assert bench.cells.n_corrected == 2
    bench.press("Ctrl+Z")
    assert bench.cells.corrected_table().class_names[rows].tolist() == ["artefact", "tumour 1+"]
    assert bench.cells.can_redo
    bench.press("Ctrl+Shift+Z")
    assert bench.cells.n_corrected == 2
    bench.press("Ctrl+Z")
    bench.press("Ctrl+Z")
    bench.press("Ctrl+Z")
    assert bench.cells.n_corrected == 0
    assert not bench.cells.can_undo
    assert bench.cells.corrections_file is None
    assert bench.counts == [1, 2, 1, 2, 1, 0]
    assert bench.cells.corrections_version == 6
    assert np.array_equal(bench.cells.corrected_table()["class"], bench.table["class"])


def test_corrections_come_back_with_the_run_whatever_the_order_of_its_cells(bench):
    bench.show()
    row = int(np.flatnonzero(bench.table["class"] == 0)[0])
    bench.cells.correct("tumour 1+", row)
    bench.cells.clear()
    assert bench.cells.n_corrected == 0
    order = np.random.default_rng(3).permutation(N)
    bench.show(bench.table.take(order))
    assert bench.cells.n_corrected == 1
    now = int(np.flatnonzero(order == row)[0])
    assert bench.cells.corrected_table().class_names[now] == "tumour 1+"
    assert bench.cells.can_undo
    bench.cells.undo()
    assert bench.cells.corrected_table().class_names[now] == "tumour 0"


def test_corrections_of_other_cells_are_refused_in_one_sentence(bench):
    bench.show()
    bench.cells.correct("artefact", 5)
    kept = bench.cells.corrections_file.read_bytes()
    bench.cells.clear()
    bench.show(scattered(N, 3000, 2000, seed=9))
    assert len(bench.refused) == 1
    assert "belong to another result" in bench.refused[0]
    bench.cells.correct("artefact", 6)
    assert bench.refused[1] == ui("correct_later")
    assert (bench.folder / "corrections.jsonl").read_bytes() == kept


def test_nothing_is_corrected_without_a_cell_a_class_or_a_stored_run(bench):
    bench.show(partial=True)
    bench.press("3")
    assert bench.refused == [ui("correct_which")]
    bench.cells.pick(3)
    bench.press("3")
    assert bench.refused[-1] == ui("correct_later")
    bench.cells.clear()
    places = {"x_px": bench.table["x_px"], "y_px": bench.table["y_px"]}
    bench.show(CellTable({**places, "class": np.zeros(N, np.uint8)}, (NUCLEUS_CLASS,)))
    bench.cells.pick(3)
    bench.press("6")
    assert bench.refused[-1] == ui("correct_class")
    assert not (bench.folder / "corrections.jsonl").exists()


def test_no_key_adds_moves_or_deletes_a_cell(bench, monkeypatch):
    said = []
    monkeypatch.setattr("napari_her2._qt.score.cell_keys.show_info", said.append)
    bench.show()
    layer = bench.layer("cells")
    before = layer.data.copy()
    bench.cells.pick(int(bench.cells._view.points.rows[0]))
    for keys in ("Delete", "Backspace", "1", "2", "4", *CELLS_SILENCED):
        bench.press(keys)
    assert np.array_equal(layer.data, before)
    assert layer.mode == "pan_zoom"
    assert said == [ui("cells_stay")] * 2
    assert layer.selected_data == set()


def test_many_cells_open_and_toggle_without_waiting(bench):
    many = scattered(200_000, bench.entry.bounds.width, bench.entry.bounds.height)
    start = time.process_time()
    bench.show(many)
    opened = time.process_time() - start
    assert bench.layer("density").visible
    spent = []
    for names in (["tumour 3+"], ["tumour 0", "tumour 1+"], CELL_CLASSES):
        start = time.process_time()
        bench.cells.set_visible_classes(names)
        spent.append(time.process_time() - start)
    # Five to ten times what it takes: a machine may be busy, a loop over cells takes far longer.
    assert opened < 3
    assert max(spent) < 0.5
