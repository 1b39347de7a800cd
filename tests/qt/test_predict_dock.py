from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import pytest
from made_runs import fake_model
from made_windows import BiomarkerRegistry, Desk, open_slide_in, trio, wait_for

from napari_her2._qt.components.run_strip import StripState
from napari_her2._qt.predict.run_state import Sheet
from napari_her2._qt.predict.widget import PredictWidget
from napari_her2.geometry import Region, xy_to_world_yx
from napari_her2.messages import HER2_FROM_HE, tr
from napari_her2.pipelines.events import NEVER, Outcome
from napari_her2.pipelines.predict import predict
from napari_her2.results.heatmap import read_heatmap


def heat(desk, name="ER"):
    return next(x for x in desk.layers("heatmap") if x.name.startswith(f"{name} "))


def test_one_click_gives_three_maps_and_a_result(desk):
    desk.run()
    strip = desk.predict_dock.strip
    assert strip.state is StripState.DONE, desk.predict_dock.errors.sentence
    assert strip.status.startswith("✓ Done in")
    assert [x.name.split()[0] for x in reversed(desk.layers("heatmap"))] == ["ER", "PR", "HER2"]
    rows = desk.presenter.rows()
    assert [r.name for r in rows] == ["ER", "PR", "HER2"]
    assert all(r.total == desk.presenter.run.n_total for r in rows)
    assert not any(r.partial for r in rows)


def test_numbers_equal_the_pipelines_to_the_byte(desk, slide_path, tmp_path):
    desk.run()
    request = desk.requests[0]
    alone = dataclasses.replace(request, out=tmp_path / "alone")
    outcome = list(predict(alone, NEVER, desk.registry))[-1]
    assert isinstance(outcome, Outcome)
    for result in outcome.document["results"]:
        model_id = result["model_id"]
        stored = read_heatmap(Path(result["heatmap"]))
        scores = desk.presenter.run.models[model_id]
        assert np.array_equal(np.moveaxis(scores.raw, -1, 0), stored.data, equal_nan=True)
        shown = next(
            x for x in desk.layers("heatmap") if x.metadata["her2"]["model_id"] == model_id
        )
        assert shown.data.tobytes() == np.ascontiguousarray(stored.role()).tobytes()
        row = next(r for r in desk.presenter.rows() if r.model_id == model_id)
        assert row.probability == result["probability"]
        assert np.allclose(shown.scale, stored.transform().scale)
        assert np.allclose(shown.translate, stored.transform().translate)


def test_exactly_one_biomarker_is_visible(desk):
    desk.run()

    def visible():
        return [x.name.split()[0] for x in desk.layers("heatmap") if x.visible]

    assert visible() == ["ER"]
    desk.predict_dock.card._rows[2].radio.click()
    assert visible() == ["HER2"]
    desk.session.keeper.actions.next_biomarker()
    assert visible() == ["ER"]
    desk.session.keeper.actions.toggle_map()
    assert visible() == []
    assert not desk.predict_dock.card.map_row.visible_box.isChecked()
    desk.session.keeper.actions.toggle_map()
    assert visible() == ["ER"]


def test_demo_models_are_marked_everywhere_and_never_call(desk):
    desk.run()
    assert all("demo" in x.name for x in desk.layers("heatmap"))
    assert "demo models" in desk.predict_dock.card._title.text()
    assert desk.viewer.canvas.overlays.text.text == "Research use only · demo model"
    assert all(not r.call for r in desk.presenter.rows())
    assert desk.predict_dock.card._her2.text() == HER2_FROM_HE
    desk.session.keeper.actions.toggle_map()
    assert desk.viewer.canvas.overlays.text.text == "Research use only"


def test_other_models_suggest_with_cut_and_validation(qtbot, slide_path):
    desk = Desk(qtbot, trio(status="user-unvalidated"))
    desk.open(slide_path)
    desk.run()
    row = next(r for r in desk.presenter.rows() if r.probability is not None)
    assert row.call.startswith(f"Model suggests {row.name} ")
    assert row.call.endswith("cut 0.50) · not validated in this laboratory")
    desk.close()


