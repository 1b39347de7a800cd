from __future__ import annotations

import gc
import time
import weakref
from pathlib import Path

import numpy as np
import pytest
from made_windows import RealDesk, trio, wait_for
from qtpy.QtCore import QMimeData, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QMessageBox

from napari_her2._qt.app import settle, window_picture
from napari_her2._qt.components.run_strip import StripState
from napari_her2._qt.session import session_of


def ended(desk):
    return lambda: not desk.session.runner.running


def canvas_of(viewer):
    # napari has no public way to the widget that takes the keys of the picture.
    return viewer.window._qt_viewer.canvas.native


def test_click_predict_and_see_the_map_fill(real_desk, slide_path):
    desk = real_desk(pause=0.15)
    desk.open(slide_path)
    desk.predict_dock.strip.button.click()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 4)
    run = desk.presenter.run
    layer = next(x for x in desk.viewer.layers if x.name.startswith("ER demo"))
    assert 4 < int(np.isfinite(layer.data).sum()) < run.n_total
    wait_for(ended(desk))
    assert desk.predict_dock.strip.state is StripState.DONE, desk.predict_dock.errors.sentence
    assert int(np.isfinite(layer.data).sum()) == run.n_total
    settle(0.5)
    mapped = desk.viewer.screenshot(flash=False)
    desk.session.keeper.actions.toggle_map()
    settle(0.5)
    bare = desk.viewer.screenshot(flash=False)
    assert mapped.shape == bare.shape
    assert float(np.mean(np.any(mapped != bare, axis=-1))) > 0.05
    picture = window_picture(desk.viewer)
    assert picture.shape[:2] == (900, 1440)


def test_our_reader_opens_and_the_far_corner_is_where_it_should_be(real_desk, slide_path):
    desk = real_desk()
    desk.viewer.open(str(slide_path), plugin="napari-her2")
    wait_for(lambda: desk.session.active is not None)
    layer = desk.session.active.layer
    assert layer.multiscale
    assert np.allclose(layer.extent.world[1], [(2048 - 0.5) * 0.5, (3072 - 0.5) * 0.5], atol=0.5)
    assert desk.viewer.canvas.overlays.scale_bar.visible


def test_keys_work_from_the_picture(real_desk, slide_path, qtbot):
    desk = real_desk()
    desk.open(slide_path)
    canvas = canvas_of(desk.viewer)
    desk.viewer.window._qt_window.activateWindow()
    canvas.setFocus()
    wait_for(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    wait_for(lambda: desk.session.runner.running or desk.presenter is not None)
    wait_for(ended(desk))
    assert desk.predict_dock.strip.state is StripState.DONE
    QTest.keyClick(canvas, Qt.Key.Key_K)
    assert not desk.session.predict.map.visible
    QTest.keyClick(canvas, Qt.Key.Key_K, Qt.KeyboardModifier.ShiftModifier)
    assert desk.session.predict.map.visible
    assert desk.presenter.current == "fake-pr"
    QTest.keyClick(canvas, Qt.Key.Key_Period)
    assert desk.presenter.at == 0
    QTest.keyPress(canvas, Qt.Key.Key_Q)
    assert not any(x.visible for x in desk.viewer.layers if x is not desk.session.active.layer)
    QTest.keyRelease(canvas, Qt.Key.Key_Q)
    assert any(x.visible for x in desk.viewer.layers if x is not desk.session.active.layer)
    QTest.keyClick(canvas, Qt.Key.Key_2)
    assert desk.session.active.layer.mode == "pan_zoom"


def drop(viewer, paths, keys=Qt.KeyboardModifier.NoModifier):
    """Drag files into the middle of the picture and let go, as a file manager does.

    The events go to the system window: Qt itself finds the widget they land on.
    """
    window = viewer.window._qt_window
    picture = canvas_of(viewer)
    place = picture.mapTo(window, picture.rect().center())
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(p)) for p in paths])
    how = (
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        keys,
    )
    QApplication.sendEvent(window.windowHandle(), QDragEnterEvent(place, *how))
    QApplication.sendEvent(window.windowHandle(), QDropEvent(QPointF(place), *how))


@pytest.fixture
def left_to_napari(monkeypatch):
    """What was dropped and not taken by us, instead of napari's way (which asks questions)."""
    seen = []
    monkeypatch.setattr(
        "napari._qt.qt_viewer.QtViewer._open_from_list_of_urls_data",
        lambda _self, urls, **_: seen.extend(Path(u.toLocalFile()) for u in urls),
    )
    return seen


def test_slides_dropped_on_the_picture_open_with_our_reader_and_other_files_go_to_napari(
    real_desk, slide_path, tmp_path, left_to_napari
):
    desk = real_desk()
    wait_for(lambda: desk.session.keeper.window_found)
    table = tmp_path / "points.csv"
    table.write_text("index,axis-0,axis-1\n0,1,2\n")
    drop(desk.viewer, [table])
    drop(desk.viewer, [slide_path, table])
    drop(desk.viewer, [slide_path], Qt.KeyboardModifier.AltModifier)
    assert left_to_napari == [table, slide_path, table, slide_path]
    settle(0.1)
    assert desk.session.slides == []
    # On the welcome page first, on a slide after: two different widgets take the drop.
    drop(desk.viewer, [slide_path])
    wait_for(lambda: desk.session.active is not None)
    assert desk.session.active.path == slide_path
    second = tmp_path / "second.tif"
    second.write_bytes(slide_path.read_bytes())
    wait_for(lambda: not desk.viewer.window._qt_viewer._welcome_widget.isVisible())
    drop(desk.viewer, [second])
    wait_for(lambda: len(desk.session.slides) == 2)
    assert desk.session.active.path == second
    assert len(left_to_napari) == 4


