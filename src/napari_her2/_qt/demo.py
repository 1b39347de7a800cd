"""The demo in a window: two sample slides, the docks, and runs that start by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject, QTimer

from napari_her2._qt.app import add_docks, make_viewer
from napari_her2._qt.session import session_of
from napari_her2._qt.slide.actions import show_sample
from napari_her2._qt.texts import ui

if TYPE_CHECKING:
    from collections.abc import Callable

    from napari_her2._qt.session import Session

__all__ = ["IHC_SAMPLE", "SAMPLE", "Demo", "open_demo"]

SAMPLE = "he-er-positive"
IHC_SAMPLE = "her2-ihc"


class Demo(QObject):
    """Scores the IHC sample, then predicts on the H&E sample, which is the one left in view.

    Parameters
    ----------
    session : Session
        The window.
    score, predict : callable
        Main buttons of the two docks.
    """

    def __init__(
        self, session: Session, score: Callable[[], None], predict: Callable[[], None]
    ) -> None:
        super().__init__(session)
        self._session = session
        self._score = score
        self._predict = predict

    def start(self) -> None:
        """Press the first button; the second is pressed when that run has ended."""
        self._session.runner.finished.connect(self._on_scored)
        self._score()
        if not self._session.runner.running:
            self._on_scored()

    def _on_scored(self, _end: object = None) -> None:
        self._session.runner.finished.disconnect(self._on_scored)
        # Later: whoever else listens to the end of the run comes first.
        QTimer.singleShot(300, self._go_on)

    def _go_on(self) -> None:
        if self._session.runner.running or self._session.viewer is None:
            return
        show_sample(self._session, SAMPLE)
        QTimer.singleShot(300, self._predict_unless_busy)

    def _predict_unless_busy(self) -> None:
        if not self._session.runner.running:
            self._predict()


def open_demo(*, block: bool = True) -> int:
    """Open the sample slides and press each main button once.

    Parameters
    ----------
    block : bool
        Wait until the window is closed.

    Returns
    -------
    int
        0, or 3 if the samples are missing from the installation.
    """
    import napari

    viewer = make_viewer()
    session = session_of(viewer)
    show_sample(session, IHC_SAMPLE)
    if session.active is None:
        viewer.close()
        return 3
    docks = add_docks(viewer)
    demo = Demo(session, docks[ui("dock_score")].run, docks[ui("dock_predict")].run)
    # After the window is up: the notice and the models' cards come first where they are due.
    QTimer.singleShot(300, demo.start)
    if block:
        napari.run()
    return 0
