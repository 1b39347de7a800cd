"""One cell: its picture, its likeliest classes, its membrane, and the keys that correct it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QRectF, Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QPen, QPixmap
from qtpy.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import ElidedLine, line, named, paragraph
from napari_her2._qt.components.tile_gallery import to_pixmap
from napari_her2._qt.score.class_bar import class_colour
from napari_her2._qt.score.facts import class_short
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.layers.colours import border_of

if TYPE_CHECKING:
    from napari_her2._qt.score.cell_facts import CellFacts

__all__ = ["CellCard", "CompletenessDial"]

CROP_PX = 96
_TOP = 3


class CompletenessDial(QWidget):
    """A ring, filled as far as the membrane is stained."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._share: float | None = None
        self._name = ""
        self.setFixedSize(TARGET_PX, TARGET_PX)

    def set_share(self, share: float | None, class_name: str = "") -> None:
        """Show a completeness from 0 to 1 in the colour of a class; None draws nothing."""
        self._share, self._name = share, class_name
        self.setVisible(share is not None)
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the empty ring, then the stained part of it from twelve o'clock on."""
        if self._share is None:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        box = QRectF(self.rect()).adjusted(4, 4, -4, -4)
        painter.setPen(QPen(theme_colours().muted, 1))
        painter.drawEllipse(box.adjusted(-2.5, -2.5, 2.5, 2.5))
        painter.drawEllipse(box.adjusted(2.5, 2.5, -2.5, -2.5))
        pen = QPen(class_colour(self._name), 4)
        pen.setCapStyle(Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        painter.drawArc(box, 90 * 16, -round(360 * 16 * min(max(self._share, 0.0), 1.0)))


class CellCard(QWidget):
    """The cell that was picked last.

    Signals
    -------
    class_chosen(str)
        The reader gives it this class.
    """

    class_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.crop = QLabel()
        self.crop.setFixedSize(CROP_PX, CROP_PX)
        self.crop.setScaledContents(True)
        named(self.crop, ui("cell_crop"))
        self.probs = ElidedLine()
        self.given = line("", muted=True)
        self.membrane = paragraph()
        self.dial = CompletenessDial()
        self._keys = QHBoxLayout()
        self._keys.setSpacing(2)
        keys = QHBoxLayout()
        keys.addLayout(self._keys)
        keys.addStretch()
        self._buttons: list[QToolButton] = []
        self._change = line(ui("cell_change"), muted=True)
        membrane = QHBoxLayout()
        membrane.setSpacing(4)
        membrane.addWidget(self.dial)
        membrane.addWidget(self.membrane, 1)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self.probs)
        words.addLayout(membrane)
        words.addWidget(self._change)
        words.addLayout(keys)
        words.addStretch()
        self._body = QWidget()
        body = QHBoxLayout(self._body)
        body.setContentsMargins(0, 0, 0, 0)
        body.setSpacing(8)
        body.addWidget(self.crop, 0, Qt.AlignmentFlag.AlignTop)
        body.addLayout(words, 1)
        self._empty = line(ui("cell_none"), muted=True)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(line(ui("cell"), bold=True))
        head.addWidget(self._empty, 1)
        head.addWidget(self.given, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self._body)
        self.set_classes(CELL_CLASSES)
        self.show_cell(None)

    def set_classes(self, classes: Sequence[str]) -> None:
        """The classes a cell can be given; their digit is their place."""
        for button in self._buttons:
            button.hide()
            button.deleteLater()
        self._buttons = []
        for i, name in enumerate(classes):
            button = QToolButton()
            button.setText(str(i))
            button.setFixedSize(TARGET_PX, TARGET_PX)
            button.setStyleSheet(_key_style(name))
            named(button, ui("cell_change_to", name=name), ui("cell_key", name=name, key=i))
            button.clicked.connect(lambda _=False, name=name: self.class_chosen.emit(name))
            self._keys.addWidget(button)
            self._buttons.append(button)
        self._change.setText(ui("cell_change", last=len(classes) - 1))

    def show_cell(self, cell: CellFacts | None) -> None:
        """Show a cell; None while none is picked."""
        self._body.setVisible(cell is not None)
        self._empty.setVisible(cell is None)
        self.given.setVisible(cell is not None)
        if cell is None:
            self.given.setText("")
            return
        if cell.crop is not None:
            self.crop.setPixmap(to_pixmap(cell.crop))
        else:
            empty = QPixmap(CROP_PX, CROP_PX)
            empty.fill(theme_colours().foreground)
            self.crop.setPixmap(empty)
        self.probs.setText(
            " | ".join(
                ui("class_share", name=class_short(name), share=numbers.probability(p))
                for name, p in cell.probs[:_TOP]
            )
        )
        if cell.corrected:
            said = ui("cell_was", now=cell.class_name, was=cell.given_class)
        else:
            said = ui("cell_is", now=cell.class_name)
        self.given.setText(said)
        self._show_membrane(cell)

    def _show_membrane(self, cell: CellFacts) -> None:
        parts = []
        if cell.completeness is not None:
            parts.append(ui("membrane_complete", percent=round(100 * cell.completeness)))
        if cell.od is not None:
            parts.append(ui("membrane_of_od", od=numbers.fixed(cell.od, 2)))
        self.membrane.setText(", ".join(parts))
        self.dial.set_share(cell.completeness, cell.class_name)


def _key_style(name: str) -> str:
    """A key in its class's colour, with the digit in the colour of the class's border."""
    fill = class_colour(name).name()
    text = border_of(fill)
    return (
        f"QToolButton {{ background: {fill}; color: {text}; border: 1px solid #D0D0D0;"
        " border-radius: 3px; font-weight: bold; padding: 0px; }"
        f"QToolButton:hover, QToolButton:focus {{ border: 2px solid {text}; }}"
    )
