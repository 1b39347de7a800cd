"""What the painted pictures of the dock share: axes, lines that show on any ground, hover."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QEvent, QPointF, QRectF, QSize, Qt
from qtpy.QtGui import QColor, QHelpEvent, QPainter, QPen, QPolygonF, QResizeEvent
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_her2._qt.style import theme_colours
from napari_her2.reporting.model_figures import class_colour

__all__ = ["Painted", "axes", "class_ink", "polyline", "tick_text"]

TICKS = (0.0, 0.5, 1.0)


def class_ink(name: str, index: int) -> QColor:
    """Colour of a class."""
    return QColor(class_colour(name, index))


def tick_text(value: float) -> str:
    """``0``, ``0.5``, ``1``."""
    return f"{value:g}"


def axes(painter: QPainter, box: QRectF, x: str, y: str) -> None:
    """Draw a frame from 0 to 1 on both sides, with the names of its sides."""
    c = theme_colours()
    metrics = painter.fontMetrics()
    for tick in TICKS:
        at_x = box.left() + tick * box.width()
        at_y = box.bottom() - tick * box.height()
        painter.setPen(QPen(c.foreground, 1))
        painter.drawLine(QPointF(at_x, box.top()), QPointF(at_x, box.bottom()))
        painter.drawLine(QPointF(box.left(), at_y), QPointF(box.right(), at_y))
        painter.setPen(c.muted)
        text = tick_text(tick)
        wide = metrics.horizontalAdvance(text)
        painter.drawText(QPointF(at_x - wide / 2, box.bottom() + metrics.ascent() + 2), text)
        painter.drawText(QPointF(box.left() - wide - 4, at_y + metrics.ascent() / 2 - 1), text)
    painter.setPen(QPen(c.muted, 1))
    painter.drawRect(box)
    painter.setPen(c.text)
    below = box.bottom() + metrics.height() + metrics.ascent() + 2
    painter.drawText(QPointF(box.center().x() - metrics.horizontalAdvance(x) / 2, below), x)
    painter.save()
    painter.translate(box.left() - metrics.horizontalAdvance("0.5") - 10, box.center().y())
    painter.rotate(-90)
    painter.drawText(QPointF(-metrics.horizontalAdvance(y) / 2, 0), y)
    painter.restore()


def polyline(
    painter: QPainter, points: Sequence[QPointF], colour: QColor, width: float = 2.0
) -> None:
    """Draw a line with an edge in the colour of text: yellow shows on white, red on black."""
    if not points:
        return
    polygon = QPolygonF(list(points))
    edge = QColor(theme_colours().text)
    edge.setAlpha(170)
    for ink, wide in ((edge, width + 1.4), (colour, width)):
        pen = QPen(ink, wide)
        pen.setJoinStyle(Qt.PenJoinStyle.RoundJoin)
        painter.setPen(pen)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawPolyline(polygon)


class Painted(QWidget):
    """A picture drawn by hand that tells values under the cursor.

    Parameters
    ----------
    height : int
        Its height in pixels; it is as wide as its dock.
    """

    def __init__(self, height: int, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._height = height
        self._laid_out = height
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def wanted_height(self) -> int:
        """How high it has to be with the font and the width that it has now."""
        return self._height

    def sizeHint(self) -> QSize:
        """As high as it has to be."""
        return QSize(300, self.wanted_height())

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(120, self.wanted_height())

    def fit(self) -> None:
        """Ask for another height if one is needed."""
        if self.wanted_height() != self._laid_out:
            self._laid_out = self.wanted_height()
            self.updateGeometry()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """The height may follow the width."""
        super().resizeEvent(event)
        self.fit()

    def changeEvent(self, event: QEvent) -> None:
        """A style sheet brings its own font, often after the content."""
        super().changeEvent(event)
        if event.type() in (QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self.fit()

    def tip_at(self, x: float, y: float) -> str:
        """What is told of a place; empty where there is nothing."""
        del x, y
        return ""

    def event(self, event: QEvent) -> bool:
        """Tell the values under the cursor."""
        if isinstance(event, QHelpEvent) and event.type() == QEvent.Type.ToolTip:
            text = self.tip_at(event.pos().x(), event.pos().y())
            if text:
                QToolTip.showText(event.globalPos(), text, self)
            else:
                QToolTip.hideText()
            return True
        return bool(super().event(event))