def test_threshold_recomputes_live_and_resets(desk):
    desk.run()
    card, presenter = desk.predict_dock.card, desk.presenter
    before = presenter.score()
    desk.predict_dock.card.why.slider.setValue(34)
    after = presenter.score()
    assert after.threshold == 0.34
    aggregator = presenter.run.models[presenter.current].aggregator
    assert after == aggregator.aggregate(presenter.run.models[presenter.current].tile_probs(), 0.34)
    assert card.why.choice == "t = 0.34 is your choice; the model was made with 0.36."
    card.why.reset.click()
    assert presenter.score() == before
    assert card.why.choice == ""


def test_threshold_answers_within_a_tenth_of_a_second_on_a_large_slide(desk):
    desk.run()
    scores = desk.presenter.run.models[desk.presenter.current]
    rng = np.random.default_rng(0)
    side = 150
    cells = np.argwhere(np.ones((side, side), bool))
    field = side * scores.sheet.grid.cell_width
    large = dataclasses.replace(scores.sheet.grid, region=Region(0, 0, field, field))
    for model in desk.presenter.run.models.values():
        model.sheet = Sheet(large, cells)
        model.sheet.scored[:] = True
        model.raw = rng.dirichlet([1, 1, 1], (side, side)).astype(np.float32)
    desk.predict_dock.card.why.fold.setChecked(True)
    times = []
    for t in (0.4, 0.5, 0.6, 0.7):
        # Time of this thread: other programs of this computer are not what is measured.
        start = time.thread_time()
        desk.presenter.set_threshold(t)
        times.append(time.thread_time() - start)
    assert sorted(times)[1] < 0.1


def test_nothing_called_tumour_is_not_assessable_and_never_negative(desk):
    desk.run()
    desk.presenter.set_threshold(0.99)
    row = desk.presenter.rows()[0]
    assert row.probability is None
    note = desk.predict_dock.card._rows[0].note.text()
    assert note == f"Not assessable: {tr('no_tumour', t='0.99', biomarker='ER')}"
    assert "negative" not in note


def test_cancel_keeps_the_tiles_and_resume_goes_on(qtbot, slide_path):
    desk = Desk(qtbot, trio(pause=0.05))
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 8)
    assert desk.predict_dock.card._rows[0].bar._partial
    started = time.monotonic()
    desk.predict_dock.cancel()
    assert desk.predict_dock.strip.status == "Stopping after this batch…"
    wait_for(lambda: not desk.session.runner.running)
    assert time.monotonic() - started < 2
    strip = desk.predict_dock.strip
    assert strip.state is StripState.CANCELLED
    done = desk.presenter.run.n_done
    total = desk.presenter.run.n_total
    assert 0 < done < total
    assert strip.status == f"Cancelled: {done} of {total} tiles are kept."
    assert desk.predict_dock.card._partial.text().startswith("partial: ")
    calls = sum(len(m.tile_model.calls) for m in desk.registry.models.values())
    strip.resume_button.click()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.predict_dock.strip.state is StripState.DONE
    assert desk.presenter.run.n_done == total
    again = sum(len(m.tile_model.calls) for m in desk.registry.models.values()) - calls
    assert again <= 3 * (total - done)
    assert desk.session.predict.stored_runs(desk.session.active)
    desk.close()


def test_the_same_request_again_is_answered_from_disk(desk):
    desk.run()
    desk.run()
    strip = desk.predict_dock.strip
    assert strip.state is StripState.CACHED
    assert strip.status.startswith("From an earlier run, today ")
    strip.restart_button.click()
    wait_for(lambda: not desk.session.runner.running)
    assert strip.state is StripState.DONE
    assert desk.requests[-1].resume is False


def test_a_stored_run_reopens_with_its_numbers(desk):
    desk.run()
    rows = desk.presenter.rows()
    run = desk.session.predict.stored_runs(desk.session.active)[0]
    desk.presenter.layers.remove()
    desk.session.active.extra.clear()
    desk.session.predict.show_stored(run)
    wait_for(lambda: not desk.session.runner.running)
    assert desk.presenter.rows() == rows
    assert desk.predict_dock.strip.state is StripState.CACHED


@pytest.mark.parametrize(
    ("message_id", "mend"),
    [
        ("no_mpp", "Enter µm/px…"),
        ("no_tissue", "Show tissue"),
        ("wrong_stain", "Run anyway (recorded in the result)"),
    ],
)
def test_errors_are_one_sentence_with_one_button(desk, monkeypatch, message_id, mend):
    from napari_her2.errors import NoTissueError, StainMismatchError, UnknownMppError

    errors = {
        "no_mpp": UnknownMppError("no_mpp"),
        "no_tissue": NoTissueError("no_tissue"),
        "wrong_stain": StainMismatchError(
            "wrong_stain", found="H-DAB", confidence="0.97", model="x", needed="H&E", remedy="y"
        ),
    }

    def fail(request, cancel):
        raise errors[message_id]
        yield

    desk.session.predict.services.predict = fail
    desk.run()
    bar = desk.predict_dock.errors
    assert bar.sentence == errors[message_id].sentence
    assert bar._mend.text() == mend
    assert not bar._details.isVisible()
    assert desk.predict_dock.strip.state is StripState.FAILED


def test_an_unexpected_error_keeps_its_traceback_under_details(desk, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "napari.utils.notifications.notification_manager.receive_error",
        lambda *a, **k: seen.append(a),
    )

    def fail(request, cancel):
        yield from ()
        raise ZeroDivisionError

    desk.session.predict.services.predict = fail
    desk.run()
    assert seen
    assert seen[0][0] is ZeroDivisionError
    assert "ZeroDivisionError" in desk.predict_dock.errors.sentence
    assert desk.predict_dock.errors._details.isVisible()


def test_without_a_slide_it_says_so(qtbot):
    desk = Desk(qtbot, trio())
    desk.predict_dock.run()
    assert desk.predict_dock.errors.sentence == tr("no_slide")
    assert not desk.session.runner.running
    desk.close()


def test_a_stain_mismatch_is_overridden_only_by_a_tick(qtbot, slide_path):
    desk = Desk(qtbot, BiomarkerRegistry(fake_model("dab-er", "ER", stain="H-DAB")))
    desk.open(slide_path)
    desk.run()
    dock = desk.predict_dock
    assert "looks like H&E" in dock.errors.sentence
    assert dock.form.run_anyway.isVisible()
    dock.errors._mend.click()
    wait_for(lambda: not desk.session.runner.running)
    assert dock.strip.state is StripState.DONE, dock.errors.sentence
    assert desk.requests[-1].ignore_stain
    desk.close()


def test_one_model_failing_leaves_the_others(qtbot, slide_path):
    registry = trio()
    registry.models["fake-pr"] = fake_model("fake-pr", "PR", spacing_um_px=0.1)
    desk = Desk(qtbot, registry)
    desk.open(slide_path)
    desk.run()
    rows = {r.name: r for r in desk.presenter.rows()}
    assert rows["PR"].failed
    assert "0.1 µm/px" in rows["PR"].note
    assert rows["ER"].total > 0
    desk.close()


def test_what_else_is_known_of_a_result_stands_in_the_card(qtbot, slide_path):
    desk = Desk(qtbot, BiomarkerRegistry(fake_model("dab-er", "ER", stain="H-DAB")))
    desk.open(slide_path)
    desk.predict_dock.form.offer_run_anyway(True)
    desk.predict_dock.form.run_anyway.setChecked(True)
    desk.run()
    assert desk.predict_dock.card.warnings.startswith("⚠ ")
    assert "H-DAB" in desk.predict_dock.card.warnings
    desk.close()


def test_hover_and_click_tell_three_probabilities(desk):
    desk.run()
    presenter = desk.presenter
    tile = presenter.run.places("fake-er", "strongest")[0].tile
    window = presenter.window(tile)
    centre = xy_to_world_yx(
        (window.x + window.width / 2, window.y + window.height / 2),
        *desk.session.active.world_mpp,
    )
    picker = desk.session.keeper.actions.picker
    picker.pick(tuple(centre))
    text = desk.predict_dock.card.cursor_text
    assert text.startswith("ER p+ 0.")
    assert text.endswith(f"tile {tile.index}")
    assert desk.viewer.help == text
    assert len(desk.layers("marks")[0].data) == 2
    off = picker.describe((1e6, 1e6))
    assert off is None


def test_the_slide_line_is_told_where_the_map_is_off(desk):
    picker = desk.session.keeper.actions.picker
    assert picker.describe((50.0, 100.0)) == "0.10, 0.05 mm · 200, 100 px"


def test_look_at_flies_and_marks(desk):
    desk.run()
    dock, presenter = desk.predict_dock, desk.presenter
    assert len(presenter.places) == 12
    dock.card.look_at._on.click()
    window = presenter.seen(presenter.places[0].tile)
    centre = xy_to_world_yx(
        (window.x + window.width / 2, window.y + window.height / 2),
        *desk.session.active.world_mpp,
    )
    assert np.allclose(desk.viewer.scene.camera.center[-2:], centre)
    assert dock.card.look_at._position.text() == "1 of 12"
    assert dock.card.look_at._why.text().startswith("why: p+ 0.")
    desk.session.keeper.actions.next_place()
    assert presenter.at == 1
    dock.card.look_at._sort.setCurrentIndex(2)
    assert presenter.sort == "mixed"
    wait_for(lambda: dock.card.gallery.has_picture(0))


def test_cells_still_waiting_carry_dots_until_they_are_scored(qtbot, slide_path):
    desk = Desk(qtbot, trio(pause=0.03))
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 4)
    run = desk.presenter.run
    (dots,) = desk.layers("waiting")
    assert int(dots.data.sum()) == run.n_total - run.n_done
    corner = dots.extent.world[1] - heat(desk).extent.world[1]
    assert np.all(np.abs(corner) < np.asarray(heat(desk).scale))
    wait_for(lambda: not desk.session.runner.running)
    assert desk.layers("waiting") == []
    desk.close()


def test_my_impression_first_hides_the_numbers_until_it_is_given(desk):
    import json

    from napari_her2._qt.predict.impressions import impressions_path

    desk.predict_dock.form.impression.setChecked(True)
    desk.run()
    card = desk.predict_dock.card
    assert [r.number.text() for r in card._rows] == ["…"] * 3
    assert card._rows[0].bar.value is None
    assert not card.why.isVisible()
    card.impression.given.emit("fake-er", "unsure")
    assert card._rows[0].number.text() != "…"
    assert card._rows[1].number.text() == "…"
    assert card.why.isVisible()
    (line,) = impressions_path().read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["verdict"] == "unsure"


def test_a_histogram_bar_becomes_the_list(desk):
    desk.run()
    desk.predict_dock.card.why.bar_clicked.emit("positive", 0.3, 0.4)
    assert desk.presenter.places
    assert all(0.3 <= p.tile.positive < 0.4 for p in desk.presenter.places)


def test_form_makes_the_request_the_command_would_make(desk, slide_path):
    form = desk.predict_dock.form
    form.tick("ER", "HER2")
    form._step.setCurrentIndex(form._step.findData(128))
    desk.run()
    request = desk.requests[0]
    assert request.slide == slide_path
    assert request.model_ids == ("fake-er", "fake-her2")
    assert request.stride_um == 256.0
    assert request.roi is None
    assert request.mpp is None


def test_this_view_and_a_drawn_region_become_level0_pixels(desk):
    form = desk.predict_dock.form
    camera = desk.viewer.scene.camera
    desk.viewer.canvas.size = (400, 600)
    camera.center = (512.0 - 0.25, 768.0 - 0.25)
    camera.zoom = 1.0
    form.where.choose("view")
    desk.run()
    roi = desk.requests[0].roi
    assert (roi.x, roi.y, roi.width, roi.height) == (936, 624, 1200, 800)
    desk.predict_dock.form.region_requested.emit()
    layer = desk.layers("region")[0]
    layer.add_rectangles(np.array([[100.0, 200.0], [100.0, 700.0], [600.0, 700.0], [600.0, 200.0]]))
    assert form.form().where == "region"
    desk.run()
    ring = desk.requests[1].roi_polygons[0]
    assert ring[0] == (400.5, 200.5)
    assert ring[2] == (1400.5, 1200.5)


def test_the_estimate_counts_the_tiles_that_are_scored(desk):
    text = desk.predict_dock.strip.status
    desk.run()
    assert text == f"{desk.presenter.run.n_total} tiles x 3 models"


