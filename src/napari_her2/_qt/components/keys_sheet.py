"""The sheet of keys (F1), made from the one table."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import line, small_button
from napari_her2._qt.keys import KEYS
from napari_her2._qt.texts import ui

__all__ = ["KeysSheet"]


class KeysSheet(QDialog):
    """All keys with what they do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("keys_title"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        for row, key in enumerate(KEYS):
            grid.addWidget(line(key.keys.replace("Return", "Enter"), bold=True), row, 0)
            grid.addWidget(line(key.text), row, 1)
        layout = QVBoxLayout(self)
        layout.addWidget(line(ui("keys_help"), muted=True))
        layout.addLayout(grid)
        close = small_button(ui("close"))
        close.clicked.connect(self.accept)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
