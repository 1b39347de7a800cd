"""Cells in a real window: seen, clicked, corrected by key, and taken away without a crash."""

from __future__ import annotations

import numpy as np
from made_windows import wait_for
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from scattered_cells import scattered

from napari_her2._qt import camera
from napari_her2._qt.app import settle
from napari_her2.geometry import Region, xy_to_world_yx

N = 1500


def canvas_of(viewer):
    # napari has no public way to the widget that takes the keys of the picture.
    return viewer.window._qt_viewer.canvas.native


def on_screen(viewer, world_yx):
    """Pixel of the canvas at a world place."""
    canvas = canvas_of(viewer)
    cy, cx = viewer.scene.camera.center[-2:]
    zoom = viewer.scene.camera.zoom
    ratio = canvas.devicePixelRatioF()
    middle = canvas.rect().center()
    return QPoint(
        round(middle.x() + (world_yx[1] - cx) * zoom / ratio),
        round(middle.y() + (world_yx[0] - cy) * zoom / ratio),
    )


def test_cells_are_seen_clicked_corrected_and_taken_away(real_desk, slide_path, tmp_path):
    desk = real_desk()
    desk.open(slide_path)
    entry, viewer = desk.session.active, desk.viewer
    table = scattered(N, entry.bounds.width, entry.bounds.height)
    cells = desk.session.score.cells
    settle(0.3)
    bare = viewer.screenshot(flash=False)
    cells.show(entry, table, tmp_path, run_id="r1")
    settle(0.3)
    dotted = viewer.screenshot(flash=False)
    # In the colours of the classes: dark red of 3+ is nowhere on the tissue.
    red = np.all(np.abs(dotted[..., :3].astype(int) - [0x8A, 0x00, 0x10]) < 12, axis=-1)
    assert red.sum() > 500
    assert float(np.mean(np.any(dotted != bare, axis=-1))) > 0.02

    row = int(np.flatnonzero(table["class"] == 2)[7])
    x, y = table["x_px"][row], table["y_px"][row]
    centre, zoom = camera.frame(viewer, entry, Region(x - 100, y - 80, 300, 300))
    viewer.scene.camera.zoom = zoom
    viewer.scene.camera.center = (0, *centre)
    settle(0.3)
    canvas = canvas_of(viewer)
    viewer.window._qt_window.activateWindow()
    canvas.setFocus()
    place = on_screen(viewer, xy_to_world_yx((x, y), *entry.world_mpp))
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=place)
    wait_for(lambda: cells._choice.index == row)
    assert viewer.layers.selection.active.metadata["her2"]["kind"] == "cells"
    layer = viewer.layers.selection.active
    for mode in ("add", "select", "transform"):
        layer.mode = mode
        assert layer.mode == "pan_zoom"
    QTest.keyClick(canvas, Qt.Key.Key_3)
    assert cells.corrected_table().class_names[row] == "tumour 3+"
    QTest.keyClick(canvas, Qt.Key.Key_Delete)
    QTest.keyClick(canvas, Qt.Key.Key_1)
    assert cells.corrected_table().class_names[row] == "tumour 1+"
    assert len(cells.table) == N
    QTest.keyClick(canvas, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert cells.corrected_table().class_names[row] == "tumour 3+"
    QTest.keyClick(canvas, Qt.Key.Key_BracketRight)
    assert cells._choice.index is not None
    QTest.keyClick(canvas, Qt.Key.Key_H)
    assert not cells.shown
    QTest.keyClick(canvas, Qt.Key.Key_H)
    assert cells.shown

    # Many vector layers that come and go crash napari unless they are handled with care.
    for _ in range(3):
        cells.goto_place(0)
        cells.pick(row)
        settle(0.05)
        cells.clear()
        cells.show(entry, table, tmp_path, run_id="r1")
    assert cells.n_corrected == 1
    settle(0.2)
    assert viewer.screenshot(flash=False).shape == bare.shape
