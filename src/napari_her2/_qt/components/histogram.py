"""Two histograms, p+ and p-, with the threshold t on both: drag t, click a bar."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QSizePolicy, QToolTip, QWidget

from napari_her2._qt import numbers
from napari_her2._qt.style import NEGATIVE, POSITIVE, theme_colours
from napari_her2._qt.texts import ui

__all__ = ["ThresholdHistograms"]

_BINS = 20
_PAD = 8


class ThresholdHistograms(QWidget):
    """Histograms of p+ (left) and p- (right) on square-root axes.

    Signals
    -------
    threshold_dragged(float)
        t while it is dragged.
    threshold_released(float)
        t where it was let go.
    bar_clicked(str, float, float)
        ``"positive"`` or ``"negative"`` and the range of the bar.
    """

    threshold_dragged = Signal(float)
    threshold_released = Signal(float)
    bar_clicked = Signal(str, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._counts: dict[str, NDArray[np.intp]] = {}
        self._t: float | None = None
        self._made: float | None = None
        self._dragging = False
        self.setMouseTracking(True)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(300, 96)

    def set_scores(self, positive: NDArray[np.float32], negative: NDArray[np.float32]) -> None:
        """Show these probabilities (any shape; NaN left out)."""
        self._counts = {
            "positive": np.histogram(positive[np.isfinite(positive)], _BINS, (0, 1))[0],
            "negative": np.histogram(negative[np.isfinite(negative)], _BINS, (0, 1))[0],
        }
        self.update()

    def set_threshold(self, t: float | None, made: float | None) -> None:
        """Draw t, and dashed the t the model was made with."""
        self._t, self._made = t, made
        self.update()

    def _plots(self) -> dict[str, QRectF]:
        half = (self.width() - _PAD) / 2
        top, bottom = self.fontMetrics().height() + 2, self.fontMetrics().height() + 2
        height = self.height() - top - bottom
        return {
            "positive": QRectF(2, top, half - 4, height),
            "negative": QRectF(half + _PAD + 2, top, half - 4, height),
        }

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw both plots."""
        painter = QPainter(self)
        c = theme_colours()
        if not self._counts:
            painter.setPen(c.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, ui("why_empty"))
            return
        for name, box in self._plots().items():
            self._paint_plot(painter, name, box)

    def _paint_plot(self, painter: QPainter, name: str, box: QRectF) -> None:
        c = theme_colours()
        counts = self._counts[name]
        highest = max(float(counts.max()), 1.0)
        colour = QColor(POSITIVE if name == "positive" else NEGATIVE)
        if c.dark:
            colour = c.positive if name == "positive" else c.negative
        width = box.width() / _BINS
        for i, n in enumerate(counts):
            # Square root: a slide has thousands of tiles near 0 and a few dozen that matter.
            h = box.height() * float(np.sqrt(n / highest))
            bar = QRectF(box.left() + i * width + 0.5, box.bottom() - h, width - 1, h)
            counted = self._t is not None and (i + 0.5) / _BINS >= self._t
            shade = QColor(colour)
            shade.setAlpha(255 if counted else 120)
            painter.fillRect(bar, shade)
        painter.setPen(QPen(c.muted, 1))
        painter.drawLine(box.bottomLeft(), box.bottomRight())
        metrics = painter.fontMetrics()
        head = "p+" if name == "positive" else "p-"
        painter.setPen(c.text)
        painter.drawText(QPointF(box.left(), metrics.ascent()), head)
        painter.setPen(c.muted)
        base = self.height() - metrics.descent()
        painter.drawText(QPointF(box.left(), base), "0")
        painter.drawText(QPointF(box.right() - metrics.horizontalAdvance("1"), base), "1")
        if self._made is not None and self._made != self._t:
            x = box.left() + self._made * box.width()
            painter.setPen(QPen(c.muted, 1, Qt.PenStyle.DashLine))
            painter.drawLine(QPointF(x, box.top()), QPointF(x, box.bottom()))
        if self._t is not None:
            x = box.left() + self._t * box.width()
            painter.setPen(QPen(c.background, 4))
            painter.drawLine(QPointF(x, box.top() - 2), QPointF(x, box.bottom()))
            painter.setPen(QPen(c.text, 2))
            painter.drawLine(QPointF(x, box.top() - 2), QPointF(x, box.bottom()))
            text = f"t {numbers.probability(self._t)}"
            wide = metrics.horizontalAdvance(text)
            left = min(max(x - wide / 2, box.left() + 18), box.right() - wide)
            painter.setPen(c.text)
            painter.drawText(QPointF(left, metrics.ascent()), text)

    # mouse --------------------------------------------------------------------------------

    def _at(self, event: QMouseEvent) -> tuple[str, float] | None:
        p = event.position()
        for name, box in self._plots().items():
            if box.left() - 4 <= p.x() <= box.right() + 4:
                return name, min(max((p.x() - box.left()) / box.width(), 0.0), 1.0)
        return None

    def _near_t(self, event: QMouseEvent) -> bool:
        if self._t is None:
            return False
        x = event.position().x()
        return any(abs(x - b.left() - self._t * b.width()) < 6 for b in self._plots().values())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take t, or a bar."""
        hit = self._at(event)
        if hit is None or not self._counts:
            return
        if self._near_t(event):
            self._dragging = True
            return
        name, value = hit
        i = min(int(value * _BINS), _BINS - 1)
        if self._counts[name][i]:
            self.bar_clicked.emit(name, i / _BINS, (i + 1) / _BINS)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag t, or tell what is in the bar under the cursor."""
        hit = self._at(event)
        if self._dragging and hit is not None:
            self.threshold_dragged.emit(round(hit[1], 2))
            return
        near = self._near_t(event)
        self.setCursor(Qt.CursorShape.SizeHorCursor if near else Qt.CursorShape.ArrowCursor)
        if hit is not None and self._counts:
            name, value = hit
            i = min(int(value * _BINS), _BINS - 1)
            head = "p+" if name == "positive" else "p-"
            low, high = numbers.probability(i / _BINS), numbers.probability((i + 1) / _BINS)
            QToolTip.showText(
                event.globalPosition().toPoint(),
                f"{head} {low}–{high}: {numbers.count(int(self._counts[name][i]))}",
                self,
            )

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let t go."""
        if self._dragging:
            self._dragging = False
            hit = self._at(event)
            if hit is not None:
                self.threshold_released.emit(round(hit[1], 2))
