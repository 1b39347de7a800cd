from __future__ import annotations

import pytest

from napari_her2._qt.score.form import ScoreFormPanel
from napari_her2._qt.score.request_form import ScoreForm
from napari_her2.messages import tr
from napari_her2.scoring.rules import RULES, rules_for


@pytest.fixture
def form(qtbot):
    panel = ScoreFormPanel()
    qtbot.addWidget(panel)
    panel.resize(324, 200)
    panel.show()
    return panel


def rules_shown(form):
    return [form.rule.itemData(i) for i in range(form.rule.count())]


def test_as_it_comes_up(form):
    assert form.form() == ScoreForm(rule="asco-cap-breast-2018")
    assert form.classifier.currentText() == "Membrane measurement (no training needed)"
    assert rules_shown(form) == [r.id for r in rules_for("breast")]
    assert not form.specimen.isVisible()


def test_rules_follow_organ_and_specimen(form):
    form._organs.button(1).click()
    assert form.specimen.isVisible()
    asked = form.form()
    assert (asked.organ, asked.specimen, asked.rule) == ("gea", "biopsy", "gea-biopsy-2016")
    form.specimen.setCurrentIndex(form.specimen.findData("resection"))
    assert form.form().rule == "gea-resection-2016"
    assert all(RULES[r].organ == "gea" for r in rules_shown(form))
    form._organs.button(0).click()
    assert (form.form().organ, form.form().specimen) == ("breast", "resection")


def test_a_breast_rule_chosen_by_hand_is_refused_for_gastro_oesophageal_tissue(form):
    form._organs.button(1).click()
    assert not form.hint.isVisible()
    form._organs.button(0).click()
    form.rule.setCurrentIndex(form.rule.findData("p2-2017"))
    form._organs.button(1).click()
    assert form.hint.text() == tr("breast_rule_on_gea")
    assert "Breast rules do not apply to gastro-oesophageal tissue" in form.hint.text()


def test_nuclear_staining_needs_neither_organ_nor_rule(form):
    form.choose_stain("nuclear-ihc")
    assert form.form().stain == "nuclear-ihc"
    for widget in (form.rule, form.classifier, form._organ_row):
        assert not widget.isVisible()
    assert form._summary.text() == "other: brown nuclei"
    form.choose_stain("nuclear-ihc", "ER")
    assert form.form().marker == "ER"
    assert form._summary.text() == "ER: brown nuclei"


def test_it_fits_the_narrowest_dock(form):
    for organ in ("breast", "gea"):
        form.choose_organ(organ)
        assert form.minimumSizeHint().width() <= 324
