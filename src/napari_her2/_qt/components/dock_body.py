"""The frame of a dock: what always shows on top, what scrolls below; never sideways."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QSizePolicy, QVBoxLayout, QWidget

__all__ = ["MIN_WIDTH", "DockBody"]

MIN_WIDTH = 340
"""Narrowest a dock gets, pixels."""


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
        self.body.setContentsMargins(8, 2, 8, 6)
        self.body.setSpacing(6)
        self.scroll_area = QScrollArea()
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.scroll_area.setWidget(content)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addLayout(self.head)
        layout.addWidget(self.scroll_area, 1)
