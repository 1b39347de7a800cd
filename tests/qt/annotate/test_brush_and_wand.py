from __future__ import annotations

import itertools

import numpy as np
import pytest
from made_labels import square

from napari_her2._qt.annotate.brush import Stroke
from napari_her2._qt.annotate.wand import Grid, flooded, outline_of, similar
from napari_her2._qt.layer_order import kind_of
from napari_her2.geometry import Region


def test_a_stroke_is_as_wide_as_the_brush_and_may_close_round_a_hole():
    stroke = Stroke(Region(1000, 2000, 400, 400), 1.0)
    corners = [*square(1100, 2100, 200), (1100, 2100)]
    for a, b in itertools.pairwise(corners):
        stroke.paint(a, b, 40)
    ring = stroke.geometry()
    assert ring.bounds == pytest.approx((1080, 2080, 1320, 2320), abs=1.5)
    assert len(ring.interiors) == 1
    # Four sides of 200 x 40, and the corners: three quarters of a disc beside a shared quarter.
    assert ring.area == pytest.approx(4 * 200 * 40 + np.pi * 20**2 - 4 * 400, rel=0.03)


def test_the_brush_paints_extends_cuts_and_leaves_its_layer_empty(labels_desk):
    desk = labels_desk
    desk.controller.take_tool("brush")
    desk.stroke((100, 100), (200, 100))
    (region,) = desk.store
    assert region.area_px == pytest.approx(100 * 30 + np.pi * 15**2, rel=0.07)
    desk.stroke((200, 100), (200, 200), shift=True)
    grown = desk.store.get(region.id)
    assert grown.area_px == pytest.approx(2 * 100 * 30 + np.pi * 15**2 + 15 * 15, rel=0.07)
    desk.key("[")
    assert desk.easel.brush.size_px == 24
    desk.stroke((150, 100), (151, 100), alt=True)
    cut = desk.store.get(region.id)
    assert len(cut.geometry.interiors) == 1
    (layer,) = [x for x in desk.viewer.layers if kind_of(x) == "brush"]
    assert not np.asarray(layer.data).any()
    desk.key("Ctrl+Z")
    desk.key("Ctrl+Z")
    assert desk.store.get(region.id).geometry.equals(region.geometry)


def test_the_brush_keeps_its_width_on_the_screen_or_on_the_slide(labels_desk):
    desk = labels_desk
    tool = desk.easel.brush
    from napari_her2._qt.annotate.tools import At

    assert tool.width(At(0, 0, 4.0)) == 4 * tool.width(At(0, 0, 1.0))
    desk.dock.toolbox.brush.fixed.click()
    assert tool.fixed
    assert tool.width(At(0, 0, 4.0)) == tool.width(At(0, 0, 1.0))
    assert desk.dock.toolbox.brush.words.text().endswith(("µm", "px"))


def test_the_wand_takes_a_piece_of_tissue_with_its_holes(labels_desk):
    desk = labels_desk
    tissue = desk.session.active.survey.tissue
    desk.controller.take_tool("wand")
    row, col = np.argwhere(tissue.usable)[len(np.argwhere(tissue.usable)) // 2]
    dx, dy = tissue.downsample
    desk.clicks(((col + 0.5) * dx, (row + 0.5) * dy))
    (region,) = desk.store
    piece = flooded(tissue.usable, (int(row), int(col)))
    assert region.area_px == pytest.approx(piece.sum() * dx * dy, rel=0.05)


def test_colours_alike_hang_together():
    rgb = np.full((60, 80, 3), 240, np.uint8)
    rgb[10:30, 10:40] = (150, 60, 30)
    rgb[40:55, 50:70] = (150, 60, 30)
    mask = similar(rgb, (20, 20), 12)
    shape = outline_of(mask, Grid(rgb, 100, 200, 2, 2), smooth=True)
    x0, y0, x1, y1 = shape.bounds
    assert (x0, y0) == pytest.approx((120, 220), abs=4)
    assert (x1, y1) == pytest.approx((180, 260), abs=4)


def test_split_merge_and_fill_are_one_edit_each(labels_desk):
    desk = labels_desk
    region = desk.polygon(*square(100, 100, 100), name="stroma")
    desk.controller.write_note("by the vessel")
    desk.controller.take_tool("line")
    desk.stroke((150, 50), (150, 150), (150, 250))
    assert len(desk.store) == 2
    assert {a.class_name for a in desk.store} == {"stroma"}
    assert region.id in desk.store
    assert sum(a.area_px for a in desk.store) == pytest.approx(10000)
    assert len(desk.labels.selection) == 2
    desk.dock.toolbox.actions.buttons["merge"].click()
    (one,) = desk.store
    assert one.area_px == pytest.approx(10000)
    assert one.note == "by the vessel"
    desk.controller.take_tool("freehand")
    desk.stroke(*square(130, 130, 30), (130, 130), alt=True)
    assert desk.store.get(one.id).geometry.interiors
    desk.dock.toolbox.actions.buttons["fill_holes"].click()
    assert not desk.store.get(one.id).geometry.interiors
    labels = desk.store.history
    assert labels[-4:] == ("Split", "Merge", "Cut away", "Fill holes")
    for _ in range(5):
        desk.key("Ctrl+Z")
    (back,) = desk.store
    assert back.geometry.equals(region.geometry)


def test_a_map_is_accepted_as_regions(labels_desk):
    desk = labels_desk
    button = desk.dock.toolbox.actions.buttons["accept_map"]
    assert not button.isEnabled()
    desk.predict()
    desk.controller.edited.emit(None)
    desk.qtbot.waitUntil(lambda: bool(button.isEnabled()))
    t = desk.controller.look.map_threshold()
    button.click()
    grid = desk.controller.look.shown_map()
    wanted = np.nan_to_num(grid.values, nan=-1) >= t
    assert wanted.any()
    got = sum(a.area_px for a in desk.store)
    assert got <= wanted.sum() * grid.width * grid.height * 1.001
    assert got > 0
    assert desk.store.undo_label == "Accept map"
