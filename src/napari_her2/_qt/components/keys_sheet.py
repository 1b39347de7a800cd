"""The sheet of keys (F1), made from the one table."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QGridLayout, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import line, small_button
from napari_her2._qt.keys import KEYS, LABEL_KEYS, Key
from napari_her2._qt.texts import ui

__all__ = ["KeysSheet"]


_DIGITS = Key("0–9", "class", "labels", "class of the next region, or of the selected ones")


class KeysSheet(QDialog):
    """All keys with what they do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("keys_title"))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        grid = QGridLayout()
        grid.setHorizontalSpacing(16)
        drawing = [k for k in LABEL_KEYS if not k.action.startswith("class_") and k.keys != ">"]
        for column, keys in enumerate((KEYS, (_DIGITS, *drawing))):
            for row, key in enumerate(keys):
                words = line(key.keys.replace("Return", "Enter"), bold=True)
                grid.addWidget(words, row, 2 * column)
                grid.addWidget(line(key.text), row, 2 * column + 1)
        layout = QVBoxLayout(self)
        layout.addWidget(line(ui("keys_help"), muted=True))
        layout.addLayout(grid)
        close = small_button(ui("close"))
        close.clicked.connect(self.accept)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
