"""The mouse over the picture: where it moves, and clicks that are no drags."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import QObject

from napari_her2._qt.layer_order import kind_of

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
        Its method that takes the place, world coordinates, of a click with the main button. Clicks
        of a drawing tool are not told.
    """
    me = weakref.ref(listener)
    viewer.mouse_move_callbacks.append(lambda _v, e: _call(me, moved, e))
    viewer.mouse_drag_callbacks.append(lambda v, e: _drag(me, clicked, v, e))


def _call(me: weakref.ref[QObject], name: str, *args: Any) -> None:
    listener = me()
    if listener is not None:
        getattr(listener, name)(*args)


def _drag(me: weakref.ref[QObject], clicked: str, viewer: Any, event: Any) -> Iterator[None]:
    start = tuple(event.pos) if getattr(event, "pos", None) is not None else None
    place = tuple(event.position)
    button = getattr(event, "button", 1)
    drawing = _is_drawing(viewer)
    yield
    moved = False
    while event.type == "mouse_move":
        now = getattr(event, "pos", None)
        if start is not None and now is not None:
            moved |= max(abs(now[0] - start[0]), abs(now[1] - start[1])) > _STILL_PX
        else:
            moved = True
        yield
    if not moved and button == 1 and not drawing:
        _call(me, clicked, place)


def _is_drawing(viewer: Any) -> bool:
    """Whether a drawing tool has the mouse: its layer is active and in a mode of drawing."""
    active = viewer.layers.selection.active
    return active is not None and kind_of(active) == "labels" and active.mode != "pan_zoom"
