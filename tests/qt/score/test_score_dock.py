from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
from made_cells import FakeParts
from made_scores import ScoreDesk
from made_windows import made_slide, open_slide_in, wait_for

from napari_her2._qt.components.run_strip import StripState
from napari_her2._qt.demo import Demo
from napari_her2.cells.classes import CELL_CLASSES, TUMOUR_CLASSES
from napari_her2.messages import tr
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_cached import load_cells
from napari_her2.pipelines.events import NEVER


def sorted_rows(table):
    order = np.lexsort((table["x_px"], table["y_px"]))
    return table.take(order)


def test_one_click_gives_cells_and_a_score(score_desk):
    desk = score_desk
    assert desk.dock.strip.status.endswith(" mm2")
    desk.run()
    assert desk.dock.strip.state is StripState.DONE, desk.dock.errors.sentence
    assert desk.dock.strip.status.startswith("✓ Done in")
    assert " mm2 · " in desk.dock.strip.status
    card = desk.dock.card
    assert card.title.text().startswith("Result · 1,")
    assert card.verdict.text() == "Rule yields 3+ (positive)"
    assert card.evidence.text().startswith("3+ 11.")
    assert len(card.shares.texts) == 4
    assert not card.partial.isVisible()
    assert "no trained weights" not in card.origin.text()
    assert desk.cells.table.classes == CELL_CLASSES


def test_numbers_and_cells_equal_the_commands(score_desk, tmp_path):
    desk = score_desk
    desk.run()
    alone = dataclasses.replace(desk.requests[0], out=tmp_path / "alone")
    document = list(score_cells(alone, NEVER, parts=desk.parts))[-1].document
    ours = desk.presenter.run.document
    for key in ("counts", "percent", "scores", "h_score", "entropy", "rule", "area_mm2"):
        assert ours[key] == document[key], key
    stored = sorted_rows(load_cells(tmp_path / "alone" / desk.session.active.slide_id
                                    / document["run_dir"].rsplit("/", 1)[-1]))  # fmt: skip
    shown = sorted_rows(desk.cells.table)
    for name in ("x_px", "y_px", "class", "probs", "membrane_od"):
        assert shown[name].tobytes() == stored[name].tobytes(), name


def test_while_cells_are_found_percentages_are_so_far(qtbot, ihc_path):
    desk = ScoreDesk(qtbot, FakeParts(pause=0.1, tile=256))
    desk.open(ihc_path)
    desk.dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.done_tiles > 8)
    card = desk.dock.card
    assert card.shares._so_far.isVisible()
    assert card.partial.text().startswith("partial: ")
    assert card._dashed
    assert "yields" not in card.verdict.text()
    assert " mm2 · " in desk.dock.strip.status
    assert desk.dock.strip.status.startswith("Cells ")
    started = time.monotonic()
    desk.dock.cancel()
    assert desk.dock.strip.status == "Stopping after this batch…"
    wait_for(lambda: not desk.session.runner.running)
    assert time.monotonic() - started < 2
    strip = desk.dock.strip
    assert strip.state is StripState.CANCELLED
    assert strip.status.startswith("Cancelled: ")
    assert strip.status.endswith(" cells) are kept.")
    done = desk.presenter.run.done_tiles
    strip.resume_button.click()
    wait_for(lambda: not desk.session.runner.running)
    assert strip.state is StripState.DONE, desk.dock.errors.sentence
    assert desk.presenter.run.done_tiles > done
    assert desk.presenter.run.complete
    desk.close()


def test_the_same_request_again_is_answered_from_disk_and_reopened(score_desk):
    desk = score_desk
    desk.run()
    facts, table = desk.presenter.facts(), sorted_rows(desk.cells.table)
    desk.run()
    assert desk.dock.strip.state is StripState.CACHED
    assert desk.dock.strip.status.startswith("From an earlier run, today ")
    assert desk.presenter.facts() == facts
    assert desk.slide_dock.results_line.text().startswith("Cells today ")
    desk.session.active.extra.pop("score")
    desk.slide_dock._fill_results()
    desk.slide_dock._results_menu.actions()[0].trigger()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.presenter.facts() == facts
    assert np.array_equal(sorted_rows(desk.cells.table)["x_px"], table["x_px"])


