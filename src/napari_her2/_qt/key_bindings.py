"""Binds the table of keys to actions."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info

from napari_her2._qt.keys import KEYS, SILENCED
from napari_her2._qt.texts import ui

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["bind_viewer_keys", "guard_slide_keys"]


def bind_viewer_keys(
    viewer: ViewerModel,
    actions: Mapping[str, Callable[[], Any]],
    held: Mapping[str, Callable[[bool], Any]],
) -> None:
    """Bind the keys that work while the picture has the focus.

    Parameters
    ----------
    viewer : ViewerModel
        Where to bind; a second call replaces the first.
    actions : mapping of str to bound method
        By name of the action; kept weakly.
    held : mapping of str to bound method
        Actions that last while the key is down: called with True, then False.
    """
    for key in KEYS:
        if key.where != "viewer":
            continue
        if key.action in held:
            viewer.bind_key(key.keys, _while_held(held[key.action]), overwrite=True)
        elif key.action in actions:
            viewer.bind_key(key.keys, _once(actions[key.action]), overwrite=True)


def _weak(action: Callable[..., Any]) -> Callable[[], Callable[..., Any] | None]:
    if hasattr(action, "__self__"):
        return weakref.WeakMethod(action)
    return lambda: action


def _once(action: Callable[[], Any]) -> Callable[[Any], None]:
    ref = _weak(action)

    def run(_viewer: Any) -> None:
        call = ref()
        if call is not None:
            call()

    return run


def _while_held(action: Callable[[bool], Any]) -> Callable[[Any], Iterator[None]]:
    ref = _weak(action)

    def run(_viewer: Any) -> Iterator[None]:
        call = ref()
        if call is not None:
            call(True)
        yield
        call = ref()
        if call is not None:
            call(False)

    return run


def guard_slide_keys(layer: Layer) -> None:
    """Silence the keys of napari's image layers that would spoil a slide."""
    for key in SILENCED:
        layer.bind_key(key, _scores_elsewhere if key == "2" else _nothing, overwrite=True)


def _nothing(_layer: Any) -> None:
    return None


def _scores_elsewhere(_layer: Any) -> None:
    show_info(ui("keys_two"))
