"""The region that is selected: class, area, who and when; its note, its lock, the way there."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QHBoxLayout, QLineEdit, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import ElidedLine, line, named, small_button
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui

__all__ = ["SelectedLine"]


class SelectedLine(QWidget):
    """``Selected: Tumour 3+ · 0.18 mm2 · R1 14:01`` and below it the note.

    Signals
    -------
    note_written(str), lock_toggled(bool), visit_requested()
    """

    note_written = Signal(str)
    lock_toggled = Signal(bool)
    visit_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.words = ElidedLine(ui("selected_none"))
        self.note = named(QLineEdit(), ui("note_of"), ui("note_tip"))
        self.note.setMaxLength(500)
        self.note.setMinimumWidth(60)
        self.note.setMinimumHeight(TARGET_PX)
        self.note.editingFinished.connect(self._on_note)
        buddy = line(ui("note"))
        buddy.setBuddy(self.note)
        self.lock = small_button(ui("lock"), ui("lock_tip"))
        self.lock.setCheckable(True)
        self.lock.clicked.connect(self.lock_toggled)
        self.go = small_button(ui("go"), ui("go_tip"))
        self.go.clicked.connect(self.visit_requested)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(buddy)
        row.addWidget(self.note, 1)
        row.addWidget(self.lock)
        row.addWidget(self.go)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.words)
        layout.addLayout(row)
        self._shown_note = ""
        self.show_none()

    def show_none(self) -> None:
        """Nothing is selected."""
        self.show_selected(ui("selected_none"), note="", locked=False, n=0)

    def show_selected(self, words: str, *, note: str, locked: bool, n: int) -> None:
        """Show what is selected."""
        self.words.setText(words)
        self._shown_note = note
        if not self.note.hasFocus() or self.note.text() != note:
            self.note.setText(note)
        self.lock.setChecked(locked)
        for part in (self.note, self.lock, self.go):
            part.setEnabled(n > 0)

    def _on_note(self) -> None:
        if self.note.isEnabled() and self.note.text() != self._shown_note:
            self._shown_note = self.note.text()
            self.note_written.emit(self._shown_note)
