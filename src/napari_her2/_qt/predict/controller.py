"""Starts, follows and ends prediction in one window. The dock is a view of this."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from napari.utils.notifications import show_info

from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2._qt.predict.map_layers import MapSettings
from napari_her2._qt.predict.presenter import ResultPresenter
from napari_her2._qt.predict.request_form import PredictForm, to_request
from napari_her2._qt.predict.run_state import RunState
from napari_her2._qt.predict.services import PredictServices
from napari_her2._qt.predict.strip_views import cancelled_view, done_view
from napari_her2._qt.rates import remember_rate
from napari_her2._qt.run_controller import RunController
from napari_her2._qt.session import results_folder, tell
from napari_her2._qt.task_runner import MakeStream, TaskEnd
from napari_her2._qt.texts import ui
from napari_her2.errors import DiskFullError, Her2Error, ModelNotFoundError, UsageError
from napari_her2.models.card import ModelCard
from napari_her2.models.protocols import SlideAggregator
from napari_her2.pipelines.events import (
    CancelToken,
    Event,
    Partial,
    Progress,
    Started,
)

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session
    from napari_her2.results.stored import StoredRun

__all__ = ["PredictController"]


class PredictController(RunController):
    """Owns the predictions of a window and the results on its slides."""

    def __init__(self, session: Session, services: PredictServices | None = None) -> None:
        super().__init__(session, "dock_predict")
        self.services = services or PredictServices()
        self.map = MapSettings()
        self._form: PredictForm | None = None
        self._entry: OpenSlide | None = None
        self._live: ResultPresenter | None = None
        self._fresh = False
        self._names = ""
        self._stored: StoredRun | None = None

    # what is shown ------------------------------------------------------------------------

    @property
    def presenter(self) -> ResultPresenter | None:
        """The result on the active slide."""
        entry = self._session.active
        return None if entry is None else entry.extra.get("predict")

    def cards(self) -> dict[str, ModelCard | None]:
        """The models that ER, PR and HER2 mean here; None where there is none."""
        registry = self.services.registry()
        found: dict[str, ModelCard | None] = {}
        for biomarker in ("ER", "PR", "HER2"):
            try:
                found[biomarker] = registry.resolve(biomarker).card
            except ModelNotFoundError:
                found[biomarker] = None
        return found

    def _find_runs(self, entry: OpenSlide) -> list[StoredRun]:
        runs = self.services.find_runs(results_folder(), entry.slide_id)
        return [r for r in runs if r.record.get("kind", "predict") == "predict"]

    # running ------------------------------------------------------------------------------

    def start(self, form: PredictForm) -> bool:
        """Start a run of the form on the active slide.

        Returns
        -------
        bool
            Whether it started; if not, the error bar says why.
        """
        if self.running or self._refuse_while_busy():
            return False
        self._set_error(None)
        self._form, self._entry = form, self._session.active
        try:
            viewer = self._session.viewer
            if self._entry is None or viewer is None:
                raise UsageError("no_slide")
            request = to_request(form, self._entry, viewer)
        except Her2Error as error:
            self._fail(error)
            return False

        def stream(cancel: CancelToken) -> Iterator[Event]:
            return self.services.predict(request, cancel)

        self._begin(ui("starting"), stream)
        return True

    def show_stored(self, run: StoredRun) -> None:
        """Open a stored run on the active slide."""
        entry = self._session.active
        if self.running or entry is None or self._refuse_while_busy():
            return
        self._set_error(None)
        self._entry, self._stored = entry, run

        def stream(_cancel: CancelToken) -> Iterator[Event]:
            return self.services.replay(run, entry.path)

        self._begin(ui("opening"), stream)

    def trust_and_run(self) -> None:
        """Trust the program code that the last run was refused for, then run."""
        error = self.error.error if self.error is not None else None
        if isinstance(error, Her2Error) and "model" in error.slots:
            try:
                self.services.registry().trust(str(error.slots["model"]))
            except Her2Error as e:
                self._fail(e)
                return
            self.again()

    def _begin(self, text: str, stream: MakeStream) -> None:
        self._live, self._fresh, self._names = None, True, ""
        self._launch(StripView(StripState.STARTING, text), stream)

    # events -------------------------------------------------------------------------------

    def _take(self, events: list[Event]) -> None:
        for event in events:
            if isinstance(event, Started):
                self._on_started(event)
            elif isinstance(event, Partial):
                if self._live is not None:
                    self._live.add(event)
            elif isinstance(event, Progress):
                self._on_progress(event)
            else:
                self._outcome = event

    def _on_started(self, event: Started) -> None:
        entry = self._entry
        if entry is None:
            return
        try:
            cards = [self._card(model_id) for model_id in event.model_ids]
        except Her2Error as error:
            tell(error)
            return
        if self._fresh:
            self._fresh = False
            run = RunState(entry.slide_id, run_dir=event.run_dir)
            self._live = self._show_run(entry, run)
        if self._live is None:
            return
        self._live.run.lay_out(event.grid, event.cells, cards)
        self._names = " · ".join(m.name for m in self._live.run.models.values())
        self._live.laid_out()
        self._mark_demo()
        if entry is self._session.active:
            self.presenter_changed.emit()

    def _show_run(self, entry: OpenSlide, run: RunState) -> ResultPresenter | None:
        """Put a new run in the place of the one shown on a slide."""
        if self._session.viewer is None or entry not in self._session.slides:
            return None
        old: ResultPresenter | None = entry.extra.get("predict")
        if old is not None:
            old.layers.remove()
        presenter = ResultPresenter(self._session, entry, run, self.map)
        presenter.layers.running = True
        presenter.map_changed.connect(self._mark_demo)
        entry.extra["predict"] = presenter
        return presenter

    def _card(self, model_id: str) -> tuple[ModelCard, SlideAggregator | None]:
        return self.services.aggregator(self.services.registry(), model_id)

    def _on_progress(self, event: Progress) -> None:
        self._last_progress = event
        if event.message:
            show_info(event.message)
        if self._session.runner.stopping:
            return
        if event.stage == "scoring" and event.total:
            self._set_strip(
                StripView(
                    StripState.RUNNING,
                    self._names,
                    done=event.done,
                    total=event.total,
                    rate=event.tiles_per_second,
                )
            )
        else:
            text = event.message or ui(f"stage_{event.stage}")
            self._set_strip(StripView(StripState.STARTING, text))
        self._count_activity(event)

    def _ended(self, end: TaskEnd) -> None:
        live, self._live = self._live, None
        outcome = self._outcome
        if live is not None:
            if outcome is not None:
                live.run.document = outcome.document
            live.finish()
        stopped = outcome.status == "cancelled" if outcome is not None else end.cancelled
        error = end.error or (outcome.error if outcome is not None else None)
        if stopped and end.error is None:
            self._set_strip(cancelled_view(live, self._last_progress))
        elif error is not None:
            self._fail(error, can_resume=isinstance(error, DiskFullError))
        elif outcome is None or outcome.status == "failed":
            self._fail_without_error(outcome)
        else:
            kept = self._stored or self._kept_run(live)
            self._set_strip(done_view(outcome, live, kept))
            fresh = self._last_progress.tiles_per_second if self._last_progress else None
            if fresh:
                remember_rate(fresh)
        self._stored = None
        self.runs_changed.emit()
        self.presenter_changed.emit()

    def _kept_run(self, live: ResultPresenter | None) -> StoredRun | None:
        if live is None or live.run.run_dir is None:
            return None
        folder = live.run.run_dir
        return next((r for r in self.stored_runs(live.entry) if r.folder == folder), None)

    # surroundings -------------------------------------------------------------------------

    def _on_active_changed(self) -> None:
        super()._on_active_changed()
        self._mark_demo()

    def _mark_demo(self) -> None:
        """Say on the picture whether a demo model's map is visible."""
        shown = False
        for entry in self._session.slides:
            presenter: ResultPresenter | None = entry.extra.get("predict")
            if presenter is not None and presenter.card is not None:
                shown |= presenter.card.is_demo and presenter.layers.any_shown
        self._session.show_demo_mark(shown, "predict")
