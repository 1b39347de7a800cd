"""The model that was made: pictures, examples on their slides, new labels, use, record, export."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from made_training import FakeTraining, TrainDesk, made_set, write_model_folder
from made_windows import wait_for
from qtpy.QtCore import Qt
from shapely.geometry import Point, box

from napari_her2._qt.layer_order import kind_of
from napari_her2._qt.predict.widget import PredictWidget
from napari_her2._qt.score.widget import ScoreWidget
from napari_her2._qt.train.example_list import Example
from napari_her2._qt.train.guide import class_keys, relabelling
from napari_her2._qt.train.record_dialog import RecordDialog
from napari_her2._qt.train.result_card import VIEWS
from napari_her2.annotations.annotation import Annotation
from napari_her2.geometry import Region, xy_to_world_yx
from napari_her2.models.card import read_card
from napari_her2.models.registry import Registry
from napari_her2.reporting.model_figures import figure_csv
from napari_her2.settings import get_settings


@pytest.fixture
def trained(train_desk):
    train_desk.train()
    return train_desk


@pytest.fixture
def on_slide(qtbot, slide_path):
    """A model whose test examples lie on the slide that is open."""
    from napari_her2.slides import open_slide

    with open_slide(slide_path) as slide:
        slide_id = slide.slide_id
    folder = made_set()
    (folder / "places.json").write_text(json.dumps({slide_id: str(slide_path)}), "utf-8")
    desk = TrainDesk(qtbot, FakeTraining(slides=(slide_id,)))
    desk.slide_path = slide_path
    desk.ready()
    desk.train()
    yield desk
    desk.close()


# pictures ---------------------------------------------------------------------------------


def test_the_matrix_tells_counts_and_leads_to_the_examples(trained, qtbot):
    card, e = trained.card, trained.controller.result.evaluation
    card.matrix.resize(320, card.matrix.sizeHint().height())
    i, j = next((i, j) for i in range(7) for j in range(7) if i != j and e.confusion[i, j] > 1)
    at = card.matrix._cell(i, j).center()
    names = e.class_names
    assert card.matrix.tip_at(at.x(), at.y()) == (
        f"{names[i]} called {names[j]}: {e.confusion[i, j]} of {e.confusion[i].sum()}"
    )
    left = card.matrix.tip_at(2, card.matrix._cell(2, 0).center().y())
    assert left.startswith(f"tumour 2+: F1 {e.classes[2].f1.value:.2f} (")
    qtbot.mouseClick(card.matrix, Qt.MouseButton.LeftButton, pos=at.toPoint())
    assert card.view == "examples"
    shown = card.examples.examples
    assert shown.title == f"{names[i]} called {names[j]}: {e.confusion[i, j]}"
    assert {(x.truth, x.called) for x in shown.examples} == {(names[i], names[j])}
    card.show_view("calibration")
    card.show_view("examples")
    assert card.examples.examples.title.startswith("Surest of the wrong class")


def test_curves_and_calibration_tell_values(trained):
    card, e = trained.card, trained.controller.result.evaluation
    card.show_view("curves")
    card.curves.resize(320, 300)
    for kind in ("roc", "pr", "mcc_f1"):
        card.curves.set_kind(kind)
        curve = getattr(e.classes[0], kind)
        k = len(curve.x) // 2
        where = card.curves._box()
        tip = card.curves.tip_at(
            where.left() + curve.x[k] * where.width(), where.bottom() - curve.y[k] * where.height()
        )
        assert ", cut " in tip
    bin_ = next(b for b in e.calibration if b.n)
    card.calibration.resize(320, 300)
    where = card.calibration._box()
    x = where.left() + (bin_.low + bin_.high) / 2 * where.width()
    assert card.calibration.tip_at(x, 0).endswith(f"n = {bin_.n}")
    assert card.calibration.tip_at(where.left() - 50, 0) == ""


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_every_picture_can_be_drawn_in_both_themes(trained, theme):
    from napari.settings import get_settings as napari_settings

    before = napari_settings().appearance.theme
    napari_settings().appearance.theme = theme
    try:
        for view in VIEWS:
            trained.card.show_view(view)
            picture = trained.card.grab().toImage()
            assert picture.width() > 100
        assert trained.dock.plot.grab().toImage().width() > 100
    finally:
        napari_settings().appearance.theme = before


def test_the_worst_have_pictures_and_words(trained):
    panel = trained.card.examples
    wait_for(lambda: panel.gallery.has_picture(0))
    first = panel.examples.examples[0]
    p = trained.controller.result.predictions
    worst = p.worst(1)[0]
    assert (first.row, first.truth) == (p.row[worst], p.classes[p.truth[worst]])
    assert first.tip().startswith(f"{first.truth}, called {first.called} (")
    assert "0 tumour 0 · 1 tumour 1+" in panel._legend.text()


# on the slide -----------------------------------------------------------------------------


def test_a_click_opens_the_slide_and_flies_there(on_slide, qtbot):
    desk = on_slide
    assert not desk.session.slides
    desk.card.show_view("examples")
    desk.card.examples.gallery._buttons[2].click()
    (entry,) = desk.session.slides
    example = desk.card.examples.examples.examples[2]
    assert entry.slide_id == example.slide
    place = xy_to_world_yx((example.x_px, example.y_px), *entry.world_mpp)
    centre = desk.viewer.scene.camera.center[-2:]
    assert centre == pytest.approx(tuple(place))
    (marks,) = desk.layers("marks")
    drawn = np.asarray(marks.data[0])
    assert drawn.mean(axis=0) == pytest.approx(place)
    labels = desk.controller.labels_of_result
    assert np.ptp(drawn[:, 0]) == pytest.approx(labels.tile_px * labels.tile_mpp)
    panel = desk.card.examples
    assert panel._now.text().startswith("3 of ")
    qtbot.keyClick(panel, Qt.Key.Key_Right)
    assert panel.current == 3
    qtbot.keyClick(panel, Qt.Key.Key_Left)
    assert panel.current == 2


def test_the_key_of_a_class_labels_the_cell_anew_there(on_slide, qtbot):
    desk = on_slide
    panel = desk.card.examples
    desk.card.show_view("examples")
    panel.gallery._buttons[0].click()
    example = panel.examples.examples[0]
    qtbot.keyClick(panel, Qt.Key.Key_3)
    wait_for(lambda: desk.session.active.extra.get("labels") is not None)
    store = desk.session.active.extra["labels"].store
    wait_for(lambda: len(store) == 1)
    (made,) = list(store)
    assert made.class_name == "tumour 3+"
    assert (made.geometry.x, made.geometry.y) == (example.x_px, example.y_px)
    assert made.note == f"labelled {example.truth} before; her2-cells-1 called it {example.called}"
    assert panel.said.text().startswith("Labelled tumour 3+ on ")
    # A second thought takes the place of the first; undo brings that back.
    qtbot.keyClick(panel.gallery._buttons[0], Qt.Key.Key_4)
    (again,) = list(store)
    assert again.class_name == "stroma"
    desk.session.active.extra["labels"].undo()
    assert [a.class_name for a in store] == ["tumour 3+"]
    assert [x for x in desk.viewer.layers if kind_of(x) == "labels"]


def test_a_key_before_a_click_says_what_to_do(trained, qtbot):
    trained.card.show_view("examples")
    qtbot.keyClick(trained.card.examples, Qt.Key.Key_1)
    assert trained.card.examples.said.text() == "Click an example first."


def test_a_slide_that_is_not_there_is_said(trained):
    trained.card.show_view("examples")
    trained.card.examples.gallery._buttons[0].click()
    said = trained.card.examples.said.text()
    assert said.endswith("is not where it was: open it, then click again.")
    assert not trained.session.slides


def test_a_tile_takes_its_place_out_of_other_regions():
    old = Annotation(geometry=box(0, 0, 100, 100), class_name="ER+")
    locked = Annotation(geometry=box(0, 0, 100, 100), class_name="ER-", locked=True)
    same = Annotation(geometry=box(0, 0, 100, 100), class_name="non-tumour")
    example = Example(0, "s", 50, 50, "ER+", "ER-", 0.9)
    edit = relabelling(
        example, "non-tumour", [old, locked, same], Region(40, 40, 20, 20), author="R1", model="m"
    )
    assert [a.id for a in edit.removed] == [old.id]
    rest, made = edit.added
    assert rest.id == old.id
    assert rest.geometry.area == pytest.approx(10_000 - 400)
    assert made.geometry.equals(box(40, 40, 60, 60))
    assert (made.class_name, made.author) == ("non-tumour", "R1")
    assert [a.id for a in edit.inverse().added] == [old.id]


def test_a_cell_becomes_a_point_beside_what_is_drawn():
    region = Annotation(geometry=box(0, 0, 100, 100), class_name="stroma")
    other = Annotation(geometry=Point(60, 50), class_name="immune")
    edit = relabelling(Example(0, "s", 50, 50, "stroma"), "immune", [region, other], None)
    assert edit.removed == ()
    (made,) = edit.added
    assert made.geometry.equals(Point(50, 50))
    assert made.note == ""


def test_classes_have_the_keys_of_their_schema():
    assert class_keys(("ER+", "ER-", "non-tumour"))["7"] == "non-tumour"
    assert class_keys(("immune", "stroma"), "her2-cells") == {"4": "stroma", "5": "immune"}
    assert class_keys(("x", "y")) == {"0": "x", "1": "y"}


def test_odd_labels_can_be_looked_at(qtbot, slide_path):
    from made_training import TrainDesk

    folder = made_set(odd=3)
    desk = TrainDesk(qtbot)
    desk.ready()
    labels = desk.controller.labels
    labels.odd_rows = lambda limit=None: np.array([5, 2, 9])
    desk.dock.shower.show_odd()
    window = desk.dock.shower._odd_window
    assert window.panel.examples.title == "Labels that look out of place: 3"
    assert window.panel.examples.examples[0].row == 5
    assert window.panel.examples.examples[0].tip().startswith("labelled ")
    wait_for(lambda: window.panel.gallery.has_picture(2))
    window.close()
    assert folder.is_dir()
    desk.close()


# using ------------------------------------------------------------------------------------


def test_a_model_of_cells_is_chosen_in_score(trained, qtbot):
    score = ScoreWidget(trained.viewer)
    qtbot.addWidget(score)
    score.show()
    trained.card.use.click()
    assert score.form.form().classifier == "her2-cells-1"
    assert trained.card.said.text() == "her2-cells-1 is chosen in Score HER2 IHC."


def test_a_model_of_tiles_becomes_the_one_of_its_biomarker(qtbot):
    desk = TrainDesk(qtbot)
    predict = PredictWidget(desk.viewer)
    qtbot.addWidget(predict)
    predict.form.tick("HER2")
    write_model_folder(get_settings().data_dir / "models" / "lab-er", kind="tiles")
    desk.controller.show_model(get_settings().data_dir / "models" / "lab-er")
    wait_for(lambda: desk.controller.result is not None)
    desk.card.use.click()
    assert Registry().resolve("ER").card.id == "lab-er"
    assert [c.biomarker for c in predict.form.ticked()] == ["ER"]
    assert desk.card.said.text() == "lab-er is chosen in Predict ER/PR/HER2."
    assert desk.card._views.button(3).text() == "Worst tiles"
    desk.close()


def test_a_validation_is_recorded_only_as_a_whole(trained, qtbot):
    result = trained.controller.result
    dialog = RecordDialog(result.card, trained.controller.record, trained.dock)
    qtbot.addWidget(dialog)
    dialog.figure.setCurrentText("macro F1")
    # Qt asks its widgets for measures by names that attributes must not take.
    assert not dialog.grab().isNull()
    dialog.value.setText("0,78")
    dialog.ok.click()
    assert dialog.errors.sentence.startswith("A validation is recorded with all of metric")
    assert "n, site is missing" in dialog.errors.sentence.replace("95 % interval, ", "")
    assert read_card(result.folder / "card.json").status == "user-unvalidated"
    for field, text in (("low", "0.74"), ("high", "0.82"), ("n", "24"), ("site", "Site A"),
                        ("who", "R1")):  # fmt: skip
        getattr(dialog, field).setText(text)
    dialog.ok.click()
    assert dialog.result() == dialog.DialogCode.Accepted
    card = read_card(result.folder / "card.json")
    assert card.status == "user-validated-locally"
    assert card.validation[-1].n == 24
    assert trained.card.title.text() == "Model her2-cells-1 · validated here"
    trained.dock.shower.tell_recorded()
    assert "macro F1 0.78 (0.74–0.82), n = 24" in trained.card.said.text()


def test_pictures_and_numbers_are_written(trained, tmp_path):
    shower, card = trained.dock.shower, trained.card
    e = trained.controller.result.evaluation
    for view, name in (("matrix", "matrix"), ("curves", "roc"), ("calibration", "calibration")):
        card.show_view(view)
        assert card.picture()[0] == name
        shower.write_picture(tmp_path / f"{name}.csv", name)
        assert (tmp_path / f"{name}.csv").read_text("utf-8") == figure_csv(e, name)
        shower.write_picture(tmp_path / f"{name}.svg", name)
        assert (tmp_path / f"{name}.svg").read_text("utf-8").startswith("<svg xmlns=")
        shower.write_picture(tmp_path / f"{name}.png", name)
        assert (tmp_path / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    shower.write_picture(tmp_path / "worst.csv", "examples")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "worst.csv").read_text("utf-8"))))
    first = card.examples.examples.examples[0]
    assert (rows[0]["true"], rows[0]["called"]) == (first.truth, first.called)
    page = trained.controller.write_page()
    assert page.name == "model.html"
    assert page.read_text("utf-8").count("data:image/jpeg") > 3


def test_a_model_without_figures_can_still_be_used(qtbot):
    folder = write_model_folder(get_settings().data_dir / "models" / "bare")
    (folder / "evaluation.json").unlink()
    (folder / "predictions.parquet").unlink()
    desk = TrainDesk(qtbot)
    wait_for(lambda: desk.controller.result is not None)
    assert desk.card.figures.text() == "No figures: this model was not tested with labels."
    assert not any(b.isEnabled() for b in desk.card._views.buttons())
    assert desk.card.use.isEnabled()
    desk.close()
