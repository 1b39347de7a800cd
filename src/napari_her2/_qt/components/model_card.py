"""A model introduces itself: six lines before its first answer and beside each result."""

from __future__ import annotations

import json
from collections.abc import Sequence

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import fit_height, line, named, paragraph, small_button
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2.messages import DEMO_MODEL
from napari_her2.models.card import ModelCard, Validation

__all__ = [
    "CardLines",
    "CardPopover",
    "card_lines",
    "card_summary",
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


def card_lines(card: ModelCard) -> list[tuple[str, str]]:
    """The six lines of a card: head and text."""
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
        (ui("card_checked"), _figures(card.validation)),
        (ui("card_good"), card.good_at or ui("card_unsaid")),
        (ui("card_weak"), card.weak_at or ui("card_unsaid")),
        (ui("card_status"), status_text(card)),
    ]


def _figures(validation: tuple[Validation, ...]) -> str:
    if not validation:
        return ui("card_unchecked")
    lines = []
    for v in validation[:2]:
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
            lines.append(ui("card_figure", low=low, high=high, **slots))
    return "; ".join(lines)


class CardLines(QWidget):
    """The six lines as a table."""

    def __init__(self, card: ModelCard, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (head, text) in enumerate(card_lines(card)):
            grid.addWidget(line(head, muted=True), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(paragraph(text), row, 1)


class CardPopover(QFrame):
    """Cards of the models ticked, below the button that asked for them; Esc or a click closes it.

    Parameters
    ----------
    cards : list of ModelCard
        One block each.
    """

    def __init__(self, cards: list[ModelCard], parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        c = theme_colours()
        self.setObjectName("her2-card")
        self.setStyleSheet(
            f"#her2-card {{ background: {c.background.name()};"
            f" border: 1px solid {c.primary.name()}; }}"
        )
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        for card in cards:
            head = QHBoxLayout()
            head.addWidget(line(f"{card.name} {card.version}", bold=True))
            head.addStretch()
            full = small_button(ui("card_full"))
            named(full, f"{ui('card_full')}: {card.name}")
            full.clicked.connect(lambda _=False, card=card: FullCard(card, self).exec())
            head.addWidget(full)
            layout.addLayout(head)
            layout.addWidget(CardLines(card))
        if any(card.is_demo for card in cards):
            layout.addWidget(paragraph(DEMO_MODEL))

    def show_below(self, widget: QWidget) -> None:
        """Show under a widget, kept on its screen."""
        fit_height(self, 440)
        corner = widget.mapToGlobal(QPoint(widget.width() - self.width(), widget.height() + 2))
        screen = widget.screen().availableGeometry()
        corner.setX(max(screen.left() + 4, min(corner.x(), screen.right() - self.width() - 4)))
        corner.setY(max(screen.top() + 4, min(corner.y(), screen.bottom() - self.height() - 4)))
        self.move(corner)
        self.show()


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
