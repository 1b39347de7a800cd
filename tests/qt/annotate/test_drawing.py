from __future__ import annotations

import pytest
from made_labels import square
from made_windows import wait_for
from napari.utils.key_bindings import coerce_keybinding

from napari_her2._qt.keys import LABEL_KEYS


def test_a_polygon_of_a_class_is_drawn_counted_undone_and_redone(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("polygon")
    desk.key("3")
    assert desk.easel.class_name == "tumour 3+"
    desk.clicks((10, 10), (110, 10), (110, 60))
    desk.clicks((10, 60), double=True)
    (region,) = desk.store
    assert region.class_name == "tumour 3+"
    assert region.area_px == pytest.approx(100 * 50)
    assert region.created
    assert len(desk.shapes()) == 1
    assert desk.labels.selection == (region.id,)
    wait_for(lambda: desk.dock.table.item(3, 2).text() == "1")
    desk.key("Ctrl+Z")
    assert not len(desk.store)
    assert not len(desk.shapes())
    desk.key("Ctrl+Shift+Z")
    assert [a.id for a in desk.store] == [region.id]
    assert len(desk.shapes()) == 1
    assert desk.dock.saved.words.text().startswith("saved")


def test_backspace_takes_a_corner_back_and_escape_the_outline(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("polygon")
    desk.clicks((10, 10), (110, 10), (110, 60), (500, 300))
    desk.key("Backspace")
    desk.key("Enter")
    (region,) = desk.store
    assert len(region.geometry.exterior.coords) == 4
    desk.clicks((10, 10), (110, 10), (110, 60))
    desk.key("Escape")
    desk.key("Enter")
    assert len(desk.store) == 1
    # With nothing being drawn the first Escape lets the selection go.
    desk.key("Escape")
    assert desk.labels.selection == ()


def test_another_tool_finishes_what_is_being_drawn(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("polygon")
    desk.clicks(*square(10, 10, 50))
    desk.key("R")
    assert len(desk.store) == 1
    assert desk.easel.tool_name == "rectangle"
    desk.stroke((100, 100), (140, 120), (180, 160))
    assert [a.area_px for a in desk.store] == pytest.approx([2500, 80 * 60])
    desk.key("O")
    desk.stroke((200, 100), (300, 200))
    assert list(desk.store)[-1].area_px == pytest.approx(3.14159 * 50 * 50, rel=0.01)


def test_every_key_of_the_table_is_bound_on_the_layer(labels_desk):
    bound = {str(k) for k in labels_desk.labels.layer.keymap}
    assert {str(coerce_keybinding(k.keys)) for k in LABEL_KEYS} <= bound


def test_a_digit_is_the_class_of_the_next_region_or_of_the_selected_one(labels_desk):
    desk = labels_desk
    first = desk.polygon(*square(10, 10, 50), name="tumour 0")
    desk.key("5")
    assert desk.store.get(first.id).class_name == "tumour 0"
    desk.key("S")
    desk.key("5")
    assert desk.store.get(first.id).class_name == "immune"
    assert desk.store.get(first.id).geometry is first.geometry
    desk.key("Ctrl+Z")
    assert desk.store.get(first.id).class_name == "tumour 0"


def test_freehand_with_shift_extends_and_with_alt_cuts_a_hole_that_stays(labels_desk):
    desk = labels_desk
    region = desk.polygon(*square(10, 10, 100))
    desk.key("F")
    desk.stroke(*square(90, 10, 60), (90, 10), shift=True)
    grown = desk.store.get(region.id)
    assert grown.area_px == pytest.approx(100 * 100 + 40 * 60, rel=0.01)
    desk.stroke(*square(40, 40, 30), (40, 40), alt=True)
    holed = desk.store.get(region.id)
    assert len(holed.geometry.interiors) == 1
    assert holed.area_px == pytest.approx(grown.area_px - 900, rel=0.01)
    # Faces without edges, and a line for each ring.
    kinds = [str(k) for k in desk.labels.layer.shape_type]
    assert kinds.count("path") == 2
    assert set(desk.labels.shapes.ids) == {region.id}
    # A corner is dragged: the hole is still there.
    desk.key("D")
    desk.stroke((10, 110), (5, 200))
    moved = desk.store.get(region.id)
    assert len(moved.geometry.interiors) == 1
    assert moved.area_px > holed.area_px
    desk.key("Ctrl+Z")
    assert desk.store.get(region.id).geometry.equals(holed.geometry)


def test_e_cuts_from_the_region_below_without_selecting_it(labels_desk):
    desk = labels_desk
    region = desk.polygon(*square(10, 10, 100))
    desk.key("Escape")
    desk.key("E")
    desk.controller.take_tool("polygon")
    desk.clicks(*square(30, 30, 20))
    desk.key("Enter")
    assert len(desk.store) == 1
    assert desk.store.get(region.id).area_px == pytest.approx(10000 - 400)
    assert desk.dock.subtract.isChecked()


def test_an_outline_that_crosses_itself_asks_and_loses_nothing(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("polygon")
    desk.clicks((10, 10), (110, 110), (110, 10), (10, 110))
    desk.key("Enter")
    assert not len(desk.store)
    assert desk.dock.crossing.sentence == "This outline crosses itself: [Repair] makes 2 parts."
    desk.dock.crossing.buttons["repair"].click()
    (region,) = desk.store
    assert region.geometry.is_valid
    assert region.area_px == pytest.approx(5000)
    assert desk.dock.crossing.sentence == ""
    desk.clicks((210, 10), (310, 110), (310, 10), (210, 110))
    desk.key("Enter")
    # Whoever draws on has the repaired one.
    desk.clicks((10, 200))
    assert len(desk.store) == 2


def test_select_moves_deletes_and_leaves_locked_regions_alone(labels_desk):
    desk = labels_desk
    one = desk.polygon(*square(10, 10, 50))
    two = desk.polygon(*square(200, 10, 50))
    desk.key("S")
    desk.stroke((35, 35), (36, 35), shift=True)
    assert set(desk.labels.selection) == {one.id, two.id}
    desk.stroke((35, 35), (45, 60), (45, 65))
    assert desk.store.get(one.id).geometry.bounds == pytest.approx((20, 40, 70, 90))
    assert desk.store.get(two.id).geometry.bounds == pytest.approx((210, 40, 260, 90))
    desk.stroke((45, 65), (45, 65))
    desk.controller.lock_selected(True)
    desk.key("Delete")
    assert len(desk.store) == 2
    desk.controller.lock_selected(False)
    desk.key("Delete")
    assert not len(desk.store)
    desk.key("Ctrl+Z")
    assert len(desk.store) == 2
    assert len(desk.shapes()) == 2


def test_outside_the_slide_nothing_is_drawn_and_over_its_edge_it_is_cut(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("rectangle")
    desk.stroke((-100, -100), (-10, -10))
    assert not len(desk.store)
    desk.stroke((-100, -100), (50, 40))
    (region,) = desk.store
    assert region.geometry.bounds == (0, 0, 50, 40)
