"""A window without a screen, and a pipeline with fake models, for tests of the docks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from made_runs import FakeLoaded, FakeRegistry, fake_model, write_slide
from napari.components import ViewerModel
from qtpy.QtWidgets import QApplication

from napari_her2._qt.app import add_docks
from napari_her2._qt.layer_order import kind_of
from napari_her2._qt.predict.controller import PredictController
from napari_her2._qt.predict.services import PredictServices
from napari_her2._qt.predict.widget import PredictWidget
from napari_her2._qt.session import Session, session_of
from napari_her2._qt.slide.actions import open_paths
from napari_her2._qt.slide.widget import SlideWidget
from napari_her2.errors import ModelNotFoundError
from napari_her2.pipelines.events import CancelToken, Event
from napari_her2.pipelines.predict import predict
from napari_her2.pipelines.request import PredictRequest


class BiomarkerRegistry(FakeRegistry):
    """Fake models, found by id or biomarker."""

    def __init__(self, *models: FakeLoaded) -> None:
        super().__init__(*models)
        self.trusted: list[str] = []

    def list(self) -> list[FakeLoaded]:
        return list(self.models.values())

    def resolve(self, name: str) -> FakeLoaded:
        for model in self.models.values():
            if name in (model.card.id, model.card.biomarker):
                return model
        raise ModelNotFoundError("no_model", biomarker=name)

    def trust(self, name: str) -> str:
        self.trusted.append(name)
        return "0" * 64


def trio(*, pause: float = 0.0, status: str = "synthetic-demo") -> BiomarkerRegistry:
    """ER, PR and HER2 from mean colours."""
    return BiomarkerRegistry(
        *(
            fake_model(f"fake-{b.lower()}", b, pause=pause, status=status, threshold=t)
            for b, t in (("ER", 0.36), ("PR", 0.34), ("HER2", 0.38))
        )
    )


def services(
    registry: BiomarkerRegistry, requests: list[PredictRequest] | None = None
) -> PredictServices:
    """The real pipeline over fake models; requests made are noted."""

    def run(request: PredictRequest, cancel: CancelToken) -> Iterator[Event]:
        if requests is not None:
            requests.append(request)
        return predict(request, cancel, registry)

    def aggregator(_registry: Any, name: str) -> Any:
        model = registry.resolve(name)
        return model.card, model.aggregator

    return PredictServices(predict=run, registry=lambda: registry, aggregator=aggregator)


def window(
    registry: BiomarkerRegistry, requests: list[PredictRequest] | None = None, viewer: Any = None
) -> tuple[Any, Session]:
    """A viewer (without a screen unless one is given) whose docks use fake models."""
    viewer = ViewerModel() if viewer is None else viewer
    session = session_of(viewer)
    session._predict = PredictController(session, services(registry, requests))
    return viewer, session


def made_slide(folder: Path, name: str = "Fall ä 1.tif", **options: Any) -> Path:
    """A small tiled TIFF with tissue."""
    return write_slide(folder / name, **options)


def open_slide_in(session: Session, path: Path) -> None:
    """Open a slide and wait for the first look at it."""
    assert open_paths(session, [path]) == 1
    wait_for(lambda: session.active.survey is not None or session.active.survey_error is not None)


def wait_for(done: Callable[[], Any], seconds: float = 30.0) -> None:
    """Let events happen until ``done``, or fail."""
    app = QApplication.instance()
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() > end:
            msg = "it did not happen in time"
            raise AssertionError(msg)
        app.processEvents()
        time.sleep(0.01)


def run_to_end(session: Session, widget: Any) -> None:
    """Press the main button and wait for the end of the run."""
    widget.run()
    wait_for(lambda: not session.runner.running)


class Desk:
    """A viewer model, its session and its docks."""

    def __init__(self, qtbot: Any, registry: Any) -> None:
        self.qtbot = qtbot
        self.registry = registry
        self.requests: list[Any] = []
        self.viewer, self.session = window(registry, self.requests)
        self.slide_dock = SlideWidget(self.viewer)
        self.predict_dock = PredictWidget(self.viewer)
        for dock in (self.slide_dock, self.predict_dock):
            qtbot.addWidget(dock)
            dock.resize(360, 900)
            dock.show()

    def open(self, path: Path) -> None:
        open_slide_in(self.session, path)

    def run(self) -> None:
        run_to_end(self.session, self.predict_dock)

    @property
    def presenter(self) -> Any:
        return self.session.predict.presenter

    def layers(self, kind: str) -> list[Any]:
        return [x for x in self.viewer.layers if kind_of(x) == kind]

    def close(self) -> None:
        self.session.close()


class RealDesk:
    """A real viewer with our docks, as the command line makes it, on fake models."""

    def __init__(self, viewer: Any, registry: BiomarkerRegistry) -> None:
        self.viewer = viewer
        self.registry = registry
        self.requests: list[PredictRequest] = []
        _, self.session = window(registry, self.requests, viewer)
        viewer.window.resize(1440, 900)
        docks = add_docks(viewer)
        self.slide_dock = docks["Slide"]
        self.predict_dock = docks["Predict ER/PR/HER2"]

    def open(self, path: Path) -> None:
        open_slide_in(self.session, path)

    @property
    def presenter(self) -> Any:
        return self.session.predict.presenter
