from __future__ import annotations

import numpy as np
import pytest
from made_windows import BiomarkerRegistry, Desk, made_slide, wait_for

from napari_her2._qt.slide import actions
from napari_her2._qt.slide.mpp_dialog import MppDialog, start_line
from napari_her2.slides import open_slide


@pytest.fixture(scope="module")
def bare_bytes(tmp_path_factory):
    return made_slide(
        tmp_path_factory.mktemp("made"), "bare.tif", mpp=None, width=1024, height=768
    ).read_bytes()


@pytest.fixture
def bare(qtbot, tmp_path, bare_bytes):
    """A slide that does not state its pixel size."""
    desk = Desk(qtbot, BiomarkerRegistry())
    (tmp_path / "bare.tif").write_bytes(bare_bytes)
    desk.open(tmp_path / "bare.tif")
    yield desk
    desk.close()


def test_empty_dock_offers_a_slide_and_a_sample(qtbot):
    desk = Desk(qtbot, BiomarkerRegistry())
    dock = desk.slide_dock
    assert dock.empty.text() == "No slide open."
    assert dock.open_button.isVisible()
    assert dock.samples.text() == "Try a sample slide"
    assert not dock.size_line.isVisible()
    desk.close()


def test_facts_of_the_slide(desk):
    dock = desk.slide_dock
    assert dock.size_line.text() == "3,072 x 2,048 px · 1.54 x 1.02 mm · 2 levels"
    assert dock.mpp_line.text() == "0.500 µm/px (from file)"
    assert dock.stain_line.text().startswith("H&E (0.")
    assert dock.tissue_line.text().startswith("Tissue 0.")
    assert dock.results_line.text() == "none yet"
    assert dock.picker.currentText() == "Fall ä 1"


def test_the_world_is_in_micrometres_and_dressed(desk):
    layer = desk.session.active.layer
    assert tuple(layer.scale) == (0.5, 0.5)
    assert [str(u) for u in layer.units] == ["micrometer", "micrometer"]
    assert layer.axis_labels == ("y", "x")
    overlays = desk.viewer.canvas.overlays
    assert overlays.scale_bar.visible
    assert overlays.text.text == "Research use only"


def test_slicing_runs_beside_the_window_only_while_a_slide_is_open(desk):
    slicer = desk.viewer._layer_slicer
    assert not slicer._force_sync
    desk.session.close_slide(desk.session.active)
    assert slicer._force_sync
    assert not desk.viewer.canvas.overlays.text.visible


def test_results_are_listed_and_reopened(desk):
    desk.run()
    dock = desk.slide_dock
    assert dock.results_line.text().startswith("ER/PR/HER2 today ")
    dock._fill_results()
    actions_there = dock._results_menu.actions()
    assert len(actions_there) == 1
    actions_there[0].trigger()
    wait_for(lambda: not desk.session.runner.running)
    assert desk.predict_dock.strip.status.startswith("From an earlier run, today")


def test_tissue_is_shown_on_request_only(desk):
    assert desk.layers("tissue") == []
    desk.slide_dock.tissue_button.click()
    assert desk.layers("tissue")[0].visible
    assert desk.slide_dock.tissue_button.text() == "Hide"
    desk.slide_dock.tissue_button.click()
    assert not desk.layers("tissue")[0].visible


def test_label_and_macro_are_never_loaded_unasked(desk):
    assert desk.layers("label") == []
    assert desk.layers("macro") == []
    desk.slide_dock._fill_more()
    assert [a.text() for a in desk.slide_dock._more_menu.actions()] == ["Close this slide"]


def test_stain_can_be_set(desk):
    desk.slide_dock._set_stain("H-DAB")
    assert desk.slide_dock.stain_line.text() == "H-DAB (set by you)"


def test_unknown_pixel_size_is_asked_for_and_never_filled_in(bare):
    dock = bare.slide_dock
    assert dock.mpp_line.text() == "µm/px unknown"
    assert dock.mpp_button.text() == "Enter…"
    assert [str(u) for u in bare.session.active.layer.units] == ["pixel", "pixel"]
    dialog = MppDialog(bare.session, bare.session.active)
    assert dialog.field.text() == ""
    assert not dialog.ok.isEnabled()
    assert not dialog.field.placeholderText()


