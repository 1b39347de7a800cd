from __future__ import annotations

import dataclasses
import json

import pytest
from made_labels import blob_edits, square
from made_windows import made_slide, wait_for
from napari.layers import Points

from napari_her2._qt.annotate.files import ExportDialog, write_labels
from napari_her2._qt.annotate.import_dialog import ImportDialog, take_labels
from napari_her2._qt.annotate.make_set_dialog import MakeSetDialog
from napari_her2._qt.annotate.schema_dialog import SchemaDialog, take_schema
from napari_her2._qt.annotate.services import known_schemas
from napari_her2._qt.annotate.texts import ANNOTATE_TEXTS
from napari_her2._qt.layer_order import kind_of
from napari_her2._qt.score.texts import SCORE_TEXTS
from napari_her2._qt.train.texts import TRAIN_TEXTS
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add
from napari_her2.annotations.interchange import read_annotations
from napari_her2.annotations.schema import load_schema
from napari_her2.errors import BadSchemaError, DiskFullError
from napari_her2.messages import MESSAGES
from napari_her2.pipelines.events import Outcome, Progress


def test_no_text_of_one_dock_replaces_another_s():
    for others in (SCORE_TEXTS, TRAIN_TEXTS, MESSAGES):
        assert not set(ANNOTATE_TEXTS) & set(others)


def cell(text, table, row, column):
    wait_for(lambda: table.item(row, column).text() == text)


def test_the_table_counts_hides_and_locks_classes(labels_desk):
    desk = labels_desk
    desk.polygon(*square(10, 10, 100), name="stroma")
    desk.polygon(*square(200, 10, 100), name="stroma")
    table = desk.dock.table
    cell("2", table, 4, 2)
    # 0.5 µm a pixel: two squares of 50 µm.
    cell("0.0050", table, 4, 3)
    table.cellClicked.emit(4, 4)
    wait_for(lambda: not len(desk.shapes()))
    assert len(desk.store) == 2
    wait_for(lambda: table.item(4, 4).toolTip() == "Stroma: hidden")
    table.cellClicked.emit(4, 4)
    wait_for(lambda: len(desk.shapes()) == 2)
    table.cellClicked.emit(4, 5)
    assert all(a.locked for a in desk.store)
    desk.key("S")
    desk.clicks((50, 50))
    desk.key("Delete")
    desk.key("3")
    assert [a.class_name for a in desk.store] == ["stroma", "stroma"]
    desk.key("Ctrl+Z")
    assert not any(a.locked for a in desk.store)


def test_names_of_other_programs_count_for_our_classes(labels_desk):
    desk = labels_desk
    theirs = desk.polygon(*square(10, 10, 100))
    foreign = dataclasses.replace(theirs, id="x", class_name="Tumor: 3+")
    odd = dataclasses.replace(theirs, id="y", class_name="Necrosis", class_colour=(1, 2, 3))
    desk.controller.apply(add([foreign, odd]))
    cell("1", desk.dock.table, 3, 2)
    assert desk.dock.table.item(7, 1).text() == "Necrosis"
    desk.controller.set_class_shown("tumour 3+", False)
    wait_for(lambda: "x" not in desk.labels.shapes.ids)


def test_the_list_of_regions_selects_and_the_note_is_kept(labels_desk):
    desk = labels_desk
    one = desk.polygon(*square(10, 10, 100))
    desk.polygon(*square(200, 10, 100))
    desk.dock.fold.setChecked(True)
    wait_for(lambda: len(desk.dock.regions.rows) == 2)
    desk.dock.regions.selectRow(1)
    assert desk.labels.selection == (one.id,)
    words = desk.dock.selected.words.text()
    assert words.startswith("Selected: Tumour 0 · 0.0025 mm2")
    desk.dock.selected.note.setText("by the duct")
    desk.dock.selected.note.editingFinished.emit()
    assert desk.store.get(one.id).note == "by the duct"
    desk.dock.selected.go.click()
    assert desk.viewer.scene.camera.center[-2:] == pytest.approx((29.75, 29.75), abs=1)


