"""Keys of the ``Labels`` layer: bound on our own layer, they act while it is active only."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

from napari_her2._qt.keys import LABEL_KEYS, LABELS_SILENCED

if TYPE_CHECKING:
    from napari.layers import Layer

__all__ = ["LabelActions", "guard_label_keys"]


class LabelActions(Protocol):
    """What the keys call."""

    def do(self, action: str) -> None:
        """Do the action of a key by its name."""

    def hold_space(self, held: bool) -> None:
        """Give the mouse to the camera while the key is down."""


def guard_label_keys(layer: Layer, actions: LabelActions) -> None:
    """Bind our keys, and silence those of napari that would change shapes behind our back.

    Parameters
    ----------
    layer : Layer
        The ``Labels`` layer, or one that belongs to it.
    actions : LabelActions
        Held weakly.
    """
    ref = weakref.ref(actions)
    for name in LABELS_SILENCED:
        layer.bind_key(name, _nothing, overwrite=True)
    for key in LABEL_KEYS:
        layer.bind_key(key.keys, _action(ref, key.action), overwrite=True)
    layer.bind_key("Space", _held(ref), overwrite=True)


def _action(ref: weakref.ref[LabelActions], name: str) -> Callable[[Any], None]:
    def run(_layer: Any) -> None:
        actions = ref()
        if actions is not None:
            actions.do(name)

    return run


def _held(ref: weakref.ref[LabelActions]) -> Callable[[Any], Iterator[None]]:
    def run(_layer: Any) -> Iterator[None]:
        actions = ref()
        if actions is not None:
            actions.hold_space(True)
        yield
        actions = ref()
        if actions is not None:
            actions.hold_space(False)

    return run


def _nothing(_layer: Any) -> None:
    return None