def test_an_entered_pixel_size_moves_the_slide_to_micrometres_and_is_remembered(bare):
    entry = bare.session.active
    path = entry.path
    dialog = MppDialog(bare.session, entry)
    dialog.field.setText("0.4")
    assert dialog.ok.isEnabled()
    dialog._accept()
    assert tuple(entry.layer.scale) == (0.4, 0.4)
    assert [str(u) for u in entry.layer.units] == ["micrometer", "micrometer"]
    assert bare.slide_dock.mpp_line.text() == "0.400 µm/px (entered by you)"
    wait_for(lambda: entry.survey is not None)
    assert bare.slide_dock.tissue_line.text().split(" · ")[0].endswith("mm2")
    with open_slide(path) as again:
        assert again.mpp is not None
        assert (again.mpp.x, again.mpp.source) == (0.4, "sidecar")


def test_an_impossible_pixel_size_is_refused_in_a_sentence(bare):
    dialog = MppDialog(bare.session, bare.session.active)
    dialog.field.setText("300")
    dialog._accept()
    assert "not a pixel size a slide can have" in dialog.errors.sentence
    assert bare.session.active.mpp is None


def test_a_line_of_known_length_gives_the_pixel_size(bare):
    entry = bare.session.active
    start_line(bare.session, entry)
    layer = bare.layers("region")[0]
    layer.add_lines(np.array([[100.0, 100.0], [100.0, 500.0]]))
    dialog = MppDialog(bare.session, entry)
    dialog.length.setText("200")
    assert dialog.value() == 0.5
    dialog.remember.setChecked(False)
    dialog._accept()
    assert tuple(entry.layer.scale) == (0.5, 0.5)
    assert bare.layers("region") == []


def test_predict_without_pixel_size_asks_for_it(bare):
    from made_runs import fake_model

    bare.registry.models["fake-er"] = fake_model()
    bare.predict_dock.reload_models()
    bare.predict_dock.form.tick("ER")
    bare.predict_dock.run()
    assert "enter µm per pixel" in bare.predict_dock.errors.sentence
    assert bare.predict_dock.errors._mend.text() == "Enter µm/px…"
    assert bare.requests == []


def test_a_file_that_is_no_slide_is_one_sentence(desk, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("napari.utils.notifications.show_error", told.append)
    path = tmp_path / "no.svs"
    path.write_bytes(b"nothing")
    assert actions.open_paths(desk.session, [path, tmp_path / "gone.svs"]) == 0
    assert len(told) == 2
    assert all("Traceback" not in t and len(t.splitlines()) == 1 for t in told)


def test_docks_fit_the_narrowest_width(desk):
    desk.run()
    for dock in (desk.slide_dock, desk.predict_dock):
        assert dock.minimumSizeHint().width() <= 340
    desk.predict_dock.resize(340, 900)
    scroll = desk.predict_dock.scroll_area
    assert not scroll.horizontalScrollBar().isVisible()
    assert scroll.widget().width() <= scroll.viewport().width()


def test_every_control_has_a_name(desk):
    from qtpy.QtWidgets import QAbstractButton, QAbstractSlider, QComboBox, QLineEdit, QScrollBar

    desk.run()
    for dock in (desk.slide_dock, desk.predict_dock):
        for kind in (QAbstractButton, QAbstractSlider, QComboBox, QLineEdit):
            for control in dock.findChildren(kind):
                if isinstance(control, QScrollBar) or not control.isVisible():
                    continue
                if control.objectName().startswith("qt_"):
                    continue
                assert control.accessibleName(), (kind.__name__, getattr(control, "text", str)())


def test_a_long_name_is_cut_where_it_shows_but_not_in_the_list(qtbot):
    from napari_her2._qt.components.elided_combo import ElidedCombo

    combo = ElidedCombo()
    qtbot.addWidget(combo)
    combo.addItem("TCGA-A0CM-01Z-00-DX1.AC4901DE")
    combo.resize(120, 28)
    combo.show()
    start, end = combo.shown_text().split("…")
    assert combo.currentText().startswith(start)
    assert combo.currentText().endswith(end)
    combo.resize(400, 28)
    assert combo.shown_text() == combo.currentText()
