"""What a recipe is, in five lines below its button."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QGridLayout, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import heading, line, paragraph
from napari_her2._qt.components.popover import Popover
from napari_her2._qt.texts import ui

__all__ = ["RecipePopover", "recipe_lines"]

_LINES: Final = ("what", "learns", "paper", "ours", "needs")


def recipe_lines(recipe: str) -> list[tuple[str, str]]:
    """Head and text of each line."""
    return [(ui(f"recipe_{part}"), ui(f"recipe_{recipe}_{part}")) for part in _LINES]


class RecipePopover(Popover):
    """The lines as a small window; Esc or a click beside it closes it."""

    def __init__(self, recipe: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(12, 10, 12, 10)
        layout.addWidget(heading(ui(f"recipe_{recipe}")))
        grid = QGridLayout()
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        grid.setColumnStretch(1, 1)
        for row, (head, text) in enumerate(recipe_lines(recipe)):
            grid.addWidget(line(head, muted=True), row, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(paragraph(text), row, 1)
        layout.addLayout(grid)
        layout.addStretch()
