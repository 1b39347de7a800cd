"""The shares of the classes: a swatch and a number each, and below them one stacked bar."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QHelpEvent, QIcon, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import (
    QAbstractButton,
    QHBoxLayout,
    QSizePolicy,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import line, named
from napari_her2._qt.score.facts import ClassShare, class_short
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2.layers.colours import CELL_CLASSES

__all__ = ["ClassShares", "StackedBar", "class_colour", "swatch"]

_NUCLEAR = {
    "negative": "Tumour 0", "weak": "Tumour 1+", "moderate": "Tumour 2+", "strong": "Tumour 3+",
}  # fmt: skip
_OUTLINE = QColor("#D0D0D0")
_BAR_PX = 16
_SWATCH = 10
_GAP = 3


def class_colour(name: str) -> QColor:
    """Colour of a class of cells, as its points have it."""
    key = _NUCLEAR.get(name, name[:1].upper() + name[1:])
    return QColor(CELL_CLASSES.get(key, "#808080"))


def swatch(name: str, side: int = 12) -> QIcon:
    """A square of the class's colour; its outline shows dark classes on a dark dock."""
    picture = QPixmap(side, side)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    painter.setPen(QPen(_OUTLINE, 1))
    painter.setBrush(class_colour(name))
    painter.drawRect(0, 0, side - 1, side - 1)
    painter.end()
    return QIcon(picture)


class StackedBar(QWidget):
    """One bar, as wide as all cells together.

    Signals
    -------
    class_clicked(str)
        Its part was clicked.
    """

    class_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._shares: tuple[ClassShare, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """A line of text high."""
        return QSize(200, TARGET_PX)

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(60, TARGET_PX)

    def set_shares(self, shares: Sequence[ClassShare]) -> None:
        """Show these, left to right."""
        self._shares = tuple(shares)
        self.update()

    def class_at(self, x: float) -> str | None:
        """Class of the part at a place; None where nothing was counted."""
        left = 0.0
        for share in self._shares:
            right = left + share.share * self.width()
            if share.n and left <= x <= right:
                return share.name
            left = right
        return None

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Tell which part was clicked."""
        name = self.class_at(event.position().x())
        if name is not None and event.button() == Qt.MouseButton.LeftButton:
            self.class_clicked.emit(name)

    def event(self, event: QHelpEvent) -> bool:
        """Tell class and number under the cursor."""
        if event.type() == QHelpEvent.Type.ToolTip:
            name = self.class_at(event.pos().x())
            share = next((s for s in self._shares if s.name == name), None)
            if share is not None:
                QToolTip.showText(event.globalPos(), _tip(share), self)
                return True
        return bool(super().event(event))

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the parts, each with an outline, so that two dark ones stay two."""
        painter = QPainter(self)
        top = (self.height() - _BAR_PX) / 2
        left = 0.5
        full = self.width() - 1.0
        painter.setPen(QPen(theme_colours().muted, 1))
        painter.drawRect(QRectF(0.5, top, full, _BAR_PX))
        painter.setPen(QPen(_OUTLINE, 1))
        for share in self._shares:
            width = share.share * full
            if share.n:
                painter.setBrush(class_colour(share.name))
                painter.drawRect(QRectF(left, top, max(width, 1.5), _BAR_PX))
            left += width


class ShareButton(QAbstractButton):
    """A swatch and a number, drawn tight: four of them stand in the width of a dock."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = name
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        """Swatch, gap, text."""
        text = self.fontMetrics().horizontalAdvance(self.text())
        return QSize(_SWATCH + 2 * _GAP + text, TARGET_PX)

    def minimumSizeHint(self) -> QSize:
        """The whole text is always seen."""
        return self.sizeHint()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw swatch and text, underlined while the cursor is on it, framed with the focus."""
        painter = QPainter(self)
        colours = theme_colours()
        top = (self.height() - _SWATCH) // 2
        painter.setPen(QPen(_OUTLINE, 1))
        painter.setBrush(class_colour(self._name))
        painter.drawRect(0, top, _SWATCH - 1, _SWATCH - 1)
        painter.setPen(colours.text)
        font = painter.font()
        font.setUnderline(self.underMouse())
        painter.setFont(font)
        box = self.rect().adjusted(_SWATCH + _GAP, 0, 0, 0)
        painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, self.text())
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRect(self.rect().adjusted(0, 0, -1, -1))


class ClassShares(QWidget):
    """Four numbers with their colours over the bar.

    Signals
    -------
    class_clicked(str)
        Show only this class.
    """

    class_clicked = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._buttons: list[ShareButton] = []
        self._names: tuple[str, ...] = ()
        self._row = QHBoxLayout()
        self._row.setSpacing(0)
        self._so_far = line(ui("so_far"), muted=True)
        self.bar = StackedBar()
        self.bar.class_clicked.connect(self.class_clicked)
        below = QHBoxLayout()
        below.setSpacing(4)
        below.addWidget(self.bar, 1)
        below.addWidget(self._so_far)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(1)
        layout.addLayout(self._row)
        layout.addLayout(below)

    def set_shares(self, shares: Sequence[ClassShare], *, so_far: bool) -> None:
        """Show the shares; ``so_far`` while cells are missing."""
        names = tuple(s.name for s in shares)
        if names != self._names:
            self._rebuild(names)
        for button, share in zip(self._buttons, shares, strict=True):
            text = ui("class_share", name=class_short(share.name), share=share.text)
            if text != button.text():
                button.setText(text)
                button.updateGeometry()
            said = f"{text}, {ui('so_far')}" if so_far else text
            named(button, said, ui("class_only_tip", tip=_tip(share)))
        self.bar.set_shares(shares)
        self._so_far.setVisible(so_far)

    @property
    def texts(self) -> list[str]:
        """What the numbers say."""
        return [str(b.text()) for b in self._buttons]

    def _rebuild(self, names: tuple[str, ...]) -> None:
        for button in self._buttons:
            button.hide()
            button.deleteLater()
        self._buttons = []
        self._names = names
        for name in names:
            button = ShareButton(name)
            button.clicked.connect(lambda _=False, name=name: self.class_clicked.emit(name))
            self._row.addWidget(button)
            self._buttons.append(button)


def _tip(share: ClassShare) -> str:
    return ui("class_tip", name=share.name, n=numbers.count(share.n))
