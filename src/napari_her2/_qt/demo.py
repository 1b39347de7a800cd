"""The demo in a window: a sample slide, the docks, and a prediction that starts by itself."""

from __future__ import annotations

from qtpy.QtCore import QTimer

from napari_her2._qt.app import add_docks, make_viewer
from napari_her2._qt.session import session_of
from napari_her2._qt.slide.actions import show_sample
from napari_her2._qt.texts import ui

__all__ = ["SAMPLE", "open_demo"]

SAMPLE = "he-er-positive"


def open_demo(*, block: bool = True) -> int:
    """Open the sample slide and press the main button once.

    Parameters
    ----------
    block : bool
        Wait until the window is closed.

    Returns
    -------
    int
        0, or 3 if the sample is missing from the installation.
    """
    import napari

    viewer = make_viewer()
    session = session_of(viewer)
    show_sample(session, SAMPLE)
    if session.active is None:
        viewer.close()
        return 3
    dock = add_docks(viewer)[ui("dock_predict")]
    # After the window is up: the notice and the models' cards come first where they are due.
    QTimer.singleShot(300, dock.run)
    if block:
        napari.run()
    return 0
