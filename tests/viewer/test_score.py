from __future__ import annotations

import time

import numpy as np
import pytest
from made_cells import FakeParts
from made_scores import RealScoreDesk, write_ihc
from made_windows import made_slide, wait_for
from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from napari_her2._qt.app import settle, window_picture
from napari_her2._qt.components.dock_body import MIN_WIDTH
from napari_her2._qt.components.run_strip import StripState
from napari_her2._qt.layer_order import kind_of
from napari_her2.cli.app import run as run_command
from napari_her2.pipelines.cells_cached import load_cells
from napari_her2.synthetic.samples import sample_path


def ended(desk):
    return lambda: not desk.session.runner.running


@pytest.fixture
def ihc_path(tmp_path):
    return write_ihc(tmp_path / "ihc.tif")


@pytest.fixture
def score_window(make_napari_viewer):
    desks = []

    def make(parts):
        desks.append(RealScoreDesk(make_napari_viewer(show=True), parts))
        return desks[-1]

    yield make
    for desk in desks:
        desk.session.close()
    desks.clear()


def test_from_opening_to_a_corrected_score_by_keyboard(score_window, ihc_path, tmp_path):
    desk = score_window(FakeParts())
    desk.open(made_slide(tmp_path, width=600, height=400))
    settle(0.2)
    keeper = desk.session.keeper
    assert keeper.front("run") is desk.predict_dock
    desk.open(ihc_path)
    wait_for(lambda: keeper.front("run") is desk.dock)
    assert desk.session.front == "score"
    canvas = desk.viewer.window._qt_viewer.canvas.native
    desk.viewer.window._qt_window.activateWindow()
    canvas.setFocus()
    wait_for(canvas.hasFocus)
    QTest.keyClick(canvas, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
    wait_for(lambda: desk.presenter is not None)
    wait_for(ended(desk))
    assert desk.dock.strip.state is StripState.DONE, desk.dock.errors.sentence
    settle(0.5)
    with_cells = desk.viewer.screenshot(flash=False)
    QTest.keyClick(canvas, Qt.Key.Key_H)
    settle(0.5)
    bare = desk.viewer.screenshot(flash=False)
    assert float(np.mean(np.any(with_cells != bare, axis=-1))) > 0.02
    QTest.keyClick(canvas, Qt.Key.Key_H)
    QTest.keyClick(canvas, Qt.Key.Key_Period)
    settle(0.3)
    assert desk.presenter.at == 0
    assert desk.dock.card.cell.crop.pixmap().width() == 96
    desk.viewer.layers.selection.active = next(
        x for x in desk.viewer.layers if kind_of(x) == "cells"
    )
    QTest.keyClick(canvas, Qt.Key.Key_6)
    assert desk.dock.card.corrected.count.text() == "Corrected 1 cell"
    assert desk.dock.card.cell.given.text().startswith("artefact, was ")
    desk.dock.card.corrected.rescore.click()
    wait_for(lambda: desk.dock.card.corrected.change.text())
    assert desk.dock.card.corrected.change.text() == "3+ -> 3+ after 1 correction"


def test_cancel_from_the_window_takes_less_than_two_seconds_and_the_dock_may_go(
    score_window, ihc_path
):
    desk = score_window(FakeParts(pause=0.1, tile=128))
    desk.open(ihc_path)
    desk.dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.done_tiles > 2)
    desk.viewer.window.remove_dock_widget(desk.dock)
    settle(0.2)
    assert desk.session.runner.running
    _, desk.dock = desk.viewer.window.add_plugin_dock_widget("napari-her2", "Score HER2 IHC")
    wait_for(lambda: desk.dock.strip.state is StripState.RUNNING)
    start = time.monotonic()
    desk.dock.strip.cancel_button.click()
    wait_for(ended(desk))
    assert time.monotonic() - start < 2
    assert desk.dock.strip.state is StripState.CANCELLED
    entry = desk.session.active
    desk.viewer.layers.remove(entry.layer)
    settle(0.2)
    assert desk.session.active is None


def test_sample_in_the_window_and_on_the_command_line_gives_the_same_cells(
    score_window, tmp_path, capsys
):
    desk = score_window(None)
    path = sample_path("her2-ihc")
    desk.open(path)
    desk.dock.run()
    wait_for(ended(desk), 120)
    assert desk.dock.strip.state is StripState.DONE, desk.dock.errors.sentence
    out = tmp_path / "cli"
    assert (
        run_command(["cells", str(path), "--stain", "her2-ihc", "--out", str(out), "--json"]) == 0
    )
    capsys.readouterr()
    (theirs,) = [p.parent for p in out.rglob("cells.parquet")]
    ours = desk.presenter.run.run_dir
    assert (ours / "cells.parquet").read_bytes() == (theirs / "cells.parquet").read_bytes()
    stored = load_cells(theirs)
    assert desk.presenter.run.document["counts"] == stored.counts()
    shown = desk.cells.table
    order = np.lexsort((shown["x_px"], shown["y_px"]))
    wanted = np.lexsort((stored["x_px"], stored["y_px"]))
    for name in ("x_px", "y_px", "class", "probs"):
        assert shown[name][order].tobytes() == stored[name][wanted].tobytes(), name
    # The same dock as narrow as it goes, with everything in it: nothing is cut at the side.
    desk.presenter.visit(0)
    settle(0.5)
    area = desk.dock.scroll_area
    assert desk.dock.card.minimumSizeHint().width() <= MIN_WIDTH - 10 - 4
    assert desk.dock.form.minimumSizeHint().width() <= MIN_WIDTH - 16
    assert area.horizontalScrollBar().maximum() == 0
    assert window_picture(desk.viewer).shape[:2] == (900, 1440)
