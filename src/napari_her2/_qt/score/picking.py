"""What the mouse says about cells: the one under the cursor, and the one that was clicked."""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from qtpy.QtCore import QObject

from napari_her2._qt.clicks import listen_to_mouse

__all__ = ["CellPicker", "Pickable"]


class Pickable(Protocol):
    """What answers for cells at a place of the world (y, x)."""

    def describe_at(self, place_yx: tuple[float, ...]) -> str | None:
        """One line about the cell there; None if there is none."""

    def pick_at(self, place_yx: tuple[float, ...]) -> bool:
        """Pick the cell there; False if there is none."""

    def tell(self, text: str) -> None:
        """Show a hover line."""


class CellPicker(QObject):
    """Tells the cells of a window what the mouse does over the picture.

    Parameters
    ----------
    viewer : ViewerModel
        Listened to from now on.
    cells : Pickable
        Held weakly.
    parent : QObject
        Ends the listening with it.
    """

    def __init__(self, viewer: Any, cells: Pickable, parent: QObject) -> None:
        super().__init__(parent)
        self._cells = weakref.ref(cells)
        listen_to_mouse(viewer, self, "_on_move", "_on_clicked")

    def _on_move(self, event: Any) -> None:
        cells = self._cells()
        if cells is None:
            return
        text = cells.describe_at(tuple(event.position))
        if text is not None:
            cells.tell(text)

    def _on_clicked(self, place_yx: tuple[float, ...]) -> None:
        cells = self._cells()
        if cells is not None:
            cells.pick_at(place_yx)
