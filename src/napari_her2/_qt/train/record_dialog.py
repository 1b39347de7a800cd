"""Asks for all that makes a validation one; nothing of it is filled in beforehand but the date."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from qtpy.QtCore import QDate
from qtpy.QtWidgets import (
    QComboBox,
    QDateEdit,
    QDialog,
    QDialogButtonBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import fit_height, line, named, paragraph
from napari_her2._qt.components.notice_dialog import reader_initials
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error
from napari_her2.models.card import ModelCard

__all__ = ["RecordDialog"]

METRICS: Final = (
    "macro F1", "balanced accuracy", "plain accuracy", "AUC", "Cohen kappa (unweighted)",
    "overall agreement of the case score",
)  # fmt: skip
_UNITS: Final = ("slides", "cases", "cells", "tiles")


class RecordDialog(QDialog):
    """A small form. It closes once the record is written.

    Parameters
    ----------
    card : ModelCard
        Of the model.
    record : callable
        Takes what was given; raises Her2Error with the reason if it is refused.
    """

    def __init__(
        self,
        card: ModelCard,
        record: Callable[[dict[str, Any]], bool],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._record = record
        self.setWindowTitle(ui("record_title", name=card.name))
        self.figure = named(QComboBox(), ui("record_metric"))
        self.figure.setEditable(True)
        self.figure.addItems(METRICS)
        self.figure.setCurrentText("")
        self.value, self.low, self.high, self.n, self.site, self.who = (
            named(QLineEdit(), ui(f"record_{name}"))
            for name in ("value", "low", "high", "n", "site", "who")
        )
        self.who.setText(reader_initials())
        self.unit = named(QComboBox(), ui("record_unit"))
        for unit in _UNITS:
            self.unit.addItem(ui(f"unit_{unit}"), unit)
        self.date = named(QDateEdit(QDate.currentDate()), ui("record_date"))
        self.date.setDisplayFormat("yyyy-MM-dd")
        self.date.setCalendarPopup(True)
        self.errors = ErrorBar()
        box = QDialogButtonBox()
        self.ok = box.addButton(ui("record_ok"), QDialogButtonBox.ButtonRole.AcceptRole)
        box.addButton(ui("close"), QDialogButtonBox.ButtonRole.RejectRole)
        box.accepted.connect(self._on_accepted)
        box.rejected.connect(self.reject)

        grid = QGridLayout()
        grid.setColumnStretch(1, 1)
        span = QHBoxLayout()
        for widget in (self.low, line(ui("record_high")), self.high):
            span.addWidget(widget)
        counted = QHBoxLayout()
        for widget in (self.n, line(ui("record_unit")), self.unit):
            counted.addWidget(widget)
        rows: tuple[tuple[str, Any], ...] = (
            ("metric", self.figure), ("value", self.value), ("low", span), ("n", counted),
            ("site", self.site), ("date", self.date), ("who", self.who),
        )  # fmt: skip
        for i, (name, control) in enumerate(rows):
            grid.addWidget(line(ui(f"record_{name}")), i, 0)
            if isinstance(control, QWidget):
                control.setMinimumHeight(TARGET_PX)
                grid.addWidget(control, i, 1)
            else:
                grid.addLayout(control, i, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(paragraph(ui("record_words")))
        layout.addLayout(grid)
        layout.addWidget(self.errors)
        layout.addWidget(box)
        layout.addStretch()
        fit_height(self, 460)

    def given(self) -> dict[str, Any]:
        """What was filled in; None where nothing was, or no number."""
        low, high = _number(self.low.text()), _number(self.high.text())
        n = _number(self.n.text())
        return {
            "metric": self.figure.currentText().strip(),
            "value": _number(self.value.text()),
            "ci95": None if low is None or high is None else (low, high),
            "n": None if n is None else int(n),
            "unit": self.unit.currentData(),
            "site": self.site.text().strip(),
            "date": self.date.date().toString("yyyy-MM-dd"),
            "who": self.who.text().strip(),
        }

    def _on_accepted(self) -> None:
        try:
            done = self._record(self.given())
        except Her2Error as error:
            self.errors.show_error(error.sentence)
            fit_height(self, 460)
            return
        if done:
            self.accept()


def _number(text: str) -> float | None:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return None
