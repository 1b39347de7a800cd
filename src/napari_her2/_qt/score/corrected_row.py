"""How many cells the reader corrected, and what can be done with that."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import ElidedLine, paragraph, small_button
from napari_her2._qt.texts import ui

__all__ = ["CorrectedRow"]


class CorrectedRow(QWidget):
    """``Corrected 12 cells``, three buttons, and the score before and after.

    Signals
    -------
    undo_requested(), labels_requested(), rescore_requested()
    """

    undo_requested = Signal()
    labels_requested = Signal()
    rescore_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.count = ElidedLine()
        self.undo = small_button(ui("undo"), ui("undo_tip"))
        self.undo.clicked.connect(self.undo_requested)
        self.labels = small_button(ui("use_as_labels"), ui("use_as_labels_tip"))
        self.labels.clicked.connect(self.labels_requested)
        self.rescore = small_button(ui("rescore"), ui("rescore_tip"))
        self.rescore.clicked.connect(self.rescore_requested)
        self.change = paragraph()
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(self.count, 1)
        for button in (self.undo, self.labels, self.rescore):
            # Tight: the count beside them must be readable in the narrowest dock.
            button.setStyleSheet("padding: 2px 5px;")
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(row)
        layout.addWidget(self.change)
        self.show_count(0, can_undo=False, can_rescore=False)
        self.show_change("")

    def show_count(self, n: int, *, can_undo: bool, can_rescore: bool) -> None:
        """So many cells are corrected now."""
        self.count.setText(ui("corrected_one" if n == 1 else "corrected", n=numbers.count(n)))
        self.undo.setEnabled(can_undo)
        self.labels.setEnabled(n > 0)
        self.rescore.setEnabled(can_rescore)

    def show_change(self, text: str) -> None:
        """The score before and after, or where the labels are."""
        self.change.setText(text)
        self.change.setVisible(bool(text))
