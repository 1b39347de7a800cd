"""Pictures of a test: confusion matrix, curves, calibration. Hover tells values."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from qtpy.QtCore import QPointF, QRectF, Qt, Signal
from qtpy.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QWidget

from napari_her2._qt import numbers
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.train.painting import Painted, axes, class_ink, polyline
from napari_her2.reporting.model_figures import estimate_text
from napari_her2.training.evaluation import Evaluation

__all__ = ["CalibrationView", "CurveView", "MatrixView"]

_CELL: Final = (20, 34)
_NEAR: Final = 14.0


class MatrixView(Painted):
    """Rows the truth, columns the class called; shades are shares of a row.

    Signals
    -------
    cell_clicked(int, int)
        True and called class of a cell with examples.
    """

    cell_clicked = Signal(int, int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(220, parent)
        self._evaluation: Evaluation | None = None

    def set_evaluation(self, evaluation: Evaluation | None) -> None:
        """Show this test."""
        self._evaluation = evaluation
        self.fit()
        self.update()

    def wanted_height(self) -> int:
        """The cells, the names below them, and the line above."""
        if self._evaluation is None:
            return self._height
        k = len(self._evaluation.classes)
        line = self.fontMetrics().height()
        return round(self._side() * k + self._foot() + 2 * line)

    def _left(self) -> float:
        if self._evaluation is None:
            return 0.0
        metrics = self.fontMetrics()
        longest = max(metrics.horizontalAdvance(n) for n in self._evaluation.class_names)
        return min(longest + 4, self.width() * 0.3) + 6

    def _foot(self) -> float:
        return min(self._left(), 90.0)

    def _side(self) -> float:
        k = 1 if self._evaluation is None else len(self._evaluation.classes)
        return float(min(max((self.width() - self._left() - 2) / k, _CELL[0]), _CELL[1]))

    def _cell(self, i: int, j: int) -> QRectF:
        side, top = self._side(), self.fontMetrics().height() + 4
        return QRectF(self._left() + j * side, top + i * side, side, side)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the table."""
        e = self._evaluation
        if e is None:
            return
        painter = QPainter(self)
        c = theme_colours()
        metrics = painter.fontMetrics()
        painter.setPen(c.muted)
        painter.drawText(QPointF(0, metrics.ascent()), ui("matrix_rows"))
        counts = e.confusion
        for i, name in enumerate(e.class_names):
            total = int(counts[i].sum()) or 1
            row = self._cell(i, 0)
            painter.setPen(c.text)
            label = QRectF(0, row.top(), self._left() - 6, row.height())
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(label.width()))
            painter.drawText(
                label, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, text
            )
            for j in range(len(e.classes)):
                self._paint_cell(painter, i, j, int(counts[i, j]), int(counts[i, j]) / total)
        for j, name in enumerate(e.class_names):
            foot = self._cell(len(e.classes) - 1, j)
            painter.save()
            painter.translate(foot.center().x() + metrics.ascent() / 2 - 1, foot.bottom() + 4)
            painter.rotate(90)
            painter.setPen(c.text)
            text = metrics.elidedText(name, Qt.TextElideMode.ElideRight, int(self._foot() - 6))
            painter.drawText(QPointF(0, 0), text)
            painter.restore()

    def _paint_cell(self, painter: QPainter, i: int, j: int, n: int, share: float) -> None:
        c = theme_colours()
        box = self._cell(i, j)
        # From the ground of the dock to blue, so that 0 looks like nothing in both themes.
        strong = QColor(c.main)
        ground = c.background
        shade = QColor(*(
            round(g + (s - g) * share ** 0.7)
            for g, s in zip(ground.getRgb()[:3], strong.getRgb()[:3], strict=True)
        ))  # fmt: skip
        painter.fillRect(box.adjusted(0.5, 0.5, -0.5, -0.5), shade)
        painter.setPen(QPen(c.foreground, 1))
        painter.drawRect(box)
        if not n:
            return
        painter.setPen(QColor("white") if share > 0.4 else c.text)
        text = numbers.count(n)
        if painter.fontMetrics().horizontalAdvance(text) > box.width() - 2:
            text = f"{n / 1000:.0f}k" if n >= 1000 else text
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """True and called class under a place."""
        if self._evaluation is None:
            return None
        first, side = self._cell(0, 0), self._side()
        i, j = int((y - first.top()) // side), int((x - first.left()) // side)
        k = len(self._evaluation.classes)
        return (i, j) if 0 <= i < k and 0 <= j < k else None

    def tip_at(self, x: float, y: float) -> str:
        """Count and share of the cell, or figures of the row."""
        e, cell = self._evaluation, self.cell_at(x, y)
        if e is None:
            return ""
        if cell is not None:
            i, j = cell
            return ui(
                "matrix_tip", true=e.class_names[i], called=e.class_names[j],
                n=numbers.count(int(e.confusion[i, j])),
                total=numbers.count(int(e.confusion[i].sum())),
            )  # fmt: skip
        row = int((y - self._cell(0, 0).top()) // self._side())
        if x < self._left() and 0 <= row < len(e.classes):
            c = e.classes[row]
            return ui(
                "matrix_class", name=c.name, n=numbers.count(c.support),
                f1=estimate_text(c.f1.value, c.f1.ci95),
                precision=estimate_text(c.precision.value), recall=estimate_text(c.recall.value),
            )  # fmt: skip
        return ""

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Ask for the examples of a cell."""
        cell = self.cell_at(event.position().x(), event.position().y())
        if (
            cell is not None
            and self._evaluation is not None
            and event.button() == Qt.MouseButton.LeftButton
            and self._evaluation.confusion[cell]
        ):
            self.cell_clicked.emit(*cell)


class _Unit(Painted):
    """A plot from 0 to 1 on both sides, with lines of text below it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(260, parent)
        self._evaluation: Evaluation | None = None

    def set_evaluation(self, evaluation: Evaluation | None) -> None:
        """Show this test."""
        self._evaluation = evaluation
        self.fit()
        self.update()

    def wanted_height(self) -> int:
        """The plot, its axis, and the legend where it stands below."""
        line = self.fontMetrics().height() + 1
        box = self._box()
        rows = 0 if self._beside(box) else self._legend_rows()
        return round(box.bottom() + 2.3 * line + rows * line + 4)

    def _beside(self, box: QRectF) -> bool:
        return bool(self.width() - box.right() - 14 > self._widest())

    def _widest(self) -> float:
        metrics = self.fontMetrics()
        return max((metrics.horizontalAdvance(t) for _, t in self._legend()), default=0) + 18.0

    def _columns(self) -> int:
        return 2 if self.width() > 2 * self._widest() else 1

    def _legend_rows(self) -> int:
        return -(-len(self._legend()) // self._columns())

    def _legend(self) -> list[tuple[QColor, str]]:
        return []

    def _box(self) -> QRectF:
        metrics = self.fontMetrics()
        left = metrics.horizontalAdvance("0.5") + metrics.height() + 10
        side = min(200.0, self.width() - left - 8)
        return QRectF(left, 6, max(side, 60), max(side, 60))

    def _paint_legend(self, painter: QPainter, box: QRectF) -> None:
        """Beside the plot where there is room, else below it."""
        c = theme_colours()
        metrics = painter.fontMetrics()
        legend = self._legend()
        beside = self._beside(box)
        left = box.right() + 14 if beside else 4.0
        top = box.top() if beside else box.bottom() + 2.3 * metrics.height()
        columns = 1 if beside else self._columns()
        wide = (self.width() - left) / columns
        for i, (colour, text) in enumerate(legend):
            x = left + (i % columns) * wide
            y = top + (i // columns) * (metrics.height() + 1)
            painter.setPen(QPen(c.muted, 1))
            painter.setBrush(colour)
            painter.drawRect(QRectF(x, y + 3, 9, 9))
            painter.setPen(c.text)
            shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(wide - 16))
            painter.drawText(QPointF(x + 14, y + metrics.ascent()), shown)


class CurveView(_Unit):
    """ROC, precision-recall or MCC-F1, one line for each class."""

    def __init__(self, parent: QWidget | None = None) -> None:
        self.kind = "roc"
        super().__init__(parent)

    def set_kind(self, kind: str) -> None:
        """Show ``roc``, ``pr`` or ``mcc_f1``."""
        self.kind = kind
        self.set_evaluation(self._evaluation)

    def _legend(self) -> list[tuple[QColor, str]]:
        if self._evaluation is None:
            return []
        found = []
        for i, c in enumerate(self._evaluation.classes):
            value = {"roc": c.auc, "pr": c.average_precision}.get(self.kind)
            said = "" if value is None else estimate_text(value.value, value.ci95)
            found.append((class_ink(c.name, i), ui("curve_area", name=c.name, value=said)))
        return found

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the curves."""
        e = self._evaluation
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c = theme_colours()
        if e is None or not any(getattr(x, self.kind) for x in e.classes):
            painter.setPen(c.muted)
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, ui("curve_none"))
            return
        box = self._box()
        axes(painter, box, ui(f"axis_{self.kind}_x"), ui(f"axis_{self.kind}_y"))
        if self.kind == "roc":
            painter.setPen(QPen(c.muted, 1, Qt.PenStyle.DashLine))
            painter.drawLine(box.bottomLeft(), box.topRight())
        for i, one in enumerate(e.classes):
            curve = getattr(one, self.kind)
            if curve is not None:
                polyline(painter, _points(box, curve), class_ink(one.name, i))
        self._paint_legend(painter, box)

    def tip_at(self, x: float, y: float) -> str:
        """The nearest point of a curve."""
        e, box = self._evaluation, self._box()
        if e is None:
            return ""
        best: tuple[float, str] = (_NEAR, "")
        for one in e.classes:
            curve = getattr(one, self.kind)
            if curve is None:
                continue
            far = np.hypot(box.left() + curve.x * box.width() - x,
                           box.bottom() - curve.y * box.height() - y)  # fmt: skip
            at = int(far.argmin())
            if far[at] < best[0]:
                cut = curve.threshold[at]
                best = (float(far[at]), ui(
                    "curve_tip", name=one.name, x=ui(f"axis_{self.kind}_x"),
                    y=ui(f"axis_{self.kind}_y"), a=numbers.fixed(curve.x[at], 2),
                    b=numbers.fixed(curve.y[at], 2),
                    cut="–" if not np.isfinite(cut) else numbers.probability(float(cut)),
                ))  # fmt: skip
        return best[1]


class CalibrationView(_Unit):
    """Share of right answers over the probability, with the number of predictions in each bin."""

    def _legend(self) -> list[tuple[QColor, str]]:
        e = self._evaluation
        if e is None:
            return []
        said = ui("calibration_error", value=estimate_text(e.ece.value, e.ece.ci95))
        return [(theme_colours().negative, said)]

    def _legend_rows(self) -> int:
        return 2

    def _beside(self, box: QRectF) -> bool:
        del box
        return False

    def _paint_legend(self, painter: QPainter, box: QRectF) -> None:
        metrics = painter.fontMetrics()
        painter.setPen(theme_colours().text)
        for _, text in self._legend():
            top = box.bottom() + 2.3 * metrics.height()
            area = QRectF(2, top, self.width() - 4, 2.4 * metrics.height())
            painter.drawText(area, int(Qt.TextFlag.TextWordWrap), text)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw bins, line and points."""
        e = self._evaluation
        if e is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        c = theme_colours()
        box = self._box()
        axes(painter, box, ui("calibration_x"), ui("calibration_y"))
        painter.setPen(QPen(c.muted, 1, Qt.PenStyle.DashLine))
        painter.drawLine(box.bottomLeft(), box.topRight())
        most = max((b.n for b in e.calibration), default=1) or 1
        shade = QColor(c.muted)
        shade.setAlpha(80)
        points = []
        for b in e.calibration:
            tall = 0.22 * box.height() * b.n / most
            left = box.left() + b.low * box.width()
            wide = (b.high - b.low) * box.width() - 1
            painter.fillRect(QRectF(left, box.bottom() - tall, wide, tall), shade)
            if b.n and b.confidence is not None and b.right is not None:
                points.append(QPointF(box.left() + b.confidence * box.width(),
                                      box.bottom() - b.right * box.height()))  # fmt: skip
        polyline(painter, points, c.negative)
        painter.setPen(QPen(c.text, 1))
        painter.setBrush(c.negative)
        for point in points:
            painter.drawEllipse(point, 3.5, 3.5)
        self._paint_legend(painter, box)

    def tip_at(self, x: float, y: float) -> str:
        """The bin under the cursor."""
        del y
        e, box = self._evaluation, self._box()
        if e is None:
            return ""
        share = (x - box.left()) / box.width()
        for b in e.calibration:
            if b.low <= share < b.high and b.n:
                return ui(
                    "calibration_tip", p=numbers.probability(b.confidence),
                    right=numbers.fixed(b.right or 0.0, 2), n=numbers.count(b.n),
                )  # fmt: skip
        return ""


def _points(box: QRectF, curve: Any) -> list[QPointF]:
    return [
        QPointF(box.left() + x * box.width(), box.bottom() - y * box.height())
        for x, y in zip(curve.x.tolist(), curve.y.tolist(), strict=True)
    ]
