"""What the colours of the cells mean where they tell a number: a ramp with its two ends."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize
from qtpy.QtGui import QColor, QLinearGradient, QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QWidget

from napari_her2._qt.components.labels import line
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2.layers.cells import ramp_colours

__all__ = ["ScaleStrip"]

_HEIGHT = 10


class _Ramp(QWidget):
    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.stops: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        return QSize(80, _HEIGHT + 4)

    def paintEvent(self, _event: QPaintEvent) -> None:
        if not self.stops:
            return
        painter = QPainter(self)
        box = QRectF(0.5, 2.5, self.width() - 1, _HEIGHT - 1)
        ramp = QLinearGradient(box.left(), 0, box.right(), 0)
        for i, colour in enumerate(self.stops):
            ramp.setColorAt(i / (len(self.stops) - 1), QColor(colour))
        painter.setPen(QPen(theme_colours().muted, 1))
        painter.setBrush(ramp)
        painter.drawRect(box)


class ScaleStrip(QWidget):
    """Shown while cells are coloured by a number; the limits are fixed, so that slides compare."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.low, self.high = line("", muted=True), line("", muted=True)
        self._ramp = _Ramp()
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(6)
        layout.addWidget(self.low)
        layout.addWidget(self._ramp, 1)
        layout.addWidget(self.high)
        self.show_colouring("class")

    def show_colouring(self, name: str) -> None:
        """Show the ramp of a colouring; classes have their own swatches, densities their bar."""
        ramp = name in ("completeness", "od", "doubt")
        self.setVisible(ramp)
        if ramp:
            self._ramp.stops = ramp_colours(name)
            self.low.setText(ui(f"scale_{name}_low"))
            self.high.setText(ui(f"scale_{name}_high"))
            self._ramp.update()
