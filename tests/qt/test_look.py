from __future__ import annotations

import pytest
from napari.settings import get_settings
from qtpy.QtGui import QColor

from napari_her2._qt.components.labels import line, paragraph
from napari_her2._qt.components.notice_dialog import (
    NoticeDialog,
    accept_notice,
    notice_accepted,
    reader_initials,
)
from napari_her2._qt.predict.introduction import IntroductionDialog
from napari_her2._qt.style import theme_colours
from napari_her2.messages import NOTICE


@pytest.fixture(params=["dark", "light"])
def theme(request):
    settings = get_settings().appearance
    before = settings.theme
    settings.theme = request.param
    yield request.param
    settings.theme = before


def contrast(a: QColor, b: QColor) -> float:
    def luminance(c: QColor) -> float:
        parts = [
            v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
            for v in (c.redF(), c.greenF(), c.blueF())
        ]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    bright, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def over(top: QColor, below: QColor) -> QColor:
    f = top.alphaF()
    return QColor.fromRgbF(
        *(f * t + (1 - f) * b for t, b in (
            (top.redF(), below.redF()), (top.greenF(), below.greenF()), (top.blueF(), below.blueF())
        ))
    )  # fmt: skip


def test_words_are_readable_in_both_themes(theme):
    c = theme_colours()
    assert contrast(c.text, c.background) >= 4.5
    assert contrast(over(c.muted, c.background), c.background) >= 4.5
    assert contrast(QColor("white"), c.main) >= 4.5
    for mark in (c.positive, c.negative, c.error):
        assert contrast(mark, c.background) >= 3


def test_muted_text_follows_a_change_of_theme(qtbot, theme):
    label = line("text", muted=True)
    qtbot.addWidget(label)
    settings = get_settings().appearance
    before = label.styleSheet()
    settings.theme = "light" if theme == "dark" else "dark"
    assert label.styleSheet() != before


def test_wrapped_text_takes_the_height_it_needs_and_no_more(qtbot):
    words = paragraph("word " * 60)
    qtbot.addWidget(words)
    assert words.heightForWidth(150) > words.heightForWidth(400)
    assert words.minimumSizeHint().width() <= 60
    assert words.sizeHint().height() < 400


def test_the_notice_is_verbatim_and_remembered(qtbot, monkeypatch):
    monkeypatch.delenv("NAPARI_HER2_ACCEPT_NOTICE")
    assert not notice_accepted()
    dialog = NoticeDialog()
    qtbot.addWidget(dialog)
    assert NOTICE in [w.text() for w in dialog.findChildren(type(paragraph()))]
    dialog.initials.setText("R1")
    dialog.ok.click()
    assert notice_accepted()
    assert reader_initials() == "R1"


def test_a_model_introduces_itself_once(desk, monkeypatch):
    from napari_her2._qt.predict import introduction

    monkeypatch.delenv("NAPARI_HER2_ACCEPT_NOTICE")
    accept_notice()
    shown = []

    def accept(dialog):
        shown.append(dialog)
        return IntroductionDialog.DialogCode.Accepted

    monkeypatch.setattr(IntroductionDialog, "exec", accept)
    cards = desk.predict_dock.form.ticked()
    assert introduction.introduce(cards, desk.predict_dock)
    assert introduction.introduce(cards, desk.predict_dock)
    assert len(shown) == 1
    texts = " ".join(w.text() for w in shown[0].findChildren(type(paragraph())))
    assert "Demo model: trained on synthetic tissue." in texts
    assert shown[0].height() < 900
