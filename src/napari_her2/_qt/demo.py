"""The demo in a window: a sample slide with its prediction running."""

from __future__ import annotations

from napari_her2._qt.app import PLUGIN, make_viewer
from napari_her2._qt.session import session_of
from napari_her2._qt.slide.actions import samples, show_sample
from napari_her2._qt.texts import ui

__all__ = ["open_demo"]


def open_demo(*, show: bool = True, block: bool = True) -> int:
    """Open napari on the first sample slide and start what a click on Predict starts.

    Parameters
    ----------
    show : bool
        Whether the window is shown.
    block : bool
        Wait until the window is closed.

    Returns
    -------
    int
        0, or 3 if the sample could not be opened.
    """
    import napari
    from qtpy.QtCore import QTimer

    viewer = make_viewer(show=show)
    session = session_of(viewer)
    show_sample(session, samples()[0][0])
    if session.active is None:
        return 3
    _, predict = viewer.window.add_plugin_dock_widget(PLUGIN, ui("dock_predict"))
    # Once the window stands: the first run asks the user to accept the notice.
    QTimer.singleShot(0, predict.run)
    if block:
        napari.run()
    return 0
