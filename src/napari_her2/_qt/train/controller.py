"""Starts, follows and ends trainings in one window, and keeps what came of them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.utils.notifications import show_info
from qtpy.QtCore import Signal

from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2._qt.run_controller import RunController
from napari_her2._qt.session import tell
from napari_her2._qt.task_runner import TaskEnd
from napari_her2._qt.texts import ui
from napari_her2._qt.train.estimate import note_rate
from napari_her2._qt.train.model_result import ModelResult
from napari_her2._qt.train.request_form import TrainForm, to_request
from napari_her2._qt.train.services import SetEntry, TrainServices, label_sets_folder
from napari_her2._qt.train.strip_views import done_view, running_view, stopped_view, unfinished_view
from napari_her2.errors import DiskFullError, Her2Error
from napari_her2.models.card import ModelCard
from napari_her2.pipelines.events import CancelToken, Outcome, Progress
from napari_her2.pipelines.train_request import TrainRequest
from napari_her2.training.watch import EpochDone

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session
    from napari_her2.results.stored import StoredRun

__all__ = ["TrainController"]


class _CancelUnlessPaused:
    """A cancel token that is silent once a pause was asked for: closing a window is no cancel."""

    def __init__(self, cancel: CancelToken, pause: CancelToken) -> None:
        self._cancel, self._pause = cancel, pause

    def is_set(self) -> bool:
        """Whether to stop and make a model of what is there."""
        return self._cancel.is_set() and not self._pause.is_set()


class TrainController(RunController):
    """Owns the trainings of a window, the label set chosen, and the model that is shown.

    Signals
    -------
    sets_changed()
        There are other label sets.
    labels_changed()
        Another one was read.
    epoch_done()
        There is a point more to draw.
    result_changed()
        Another model is shown.
    told(str)
        A sentence for the line under the result.
    """

    sets_changed = Signal()
    labels_changed = Signal()
    epoch_done = Signal()
    result_changed = Signal()
    told = Signal(str)

    def __init__(self, session: Session, services: TrainServices | None = None) -> None:
        super().__init__(session, "dock_train")
        self.services = services or TrainServices()
        self.sets: list[SetEntry] = []
        self.labels: Any = None
        self.labels_of_result: Any = None
        self.history: list[EpochDone] = []
        self.result: ModelResult | None = None
        self.warnings: tuple[str, ...] = ()
        self._wanted: Path | None = None
        self._pause = threading.Event()
        self._resumable = False
        session.closing.connect(self._on_closing)

    @property
    def session(self) -> Session:
        """The window."""
        return self._session

    # label sets ---------------------------------------------------------------------------

    def reload_sets(self) -> None:
        """Look again which label sets there are, and keep the one that is chosen."""
        found = list(self.services.label_sets())
        chosen = self._wanted
        if chosen is not None and all(e.path != chosen for e in found):
            found += [e for e in self.sets if e.path == chosen]
        self.sets = found
        self.sets_changed.emit()
        if chosen is None and found:
            self.select(found[0].path)

    def take(self, path: Path) -> None:
        """Work with a label set that was made just now, or lies elsewhere."""
        from napari_her2._qt.train.services import entry_of

        if all(e.path != path for e in self.sets):
            self.sets = [entry_of(path) or SetEntry(path, path.name), *self.sets]
        self._wanted = path
        self.sets_changed.emit()
        self.select(path)

    def select(self, path: Path) -> None:
        """Read a label set, beside the window."""
        self._wanted = path

        def done(labels: Any) -> None:
            if self._wanted == path:
                self.labels = labels
                self.labels_changed.emit()

        def failed(error: Exception) -> None:
            if self._wanted == path:
                self.labels = None
                self.labels_changed.emit()
                self._fail(error)

        self._session.background.submit(lambda: self.services.read_set(path), done, failed)

    @property
    def chosen(self) -> Path | None:
        """Folder of the label set that is chosen."""
        return self._wanted

    def cards(self) -> list[ModelCard]:
        """Cards of the installed models."""
        try:
            return list(self.services.cards())
        except Her2Error as error:
            tell(error)
            return []

    # running ------------------------------------------------------------------------------

    def start(self, form: TrainForm | TrainRequest) -> bool:
        """Train what a form asks, or go on with a request that stopped.

        Returns
        -------
        bool
            Whether it started; if not, the error bar says why.
        """
        if self.running or self._refuse_while_busy():
            return False
        self._set_error(None)
        if isinstance(form, TrainForm) and not form.name and form.label_set is not None:
            # A name of its own now, so that going on later means this training and no other.
            form = replace(form, name=self.services.free_name(form.label_set.name))
        self._form = form
        try:
            request = to_request(form) if isinstance(form, TrainForm) else form
        except Her2Error as error:
            self._fail(error)
            return False
        pause = self._pause = threading.Event()
        self.history, self._resumable = [], False
        self.epoch_done.emit()

        def stream(cancel: CancelToken) -> Iterator[Any]:
            return self.services.train(request, _CancelUnlessPaused(cancel, pause), pause)

        self._launch(StripView(StripState.STARTING, ui("train_stage_loading")), stream)
        return True

    def pause(self) -> None:
        """Stop after this batch and keep a checkpoint."""
        if self.running:
            self._pause.set()
            self._set_strip(StripView(StripState.STOPPING))

    def look_for_unfinished(self) -> None:
        """Offer a training that a crash or a pause left unfinished."""

        def done(found: Sequence[Any]) -> None:
            if found and not self.running and self.strip.state is StripState.IDLE:
                last = found[-1]
                self._form = last.request
                self._resumable = True
                self._set_strip(unfinished_view(last))

        self._session.background.submit(self.services.unfinished, done, tell)

    # events -------------------------------------------------------------------------------

    def _take(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, EpochDone):
                self.history.append(event)
                self.epoch_done.emit()
                self._tell_running()
            elif isinstance(event, Progress):
                self._on_progress(event)
            elif isinstance(event, Outcome):
                self._outcome = event

    def _on_progress(self, event: Progress) -> None:
        self._last_progress = event
        if event.message:
            show_info(event.message)
        if event.stage == "training" and event.total:
            self._tell_running()
        elif not self._stopping:
            self._set_strip(StripView(StripState.STARTING, ui(f"train_stage_{event.stage}")))
        self._count_activity(event)

    def _tell_running(self) -> None:
        if not self._stopping and self._last_progress is not None and self._last_progress.total:
            self._set_strip(running_view(self._last_progress, self.history))

    @property
    def _stopping(self) -> bool:
        return bool(self._session.runner.stopping or self._pause.is_set())

    def _ended(self, end: TaskEnd) -> None:
        outcome = self._outcome
        document = {} if outcome is None else dict(outcome.document)
        error = end.error or (outcome.error if outcome is not None else None)
        self._resumable = bool(document.get("resumable"))
        folder = document.get("installed") or (document.get("folder") if document.get("metrics")
                                               else None)  # fmt: skip
        if error is not None:
            self._fail(error, can_resume=self._resumable or isinstance(error, DiskFullError))
        elif outcome is None:
            self._set_strip(stopped_view({}, self.history))
        elif outcome.status == "cancelled":
            self._set_strip(stopped_view(document, self.history))
        elif outcome.status == "failed":
            self._fail_without_error(outcome)
        else:
            self._set_strip(done_view(document))
            if isinstance(self._form, TrainForm):
                note_rate(self._form, document)
        if folder is not None and error is None:
            self.show_model(Path(str(folder)), warnings=document.get("warnings") or ())
        self.runs_changed.emit()

    @property
    def can_resume(self) -> bool:
        """Whether what stopped last may go on."""
        return self._resumable and self.can_repeat

    # the model ----------------------------------------------------------------------------

    def show_model(self, folder: Path, *, warnings: Sequence[str] = ()) -> None:
        """Read a model and its figures, beside the window, and show them."""
        chosen = self._set_of_run()

        def load() -> tuple[ModelResult, Any]:
            result = self.services.load(folder)
            path = chosen or label_sets_folder() / (result.label_set or ".")
            try:
                return result, self.services.read_set(path)
            except Her2Error:
                return result, None

        def done(found: tuple[ModelResult, Any]) -> None:
            self.result, self.labels_of_result = found
            given = self.result.evaluation
            said = [*warnings, *(given.warnings if given is not None else ())]
            self.warnings = tuple(dict.fromkeys(said))
            self.result_changed.emit()

        self._session.background.submit(load, done, tell)

    def _set_of_run(self) -> Path | None:
        form = self._form
        return None if form is None else form.label_set

    def show_latest(self) -> None:
        """Show the model that was trained last, where the window has shown none yet."""
        from napari_her2.settings import get_settings

        folders = (get_settings().data_dir / "models").glob("*/training.json")
        latest = max(folders, key=lambda p: p.stat().st_mtime, default=None)
        if self.result is None and latest is not None:
            self.show_model(latest.parent)

    def use_model(self) -> str | None:
        """Make the model the one its dock takes; give the name of that dock."""
        if self.result is None:
            return None
        card = self.result.card
        try:
            self.services.use(card)
        except Her2Error as error:
            self._fail(error)
            return None
        return "her2-score" if card.is_cell_model else "her2-predict"

    def record(self, given: dict[str, Any]) -> bool:
        """Write a validation onto the card of the model shown; False if it was refused.

        Raises
        ------
        Her2Error
            With the reason, for the dialog to show.
        """
        if self.result is None:
            return False
        card = self.services.record(self.result.folder, **given)
        self.result = replace(self.result, card=card)
        self.result_changed.emit()
        return True

    def write_page(self) -> Path | None:
        """Write the page of the model shown; None where that failed, which is told."""
        if self.result is None:
            return None
        try:
            return self.services.page(self.result.folder, self.labels_of_result)
        except Her2Error as error:
            tell(error)
            return None

    # surroundings -------------------------------------------------------------------------

    def _find_runs(self, entry: OpenSlide) -> list[StoredRun]:
        """Trainings belong to no slide."""
        del entry
        return []

    def _on_closing(self) -> None:
        """What is there is kept for later, not made a model of."""
        self._pause.set()

    def _on_active_changed(self) -> None:
        """Trainings go on whatever slide is shown."""
