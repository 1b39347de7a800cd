"""What is behind a classifier, in the six lines that every model shows."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import heading, line, paragraph
from napari_her2._qt.components.popover import Popover
from napari_her2._qt.texts import ui

__all__ = ["MembranePopover"]

_LINES = ("made_text", "trained", "checked", "good", "weak", "status")
_HEADS = ("made", "trained", "checked", "good", "weak", "status")


class MembranePopover(Popover):
    """The card of the measurement that has no weights; Esc or a click beside it closes it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (head, text) in enumerate(zip(_HEADS, _LINES, strict=True)):
            grid.addWidget(line(ui(f"card_{head}"), muted=True), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(paragraph(ui(f"membrane_{text}")), row, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addWidget(heading(ui("classifier_membrane")))
        layout.addLayout(grid)
        layout.addStretch()
