"""Starts, follows and ends the scoring of cells in one window. The dock is a view of this."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info

from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2._qt.rates import remember_rate
from napari_her2._qt.run_controller import RunController
from napari_her2._qt.score.estimate import RATE, tissue_asked, workers_for
from napari_her2._qt.score.presenter import ScorePresenter
from napari_her2._qt.score.request_form import ScoreForm, to_request
from napari_her2._qt.score.run_state import ScoreRun
from napari_her2._qt.score.services import ScoreServices
from napari_her2._qt.score.strip_views import cancelled_view, done_view, running_view
from napari_her2._qt.session import results_folder, tell
from napari_her2._qt.task_runner import MakeStream, TaskEnd
from napari_her2._qt.texts import ui
from napari_her2.cells.table import CellTable
from napari_her2.errors import DiskFullError, Her2Error, UsageError
from napari_her2.models.card import ModelCard
from napari_her2.pipelines.cells_events import CellsEvent, CellsPartial, CellsStarted
from napari_her2.pipelines.cells_summary import resample_tiles
from napari_her2.pipelines.events import CancelToken, Outcome, Progress

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.score.cell_layers import CellLayers
    from napari_her2._qt.session import Session
    from napari_her2.results.stored import StoredRun

__all__ = ["ScoreController"]


class ScoreController(RunController):
    """Owns the scoring runs of a window, the results on its slides, and the layer of cells."""

    def __init__(self, session: Session, services: ScoreServices | None = None) -> None:
        super().__init__(session, "dock_score")
        self.services = services or ScoreServices()
        self._form: ScoreForm | None = None
        self._entry: OpenSlide | None = None
        self._live: ScorePresenter | None = None
        self._stored: StoredRun | None = None
        self._cells: CellLayers | None = None
        self._on_picture: ScorePresenter | None = None

    # what is shown ------------------------------------------------------------------------

    @property
    def cells(self) -> CellLayers:
        """The layers of cells of this window, made at their first use."""
        if self._cells is None:
            from napari_her2._qt.score.cell_layers import CellLayers

            self._cells = CellLayers(self._session)
            self._cells.corrected.connect(lambda _: self._tell_changed())
            self._cells.changed.connect(self._mark_demo)
        return self._cells

    @property
    def presenter(self) -> ScorePresenter | None:
        """The result on the active slide."""
        entry = self._session.active
        return None if entry is None else entry.extra.get("score")

    def classifiers(self) -> Sequence[tuple[str, ModelCard | None]]:
        """What can tell the classes of cells apart here."""
        try:
            return self.services.classifiers()
        except Her2Error as error:
            tell(error)
            return [("membrane", None)]

    def _find_runs(self, entry: OpenSlide) -> list[StoredRun]:
        runs = self.services.find_runs(results_folder(), entry.slide_id)
        return [r for r in runs if r.record.get("kind") == "cells"]

    # running ------------------------------------------------------------------------------

    def start(self, form: ScoreForm) -> bool:
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
            area = tissue_asked(form, self._entry, viewer)
            request = replace(request, workers=workers_for(area))
        except Her2Error as error:
            self._fail(error)
            return False

        def stream(cancel: CancelToken) -> Iterator[CellsEvent]:
            return self.services.score(request, cancel)

        self._begin(ui("stage_opening"), stream)
        return True

    def show_stored(self, run: StoredRun) -> None:
        """Open a stored run on the active slide."""
        entry = self._session.active
        if self.running or entry is None or self._refuse_while_busy():
            return
        self._set_error(None)
        self._entry, self._stored = entry, run

        def stream(_cancel: CancelToken) -> Iterator[CellsEvent]:
            return self.services.replay(run, entry.path)

        self._begin(ui("opening"), stream)

    def _begin(self, text: str, stream: MakeStream) -> None:
        self._live = None
        self._launch(StripView(StripState.STARTING, text), stream)

    # events -------------------------------------------------------------------------------

    def _take(self, events: list[Any]) -> None:
        fresh = False
        for event in events:
            if isinstance(event, CellsStarted):
                self._on_started(event)
            elif isinstance(event, CellsPartial):
                if self._live is not None:
                    self._live.run.add(event)
                    fresh = True
            elif isinstance(event, Progress):
                self._on_progress(event)
            elif isinstance(event, Outcome):
                self._outcome = event
        if fresh and self._live is not None:
            # Once for all that came: the picture and the card are drawn at most ten times a second.
            self._live.refresh()

    def _on_started(self, event: CellsStarted) -> None:
        entry = self._entry
        if entry is None or self._session.viewer is None or entry not in self._session.slides:
            return
        run = ScoreRun(entry.slide_id, event.tiles, event.area_mm2, event.run_dir)
        if self._stored is not None:
            run.classifier_asked = dict(next(iter(self._stored.record.get("models") or ()), {}))
        elif self._form is not None:
            run.stain = self._form.stain
            run.partly = self._form.where != "whole"
            run.classifier_asked = self._classifier_facts(self._form)
        self._live = ScorePresenter(self._session, entry, run, self.cells)
        entry.extra["score"] = self._live
        if entry is self._session.active:
            self._put_on_picture(self._live)
            self.presenter_changed.emit()

    def _classifier_facts(self, form: ScoreForm) -> dict[str, Any]:
        card = dict(self.classifiers()).get(form.classifier)
        if card is None or form.stain != "her2-ihc":
            return {"id": "membrane" if form.stain == "her2-ihc" else "nuclear"}
        return {"id": card.id, "name": card.name, "version": card.version, "status": card.status}

    def _on_progress(self, event: Progress) -> None:
        self._last_progress = event
        if event.message:
            show_info(event.message)
        if self._session.runner.stopping:
            return
        if event.stage == "scoring" and event.total and self._live is not None:
            self._set_strip(running_view(self._live.run, event))
        else:
            text = event.message or ui(_STAGES.get(event.stage, f"stage_{event.stage}"))
            self._set_strip(StripView(StripState.STARTING, text))
        self._count_activity(event)

    def _ended(self, end: TaskEnd) -> None:
        live, self._live = self._live, None
        outcome = self._outcome
        if live is not None and outcome is not None:
            live.run.document = outcome.document
        stopped = outcome.status == "cancelled" if outcome is not None else end.cancelled
        error = end.error or (outcome.error if outcome is not None else None)
        run = None if live is None else live.run
        if stopped and end.error is None:
            self._set_strip(cancelled_view(run, self._last_progress))
        elif error is not None:
            self._fail(error, can_resume=isinstance(error, DiskFullError))
        elif outcome is None or outcome.status == "failed":
            self._fail_without_error(outcome)
        else:
            kept = self._stored or self._kept_run(live)
            self._set_strip(done_view(outcome, run, kept))
            self._note_rate(outcome.document)
        self._stored = None
        if live is not None:
            live.finish()
        self._mark_demo()
        self.runs_changed.emit()
        self.presenter_changed.emit()

    def _note_rate(self, document: Mapping[str, Any]) -> None:
        area, seconds = document.get("area_mm2"), document.get("seconds")
        form = self._form
        if form is not None and area and seconds and not document.get("cached"):
            remember_rate(float(area) / float(seconds), f"{RATE}/{form.stain}/{form.classifier}")

    def _kept_run(self, live: ScorePresenter | None) -> StoredRun | None:
        if live is None or live.run.run_dir is None:
            return None
        folder = live.run.run_dir
        return next((r for r in self.stored_runs(live.entry) if r.folder == folder), None)

    # rescoring ----------------------------------------------------------------------------

    def rescore(self) -> None:
        """Work the score out again with the corrected cells, beside the window."""
        presenter = self.presenter
        if presenter is None or not presenter.can_rescore:
            return
        before = presenter.outcome_words()
        version, n = self.cells.corrections_version, self.cells.n_corrected
        call = functools.partial(
            self._summarise, presenter.corrected(), dict(presenter.run.document)
        )

        def done(summary: Mapping[str, Any]) -> None:
            run = presenter.run
            run.rescored = summary if n else {}
            run.rescored_version = version
            text = "rescored_one" if n == 1 else "rescored"
            presenter.change = ui(text, before=before, after=presenter.outcome_words(), n=n)
            presenter.changed.emit()

        self._session.background.submit(call, done, tell)

    def _summarise(self, table: CellTable, document: dict[str, Any]) -> Mapping[str, Any]:
        given = document.get("mpp")
        mpp = (float(given["x"]), float(given["y"])) if given else None
        classifier = document.get("classifier") or {}
        return self.services.summarise(
            table,
            None if mpp is None else resample_tiles(table, *mpp),
            organ=document.get("organ", "breast"),
            specimen=document.get("specimen", "resection"),
            rule=document.get("rule"),
            tissue_mm2=document.get("area_mm2"),
            mpp=mpp,
            marker=document.get("marker"),
            demo=classifier.get("status") == "synthetic-demo",
        )

    # surroundings -------------------------------------------------------------------------

    def _on_active_changed(self) -> None:
        self._put_on_picture(self.presenter)
        super()._on_active_changed()
        self._mark_demo()

    def _put_on_picture(self, presenter: ScorePresenter | None) -> None:
        """Show this case's cells in the place of the other slide's."""
        if presenter is self._on_picture:
            return
        if self._on_picture is not None:
            self._on_picture.leave()
        self._on_picture = presenter
        if presenter is not None:
            presenter.show()

    def _tell_changed(self) -> None:
        if self.presenter is not None:
            self.presenter.changed.emit()

    def _mark_demo(self) -> None:
        """Say on the picture whether a demo classifier's cells are visible."""
        presenter = self.presenter
        shown = presenter is not None and presenter.run.is_demo and self.cells.shown
        self._session.show_demo_mark(bool(shown), "score")


_STAGES = {"loading": "stage_classifier", "scoring": "stage_cells"}
