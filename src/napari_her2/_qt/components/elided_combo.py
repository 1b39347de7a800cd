"""A drop-down list whose text is cut with an ellipsis where it does not fit."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtGui import QPaintEvent
from qtpy.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter, QWidget

__all__ = ["ElidedCombo"]


class ElidedCombo(QComboBox):
    """Cuts in the middle: both ends tell slides of one study apart. The list itself is whole.

    Parameters
    ----------
    mode : Qt.TextElideMode
        Where else to cut.
    """

    def __init__(
        self,
        parent: QWidget | None = None,
        *,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideMiddle,
    ) -> None:
        super().__init__(parent)
        self._mode = mode

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw as the style does, with the text cut to the room there is."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        option.currentText = self.shown_text()
        painter = QStylePainter(self)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)

    def shown_text(self) -> str:
        """The text as drawn."""
        option = QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.style().subControlRect(
            QStyle.ComplexControl.CC_ComboBox,
            option,
            QStyle.SubControl.SC_ComboBoxEditField,
            self,
        )
        # Styles keep a pixel or two on either side of the text.
        return self.fontMetrics().elidedText(self.currentText(), self._mode, room.width() - 6)