def test_a_class_of_the_bar_shows_only_that_class_and_back(score_desk):
    desk = score_desk
    desk.run()
    assert tuple(desk.cells.visible_classes) == TUMOUR_CLASSES
    button = desk.dock.card.shares._buttons[3]
    button.click()
    assert tuple(desk.cells.visible_classes) == ("tumour 3+",)
    assert desk.dock.card.toggles.ticked == ("tumour 3+",)
    button.click()
    assert tuple(desk.cells.visible_classes) == TUMOUR_CLASSES
    bar = desk.dock.card.shares.bar
    assert bar.class_at(1) == "tumour 0"
    assert bar.class_at(bar.width() - 2) == "tumour 3+"

    boxes_and_map_choose_what_is_shown(desk)


def boxes_and_map_choose_what_is_shown(desk):
    desk.dock.card.toggles._boxes["stroma"].click()
    assert "stroma" in desk.cells.visible_classes
    box = desk.dock.card.map_box
    assert [box.itemText(i) for i in range(4)] == [
        "cells by class", "cells by completeness", "cells by membrane OD", "cells by doubt",
    ]  # fmt: skip
    assert not desk.dock.card.scale.isVisible()
    box.setCurrentIndex(1)
    assert desk.dock.card.scale.isVisible()
    assert desk.dock.card.scale.high.text() == "100 % complete"
    box.setCurrentIndex(box.findText("density of 3+"))
    assert not desk.dock.card.scale.isVisible()
    assert desk.cells.colouring == "density tumour 3+"


def test_look_at_leads_to_doubtful_cells_and_shows_them(score_desk):
    desk = score_desk
    desk.run()
    look = desk.dock.card.look_at
    assert look.sort == "doubtful"
    desk.session.front = "score"
    desk.session.keeper.actions.next_place()
    assert look.at == 0
    assert look._why.text().startswith("why: ")
    assert desk.dock.card.cell.probs.text().count(" | ") == 2
    assert "% complete, OD" in desk.dock.card.cell.membrane.text()
    desk.session.keeper.actions.next_place()
    assert look.at == 1


def test_corrections_count_only_after_rescore_and_both_values_are_told(score_desk):
    desk = score_desk
    desk.run()
    before = desk.presenter.facts()
    row = desk.dock.card.corrected
    assert not row.rescore.isEnabled()
    threes = np.flatnonzero(desk.cells.table["class"] == 3)[:30]
    for index in threes[1:]:
        desk.cells.correct("tumour 0", int(index))
    desk.cells.pick(int(threes[0]))
    desk.dock.card.cell._buttons[0].click()
    assert desk.dock.card.cell.given.text() == "tumour 0, was tumour 3+"
    assert row.count.text() == f"Corrected {len(threes)} cells"
    assert desk.presenter.facts() == before
    row.rescore.click()
    wait_for(lambda: row.change.text())
    assert row.change.text() == f"3+ -> 2+ after {len(threes)} corrections"
    assert desk.dock.card.verdict.text() == "Rule yields 2+ (equivocal)"
    assert not row.rescore.isEnabled()
    row.undo.click()
    assert row.count.text() == f"Corrected {len(threes) - 1} cells"
    assert row.rescore.isEnabled()
    # The run itself is what it was.
    assert desk.presenter.run.document["scores"][0]["ihc"] == "3+"