def test_the_slide_is_fitted_again_when_a_dock_takes_its_width(real_desk, slide_path):
    desk = real_desk()
    desk.open(slide_path)
    settle(0.3)
    window = desk.viewer.window._qt_window
    camera, canvas = desk.viewer.scene.camera, desk.viewer.canvas

    def shown():
        return camera.zoom / min(np.asarray(canvas.size) / desk.session.active.layer.level_shapes[
            0, :2] / 0.5)  # fmt: skip

    before = tuple(canvas.size)
    assert shown() == pytest.approx(0.95, abs=0.01)
    window.resize(1100, 900)
    wait_for(lambda: tuple(canvas.size) != before)
    settle(0.1)
    assert shown() == pytest.approx(0.95, abs=0.01)
    camera.zoom *= 2
    kept = camera.zoom
    window.resize(1440, 900)
    wait_for(lambda: tuple(canvas.size) == before)
    settle(0.1)
    assert camera.zoom == kept


def test_focus_goes_to_the_dock_and_back(real_desk, slide_path):
    desk = real_desk()
    desk.open(slide_path)
    window = desk.viewer.window._qt_window
    window.activateWindow()
    keeper = desk.session.keeper
    keeper.focus_picture()
    wait_for(lambda: window.focusWidget() is not None)
    outside = window.focusWidget()
    keeper.switch_focus()
    docks = (desk.slide_dock, desk.predict_dock)
    assert any(d.isAncestorOf(window.focusWidget()) for d in docks)
    keeper.switch_focus()
    assert window.focusWidget() is outside


def test_a_click_on_the_map_tells_the_tile(real_desk, slide_path):
    desk = real_desk()
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(ended(desk))
    canvas = canvas_of(desk.viewer)
    desk.viewer.scene.camera.center = (512.0, 768.0)
    desk.viewer.scene.camera.zoom = 0.8
    settle(0.3)
    QTest.mouseClick(canvas, Qt.MouseButton.LeftButton, pos=canvas.rect().center())
    settle(0.1)
    assert "p+" in desk.predict_dock.card.cursor_text
    assert desk.viewer.help == desk.predict_dock.card.cursor_text


def test_cancel_from_the_window_takes_less_than_two_seconds(real_desk, slide_path):
    desk = real_desk(pause=0.1)
    desk.open(slide_path)
    desk.predict_dock.strip.button.click()
    wait_for(lambda: desk.predict_dock.strip.state is StripState.RUNNING)
    start = time.monotonic()
    desk.predict_dock.strip.cancel_button.click()
    wait_for(ended(desk))
    assert time.monotonic() - start < 2
    assert desk.predict_dock.strip.state is StripState.CANCELLED


def test_dock_removed_mid_run_and_put_back(real_desk, slide_path):
    desk = real_desk(pause=0.05)
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 3)
    desk.viewer.window.remove_dock_widget(desk.predict_dock)
    desk.predict_dock = None
    settle(0.2)
    assert desk.session.runner.running
    _, again = desk.viewer.window.add_plugin_dock_widget("napari-her2", "Predict ER/PR/HER2")
    wait_for(ended(desk))
    assert again.strip.state is StripState.DONE
    assert again.card.isVisible()


def test_slide_removed_by_hand_mid_run(real_desk, slide_path):
    desk = real_desk(pause=0.05)
    desk.open(slide_path)
    entry = desk.session.active
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 3)
    desk.viewer.layers.remove(entry.layer)
    wait_for(ended(desk))
    settle(0.2)
    assert desk.session.active is None
    assert desk.session.predict.stored_runs(entry)


def _close_mid_run(viewer, slide_path):
    desk = RealDesk(viewer, trio(pause=0.05))
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 3)
    worker = desk.session.runner._worker
    start = time.monotonic()
    viewer.close()
    assert time.monotonic() - start < 4
    worker.join(3)
    assert not worker.is_alive()
    return weakref.ref(desk.session)


def test_window_closed_mid_run_ends_it_and_leaves_nothing_behind(make_napari_viewer, slide_path):
    session = _close_mid_run(make_napari_viewer(show=True), slide_path)
    settle(0.3)
    gc.collect()
    assert session() is None or session()._closed


def test_closing_by_hand_asks_first_and_staying_keeps_the_run(real_desk, slide_path, monkeypatch):
    desk = real_desk(pause=0.05)
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 3)
    asked = []

    def stay(box):
        asked.append(box.text())
        return 0

    monkeypatch.setattr(QMessageBox, "exec", stay)
    assert not desk.session.keeper._may_close()
    assert asked[0].startswith("A run is going on: stop it and keep the ")
    assert desk.session.runner.running
    desk.session.predict.cancel()
    wait_for(ended(desk))


def test_each_window_has_a_session_of_its_own(make_napari_viewer):
    a, b = make_napari_viewer(), make_napari_viewer()
    assert session_of(a) is session_of(a)
    assert session_of(a) is not session_of(b)
    for viewer in (a, b):
        session_of(viewer).close()
