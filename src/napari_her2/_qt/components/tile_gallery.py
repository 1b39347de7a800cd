"""Small pictures of tiles: click to fly there, hover for the probabilities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSize, Signal
from qtpy.QtGui import QIcon, QImage, QPixmap, QResizeEvent
from qtpy.QtWidgets import QGridLayout, QSizePolicy, QToolButton, QWidget

from napari_her2._qt.components.labels import named
from napari_her2._qt.style import theme_colours
from napari_her2._qt.theming import follow_theme

__all__ = ["TileGallery", "to_pixmap"]


def to_pixmap(rgb: NDArray[np.uint8]) -> QPixmap:
    """Make a picture of pixels.

    Parameters
    ----------
    rgb : ndarray of uint8
        Shape (height, width, 3).
    """
    pixels = np.ascontiguousarray(rgb)
    h, w = pixels.shape[:2]
    # copy(): the image must own its pixels, the array goes away.
    return QPixmap.fromImage(QImage(pixels.data, w, h, 3 * w, QImage.Format.Format_RGB888).copy())


class TileGallery(QWidget):
    """Up to ``columns`` x ``rows`` tiles.

    Signals
    -------
    tile_requested(int)
        A tile was clicked; its number in the list.
    """

    tile_requested = Signal(int)

    def __init__(self, columns: int = 6, rows: int = 2, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._columns = columns
        self._buttons: list[QToolButton] = []
        layout = QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        for i in range(columns * rows):
            button = QToolButton()
            button.setCheckable(True)
            button.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            button.setMinimumSize(24, 24)
            keep = button.sizePolicy()
            keep.setRetainSizeWhenHidden(i < columns)
            button.setSizePolicy(keep)
            button.clicked.connect(lambda _=False, i=i: self.tile_requested.emit(i))
            layout.addWidget(button, i // columns, i % columns)
            self._buttons.append(button)
        for column in range(columns):
            layout.setColumnStretch(column, 1)
        follow_theme(self, _style)
        self.set_tips([])

    def __len__(self) -> int:
        return sum(not b.isHidden() for b in self._buttons)

    @property
    def capacity(self) -> int:
        """Most tiles that can be shown."""
        return len(self._buttons)

    def set_tips(self, tips: list[str]) -> None:
        """Show so many empty tiles, each with its tooltip; pictures follow."""
        for i, button in enumerate(self._buttons):
            button.setIcon(QIcon())
            button.setChecked(False)
            shown = i < len(tips)
            button.setVisible(shown)
            button.setEnabled(shown)
            if shown:
                named(button, tips[i], tips[i])
        self.setVisible(bool(tips))

    def set_picture(self, index: int, rgb: NDArray[np.uint8]) -> None:
        """Give a tile its picture."""
        if index < len(self._buttons):
            self._buttons[index].setIcon(QIcon(to_pixmap(rgb)))

    def has_picture(self, index: int) -> bool:
        """Whether a tile has its picture."""
        return not self._buttons[index].icon().isNull()

    def set_current(self, index: int) -> None:
        """Mark the tile that the view is at."""
        for i, button in enumerate(self._buttons):
            button.setChecked(i == index)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the tiles square."""
        super().resizeEvent(event)
        gap = self.layout().spacing()
        side = max(24, (self.width() - gap * (self._columns - 1)) // self._columns)
        for button in self._buttons:
            button.setFixedHeight(side)
            button.setIconSize(QSize(side - 4, side - 4))


def _style() -> str:
    c = theme_colours()
    return (
        f"QToolButton {{ background: {c.foreground.name()}; border: 2px solid transparent;"
        " border-radius: 3px; padding: 0px; }"
        f"QToolButton:hover {{ border-color: {c.primary.lighter(140).name()}; }}"
        f"QToolButton:checked {{ border-color: {c.accent.name()}; }}"
        f"QToolButton:focus {{ border-color: {c.text.name()}; }}"
    )
