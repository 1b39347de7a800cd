"""A window with the Score dock, over the real pipeline with made cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from made_cells import FakeParts, write_ihc
from made_windows import Desk, open_slide_in, run_to_end, trio, window

from napari_her2._qt.app import add_docks
from napari_her2._qt.predict.widget import PredictWidget
from napari_her2._qt.score.controller import ScoreController
from napari_her2._qt.score.services import ScoreServices
from napari_her2._qt.score.widget import ScoreWidget
from napari_her2._qt.slide.widget import SlideWidget
from napari_her2.pipelines.cells import score_cells

__all__ = ["RealScoreDesk", "ScoreDesk", "score_services", "write_ihc"]


def score_services(parts: Any, requests: list[Any], classifiers: Any = None) -> ScoreServices:
    """The real pipeline over made cells; requests made are noted."""

    def score(request: Any, cancel: Any) -> Any:
        requests.append(request)
        return score_cells(request, cancel, parts=parts)

    services = ScoreServices(score=score)
    services.classifiers = classifiers or (lambda: [("membrane", None)])
    return services


class ScoreDesk(Desk):
    """A viewer model with all three docks."""

    def __init__(self, qtbot: Any, parts: Any = None, classifiers: Any = None) -> None:
        self.qtbot = qtbot
        self.requests = []
        self.viewer, self.session = window(trio())
        self.parts = FakeParts() if parts is None else parts
        services = score_services(self.parts, self.requests, classifiers)
        self.session._score = ScoreController(self.session, services)
        self.slide_dock = SlideWidget(self.viewer)
        self.predict_dock = PredictWidget(self.viewer)
        self.dock = ScoreWidget(self.viewer)
        for dock in (self.slide_dock, self.predict_dock, self.dock):
            qtbot.addWidget(dock)
            dock.resize(360, 900)
            dock.show()

    def open(self, path: Path) -> None:
        open_slide_in(self.session, path)

    def run(self) -> None:
        run_to_end(self.session, self.dock)

    @property
    def presenter(self) -> Any:
        return self.session.score.presenter

    @property
    def cells(self) -> Any:
        return self.session.score.cells


class RealScoreDesk:
    """A real viewer with our docks, as the command line makes it, over made cells.

    Parameters
    ----------
    viewer : napari.Viewer
        The window.
    parts : CellParts, optional
        Where cells come from; None takes the package's own.
    """

    def __init__(self, viewer: Any, parts: Any = None) -> None:
        self.viewer = viewer
        self.requests: list[Any] = []
        _, self.session = window(trio(), viewer=viewer)
        services = score_services(parts, self.requests)
        self.session._score = ScoreController(self.session, services)
        viewer.window.resize(1440, 900)
        docks = add_docks(viewer)
        self.predict_dock = docks["Predict ER/PR/HER2"]
        self.dock = docks["Score HER2 IHC"]

    def open(self, path: Path) -> None:
        open_slide_in(self.session, path)

    @property
    def presenter(self) -> Any:
        return self.session.score.presenter

    @property
    def cells(self) -> Any:
        return self.session.score.cells
