"""The Train dock: form, run, pause, cancel, what comes of it, and its use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_training import FakeTraining, TrainDesk, made_set, write_model_folder
from made_windows import wait_for

from napari_her2._qt.components.run_strip import StripState
from napari_her2._qt.train.request_form import TrainForm, to_request
from napari_her2.errors import CannotTrainError, UsageError
from napari_her2.pipelines.train_request import TrainRequest
from napari_her2.settings import get_settings
from napari_her2.training.workplace import Resumable


def test_without_a_label_set_the_dock_says_what_to_do(qtbot):
    desk = TrainDesk(qtbot)
    assert desk.dock.empty.text() == (
        "No label set yet: draw regions in Annotate, then “Make label set”."
    )
    assert not desk.dock.strip.button.isEnabled()
    assert desk.card.isHidden()
    with pytest.raises(UsageError, match="no label set yet"):
        to_request(TrainForm(None, "cells-svm"))
    desk.close()


def test_the_label_set_is_summed_up(train_desk):
    form = train_desk.dock.form
    assert form.summary.combo.currentText() == "her2-cells v1"
    assert form.summary._line.text() == "140 cells · 4 slides"
    tip = form.summary.bar.tip_at(1, 5)
    counts = json.loads(
        (train_desk.controller.chosen / "labelset.json").read_text("utf-8")
    )["counts"]["tumour 0"]  # fmt: skip
    assert tip == (
        f"tumour 0: {counts['n']}, of them {counts['train']} to learn, {counts['tune']} to tune, "
        f"{counts['test']} to test"
    )
    assert not form.summary.odd.isEnabled()
    assert train_desk.dock.strip.button.isEnabled()
    assert "to learn from" in train_desk.dock.strip.status


def test_the_form_makes_the_request_of_the_command_line(train_desk):
    form = train_desk.dock.form
    form.choose_recipe("cells-convnet")
    form.seed.setValue(7)
    form.name.setText("lab one")
    form.mode.setCurrentIndex(form.mode.findData("paper"))
    form.epochs.setValue(5)
    form.membrane.setChecked(True)
    assert to_request(form.form()) == TrainRequest(
        train_desk.controller.chosen, "cells-convnet", name="lab one", seed=7, test_by="slide",
        mode="paper", epochs=5, membrane=True,
    )  # fmt: skip
    form.choose_recipe("cells-rf")
    # What a forest has no use for does not make it another training.
    assert to_request(form.form()) == TrainRequest(
        train_desk.controller.chosen, "cells-rf", name="lab one", seed=7, test_by="slide"
    )


def test_each_kind_of_labels_has_its_recipes_and_starts(qtbot):
    from made_label_sets import write_tiles

    from napari_her2._qt.train.services import label_sets_folder

    write_tiles(label_sets_folder() / "regions", n=15)
    desk = TrainDesk(qtbot)
    desk.ready()
    form = desk.dock.form
    assert [form.recipe.itemData(i) for i in range(form.recipe.count())] == ["stage1"]
    starts = [form.start.itemData(i) for i in range(form.start.count())]
    assert starts[0] is None
    assert not any(s and "cells" in s for s in starts)
    assert not form.stain.isHidden()
    assert form.membrane.isHidden()
    made_set("cells")
    desk.controller.reload_sets()
    path = next(e.path for e in desk.controller.sets if e.title == "cells v1")
    desk.dock.take_label_set(path)
    wait_for(lambda: desk.controller.labels.kind == "cells")
    assert form.recipe.count() == 3
    form.choose_recipe("cells-convnet")
    assert "demo-her2-cells" in [form.start.itemData(i) for i in range(form.start.count())]
    form.choose_recipe("cells-svm")
    assert form.start.isHidden()
    desk.close()


def test_a_test_by_tile_is_said_to_be_optimistic(train_desk):
    form = train_desk.dock.form
    assert form.amber.isHidden()
    form.choose_test("tile")
    assert not form.amber.isHidden()
    assert form.amber.text() == "Tiles of one slide are in both sets: figures are optimistic."
    assert form.form().test_by == "tile"
    assert not form._tests.button(2).isEnabled()


def test_a_training_is_told_drawn_and_shown(train_desk):
    desk = train_desk
    desk.train()
    (request,) = desk.training.requests
    assert request.name == "her2-cells-1"
    assert desk.dock.strip.state is StripState.DONE
    assert desk.dock.strip.status.startswith("✓ Done in 2 s · 3 epochs, the best was 3")
    assert desk.dock.plot.summary() == "epoch 3: loss 0.67, F1 0.53"
    assert not desk.dock.plot.isHidden()
    result = desk.controller.result
    assert desk.card.title.text() == "Model her2-cells-1 · not validated here"
    f1 = result.evaluation.f1_macro
    assert desk.card.figures.text() == (
        f"macro F1 {f1.value:.2f} ({f1.ci95[0]:.2f}–{f1.ci95[1]:.2f}), 2 slides, 120 cells"
    )
    assert "2 slides, fewer than 5" in desk.card.amber.text()
    assert desk.dock.empty.isHidden()
    # The next one gets a name of its own.
    desk.train()
    assert desk.training.requests[-1].name == "her2-cells-2"


def test_what_goes_on_is_told_epoch_by_epoch(qtbot):
    made_set()
    desk = TrainDesk(qtbot, FakeTraining(epochs=4, hold_after=2))
    desk.ready()
    desk.dock.run()
    desk.wait_epoch(2)
    assert desk.dock.strip.status == "Epoch 2 of 4 · loss 1.00 · tuning F1 0.52"
    assert desk.dock.pause_button.isVisibleTo(desk.dock.strip)
    assert desk.dock.strip.cancel_button.isVisibleTo(desk.dock.strip)
    desk.dock.cancel()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.training.wishes == ["cancel"]
    assert desk.dock.strip.status == "Cancelled: the best weights so far (epoch 2) are kept."
    wait_for(lambda: desk.controller.result is not None)
    assert not desk.dock.pause_button.isVisibleTo(desk.dock.strip)
    desk.close()


def test_pause_keeps_a_checkpoint_and_resume_asks_the_same_again(qtbot):
    made_set()
    desk = TrainDesk(qtbot, FakeTraining(hold_after=1))
    desk.ready()
    desk.dock.run()
    desk.wait_epoch(1)
    desk.dock.pause_button.click()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.training.wishes == ["pause"]
    assert desk.dock.strip.status == "Paused at epoch 1: Resume goes on from there."
    assert desk.controller.result is None
    assert desk.dock.strip.resume_button.isVisibleTo(desk.dock.strip)
    desk.training.hold_after = 0
    desk.dock.strip.resume_button.click()
    wait_for(lambda: desk.controller.result is not None)
    assert desk.training.requests[0] == desk.training.requests[1]
    desk.close()


def test_closing_the_window_pauses_and_does_not_cancel(qtbot):
    made_set()
    desk = TrainDesk(qtbot, FakeTraining(hold_after=1))
    desk.ready()
    desk.dock.run()
    desk.wait_epoch(1)
    desk.session.close()
    wait_for(lambda: bool(desk.training.wishes))
    assert desk.training.wishes == ["pause"]


def test_a_training_that_a_crash_ended_is_offered(qtbot):
    path = made_set()
    request = TrainRequest(path, "cells-convnet", name="lab-7")
    found = Resumable(get_settings().data_dir / "training" / "lab-7", request, 23, 70)
    desk = TrainDesk(qtbot, unfinished=lambda: (found,))
    desk.ready()
    wait_for(lambda: desk.dock.strip.state is StripState.CANCELLED)
    assert desk.dock.strip.status == "Training stopped at epoch 23: lab-7"
    desk.dock.strip.resume_button.click()
    wait_for(lambda: desk.controller.result is not None)
    assert desk.training.requests == [request]
    desk.close()


def test_what_can_be_mended_is_one_sentence_with_resume(qtbot):
    made_set()
    error = CannotTrainError("no_examples", name="tumour 2+")
    desk = TrainDesk(qtbot, FakeTraining(error=error))
    desk.ready()
    desk.dock.run()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.dock.errors.sentence == (
        "Class tumour 2+ has no labels: draw at least one region of it or switch the class off."
    )
    assert desk.dock.strip.resume_button.isVisibleTo(desk.dock.strip)
    desk.close()


def test_a_damaged_label_set_is_one_sentence(qtbot):
    path = made_set()
    (path / "labels.parquet").write_bytes(b"x")
    desk = TrainDesk(qtbot)
    wait_for(lambda: desk.controller.error is not None)
    assert "her2-cells" in desk.dock.errors.sentence
    assert not desk.dock.strip.button.isEnabled()
    desk.close()


def test_the_last_model_is_there_again_when_the_dock_is_opened(qtbot):
    made_set()
    write_model_folder(get_settings().data_dir / "models" / "lab-3")
    desk = TrainDesk(qtbot)
    wait_for(lambda: desk.controller.result is not None)
    assert desk.card.title.text() == "Model lab-3 · not validated here"
    assert desk.controller.labels_of_result.name == "her2-cells"
    desk.close()


def test_only_one_thing_runs_in_a_window(train_desk):
    import threading

    from napari_her2.pipelines.events import Outcome

    go = threading.Event()

    def other(cancel):
        go.wait(10)
        yield Outcome("completed", "x")

    train_desk.session.runner.start(other)
    train_desk.dock.run()
    assert "Another run is going on" in train_desk.dock.errors.sentence
    go.set()
    wait_for(lambda: not train_desk.session.runner.running)
    assert not train_desk.training.requests


def test_the_recipe_introduces_itself(train_desk):
    from napari_her2._qt.train.recipe_card import recipe_lines
    from napari_her2._qt.train.request_form import CELL_RECIPES, TILE_RECIPES

    for recipe in (*CELL_RECIPES, *TILE_RECIPES):
        lines = recipe_lines(recipe)
        assert [head for head, _ in lines] == [
            "What it is", "Learns", "In the paper", "Ours", "Needs",
        ]  # fmt: skip
    assert "466,283" in dict(recipe_lines("cells-convnet"))["What it is"]
    train_desk.dock._show_recipe()
    assert train_desk.dock._popover.isVisible()
    train_desk.dock._popover.close()


@pytest.mark.parametrize("width", [340, 420])
def test_nothing_is_wider_than_the_dock(train_desk, width):
    train_desk.train()
    dock = train_desk.dock
    dock.resize(width, 900)
    dock.form.fold.setChecked(True)
    for view in ("matrix", "curves", "calibration", "examples"):
        dock.card.show_view(view)
        wait_for(lambda: True)
        assert dock.scroll_area.widget().width() <= dock.scroll_area.viewport().width()
        assert dock.width() == width
        right = dock.form.mapTo(dock, dock.form.rect().topRight()).x()
        assert right <= width


def test_a_label_set_elsewhere_can_be_chosen(train_desk, tmp_path: Path):
    from made_label_sets import write_cells

    path = write_cells(tmp_path / "elsewhere", n=70)
    train_desk.dock.take_label_set(path)
    wait_for(lambda: train_desk.controller.labels.name == "elsewhere")
    combo = train_desk.dock.form.summary.combo
    assert combo.currentText() == "elsewhere v1"
    assert train_desk.dock.form.form().label_set == path


def test_notes_of_a_label_set_take_one_line(qtbot):
    notes = [{"id": "a", "sentence": "One note."}, {"id": "b", "sentence": "Another note."}]
    made_set(warnings=notes)
    desk = TrainDesk(qtbot)
    desk.ready()
    line = desk.dock.form.summary.warning
    assert line.text() == "⚠ 2 notes: One note."
    assert line.toolTip() == "One note.\nAnother note."
    desk.close()


def test_a_point_more_on_the_plot_does_not_hold_up_the_window(train_desk):
    """Drawing is done in the thread of the window, once for each epoch."""
    import time

    from napari_her2.training.watch import EpochDone

    rows = [EpochDone(i, 1000, 2 / i, {"macro_f1": 1 - 1 / i}, 1.0, i) for i in range(1, 1001)]
    plot = train_desk.dock.plot
    plot.resize(340, 112)
    plot.setVisible(True)
    start = time.process_time()
    plot.set_history(rows)
    plot.grab()
    assert time.process_time() - start < 0.1
    assert plot.tip_at(plot._boxes()["loss"].right(), 20).startswith("epoch 1,000: loss 0.002") or (
        plot.tip_at(plot._boxes()["loss"].right(), 20).startswith("epoch 1000: loss 0.002")
    )


def test_the_time_of_the_next_training_is_told_from_the_last(train_desk):
    train_desk.train()
    train_desk.dock.form.seed.setValue(2)
    # 100 labels in 1.5 s; as many as this set has to learn from.
    n = int((train_desk.controller.labels.column("split") == "train").sum())
    assert train_desk.dock.strip._idle_text == f"{n} cells to learn from · about 10 s here (CPU)"
    assert train_desk.dock.form.form().recipe == "cells-convnet"
    train_desk.dock.form.epochs.setValue(3)
    assert train_desk.dock.strip._idle_text == f"{n} cells to learn from"
