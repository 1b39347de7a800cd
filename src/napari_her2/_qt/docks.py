"""Opening a dock by name from another one, beside those that are there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDockWidget, QWidget

from napari_her2._qt.texts import ui

if TYPE_CHECKING:
    from napari_her2._qt.session import Session

__all__ = ["find_dock", "open_dock"]

PLUGIN: Final = "napari-her2"
_TEXTS: Final = {
    "her2-slide": "dock_slide",
    "her2-predict": "dock_predict",
    "her2-score": "dock_score",
    "her2-annotate": "dock_annotate",
    "her2-train": "dock_train",
}


def find_dock(session: Session, name: str) -> QWidget | None:
    """A dock that is there, by its object name."""
    keeper = session.keeper
    docks = [] if keeper is None else keeper.docks
    return next((d for d in docks if d.objectName() == name), None)


def open_dock(session: Session, name: str) -> QWidget | None:
    """Bring a dock to the front; make it first, behind our others, if it is not there.

    Parameters
    ----------
    session : Session
        The window.
    name : str
        Object name of the dock, such as ``her2-annotate``.

    Returns
    -------
    QWidget or None
        The dock; None where the viewer has no window.
    """
    dock = find_dock(session, name)
    if dock is None:
        window: Any = getattr(session.viewer, "window", None)
        if window is None or name not in _TEXTS:
            return None
        beside = _frame_of(find_dock(session, "her2-predict") or find_dock(session, "her2-score"))
        frame, dock = window.add_plugin_dock_widget(PLUGIN, ui(_TEXTS[name]))
        if beside is not None:
            frame.window().tabifyDockWidget(beside, frame)
    frame = _frame_of(dock)
    if frame is not None:
        frame.setVisible(True)
        frame.raise_()
    dock.setFocus(Qt.FocusReason.OtherFocusReason)
    return dock


def _frame_of(dock: QWidget | None) -> QDockWidget | None:
    parent = None if dock is None else dock.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent
