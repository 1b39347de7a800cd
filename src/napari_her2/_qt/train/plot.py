"""The course of a training: loss at the left, a figure of the tuning part at the right."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_her2._qt import numbers
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.train.painting import Painted
from napari_her2._qt.train.strip_views import figure_name
from napari_her2.training.watch import EpochDone

__all__ = ["LivePlot"]

_HEIGHT = 112
_GAP = 14
_FIGURES = ("macro_f1", "macro_auc", "accuracy")


class LivePlot(Painted):
    """Two small plots over the same epochs; each has a scale of its own."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_HEIGHT, parent)
        self._rows: list[EpochDone] = []
        self._epochs = 1
        self._figure = ""

    def set_history(self, rows: Sequence[EpochDone]) -> None:
        """Draw these epochs."""
        self._rows = list(rows)
        if self._rows:
            self._epochs = max(self._rows[-1].epochs, self._rows[-1].epoch, 1)
            known = self._rows[-1].tune_metrics
            self._figure = next((k for k in _FIGURES if k in known), "")
        self.setAccessibleDescription(self.summary())
        self.update()

    def summary(self) -> str:
        """The last point in words."""
        if not self._rows:
            return ui("plot_empty")
        last = self._rows[-1]
        parts = [ui("plot_tip", epoch=last.epoch, name=ui("plot_loss"),
                    value=numbers.fixed(last.loss, 2))]  # fmt: skip
        if self._figure:
            value = numbers.fixed(last.tune_metrics[self._figure], 2)
            parts.append(f"{figure_name(self._figure)} {value}")
        return ", ".join(parts)

    # geometry -----------------------------------------------------------------------------

    def _boxes(self) -> dict[str, QRectF]:
        line = self.fontMetrics().height()
        left = self.fontMetrics().horizontalAdvance("0.00") + 6
        wide = (self.width() - _GAP - 2 * left - 4) / 2
        high = self.height() - 2 * line - 6
        boxes = {"loss": QRectF(left, line + 2, wide, high)}
        if self._figure:
            boxes["figure"] = QRectF(2 * left + wide + _GAP, line + 2, wide, high)
        else:
            boxes["loss"].setRight(self.width() - 4)
        return boxes

    def _values(self, which: str) -> list[float | None]:
        if which == "loss":
            return [r.loss for r in self._rows]
        return [r.tune_metrics.get(self._figure) for r in self._rows]

    def _scale(self, which: str) -> float:
        if which == "figure":
            return 1.0
        return max((v for v in self._values("loss") if v is not None), default=1.0) or 1.0

    def _at(self, box: QRectF, which: str, i: int, value: float) -> QPointF:
        share = 0.0 if self._epochs == 1 else (self._rows[i].epoch - 1) / (self._epochs - 1)
        y = box.bottom() - box.height() * min(max(value / self._scale(which), 0.0), 1.0)
        return QPointF(box.left() + share * box.width(), y)

    # drawing ------------------------------------------------------------------------------

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw both plots."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c = theme_colours()
        if not self._rows:
            painter.setPen(c.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, ui("plot_empty"))
            return
        for which, box in self._boxes().items():
            loss = which == "loss"
            title = ui("plot_loss") if loss else figure_name(self._figure)
            self._plot(painter, which, box, title, QColor(c.warning if loss else c.negative))

    def _plot(self, painter: QPainter, which: str, box: QRectF, title: str, colour: QColor) -> None:
        c = theme_colours()
        metrics = painter.fontMetrics()
        scale = self._scale(which)
        for share in (0.0, 0.5, 1.0):
            y = box.bottom() - share * box.height()
            painter.setPen(QPen(c.foreground, 1))
            painter.drawLine(QPointF(box.left(), y), QPointF(box.right(), y))
            painter.setPen(c.muted)
            text = numbers.significant(share * scale, 2) if share * scale else "0"
            painter.drawText(
                QPointF(box.left() - metrics.horizontalAdvance(text) - 4, y + metrics.ascent() / 2),
                text,
            )
        painter.setPen(c.text)
        painter.drawText(QPointF(box.left(), metrics.ascent()), title)
        painter.setPen(c.muted)
        base = self.height() - metrics.descent()
        painter.drawText(QPointF(box.left(), base), "1")
        end = numbers.count(self._epochs)
        painter.drawText(QPointF(box.right() - metrics.horizontalAdvance(end), base), end)
        points = [
            self._at(box, which, i, v) for i, v in enumerate(self._values(which)) if v is not None
        ]
        painter.setPen(QPen(colour, 2))
        if len(points) > 1:
            painter.drawPolyline(points)
        painter.setBrush(colour)
        for point in points[-1:]:
            painter.drawEllipse(point, 3, 3)
        best = self._rows[-1].best_epoch
        if which == "figure" and 0 < best <= len(points):
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(c.text, 1.4))
            painter.drawEllipse(points[best - 1], 5, 5)

    def tip_at(self, x: float, y: float) -> str:
        """The epoch under the cursor."""
        for which, box in self._boxes().items():
            if self._rows and box.left() - 4 <= x <= box.right() + 4:
                nearest = min(
                    range(len(self._rows)), key=lambda i: abs(self._at(box, which, i, 0).x() - x)
                )
                value = self._values(which)[nearest]
                if value is not None:
                    name = ui("plot_loss") if which == "loss" else figure_name(self._figure)
                    return ui(
                        "plot_tip", epoch=self._rows[nearest].epoch, name=name,
                        value=numbers.fixed(value, 3),
                    )  # fmt: skip
        del y
        return ""
