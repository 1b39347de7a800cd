"""A probability on a line from 0 to 1."""

from __future__ import annotations

import math

from qtpy.QtCore import QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_her2._qt.style import theme_colours
from napari_her2.layers.colours import BLUE_RED

__all__ = ["ProbabilityBar", "ProbabilityScale", "blue_red"]

_MARGIN = 7


def blue_red(p: float) -> QColor:
    """Colour of a probability on the map."""
    stops = [QColor(c) for c in BLUE_RED]
    position = min(max(p, 0.0), 1.0) * (len(stops) - 1)
    i = min(int(position), len(stops) - 2)
    f = position - i
    a, b = stops[i], stops[i + 1]
    return QColor(
        round(a.red() + f * (b.red() - a.red())),
        round(a.green() + f * (b.green() - a.green())),
        round(a.blue() + f * (b.blue() - a.blue())),
    )


class ProbabilityScale(QWidget):
    """The numbers 0, .5 and 1 over a column of bars."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """One line of text."""
        return QSize(110, self.fontMetrics().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the numbers where the bars have them."""
        painter = QPainter(self)
        painter.setPen(theme_colours().muted)
        inner = self.width() - 2 * _MARGIN
        for value, text in ((0.0, "0"), (0.5, ".5"), (1.0, "1")):
            x = _MARGIN + value * inner
            box = QRectF(x - 12, 0, 24, self.height())
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class ProbabilityBar(QWidget):
    """A dot on a line from 0 to 1 with the middle marked; dashed while tiles are missing."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._p: float | None = None
        self._partial = False
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_value(self, p: float | None, *, partial: bool = False) -> None:
        """Show a probability; None draws the line alone."""
        self._p = None if p is None or math.isnan(p) else p
        self._partial = partial
        self.update()

    @property
    def value(self) -> float | None:
        """The probability shown."""
        return self._p

    def sizeHint(self) -> QSize:
        """Wide enough to tell 0.05 apart."""
        return QSize(110, 24)

    def minimumSizeHint(self) -> QSize:
        """Still readable."""
        return QSize(80, 24)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw line, middle and dot."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme_colours()
        y = self.height() / 2
        left, right = float(_MARGIN), float(self.width() - _MARGIN)
        track = QPen(colours.muted, 1.5)
        if self._partial:
            track.setStyle(Qt.PenStyle.DashLine)
        painter.setPen(track)
        painter.drawLine(QPointF(left, y), QPointF(right, y))
        middle = (left + right) / 2
        painter.setPen(QPen(colours.text, 1.5))
        painter.drawLine(QPointF(middle, y - 6), QPointF(middle, y + 6))
        if self._p is None:
            return
        x = left + self._p * (right - left)
        fill = blue_red(self._p)
        if self._partial:
            fill.setAlpha(150)
        painter.setPen(QPen(colours.text, 1.5))
        painter.setBrush(fill)
        painter.drawEllipse(QPointF(x, y), 5.5, 5.5)
