"""The loop in a real window: draw regions, make a label set, train, use the model elsewhere."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import shapely
from made_windows import open_slide_in, wait_for
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from napari_her2._qt.app import add_docks, settle
from napari_her2._qt.components.run_strip import StripState
from napari_her2._qt.docks import open_dock
from napari_her2._qt.session import session_of
from napari_her2.annotations.interchange import read_annotations
from napari_her2.annotations.schema import load_schema
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.geometry import xy_to_world_yx
from napari_her2.synthetic import write_slide
from napari_her2.synthetic.drawn import drawn_path

SIDE = 4096
TRAINING_SECONDS = 300
LEAST_PX2 = 60_000


class Hand:
    """A mouse over the picture, in level-0 pixels of the slide."""

    def __init__(self, desk) -> None:
        self.viewer = desk.viewer
        self.entry = desk.session.active
        # napari has no public way to the widget that takes the mouse of the picture.
        self.canvas = desk.viewer.window._qt_viewer.canvas.native
        self.canvas.setFocus()

    def at(self, x: float, y: float) -> QPoint:
        mx, my = self.entry.world_mpp
        world = np.asarray(xy_to_world_yx((x, y), mx, my))
        camera = self.viewer.scene.camera
        middle = np.array([self.canvas.height(), self.canvas.width()]) / 2
        row, column = (world - np.asarray(camera.center)[-2:]) * camera.zoom + middle
        return QPoint(round(column), round(row))

    def key(self, key: Qt.Key) -> None:
        QTest.keyClick(self.canvas, key)

    def stroke(self, ring: np.ndarray) -> None:
        """Press at the first corner, drag along the others, release at the last."""
        places = [self.at(x, y) for x, y in ring]
        button, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseMove(self.canvas, places[0])
        QTest.mousePress(self.canvas, button, none, places[0])
        for place in places[1:]:
            # What follows within 10 ms the picture takes for one movement and leaves out.
            QTest.qWait(12)
            there = QPointF(place)
            on_screen = QPointF(self.canvas.mapToGlobal(place))
            event = QMouseEvent(
                QEvent.Type.MouseMove, there, on_screen, Qt.MouseButton.NoButton, button, none
            )
            QApplication.sendEvent(self.canvas, event)
        QTest.qWait(12)
        QTest.mouseRelease(self.canvas, button, none, places[-1])


def outlines_to_draw(slide: Path, schema: str, names: tuple[str, ...], side: int = SIDE):
    """For each class the outline (n, 2) of the region that takes the fewest strokes."""
    drawn = read_annotations(
        drawn_path(slide), slide_size=(side, side), schema=load_schema(schema)
    ).annotations
    for name in names:
        regions = sorted((a.geometry for a in drawn if a.class_name == name), key=lambda g: -g.area)
        rings = [g.exterior.simplify(12.0) for g in regions if g.area >= LEAST_PX2]
        rings = rings or [regions[0].exterior.simplify(12.0)]
        yield name, shapely.get_coordinates(min(rings, key=lambda r: len(r.coords)))


class RealDesk:
    """A window as the command line makes it, with nothing faked."""

    def __init__(self, viewer) -> None:
        self.viewer = viewer
        self.session = session_of(viewer)
        viewer.window.resize(1440, 900)
        add_docks(viewer)


@pytest.fixture
def desk(make_napari_viewer):
    made = RealDesk(make_napari_viewer(show=True))
    yield made
    made.session.close()


def annotate(desk, slide: Path):
    open_slide_in(desk.session, slide)
    dock = open_dock(desk.session, "her2-annotate")
    wait_for(lambda: desk.session.annotate.labels is not None)
    settle(0.5)
    return dock


def choose(combo, value) -> None:
    assert combo.findData(value) >= 0
    combo.setCurrentIndex(combo.findData(value))


def make_set_and_train(dock, desk, adjust_set=None, adjust_training=None):
    dock.foot.make_set.click()
    dialog = dock.foot.dialog
    assert dialog is not None
    if adjust_set is not None:
        adjust_set(dialog)
    dialog.go.click()
    wait_for(lambda: not dialog.running, 120)
    assert dialog.folder is not None, dialog.errors.sentence
    dialog.train.click()
    train = open_dock(desk.session, "her2-train")
    wait_for(lambda: desk.session.train.labels is not None)
    assert desk.session.train.labels.path == dialog.folder
    if adjust_training is not None:
        adjust_training(train.form)
    began = time.monotonic()
    train.strip.button.click()
    wait_for(lambda: desk.session.train.running, 30)
    wait_for(lambda: not desk.session.train.running, TRAINING_SECONDS)
    assert time.monotonic() - began < TRAINING_SECONDS
    assert train.strip.state is StripState.DONE, train.errors.sentence
    wait_for(lambda: desk.session.train.result is not None)
    return train


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_seven_regions_make_a_network_that_scores_another_slide(desk, tmp_path):
    slide = write_slide("her2-ihc", SIDE, 5, tmp_path / "drawn on.tif", label=False).slide
    other = write_slide("her2-ihc", 1024, 11, tmp_path / "other.tif", label=False).slide
    dock = annotate(desk, slide)
    hand = Hand(desk)
    dock.toolbox.bar.buttons["freehand"].click()
    for key, (name, outline) in enumerate(outlines_to_draw(slide, "her2-cells", CELL_CLASSES)):
        hand.key(Qt.Key(Qt.Key.Key_0 + key))
        hand.stroke(outline)
        assert desk.session.annotate.labels.store.tallies()[name].n == 1
    assert len(desk.session.annotate.labels.store) == 7

    train = make_set_and_train(dock, desk)
    result = desk.session.train.result
    f1 = result.evaluation.metrics()["f1_macro"]
    assert f1.value > 0.7
    assert "not validated here" in train.card.title.text()

    train.card.use.click()
    open_slide_in(desk.session, other)
    score = open_dock(desk.session, "her2-score")
    assert score.form.form().classifier == result.card.id
    score.strip.button.click()
    wait_for(lambda: desk.session.score.running, 30)
    wait_for(lambda: not desk.session.score.running, 120)
    assert score.strip.state is StripState.DONE, score.errors.sentence
    document = desk.session.score.presenter.run.document
    assert document["classifier"]["id"] == result.card.id
    assert document["tumour_cells"] > 100


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_regions_of_two_he_slides_make_a_tile_model_that_predicts_a_third(desk, tmp_path):
    side = 6144
    positive, negative, other = (
        write_slide("he", size, seed, tmp_path / f"{name}.tif", heterogeneous=False,
                    statuses={"ER": er, "PR": True, "HER2": False}, tumour_share=0.5,
                    label=False).slide
        for name, er, seed, size in (
            ("positive", True, 21, side), ("negative", False, 22, side), ("other", True, 23, 3072)
        )
    )  # fmt: skip
    for slide, key, name in ((positive, Qt.Key.Key_1, "ER+"), (negative, Qt.Key.Key_2, "ER-")):
        dock = annotate(desk, slide)
        choose(dock.schema, "biomarker-regions")
        dock.schema.activated.emit(dock.schema.currentIndex())
        hand = Hand(desk)
        dock.toolbox.bar.buttons["freehand"].click()
        outlines = outlines_to_draw(slide, "biomarker-regions", (name, "non-tumour"), side)
        for press, (drawn, outline) in zip((key, Qt.Key.Key_7), outlines, strict=True):
            hand.key(press)
            hand.stroke(outline)
            assert desk.session.annotate.labels.store.tallies()[drawn].n == 1

    def er_tiles(dialog) -> None:
        assert dialog.sources.count() == 2
        choose(dialog.biomarker, "ER")
        choose(dialog.tile_px, 256)
        dialog.tile_mpp.setValue(1.5)
        choose(dialog.split, "tile")

    def from_another_biomarker(form) -> None:
        choose(form.start, "demo-pr")
        form.epochs.setValue(1)

    make_set_and_train(dock, desk, er_tiles, from_another_biomarker)
    result = desk.session.train.result
    assert result.evaluation.metrics()["auc_macro"].value > 0.85
    train = open_dock(desk.session, "her2-train")
    train.card.use.click()
    open_slide_in(desk.session, other)
    predict = open_dock(desk.session, "her2-predict")
    assert result.card.id in predict.form.form().model_ids
    predict.strip.button.click()
    wait_for(lambda: desk.session.predict.running, 30)
    wait_for(lambda: not desk.session.predict.running, 180)
    assert predict.strip.state is StripState.DONE, predict.errors.sentence
    document = desk.session.predict.presenter.run.document
    (er,) = [r for r in document["results"] if r["biomarker"] == "ER"]
    assert er["model_id"] == result.card.id
    assert er["model_status"] == "user-unvalidated"
    assert er["tiles_scored"] > 10
