"""Style sheets that follow napari's theme."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from napari.settings import get_settings
from qtpy.QtWidgets import QWidget

__all__ = ["follow_theme"]

_MakeStyle = Callable[[], str]


class _Watcher:
    """Sets the style of all widgets alive again when the theme changes."""

    def __init__(self) -> None:
        self._followers: list[tuple[weakref.ref[QWidget], _MakeStyle]] = []
        get_settings().appearance.events.theme.connect(self._on_theme_changed)

    def add(self, widget: QWidget, make_style: _MakeStyle) -> None:
        """Style a widget now and at each change of theme."""
        self._followers = [f for f in self._followers if f[0]() not in (None, widget)]
        self._followers.append((weakref.ref(widget), make_style))
        widget.setStyleSheet(make_style())

    def _on_theme_changed(self, _event: Any = None) -> None:
        for ref, make_style in self._followers:
            widget = ref()
            if widget is None:
                continue
            try:
                widget.setStyleSheet(make_style())
            except RuntimeError:
                # Qt deleted it; Python has not noticed yet.
                continue


_WATCHER: list[_Watcher] = []


def follow_theme(widget: QWidget, make_style: _MakeStyle) -> None:
    """Style a widget with colours of the theme, now and whenever the theme changes.

    Parameters
    ----------
    widget : QWidget
        Held weakly. A second call replaces the first.
    make_style : callable
        Gives the style sheet; must not hold the widget.
    """
    if not _WATCHER:
        _WATCHER.append(_Watcher())
    _WATCHER[0].add(widget, make_style)
