"""What the docks share of the window they are in: its keys, its closing, which dock is in front."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QEvent, QObject, Qt, QTimer
from qtpy.QtGui import QKeySequence, QShortcut
from qtpy.QtWidgets import QDockWidget, QMainWindow, QMessageBox, QWidget

from napari_her2._contrib.reader import get_reader
from napari_her2._qt import numbers
from napari_her2._qt.actions import ViewerActions
from napari_her2._qt.components.keys_sheet import KeysSheet
from napari_her2._qt.components.notice_dialog import NoticeDialog, notice_accepted
from napari_her2._qt.keys import KEYS
from napari_her2._qt.slide.actions import open_paths
from napari_her2._qt.texts import ui

if TYPE_CHECKING:
    from napari_her2._qt.session import Session

__all__ = ["WindowKeeper", "adopt_window"]


def adopt_window(session: Session, dock: QWidget) -> WindowKeeper:
    """Let a dock take part in its window's keys and closing; call it when the dock is made."""
    if session.keeper is None:
        session.keeper = WindowKeeper(session)
    session.keeper.add(dock)
    return session.keeper


class WindowKeeper(QObject):
    """Sends window-wide keys to the dock in front and asks before a window with a run closes.

    A dock may have ``run()`` and ``cancel()``; it is found by the window once it is docked.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._docks: list[weakref.ref[QWidget]] = []
        # Weakly: the session lives as long as its viewer, which lives as long as its window.
        self._window_ref: weakref.ref[QMainWindow] | None = None
        self._front: weakref.ref[QWidget] | None = None
        self._followed: weakref.WeakSet[QWidget] = weakref.WeakSet()
        self.actions = ViewerActions(session)
        self.actions.docks_toggled.connect(self.toggle_docks)
        session.facts_changed.connect(self._on_facts_changed)

    @property
    def _window(self) -> QMainWindow | None:
        window = self._window_ref() if self._window_ref is not None else None
        return window if window is not None and _alive(window) else None

    @property
    def window_found(self) -> bool:
        """Whether the window of the docks is known yet: from its first showing on."""
        return self._window is not None

    # docks --------------------------------------------------------------------------------

    def add(self, dock: QWidget) -> None:
        """Take a dock in; its window is known once it is shown."""
        self._docks = [r for r in self._docks if r() is not None]
        self._docks.append(weakref.ref(dock))
        dock.installEventFilter(self)
        back = QShortcut(QKeySequence("Esc"), dock)
        back.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        back.activated.connect(self.focus_picture)

    @property
    def docks(self) -> list[QWidget]:
        """The docks that are there."""
        found = (r() for r in self._docks)
        return [d for d in found if d is not None and _alive(d)]

    def front(self, method: str) -> QWidget | None:
        """The dock that a key goes to: the one with the focus, else shown last, else any."""
        able = [d for d in self.docks if hasattr(d, method) and _in_sight(d)]
        for dock in able:
            focus = dock.window().focusWidget()
            if focus is not None and dock.isAncestorOf(focus):
                return dock
        last = self._front() if self._front is not None else None
        if last in able:
            return last
        return able[0] if able else None

    def toggle_docks(self) -> None:
        """Hide our docks, or show them again."""
        frames = [f for f in (_frame(d) for d in self.docks) if f is not None]
        shown = any(f.isVisible() for f in frames)
        for frame in frames:
            frame.setVisible(not shown)

    def _follow_tab(self, dock: QWidget) -> None:
        """Notice when a dock's tab is chosen: Qt shows all docks of a row of tabs at once."""
        frame = _frame(dock)
        if frame is None or dock in self._followed:
            return
        self._followed.add(dock)
        me, ref = weakref.ref(self), weakref.ref(dock)

        def told(visible: bool) -> None:
            keeper, shown = me(), ref()
            if visible and keeper is not None and shown is not None:
                keeper.come_to_front(shown)

        frame.visibilityChanged.connect(told)

    def come_to_front(self, dock: QWidget) -> None:
        """Keys go to this dock from now on, and those of the picture to its result."""
        self._front = weakref.ref(dock)
        result = {
            "her2-predict": "predict", "her2-score": "score", "her2-annotate": "annotate",
        }.get(dock.objectName())  # fmt: skip
        if result is not None:
            self._session.front = result
        told = getattr(dock, "came_to_front", None)
        if told is not None:
            told()

    def raise_dock(self, name: str) -> None:
        """Bring a dock to the front of its tabs; one that is not there stays away."""
        for dock in self.docks:
            frame = _frame(dock)
            if dock.objectName() == name and frame is not None:
                frame.setVisible(True)
                frame.raise_()

    def _on_facts_changed(self) -> None:
        """Once its stain is known, a slide brings the dock that is made for it to the front."""
        entry = self._session.active
        if entry is None or entry.survey is None or entry.extra.get("greeted"):
            return
        entry.extra["greeted"] = True
        stain = entry.stain or entry.survey.stain.stain
        predict, score = self._session.predict, self._session.score
        if stain == "H&E" and not score.running:
            self.raise_dock("her2-predict")
        elif stain == "H-DAB" and not predict.running:
            self.raise_dock("her2-score")

    # window -------------------------------------------------------------------------------

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notice when a dock is shown, and when the window wants to close."""
        if event.type() == QEvent.Type.Show and isinstance(watched, QWidget):
            if watched is not self._window:
                self.come_to_front(watched)
                self._follow_tab(watched)
                self._find_window(watched)
        elif event.type() == QEvent.Type.Close and watched is self._window:
            return self._on_window_closing(event)
        elif event.type() == QEvent.Type.Drop:
            return self._on_dropped(event)
        return False

    def _on_dropped(self, event: QEvent) -> bool:
        """Open slides that are dropped on the picture; leave everything else to napari.

        napari would ask which of its readers to take for each file name it does not know. With Alt
        held that question is what the user wants.
        """
        if event.modifiers() & Qt.KeyboardModifier.AltModifier:
            return False
        urls = event.mimeData().urls()
        paths = [Path(u.toLocalFile()) for u in urls if u.isLocalFile()]
        if not paths or len(paths) < len(urls) or not all(get_reader(str(p)) for p in paths):
            return False
        event.acceptProposedAction()
        # Later: the program that files are dragged from waits until this returns.
        QTimer.singleShot(0, lambda: open_paths(self._session, paths))
        return True

    def _find_window(self, dock: QWidget) -> None:
        window = dock.window()
        if self._window is not None or not isinstance(window, QMainWindow):
            return
        self._window_ref = weakref.ref(window)
        window.installEventFilter(self)
        for widget in window.centralWidget().findChildren(QWidget):
            if widget.acceptDrops():
                widget.installEventFilter(self)
        for key in KEYS:
            if key.where == "window":
                for keys in _both_enters(key.keys):
                    shortcut = QShortcut(QKeySequence(keys), window)
                    shortcut.setContext(Qt.ShortcutContext.WindowShortcut)
                    shortcut.activated.connect(getattr(self, key.action))
        if not notice_accepted():
            QTimer.singleShot(0, self._show_notice)

    def _show_notice(self) -> None:
        if self._window is not None and not notice_accepted():
            NoticeDialog(self._window).exec()

    def _on_window_closing(self, event: QEvent) -> bool:
        if self._session.runner.running and event.spontaneous() and not self._may_close():
            event.ignore()
            return True
        self._session.close()
        return False

    def _may_close(self) -> bool:
        box = QMessageBox(self._window)
        box.setWindowTitle(ui("close_title"))
        tiles = self._session.predict.live_tiles + self._session.score.live_tiles
        asked = ui("close_ask", n=numbers.count(tiles))
        box.setText(ui("close_ask_train") if self._session.train.running else asked)
        stop = box.addButton(ui("close_stop"), QMessageBox.ButtonRole.AcceptRole)
        box.addButton(ui("close_stay"), QMessageBox.ButtonRole.RejectRole)
        box.exec()
        return bool(box.clickedButton() is stop)

    # window-wide keys -----------------------------------------------------------------------

    def run(self) -> None:
        """Main button of the dock in front."""
        self._send("run")

    def cancel(self) -> None:
        """Cancel the run of the dock in front."""
        self._send("cancel")

    def help(self) -> None:
        """Show the sheet of keys."""
        if self._window is not None:
            self._sheet = KeysSheet(self._window)
            self._sheet.show()

    def switch_focus(self) -> None:
        """Move the focus between picture and dock."""
        if self._window is None:
            return
        focus: Any = self._window.focusWidget()
        inside = [d for d in self.docks if focus is not None and d.isAncestorOf(focus)]
        if inside:
            self.focus_picture()
            return
        dock = self.front("setFocus")
        if dock is not None:
            for child in dock.findChildren(QWidget):
                if child.focusPolicy() & Qt.FocusPolicy.TabFocus and child.isVisible():
                    child.setFocus(Qt.FocusReason.TabFocusReason)
                    return

    def focus_picture(self) -> None:
        """Give the keys back to the picture."""
        if self._window is None:
            return
        for child in self._window.centralWidget().findChildren(QWidget):
            strong = child.focusPolicy() & Qt.FocusPolicy.StrongFocus
            if strong == Qt.FocusPolicy.StrongFocus and child.isVisible():
                child.setFocus()
                return

    def _send(self, method: str) -> None:
        dock = self.front(method)
        if dock is not None:
            getattr(dock, method)()


def _both_enters(keys: str) -> tuple[str, ...]:
    """Return and the Enter of the number block are two keys to Qt, one to people."""
    return (keys, keys.replace("Return", "Enter")) if "Return" in keys else (keys,)


def _frame(dock: QWidget) -> QDockWidget | None:
    parent = dock.parentWidget()
    while parent is not None and not isinstance(parent, QDockWidget):
        parent = parent.parentWidget()
    return parent


def _in_sight(dock: QWidget) -> bool:
    """Whether a dock can be seen; one behind another's tab counts as visible to Qt."""
    return bool(dock.isVisible() and not dock.visibleRegion().isEmpty())


def _alive(widget: QWidget) -> bool:
    try:
        widget.objectName()
    except RuntimeError:
        return False
    return True