def test_too_few_tumour_cells_give_no_score_and_a_way_on(qtbot, ihc_path):
    desk = ScoreDesk(qtbot, FakeParts(shares=(0.01, 0.01, 0.01, 0.01, 0.9, 0.05, 0.01)))
    desk.open(ihc_path)
    desk.run()
    card = desk.dock.card
    assert card.verdict.text() == "Not assessable"
    assert "so no score is given" in card.reason.text()
    assert card.mend.text() == "Show tissue"
    assert "negative" not in card.reason.text()
    desk.close()


def test_all_artefact(qtbot, ihc_path):
    desk = ScoreDesk(qtbot, FakeParts(shares=(0, 0, 0, 0, 0, 0, 1)))
    desk.open(ihc_path)
    desk.run()
    assert desk.dock.card.reason.text() == tr("all_artefact")
    desk.close()


def test_unreadable_tiles_are_told_and_left_out(qtbot, ihc_path):
    desk = ScoreDesk(qtbot, FakeParts(tile=128, unreadable=(5,)))
    desk.open(ihc_path)
    desk.run()
    assert desk.dock.strip.status.endswith("1 unreadable")
    assert "1 of " in desk.dock.card.warnings.text()
    (hatch,) = desk.layers("unreadable")
    (tile,) = desk.presenter.run.document["failed_tiles"]
    assert hatch.data.any()
    assert tile["reason"]
    assert desk.dock.card.verdict.text().startswith("Rule yields")
    desk.close()


def test_an_he_slide_is_refused_and_run_anyway_is_recorded(qtbot, tmp_path):
    desk = ScoreDesk(qtbot)
    desk.open(made_slide(tmp_path, width=900, height=700))
    desk.run()
    errors = desk.dock.errors
    assert errors.sentence.startswith("This slide looks like H&E")
    assert errors._mend.text() == "Run anyway (recorded in the result)"
    errors._mend.click()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.requests[-1].ignore_stain
    assert desk.dock.form.run_anyway.isChecked()
    assert desk.presenter.run.document["warnings"]
    desk.close()


def test_without_a_slide_or_a_pixel_size_it_says_so(qtbot, tmp_path):
    desk = ScoreDesk(qtbot)
    assert desk.dock.empty.text() == "Ready: open a HER2 IHC slide, field or core."
    desk.dock.run()
    assert desk.dock.errors.sentence == tr("no_slide")
    open_slide_in(desk.session, made_slide(tmp_path, "bare.tif", mpp=None, width=600, height=400))
    desk.dock.run()
    assert desk.dock.errors.sentence == tr("no_mpp")
    assert desk.dock.errors._mend.text() == "Enter µm/px…"
    desk.close()


def test_one_run_at_a_time_in_a_window(qtbot, ihc_path):
    desk = ScoreDesk(qtbot, FakeParts(pause=0.05, tile=256))
    desk.open(ihc_path)
    desk.dock.run()
    wait_for(lambda: desk.presenter is not None)
    desk.predict_dock.run()
    assert desk.predict_dock.errors.sentence == tr("window_busy")
    assert not desk.session.predict.running
    assert desk.session.score.running
    desk.dock.cancel()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.predict_dock.strip.state is StripState.FAILED
    desk.close()


def test_view_region_and_whole_are_the_commands_regions(score_desk):
    desk = score_desk
    viewer = desk.viewer
    desk.dock.form.where.choose("view")
    viewer.scene.camera.center = (300.0, 400.0)
    viewer.scene.camera.zoom = 2.0
    desk.run()
    roi = desk.requests[-1].roi
    assert roi is not None
    assert roi.x == int(roi.x)
    table = desk.cells.table
    assert np.all((table["x_px"] >= roi.x) & (table["x_px"] < roi.right))


def test_nuclear_staining_is_scored_as_such(score_desk):
    desk = score_desk
    desk.dock.form.choose_stain("nuclear-ihc", "PR")
    desk.run()
    assert desk.requests[-1].marker == "PR"
    card = desk.dock.card
    assert card.verdict.text() == "Rule yields PR positive"
    assert card.evidence.text().startswith("Positive ")
    assert card.indices.text().startswith("H-score ")
    assert "Allred" in card.indices.text()
    assert card.shares.texts[0].startswith("negative ")
    assert not card.rules.isVisible()


