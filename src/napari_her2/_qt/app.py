"""The window as the command line opens it: slides, docks, and a picture of it for documents."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2._qt.session import session_of
from napari_her2._qt.slide.actions import open_paths
from napari_her2._qt.texts import ui

if TYPE_CHECKING:
    import napari

__all__ = ["add_docks", "make_viewer", "open_viewer", "settle", "window_picture"]

PLUGIN = "napari-her2"
WIDE_WINDOW = 1800
"""From this width on the docks take 420 px, else 360."""


def open_viewer(paths: Sequence[Path | str] = (), *, show: bool = True, block: bool = True) -> int:
    """Open napari on some slides, with our docks.

    Parameters
    ----------
    paths : sequence of path
        Slides; those that can't be opened tell why and are left out.
    show : bool
        Whether the window is shown.
    block : bool
        Wait until the window is closed.

    Returns
    -------
    int
        0, or 3 if slides were named and none could be opened.
    """
    import napari

    viewer = make_viewer(show=show)
    opened = open_paths(session_of(viewer), [Path(p) for p in paths])
    if block:
        napari.run()
    return 3 if paths and not opened else 0


def make_viewer(*, show: bool = True, width: int = 0, height: int = 0) -> napari.Viewer:
    """Make a viewer with our docks.

    Parameters
    ----------
    show : bool
        Whether the window is shown.
    width, height : int
        Size of the window; 0 = as napari has it.
    """
    import napari

    viewer = napari.Viewer(title=PLUGIN, show=show)
    if width and height:
        viewer.window.resize(width, height)
    add_docks(viewer)
    return viewer


def add_docks(viewer: napari.Viewer) -> dict[str, Any]:
    """Dock Slide above Predict on the right, Score behind Predict.

    Returns
    -------
    dict of str to widget
        By name of the dock.
    """
    docks: dict[str, Any] = {}
    frames = []
    for name in (ui("dock_slide"), ui("dock_predict"), ui("dock_score")):
        frame, widget = viewer.window.add_plugin_dock_widget(PLUGIN, name)
        docks[name] = widget
        frames.append(frame)
    _arrange(frames)
    return docks


def _arrange(frames: list[Any]) -> None:
    from qtpy.QtCore import Qt

    window = frames[0].window()
    slide, predict, score = frames
    window.splitDockWidget(slide, predict, Qt.Orientation.Vertical)
    window.tabifyDockWidget(predict, score)
    predict.raise_()
    wide = window.width() >= WIDE_WINDOW
    window.resizeDocks([slide, predict], [420 if wide else 360] * 2, Qt.Orientation.Horizontal)
    hint = slide.widget().sizeHint().height()
    window.resizeDocks([slide, predict], [max(hint, 170), 4000], Qt.Orientation.Vertical)


def settle(seconds: float = 1.0, until: Any = None) -> None:
    """Let the window work for a while.

    Parameters
    ----------
    seconds : float
        At most so long.
    until : callable, optional
        Stop as soon as it gives something true.
    """
    import time

    from qtpy.QtWidgets import QApplication

    app = QApplication.instance()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if app is not None:
            app.processEvents()
        if until is not None and until():
            return
        time.sleep(0.01)


def window_picture(viewer: napari.Viewer, path: Path | None = None) -> Any:
    """A picture of the whole window, with the canvas as drawn.

    Parameters
    ----------
    viewer : napari.Viewer
        Whose window.
    path : Path, optional
        PNG file to write.

    Returns
    -------
    ndarray of uint8
        Shape (h, w, 4).
    """
    return viewer.screenshot(
        path=None if path is None else str(path), canvas_only=False, flash=False
    )
