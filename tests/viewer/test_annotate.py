from __future__ import annotations

import math
import time

import pytest
from made_labels import blob_edits
from made_scores import write_ihc
from made_windows import RealDesk, trio, wait_for
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_her2._qt.app import settle
from napari_her2._qt.components.dock_body import MIN_WIDTH
from napari_her2._qt.docks import open_dock
from napari_her2._qt.layer_order import kind_of

NO, ALT, SHIFT, CTRL = (
    Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.AltModifier,
    Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.ControlModifier,
)  # fmt: skip


class Hand:
    """A hand at mouse and keyboard: real Qt events on the canvas."""

    def __init__(self, viewer):
        self.canvas = viewer.window._qt_viewer.canvas.native
        viewer.window._qt_window.activateWindow()
        self.canvas.setFocus()
        wait_for(self.canvas.hasFocus)

    def click(self, x, y):
        QTest.mouseMove(self.canvas, QPoint(x, y))
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, NO, QPoint(x, y))
        settle(0.02)

    def double(self, x, y):
        QTest.mouseDClick(self.canvas, Qt.MouseButton.LeftButton, NO, QPoint(x, y))
        settle(0.02)

    def drag(self, *places, held=NO):
        first, last = QPoint(*places[0]), QPoint(*places[-1])
        QTest.mousePress(self.canvas, Qt.MouseButton.LeftButton, held, first)
        for x, y in places[1:]:
            event = QMouseEvent(
                QEvent.Type.MouseMove, QPointF(x, y),
                QPointF(self.canvas.mapToGlobal(QPoint(x, y))),
                Qt.MouseButton.NoButton, Qt.MouseButton.LeftButton, held,
            )  # fmt: skip
            QApplication.sendEvent(self.canvas, event)
            settle(0.005)
        QTest.mouseRelease(self.canvas, Qt.MouseButton.LeftButton, held, last)
        settle(0.02)

    def key(self, key, held=NO):
        QTest.keyClick(self.canvas, key, held)
        settle(0.02)


@pytest.fixture
def desk(make_napari_viewer, tmp_path):
    made = RealDesk(make_napari_viewer(show=True), trio())
    made.open(write_ihc(tmp_path / "ihc.tif"))
    made.dock = open_dock(made.session, "her2-annotate")
    made.controller = made.session.annotate
    wait_for(lambda: made.controller.labels is not None)
    made.store = made.controller.labels.store
    yield made
    made.session.close()


def ring(x, y, r, n=24):
    return [
        (round(x + r * math.cos(2 * math.pi * i / n)), round(y + r * math.sin(2 * math.pi * i / n)))
        for i in range(n + 1)
    ]


def test_drawing_with_mouse_and_keys_moves_neither_camera_nor_napari_s_own_tools(desk):
    hand = Hand(desk.viewer)
    camera = desk.viewer.scene.camera
    # The dock came to the front: digits and tools work without a click.
    hand.key(Qt.Key.Key_3)
    hand.key(Qt.Key.Key_P)
    assert desk.controller.easel.tool_name == "polygon"
    where = (camera.zoom, *camera.center)
    for place in ((200, 200), (320, 190), (330, 300)):
        hand.click(*place)
    hand.click(210, 310)
    hand.double(210, 310)
    (region,) = desk.store
    assert region.class_name == "tumour 3+"
    assert len(region.geometry.exterior.coords) == 5
    hand.key(Qt.Key.Key_1)
    hand.key(Qt.Key.Key_F)
    hand.drag(*ring(470, 260, 60))
    hand.drag(*ring(470, 260, 20), held=ALT)
    free = list(desk.store)[-1]
    assert free.class_name == "tumour 1+"
    assert len(free.geometry.interiors) == 1
    hand.key(Qt.Key.Key_B)
    hand.key(Qt.Key.Key_4)
    hand.drag((220, 420), (260, 430), (300, 440))
    hand.drag((300, 440), (300, 480), held=SHIFT)
    assert len(desk.store) == 3
    hand.key(Qt.Key.Key_R)
    hand.drag((420, 420), (460, 450), (500, 500))
    hand.key(Qt.Key.Key_S)
    hand.click(460, 460)
    hand.key(Qt.Key.Key_6)
    assert list(desk.store)[-1].class_name == "artefact"
    hand.key(Qt.Key.Key_Delete)
    assert len(desk.store) == 3
    assert (camera.zoom, *camera.center) == where
    shapes = desk.controller.labels.layer
    n = len(desk.store.history)
    for _ in range(n):
        hand.key(Qt.Key.Key_Z, CTRL)
    assert not len(desk.store)
    assert not len(shapes.data)
    for _ in range(n):
        hand.key(Qt.Key.Key_Z, CTRL | SHIFT)
    assert len(desk.store) == 3
    # With Space held the mouse moves the picture, not the tool.
    hand.key(Qt.Key.Key_P)
    QTest.keyPress(hand.canvas, Qt.Key.Key_Space)
    hand.drag((300, 300), (330, 330), (360, 360))
    QTest.keyRelease(hand.canvas, Qt.Key.Key_Space)
    assert camera.center != where[1:]
    assert len(desk.store) == 3
    assert not desk.controller.easel.tool.busy
    # napari's own buttons choose our tools.
    shapes.mode = "add_rectangle"
    assert desk.controller.easel.tool_name == "rectangle"
    assert len(shapes.mouse_drag_callbacks) == 1
    # What other code does to the shapes becomes an edit.
    shapes.add_polygons([[[10, 10], [10, 60], [60, 60]]])
    wait_for(lambda: len(desk.store) == 4)
    hand.key(Qt.Key.Key_Z, CTRL)
    assert len(desk.store) == 3


def test_the_dock_fits_the_narrowest_column_and_its_layers_may_be_closed(desk):
    hand = Hand(desk.viewer)
    desk.controller.take_tool("rectangle")
    hand.drag((220, 220), (300, 300))
    desk.dock.fold.setChecked(True)
    settle(0.3)
    assert len(desk.dock.regions.rows) == 1
    for part in (desk.dock.toolbox.bar, desk.dock.toolbox.actions, desk.dock.toolbox.brush,
                 desk.dock.selected, desk.dock.foot):  # fmt: skip
        assert part.minimumSizeHint().width() <= MIN_WIDTH - 8, type(part).__name__
    assert desk.dock.scroll_area.horizontalScrollBar().maximum() == 0
    desk.viewer.layers.remove(desk.controller.labels.layer)
    settle(0.2)
    assert len(desk.store) == 1
    desk.controller.take_tool("select")
    wait_for(lambda: desk.controller.labels.laid_out)
    assert len(desk.controller.labels.layer.data) == 1
    entry = desk.session.active
    desk.viewer.layers.remove(entry.layer)
    settle(0.3)
    assert desk.controller.labels is None
    assert not [x for x in desk.viewer.layers if kind_of(x) in ("labels", "drawing", "brush")]


def test_many_regions_are_laid_out_without_holding_up_the_window(desk):
    desk.controller.apply(blob_edits(1500, desk.session.active.slide.size))
    slowest, start = 0.0, time.perf_counter()
    while not desk.controller.labels.laid_out:
        begin = time.perf_counter()
        QApplication.processEvents()
        slowest = max(slowest, time.perf_counter() - begin)
        assert time.perf_counter() - start < 30
    assert len(desk.controller.labels.layer.data) == 1500
    assert len(set(desk.controller.labels.shapes.ids)) == 1500
