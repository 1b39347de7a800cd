"""The tools as buttons: the word, and the key in the corner."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QRect, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QSizePolicy, QToolButton, QWidget

from napari_her2._qt.components.labels import named
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme

__all__ = ["TOOLS", "ToolBar"]

TOOLS: Final[tuple[tuple[str, str], ...]] = (
    ("polygon", "P"), ("freehand", "F"), ("rectangle", "R"), ("ellipse", "O"), ("points", "⇧."),
    ("brush", "B"), ("wand", "W"), ("select", "S"), ("vertices", "D"), ("move", "M"),
)  # fmt: skip
"""Names of the tools in their order, with their keys."""

_COLUMNS: Final = 5


class _ToolButton(QToolButton):
    def __init__(self, text: str, key: str) -> None:
        super().__init__()
        self._key = key
        self.setText(text)
        self.setCheckable(True)
        self.setMinimumHeight(TARGET_PX + 4)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        follow_theme(self, _button_style)

    def sizeHint(self) -> QSize:
        """Wide enough for the word and the key."""
        words = self.fontMetrics().horizontalAdvance(f"{self.text()} {self._key}")
        return QSize(int(words) + 8, TARGET_PX + 4)

    def minimumSizeHint(self) -> QSize:
        """Narrower docks squeeze the room round the word."""
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 6, TARGET_PX + 4)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw the key over the button."""
        super().paintEvent(event)
        painter = QPainter(self)
        font = painter.font()
        font.setPointSizeF(max(6.5, font.pointSizeF() * 0.72))
        painter.setFont(font)
        painter.setPen(QColor("#FFFFFF") if self.isChecked() else theme_colours().muted)
        corner = QRect(0, 1, self.width() - 3, self.height() // 2)
        painter.drawText(corner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignTop, self._key)


class ToolBar(QWidget):
    """One button a tool, one of them down.

    Signals
    -------
    chosen(str)
        A tool was pressed.
    """

    chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons: dict[str, QToolButton] = {}
        group = QButtonGroup(self)
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(3)
        for i, (name, key) in enumerate(TOOLS):
            button = _ToolButton(ui(f"tool_{name}"), key)
            named(button, ui(f"tool_{name}"), ui(f"tool_{name}_tip"))
            button.clicked.connect(lambda _=False, n=name: self.chosen.emit(n))
            group.addButton(button)
            self.buttons[name] = button
            grid.addWidget(button, i // _COLUMNS, i % _COLUMNS)

    def show_tool(self, name: str) -> None:
        """Press the button of the tool that is taken."""
        if name in self.buttons:
            self.buttons[name].setChecked(True)


def _button_style() -> str:
    c = theme_colours()
    return (
        f"QToolButton {{ background: {c.foreground.name()}; border: 1px solid transparent;"
        " border-radius: 3px; padding: 0px 1px; }"
        f"QToolButton:hover {{ border-color: {c.primary.name()}; }}"
        f"QToolButton:focus {{ border-color: {c.text.name()}; }}"
        f"QToolButton:checked {{ background: {c.main.name()}; color: #FFFFFF; }}"
        f"QToolButton:disabled {{ color: {c.muted.name()}; }}"
    )