def test_points_and_imported_cells_have_layers_of_their_own(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("points")
    desk.clicks((10, 10), (50, 60))
    (dots,) = [x for x in desk.viewer.layers if kind_of(x) == "dots"]
    assert len(dots.data) == 2
    cells = [
        dataclasses.replace(a, object_type="cell")
        for a in blob_edits(3000, desk.session.active.slide.size).added
    ]
    desk.controller.apply(add(cells, "Import"))
    layers = [x for x in desk.viewer.layers if kind_of(x) in ("cells", "density")]
    assert any(isinstance(x, Points) for x in layers)
    assert not len(desk.shapes())
    desk.key("Ctrl+Z")
    assert len(desk.store) == 2


def test_another_program_has_the_labels_and_what_a_crash_left_is_offered(labels_desk, slide_path):
    desk = labels_desk
    entry = desk.session.active
    desk.polygon(*square(10, 10, 100))
    size = entry.slide.size
    where = (entry.slide_id, (size.width, size.height))
    with open_book(*where, folder=desk.labels.book.folder) as second:
        assert "read-only" in second.read_only
    assert desk.dock.locked.sentence == ""
    assert desk.dock.recovery.sentence == ""

    class Left:
        sentence = "14 edits were recovered"
        kept = False

        def keep(self):
            Left.kept = True
            desk.labels.book.recovered = None

    desk.labels.book.recovered = Left()
    desk.dock._show_asks()
    assert desk.dock.recovery.sentence == "14 edits were recovered"
    desk.dock.recovery.buttons["keep"].click()
    assert Left.kept
    assert desk.dock.recovery.sentence == ""


def test_a_full_disk_is_told_and_nothing_is_lost(labels_desk, tmp_path, monkeypatch):
    desk = labels_desk
    ledger = desk.labels.book._ledger

    def full():
        raise DiskFullError("disk", n=0, needed="1 MB")

    monkeypatch.setattr(ledger, "write", full)
    desk.polygon(*square(10, 10, 100))
    assert len(desk.store) == 1
    assert desk.dock.saved.words.text().startswith("not saved: ")
    assert not desk.dock.saved.elsewhere.isHidden()
    desk.labels.book.save_elsewhere(tmp_path / "kept")
    assert desk.dock.saved.words.text().startswith("saved")
    assert len(desk.store) == 1


def test_a_schema_is_edited_kept_and_its_regions_follow(labels_desk):
    desk = labels_desk
    region = desk.polygon(*square(10, 10, 100), name="stroma")
    dialog = SchemaDialog(desk.controller.schema)
    dialog.table.item(4, 1).setText("fibrous stroma")
    dialog.table.item(4, 3).setText("#00AA00")
    made, renamed = dialog.schema(), dialog.renamed()
    assert renamed == {"stroma": "fibrous stroma"}
    assert made.version == "2"
    take_schema(desk.controller, made, renamed)
    assert desk.store.get(region.id).class_name == "fibrous stroma"
    assert next(s for s in known_schemas() if s.id == "her2-cells") == made
    assert desk.labels.layer.edge_color[0][:3] == pytest.approx((0, 2 / 3, 0), abs=0.01)
    dialog.table.item(5, 0).setText("4")
    with pytest.raises(BadSchemaError):
        dialog.schema()
    dialog.add_class()
    dialog.remove_class()
    dialog.deleteLater()


def test_labels_go_out_and_come_back(labels_desk, tmp_path):
    desk = labels_desk
    desk.polygon(*square(10, 10, 100), name="tumour 2+")
    desk.controller.take_tool("freehand")
    desk.stroke(*square(40, 40, 30), (40, 40), alt=True)
    dialog = ExportDialog(desk.labels)
    assert dialog.chosen_format == ("geojson", ".geojson")
    path = tmp_path / "out.geojson"
    write_labels(desk.controller, path, dialog.annotations, "geojson")
    wait_for(path.exists)
    wait_for(lambda: json.loads(path.read_text()))
    found = read_annotations(path, schema=desk.controller.schema)
    preview = ImportDialog(found, "s1")
    assert preview.go.text() == "Import 1"
    assert take_labels(desk.controller, found) == 0
    desk.key("Escape")
    desk.labels.select([a.id for a in desk.store])
    desk.key("Delete")
    assert take_labels(desk.controller, found) == 1
    (back,) = desk.store
    assert len(back.geometry.interiors) == 1
    for part in (dialog, preview):
        part.deleteLater()


def test_a_label_set_is_asked_for_with_what_was_drawn(labels_desk):
    desk = labels_desk
    desk.controller.set_schema(load_schema("biomarker-regions"))
    for i, name in enumerate(("ER+", "ER-", "non-tumour")):
        desk.polygon(*square(10 + 150 * i, 10, 100), name=name)
    asked = []

    def make(request, _cancel):
        asked.append(request)
        yield Progress("drawing", "s1", 1, 2)
        counts = {"ER+": {"n": 7, "train": 5, "tune": 1, "test": 1}}
        document = {"label_set": "/tmp/sets/er", "n": 7, "counts": counts, "conflicts": 2,
                    "warnings": [{"id": "tile_test", "sentence": "Optimistic."}]}  # fmt: skip
        yield Outcome("completed", "er", document)

    desk.controller.services = dataclasses.replace(desk.controller.services, make_label_set=make)
    dialog = MakeSetDialog(desk.controller)
    assert dialog.kind.currentData() == "tiles"
    assert [dialog.biomarker.itemData(i) for i in range(2)] == ["ER", None]
    dialog.tile_px.setCurrentIndex(1)
    taken = []
    dialog.made.connect(taken.append)
    dialog.start()
    wait_for(lambda: dialog.folder is not None)
    (request,) = asked
    assert request.biomarker == "ER"
    assert request.tile.tile_px == 256
    assert len(request.sources[0].annotations) == 3
    assert request.classes == ("ER+", "ER-", "non-tumour")
    assert dialog.result.item(0, 1).text() == "7"
    assert dialog.notes.text() == "Optimistic."
    dialog.train.click()
    assert taken[0].name == "er"
    dialog.deleteLater()


def test_a_label_set_of_tiles_is_made_and_its_conflicts_are_a_click_away(labels_desk):
    desk = labels_desk
    desk.controller.set_schema(load_schema("biomarker-regions"))
    one = desk.polygon(*square(100, 100, 600), name="ER+")
    two = desk.polygon(*square(600, 100, 600), name="ER-")
    desk.polygon(*square(100, 800, 600), name="non-tumour")
    desk.session.set_stain(desk.session.active, "H&E")
    dialog = MakeSetDialog(desk.controller)
    dialog.tile_px.setCurrentIndex(3)
    dialog.tile_mpp.setValue(0.5)
    dialog.start()
    wait_for(lambda: not dialog.running, 60)
    assert dialog.errors.sentence == "", dialog.errors.sentence
    assert dialog.folder is not None
    assert dialog.result.rowCount() == 3
    assert dialog.conflicts.count() > 0
    dialog.conflicts.itemClicked.emit(dialog.conflicts.item(0))
    assert set(desk.labels.selection) == {one.id, two.id}
    dialog.deleteLater()


def test_each_slide_has_its_own_labels(labels_desk, tmp_path):
    desk = labels_desk
    desk.polygon(*square(10, 10, 100))
    first = desk.labels
    desk.open(made_slide(tmp_path, "second.tif", width=600, height=400))
    wait_for(lambda: desk.labels is not None and desk.labels is not first)
    assert not len(desk.store)
    desk.polygon(*square(20, 20, 50))
    assert len(first.store) == 1
    desk.session.show_only(first.entry)
    assert desk.labels is first
    assert desk.controller.sources.labels() != []
    kept = first.book.folder
    desk.session.close_slide(first.entry)
    wait_for(lambda: desk.labels is not first)
    with open_book("x", (1, 1), folder=kept.with_name("none")) as other:
        assert not len(other.store)
    assert [x for x in desk.viewer.layers if kind_of(x) == "labels"] == [desk.labels.layer]


def test_annotations_are_not_changed_by_being_shown():
    from shapely.geometry import Polygon

    from napari_her2.geometry import Region
    from napari_her2.layers.annotations import labels_layer, outlines_of, raster_layer

    ring = Polygon(square(0, 0, 100), [square(20, 20, 20), square(60, 60, 20)])
    parts = outlines_of(ring)
    faces = [p for p in parts if p.face]
    area = sum(Polygon(p.data).area for p in faces)
    assert area == pytest.approx(ring.area)
    assert sum(p.edge for p in parts) == 3
    a = Annotation(geometry=ring, class_name="stroma")
    data, kwargs, kind = labels_layer([a], load_schema("her2-cells"), "s1", (0.5, 0.25))
    assert kind == "shapes"
    assert kwargs["scale"] == (0.25, 0.5)
    assert set(kwargs["metadata"]["her2"]["ids"]) == {a.id}
    assert len(data) == len(parts)
    picture, _, _ = raster_layer(
        [a], load_schema("her2-cells"), "s1", None, Region(0, 0, 100, 100), 100
    )
    assert (picture == 5).sum() == pytest.approx(ring.area, rel=0.05)


def test_a_digit_labels_the_place_looked_at_and_goes_on(labels_desk):
    from napari_her2.pipelines.label_queue import QueuedPlace

    desk = labels_desk
    places = [
        QueuedPlace(100 * i, 50, w, w, "stroma", 0.4, 0.9, f"why {i}")
        for i, w in ((1, 0), (2, 64), (3, 0))
    ]
    desk.controller.next.take(desk.labels, places)
    desk.dock.came_to_front()
    desk.session.front = "annotate"
    row = desk.dock.next.look_at
    assert not row.isHidden()
    desk.session.keeper.actions.next_place()
    assert row.at == 0
    assert desk.labels.sketch.anything
    desk.key("3")
    desk.key("4")
    first, second = desk.store
    assert first.class_name == "tumour 3+"
    assert (first.geometry.x, first.geometry.y) == (100, 50)
    assert second.class_name == "stroma"
    assert second.geometry.bounds == (168, 18, 232, 82)
    assert len(desk.controller.next.places) == 1
    desk.key("Ctrl+Z")
    assert len(desk.store) == 1
    desk.controller.next.take(desk.labels, [])
    desk.key("5")
    assert len(desk.store) == 1
    assert desk.easel.class_name == "immune"


def test_without_a_run_there_is_nothing_to_propose(labels_desk):
    labels_desk.dock.next.ask.click()
    assert labels_desk.controller.next.places == []
    labels_desk.predict()
    labels_desk.dock.next.ask.click()
    wait_for(lambda: len(labels_desk.controller.next.places) > 0)
    place = labels_desk.controller.next.places[0]
    assert place.width_px > 0
    assert place.why
