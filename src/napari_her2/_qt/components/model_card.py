"""A model introduces itself: six lines before its first answer and beside each result."""

from __future__ import annotations

import json
from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import (
    heading,
    line,
    named,
    paragraph,
    small_button,
)
from napari_her2._qt.components.popover import Popover
from napari_her2._qt.texts import ui
from napari_her2.messages import DEMO_MODEL
from napari_her2.models.card import ModelCard, Validation

__all__ = [
    "CardLines",
    "CardPopover",
    "card_lines",
    "card_summary",
    "names_of",
    "shared_lines",
    "shared_summary",
    "status_text",
]


def card_summary(card: ModelCard) -> str:
    """One line: name, version, whether it is a demo, what it was made for."""
    return ui(
        "card_line_demo" if card.is_demo else "card_line",
        name=card.name,
        version=card.version,
        stain=card.stain,
        mpp=f"{card.spacing_um_px:g}",
    )


def shared_summary(cards: Sequence[ModelCard]) -> str:
    """One line for several models: what they share, once; their names only where they differ.

    Parameters
    ----------
    cards : sequence of ModelCard
        At least one.
    """
    made = {(c.is_demo, c.version, c.stain, c.spacing_um_px) for c in cards}
    if len(cards) == 1 or len(made) > 1:
        return " | ".join(dict.fromkeys(card_summary(c) for c in cards))
    first = cards[0]
    return ui(
        "cards_line_demo" if first.is_demo else "cards_line",
        n=len(cards),
        version=first.version,
        stain=first.stain,
        mpp=f"{first.spacing_um_px:g}",
    )


def status_text(card: ModelCard) -> str:
    """How far a model may be relied on, in words."""
    ids = {
        "synthetic-demo": "card_demo",
        "user-unvalidated": "card_unvalidated",
        "user-validated-locally": "card_local",
    }
    return ui(ids[card.status])


def card_lines(card: ModelCard, figures: int = 2) -> list[tuple[str, str]]:
    """The six lines of a card: head and text.

    Parameters
    ----------
    card : ModelCard
        The card.
    figures : int
        How many of its validation figures to tell.
    """
    return [
        (
            ui("card_made"),
            ui(
                "card_made_text",
                stain=card.stain,
                organ=card.organ,
                mpp=f"{card.spacing_um_px:g}",
            ),
        ),
        (ui("card_trained"), card.training_data or ui("card_unsaid")),
        (ui("card_checked"), _figures(card.validation[:figures])),
        (ui("card_good"), card.good_at or ui("card_unsaid")),
        (ui("card_weak"), card.weak_at or ui("card_unsaid")),
        (ui("card_status"), status_text(card)),
    ]


def _figures(validation: tuple[Validation, ...]) -> str:
    if not validation:
        return ui("card_unchecked")
    lines = []
    for v in validation:
        slots = {
            "metric": v.metric,
            "value": numbers.probability(v.value),
            "n": numbers.count(v.n),
            "unit": v.unit,
            "site": v.site,
            "date": v.date,
        }
        if v.ci95 is None:
            lines.append(ui("card_figure_bare", **slots))
        else:
            low, high = (numbers.probability(x) for x in v.ci95)
            span = f"{low} – {high}" if ">" in high or "<" in low else f"{low}–{high}"
            lines.append(ui("card_figure", span=span, **slots))
    return "; ".join(lines)


def shared_lines(cards: Sequence[ModelCard]) -> list[tuple[str, str]]:
    """The six lines of several cards: what they share once, what differs by name.

    Parameters
    ----------
    cards : sequence of ModelCard
        At least one.
    """
    tables = [card_lines(c, figures=2 if len(cards) == 1 else 1) for c in cards]
    lines = []
    for i, (head, first) in enumerate(tables[0]):
        texts = [table[i][1] for table in tables]
        if all(text == first for text in texts):
            lines.append((head, first))
        else:
            named_texts = (f"{_label(c)}: {t}" for c, t in zip(cards, texts, strict=True))
            lines.append((head, "\n".join(named_texts)))
    return lines


def _label(card: ModelCard) -> str:
    return card.biomarker or card.name


class CardLines(QWidget):
    """The six lines of one or several models as a table.

    Parameters
    ----------
    *cards : ModelCard
        At least one.
    """

    def __init__(self, *cards: ModelCard, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (head, text) in enumerate(shared_lines(cards)):
            grid.addWidget(line(head, muted=True), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(paragraph(text), row, 1)


def names_of(cards: Sequence[ModelCard]) -> str:
    """Names and versions in one line, each once."""
    return " · ".join(dict.fromkeys(f"{c.name} {c.version}" for c in cards))


class CardPopover(Popover):
    """Card of the models ticked, below the button that asked for it; Esc or a click closes it.

    Parameters
    ----------
    cards : list of ModelCard
        At least one.
    """

    def __init__(self, cards: list[ModelCard], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addWidget(heading(names_of(cards)))
        layout.addWidget(CardLines(*cards))
        buttons = QHBoxLayout()
        for card in cards:
            full = small_button(ui("card_full_of", name=_label(card)))
            full.clicked.connect(lambda _=False, card=card: FullCard(card, self).exec())
            buttons.addWidget(full)
        buttons.addStretch()
        layout.addLayout(buttons)
        if any(card.is_demo for card in cards):
            layout.addWidget(paragraph(DEMO_MODEL))
        layout.addStretch()


class FullCard(QDialog):
    """Everything the card says, as it stands in its file."""

    def __init__(self, card: ModelCard, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(f"{card.name} {card.version}")
        self.resize(620, 520)
        text = QPlainTextEdit(
            json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False)
        )
        text.setReadOnly(True)
        named(text, ui("card_full"))
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        close = small_button(ui("close"))
        close.clicked.connect(self.accept)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
