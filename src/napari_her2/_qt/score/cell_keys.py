"""Keys of the Cells layer: bound on our own layer, so that they act while it is active only."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any, Protocol

from napari.layers import Points
from napari.utils.notifications import show_info

from napari_her2._qt.keys import CELLS_SILENCED, KEYS
from napari_her2._qt.texts import ui

__all__ = ["CellActions", "guard_cell_keys"]


class CellActions(Protocol):
    """What the keys call."""

    def correct_by_key(self, number: int) -> None:
        """Give the picked cell the class of a digit."""

    def next_doubtful(self, step: int = 1) -> None:
        """Go to the next (1) or previous (-1) doubtful cell in view."""

    def undo(self) -> None:
        """Take the last correction back."""

    def redo(self) -> None:
        """Make it again."""


def guard_cell_keys(layer: Points, actions: CellActions) -> None:
    """Bind our keys, and silence those of napari that would change the points.

    Parameters
    ----------
    layer : Points
        The layer of cells.
    actions : CellActions
        Held weakly: layers outlive results.
    """
    ref = weakref.ref(actions)
    for key in KEYS:
        if key.where == "cells":
            layer.bind_key(key.keys, _action(ref, key.action), overwrite=True)
    for name in ("Delete", "Backspace"):
        layer.bind_key(name, _stay, overwrite=True)
    for name in CELLS_SILENCED:
        layer.bind_key(name, _nothing, overwrite=True)


def _action(ref: weakref.ref[CellActions], name: str) -> Callable[[Any], None]:
    def run(_layer: Any) -> None:
        actions = ref()
        if actions is None:
            return
        if name.startswith("class_"):
            actions.correct_by_key(int(name.removeprefix("class_")))
        elif name == "undo":
            actions.undo()
        elif name == "redo":
            actions.redo()
        else:
            actions.next_doubtful(1 if name == "next_doubtful" else -1)

    return run


def _stay(_layer: Any) -> None:
    show_info(ui("cells_stay"))


def _nothing(_layer: Any) -> None:
    return None
