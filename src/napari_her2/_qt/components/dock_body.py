"""The frame of a dock: what always shows on top, what scrolls below; never sideways."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QResizeEvent
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

__all__ = ["MIN_WIDTH", "DockBody", "VerticalScroll"]

MIN_WIDTH = 340
"""Narrowest a dock gets, pixels."""


class VerticalScroll(QScrollArea):
    """Scrolls up and down only: its content is exactly as wide as the view."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        # Always there: what lies beside it must not move when a part unfolds.
        self.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOn)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.verticalScrollBar().setFixedWidth(10)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Hold the content to the width of the view."""
        super().resizeEvent(event)
        if self.widget() is not None:
            self.widget().setMaximumWidth(self.viewport().width())


class DockBody(QWidget):
    """A fixed head and one vertical scroll area below it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setMinimumWidth(MIN_WIDTH)
        self.head = QVBoxLayout()
        self.head.setContentsMargins(8, 6, 8, 0)
        self.head.setSpacing(5)
        content = QWidget()
        self.body = QVBoxLayout(content)
        self.body.setContentsMargins(4, 2, 0, 6)
        self.body.setSpacing(6)
        self.scroll_area = VerticalScroll()
        self.scroll_area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.head)
        layout.addWidget(self.scroll_area, 1)
