"""What the mouse says about cells: the one under the cursor, and the one that was clicked."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any, Protocol

from qtpy.QtCore import QObject

__all__ = ["CellPicker", "Pickable"]

_STILL_PX = 4
"""A click that moved less than this is no drag."""


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
        # The viewer keeps callbacks strongly; they must not keep the session.
        me = weakref.ref(self)
        viewer.mouse_move_callbacks.append(lambda _v, e: _call(me, "_on_move", e))
        viewer.mouse_drag_callbacks.append(lambda _v, e: _drag(me, e))

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


def _call(me: weakref.ref[CellPicker], name: str, *args: Any) -> None:
    picker = me()
    if picker is not None:
        getattr(picker, name)(*args)


def _drag(me: weakref.ref[CellPicker], event: Any) -> Iterator[None]:
    start = tuple(event.pos) if getattr(event, "pos", None) is not None else None
    place = tuple(event.position)
    button = getattr(event, "button", 1)
    yield
    moved = False
    while event.type == "mouse_move":
        now = getattr(event, "pos", None)
        if start is None or now is None:
            moved = True
        else:
            moved |= max(abs(now[0] - start[0]), abs(now[1] - start[1])) > _STILL_PX
        yield
    if not moved and button == 1:
        _call(me, "_on_clicked", place)
