"""Why this probability: what was counted at t, how p+ and p- are spread, what each input weighs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QPointF, QRectF, QSignalBlocker, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QSlider, QVBoxLayout, QWidget

from napari_her2._qt import numbers
from napari_her2._qt.components.histogram import ThresholdHistograms
from napari_her2._qt.components.labels import (
    ElidedLine,
    fold_button,
    line,
    named,
    paragraph,
    small_button,
)
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2.models.protocols import SlideScore

__all__ = ["WhyPanel"]

_PREVIEW_MS = 100


class FeatureTable(QWidget):
    """The inputs of the slide result: value, weight, and how far each pushes the result."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[tuple[str, float, float]] = []
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def set_rows(self, rows: list[tuple[str, float, float]]) -> None:
        """Show (name, value, weight)."""
        self._rows = rows
        spoken = "; ".join(f"{n} {v:.3g} x {w:.3g}" for n, v, w in rows)
        named(self, ui("why_features"), None)
        self.setAccessibleDescription(spoken)
        self.updateGeometry()
        self.update()

    def _row_height(self) -> int:
        return int(self.fontMetrics().height()) + 1

    def sizeHint(self) -> QSize:
        """One line a row."""
        return QSize(280, self._row_height() * len(self._rows) + 2)

    def minimumSizeHint(self) -> QSize:
        """The same height at any width."""
        return QSize(200, self.sizeHint().height())

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Name, value, weight, and a bar to the right (raises) or left (lowers)."""
        painter = QPainter(self)
        c = theme_colours()
        pushes = [v * w for _, v, w in self._rows]
        widest = max((abs(p) for p in pushes), default=0.0) or 1.0
        h = self._row_height()
        w = self.width()
        middle, reach = w * 0.86, w * 0.13
        for i, ((name, value, weight), push) in enumerate(zip(self._rows, pushes, strict=True)):
            box = QRectF(0, i * h, w, h)
            painter.setPen(c.text if weight else c.muted)
            painter.drawText(box.adjusted(0, 0, -w * 0.5, 0), Qt.AlignmentFlag.AlignLeft, name)
            painter.drawText(
                QRectF(w * 0.40, i * h, w * 0.14, h),
                Qt.AlignmentFlag.AlignRight,
                numbers.significant(value, 2) if value else "0",
            )
            painter.drawText(
                QRectF(w * 0.55, i * h, w * 0.16, h),
                Qt.AlignmentFlag.AlignRight,
                f"x {weight:+.2f}" if weight else "x 0",
            )
            length = reach * push / widest
            bar = QRectF(middle, i * h + 3, length, h - 6).normalized()
            painter.fillRect(bar, c.positive if push > 0 else c.negative)
        painter.setPen(QPen(c.muted, 1))
        painter.drawLine(QPointF(middle, 0), QPointF(middle, h * len(self._rows)))


class WhyPanel(QWidget):
    """Folded: the counts and the t slider. Unfolded: histograms and weighted inputs.

    Signals
    -------
    threshold_previewed(float)
        t is being moved; at most ten times a second.
    threshold_chosen(float)
        t was let go or set by key.
    threshold_reset()
        Back to the model's own t.
    bar_clicked(str, float, float)
        See :class:`~napari_her2._qt.components.histogram.ThresholdHistograms`.
    """

    threshold_previewed = Signal(float)
    threshold_chosen = Signal(float)
    threshold_reset = Signal()
    bar_clicked = Signal(str, float, float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._made: float | None = None
        self.fold = fold_button(ui("why_closed_none"))
        self._counts = ElidedLine(muted=True)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(5, 99)
        self.slider.setSingleStep(1)
        self.slider.setPageStep(5)
        self.slider.setMinimumHeight(TARGET_PX)
        named(self.slider, ui("why_t_tip"), ui("why_t_tip"))
        self._t_text = line("")
        self._t_text.setMinimumWidth(self._t_text.fontMetrics().horizontalAdvance("0.00") + 4)
        self.reset = small_button(ui("reset"), ui("reset_tip"))
        self._choice = paragraph()
        self._plots = ThresholdHistograms()
        self._features_head = line(ui("why_features"), muted=True)
        self._features = FeatureTable()

        head = QHBoxLayout()
        head.addWidget(self.fold)
        head.addWidget(self._counts, 1)
        t_row = QHBoxLayout()
        t_row.addWidget(line(ui("why_t"), bold=True))
        t_row.addWidget(self.slider, 1)
        t_row.addWidget(self._t_text)
        t_row.addWidget(self.reset)
        self._body = QWidget()
        body = QVBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.addWidget(self._plots)
        body.addWidget(self._features_head)
        body.addWidget(self._features)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addLayout(t_row)
        layout.addWidget(self._choice)
        layout.addWidget(self._body)
        self._body.setVisible(False)
        self._choice.setVisible(False)
        self.reset.setVisible(False)

        self._pending: float | None = None
        self._throttle = QTimer(self)
        self._throttle.setSingleShot(True)
        self._throttle.setInterval(_PREVIEW_MS)
        self._throttle.timeout.connect(self._send_preview)
        self.fold.toggled.connect(self._body.setVisible)
        self.slider.valueChanged.connect(self._on_value_changed)
        self.slider.sliderReleased.connect(lambda: self._choose(self.slider.value() / 100))
        self._plots.threshold_dragged.connect(self._on_plot_dragged)
        self._plots.threshold_released.connect(self._choose)
        self._plots.bar_clicked.connect(self.bar_clicked)
        self.reset.clicked.connect(self.threshold_reset)

    def show_score(
        self,
        score: SlideScore | None,
        made: float | None,
        positive: NDArray[np.float32] | None = None,
        negative: NDArray[np.float32] | None = None,
    ) -> None:
        """Show what a slide result rests on.

        Parameters
        ----------
        score : SlideScore or None
            None where the model has no slide-level part or nothing was scored.
        made : float or None
            The t the model was made with.
        positive, negative : ndarray, optional
            p+ and p- of all tiles; NaN left out.
        """
        self._made = made
        t = None if score is None else score.threshold
        slide_part = score is not None
        self.slider.setEnabled(slide_part and t is not None)
        if score is None:
            self.fold.setText(ui("why_closed_none"))
            self._counts.setText("")
        else:
            p = score.probability
            self.fold.setText(
                ui("why_closed_none") if p is None else ui("why_closed", p=numbers.probability(p))
            )
            ratio = "–" if score.ratio is None else numbers.significant(score.ratio, 3)
            self._counts.setText(
                ui(
                    "why_counts",
                    positive=numbers.count(score.n_positive),
                    negative=numbers.count(score.n_negative),
                    ratio=ratio,
                )
            )
        if t is not None and not self.slider.isSliderDown():
            with QSignalBlocker(self.slider):
                self.slider.setValue(round(t * 100))
        self._t_text.setText("" if t is None else numbers.probability(t))
        chosen = t is not None and made is not None and abs(t - made) > 1e-6
        self.reset.setVisible(chosen)
        self._choice.setVisible(chosen)
        if chosen and t is not None:
            self._choice.setText(
                ui("why_choice", t=numbers.probability(t), made=numbers.probability(made))
            )
        if positive is not None and negative is not None:
            self._plots.set_scores(positive, negative)
        self._plots.set_threshold(t, made)
        rows = [] if score is None else _feature_rows(score)
        self._features_head.setVisible(bool(rows))
        self._features.set_rows(rows)

    @property
    def counts(self) -> str:
        """N+, N- and their ratio as shown."""
        return self._counts.text()

    @property
    def choice(self) -> str:
        """The sentence shown while t is not the model's own; empty else."""
        return "" if self._choice.isHidden() else str(self._choice.text())

    def _on_value_changed(self, value: int) -> None:
        t = value / 100
        self._t_text.setText(numbers.probability(t))
        if self.slider.isSliderDown():
            self._preview(t)
        else:
            self._choose(t)

    def _on_plot_dragged(self, t: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(round(t * 100))
        self._preview(t)

    def _preview(self, t: float) -> None:
        self._pending = t
        if not self._throttle.isActive():
            self._send_preview()
            self._throttle.start()

    def _send_preview(self) -> None:
        if self._pending is not None:
            t, self._pending = self._pending, None
            self.threshold_previewed.emit(t)
            self._throttle.start()

    def _choose(self, t: float) -> None:
        self._pending = None
        self._throttle.stop()
        self.threshold_chosen.emit(t)


def _feature_rows(score: SlideScore) -> list[tuple[str, float, float]]:
    rows = []
    for name, value in score.features.items():
        rows.append((_feature_name(name), value, score.weights.get(name, 0.0)))
    return rows


def _feature_name(name: str) -> str:
    if name == "ratio":
        return ui("feature_ratio")
    kind, _, span = name.partition(" ")
    low, _, high = span.partition("-")
    if kind in ("p+", "p-") and high:
        return ui("feature_pos" if kind == "p+" else "feature_neg", low=low, high=high)
    return name
