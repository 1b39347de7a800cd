"""The mouse over the picture: where it moves, and clicks that are no drags."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QObject

__all__ = ["listen_to_mouse"]

_STILL_PX = 4
"""A click that moved less than this is no drag."""


def listen_to_mouse(viewer: Any, listener: QObject, moved: str, clicked: str) -> None:
    """Call methods of an object when the mouse moves or clicks in a viewer.

    Parameters
    ----------
    viewer : ViewerModel
        It keeps callbacks strongly; they keep the listener weakly.
    listener : QObject
        Called as long as it lives.
    moved : str
        Its method that takes the event of a move.
    clicked : str
        Its method that takes the place, world coordinates, of a click with the main button.
    """
    me = weakref.ref(listener)
    viewer.mouse_move_callbacks.append(lambda _v, e: _call(me, moved, e))
    viewer.mouse_drag_callbacks.append(lambda _v, e: _drag(me, clicked, e))


def _call(me: weakref.ref[QObject], name: str, *args: Any) -> None:
    listener = me()
    if listener is not None:
        getattr(listener, name)(*args)


def _drag(me: weakref.ref[QObject], clicked: str, event: Any) -> Iterator[None]:
    start = tuple(event.pos) if getattr(event, "pos", None) is not None else None
    place = tuple(event.position)
    button = getattr(event, "button", 1)
    yield
    moved = False
    while event.type == "mouse_move":
        now = getattr(event, "pos", None)
        if start is not None and now is not None:
            moved |= max(abs(now[0] - start[0]), abs(now[1] - start[1])) > _STILL_PX
        else:
            moved = True
        yield
    if not moved and button == 1:
        _call(me, clicked, place)