def test_slide_closed_mid_run_loses_nothing(qtbot, slide_path):
    desk = Desk(qtbot, trio(pause=0.03))
    desk.open(slide_path)
    entry = desk.session.active
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 4)
    desk.session.close_slide(entry)
    assert desk.session.active is None
    assert len(desk.viewer.layers) == 0
    wait_for(lambda: not desk.session.runner.running)
    assert desk.session.predict.stored_runs(entry)
    desk.close()


def test_map_closed_mid_run_can_be_shown_again(qtbot, slide_path):
    desk = Desk(qtbot, trio(pause=0.03))
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 4)
    desk.viewer.layers.remove(heat(desk))
    wait_for(lambda: not desk.session.runner.running)
    assert desk.predict_dock.strip.state is StripState.DONE
    assert not desk.session.predict.map.visible
    desk.session.keeper.actions.toggle_map()
    assert heat(desk).visible
    er = desk.presenter.run.models["fake-er"].positive
    assert np.array_equal(heat(desk).data, er, equal_nan=True)
    desk.close()


def test_dock_closed_mid_run_comes_back_with_the_same_state(qtbot, slide_path):
    desk = Desk(qtbot, trio(pause=0.03))
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 4)
    desk.predict_dock.close()
    desk.predict_dock.deleteLater()
    wait_for(lambda: desk.presenter.run.n_done > 12)
    again = PredictWidget(desk.viewer)
    qtbot.addWidget(again)
    again.show()
    assert again.strip.state is StripState.RUNNING
    wait_for(lambda: not desk.session.runner.running)
    assert again.strip.state is StripState.DONE
    assert again.card.isVisible()
    desk.close()


def test_window_closed_mid_run_stops_it_and_keeps_the_tiles(qtbot, slide_path):
    desk = Desk(qtbot, trio(pause=0.03))
    desk.open(slide_path)
    desk.predict_dock.run()
    wait_for(lambda: desk.presenter is not None and desk.presenter.run.n_done > 4)
    started = time.monotonic()
    desk.session.close()
    assert time.monotonic() - started < 2
    assert not desk.session.runner.running


def test_a_second_slide_has_its_own_result(desk, tmp_path, slide_path):
    desk.run()
    other = tmp_path / "other.tif"
    other.write_bytes(slide_path.read_bytes())
    open_slide_in(desk.session, other)
    assert desk.presenter is None
    assert not desk.predict_dock.card.isVisible()
    first, second = desk.session.slides
    assert [x.name for x in desk.viewer.layers if x.visible] == [second.layer.name]
    desk.slide_dock._on_picked(0)
    assert desk.presenter is not None
    assert desk.predict_dock.card.isVisible()
    shown = [x for x in desk.viewer.layers if x.visible]
    assert shown == [first.layer, heat(desk)]


def test_hidden_overlays_come_back_after_bare_tissue(desk):
    desk.run()
    desk.presenter.visit(0)
    shown = [x.name for x in desk.viewer.layers if x.visible]
    actions = desk.session.keeper.actions
    actions.bare_tissue(True)
    assert [x.name for x in desk.viewer.layers if x.visible] == [desk.session.active.layer.name]
    actions.bare_tissue(False)
    assert [x.name for x in desk.viewer.layers if x.visible] == shown


def test_camera_and_selection_stay_while_results_come(desk):
    desk.viewer.scene.camera.zoom = 3.3
    center = desk.viewer.scene.camera.center
    desk.run()
    assert desk.viewer.scene.camera.zoom == 3.3
    assert desk.viewer.scene.camera.center == center
    assert desk.viewer.layers.selection.active is desk.session.active.layer


def test_layers_lie_in_the_agreed_order(desk):
    desk.run()
    desk.presenter.visit(0)
    desk.session.keeper.actions.toggle_doubt()
    from napari_her2._qt.layer_order import kind_of, rank_of

    ranks = [rank_of(x) for x in desk.viewer.layers]
    assert ranks == sorted(ranks)
    assert kind_of(desk.viewer.layers[-1]) == "marks"
    assert desk.layers("doubt")[0].visible
    assert len({x.units for x in desk.viewer.layers}) == 1