def test_two_slides_keep_a_case_each(score_desk, tmp_path, ihc_bytes):
    desk = score_desk
    desk.run()
    first = desk.session.active
    n = len(desk.cells.table)
    other = tmp_path / "other.tif"
    other.write_bytes(ihc_bytes)
    open_slide_in(desk.session, other)
    assert desk.presenter is None
    assert not desk.dock.card.isVisible()
    assert desk.cells.table is None
    desk.session.show_only(first)
    assert desk.dock.card.isVisible()
    assert len(desk.cells.table) == n


def test_every_control_has_a_name_and_a_size_and_the_dock_fits_340_px(score_desk):
    from qtpy.QtWidgets import QAbstractButton, QComboBox

    desk = score_desk
    desk.run()
    desk.cells.pick(0)
    for kind in (QAbstractButton, QComboBox):
        for control in desk.dock.findChildren(kind):
            if control.objectName().startswith("qt_") or not control.isVisible():
                continue
            assert control.accessibleName(), (kind.__name__, getattr(control, "text", str)())
            assert control.height() >= 20, control.accessibleName()
    desk.dock.resize(340, 900)
    area = desk.dock.scroll_area
    assert area.horizontalScrollBar().maximum() == 0
    assert desk.dock.card.minimumSizeHint().width() <= area.viewport().width()
    assert desk.dock.form.minimumSizeHint().width() <= 324


def test_the_demo_scores_then_predicts(score_desk, monkeypatch):
    desk = score_desk
    told = []
    monkeypatch.setattr("napari_her2._qt.demo.show_sample", lambda _s, name: told.append(name))
    demo = Demo(desk.session, desk.dock.run, lambda: told.append("predict"))
    demo.start()
    wait_for(lambda: "predict" in told)
    assert told == ["he-er-positive", "predict"]
    assert desk.presenter.run.complete


def test_a_report_is_written_and_labels_are_kept_beside_the_run(score_desk, monkeypatch):
    opened = []
    monkeypatch.setattr("qtpy.QtGui.QDesktopServices.openUrl", opened.append)
    desk = score_desk
    desk.run()
    desk.dock.card.report.click()
    (url,) = opened
    assert "Research use only" in Path(url.toLocalFile()).read_text(encoding="utf-8")
    row = desk.dock.card.corrected
    assert not row.labels.isEnabled()
    zeros = np.flatnonzero(desk.cells.table["class"] == 0)
    desk.cells.correct("immune", int(zeros[0]))
    assert desk.cells.n_corrected == 1
    row.labels.click()
    name = desk.cells.corrections_file.name
    assert row.change.text() == f"1 corrected cell is kept as a label in {name}."
    assert desk.cells.corrections_file.exists()


def test_a_demo_classifier_is_marked(qtbot, ihc_path):
    class DemoParts(FakeParts):
        def classifier(self, request):
            return dataclasses.replace(super().classifier(request), status="synthetic-demo")

    desk = ScoreDesk(qtbot, DemoParts())
    desk.open(ihc_path)
    desk.run()
    assert "demo classifier" in desk.dock.card.title.text()
    assert desk.viewer.canvas.overlays.text.text == "Research use only · demo model"
    calls = ("positive", "negative", "equivocal")
    assert not any(word in desk.dock.card.verdict.text() for word in calls)
    # Reopened it is marked from the first cell on.
    entry = desk.session.active
    entry.extra.pop("score")
    desk.session.score.show_stored(desk.session.score.stored_runs(entry)[0])
    wait_for(lambda: not desk.session.runner.running)
    assert desk.layers("cells")[0].name.startswith("Cells demo · ")
    assert desk.viewer.canvas.overlays.text.text == "Research use only · demo model"
    desk.close()
