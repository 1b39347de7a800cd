"""What the runs of all docks share: strip, error, activity line, and whose run it is."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from napari.utils import progress
from qtpy.QtCore import QObject, Signal

from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2._qt.mending import mend_of
from napari_her2._qt.session import sentence_of, tell
from napari_her2._qt.task_runner import MakeStream, TaskEnd
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error, UsageError
from napari_her2.pipelines.events import Outcome, Progress

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session
    from napari_her2.results.stored import StoredRun

__all__ = ["ErrorView", "RunController"]


@dataclass(frozen=True, slots=True)
class ErrorView:
    """What the error bar shows.

    Attributes
    ----------
    mend : (id, text) or None
        The button that mends it.
    """

    sentence: str
    error: BaseException | None = None
    mend: tuple[str, str] | None = None


class RunController(QObject):
    """Follows the runs that one dock starts. A window runs one thing at a time.

    Parameters
    ----------
    session : Session
        The window.
    dock_text : str
        Id of the dock's name, for napari's activity list.

    Signals
    -------
    strip_changed(StripView), error_changed(ErrorView or None)
        What the strip and the error bar show.
    presenter_changed()
        Another result is the one the dock shows.
    runs_changed()
        A run was stored.
    cursor_changed(str)
        What lies under the cursor.
    """

    strip_changed = Signal(object)
    error_changed = Signal(object)
    presenter_changed = Signal()
    runs_changed = Signal()
    cursor_changed = Signal(str)

    def __init__(self, session: Session, dock_text: str) -> None:
        super().__init__(session)
        self._session = session
        self._dock_text = dock_text
        self._generation = -1
        self.strip = StripView()
        self.error: ErrorView | None = None
        self._form: Any = None
        self._outcome: Outcome | None = None
        self._last_progress: Progress | None = None
        self._activity: Any = None
        session.runner.received.connect(self._on_received)
        session.runner.finished.connect(self._on_finished)
        session.active_changed.connect(self._on_active_changed)
        session.closing.connect(self._close_activity)

    # what a dock adds ---------------------------------------------------------------------

    def start(self, form: Any) -> bool:
        """Run what a form of this dock asks; False if it was refused."""
        raise NotImplementedError

    def _take(self, events: list[Any]) -> None:
        """Events of a run of this dock came."""
        raise NotImplementedError

    def _ended(self, end: TaskEnd) -> None:
        """A run of this dock ended."""
        raise NotImplementedError

    def _find_runs(self, entry: OpenSlide) -> list[StoredRun]:
        raise NotImplementedError

    # what is shown ------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a run of this dock is going on."""
        runner = self._session.runner
        return bool(runner.running and runner.generation == self._generation)

    @property
    def live_tiles(self) -> int:
        """Tiles done by the run that is going on."""
        return self._last_progress.done if self.running and self._last_progress else 0

    def stored_runs(self, entry: OpenSlide) -> list[StoredRun]:
        """Complete runs of a slide that are kept, newest first."""
        return [r for r in reversed(self._find_runs(entry)) if r.complete]

    # running ------------------------------------------------------------------------------

    @property
    def can_repeat(self) -> bool:
        """Whether a form was run before."""
        return self._form is not None

    def again(self, *, resume: bool = True, **changes: Any) -> None:
        """Run the last form once more.

        Parameters
        ----------
        resume : bool
            False starts over.
        **changes : object
            Fields of the form that are different now.
        """
        if self._form is not None:
            self.start(replace(self._form, resume=resume, **changes))

    def cancel(self) -> None:
        """Stop after the batch that is being scored."""
        if self.running:
            self._set_strip(StripView(StripState.STOPPING))
            self._session.runner.cancel()

    def stop_at_once(self) -> None:
        """Do not wait for that batch."""
        if self.running:
            self._session.runner.abandon()

    def refuse(self, error: Her2Error) -> None:
        """Show why something was not done."""
        self._fail(error)

    def _refuse_while_busy(self) -> bool:
        """Whether another dock's run is going on, which is then told."""
        busy = self._session.runner.running
        if busy:
            self._fail(UsageError("window_busy"))
        return busy

    def _launch(self, strip: StripView, stream: MakeStream) -> None:
        self._outcome, self._last_progress = None, None
        self._set_strip(strip)
        viewer = self._session.viewer
        if viewer is not None and hasattr(viewer, "window"):
            self._activity = progress(total=0, desc=ui(self._dock_text))
        self._generation = self._session.runner.generation + 1
        self._session.runner.start(stream)

    def _on_received(self, events: list[Any]) -> None:
        if self._session.runner.generation == self._generation:
            self._take(events)

    def _on_finished(self, end: TaskEnd) -> None:
        if self._session.runner.generation == self._generation:
            self._close_activity()
            self._ended(end)

    def _count_activity(self, event: Progress) -> None:
        if self._activity is not None and event.total:
            self._activity.total = event.total
            self._activity.n = event.done
            self._activity.refresh()

    def _close_activity(self) -> None:
        if self._activity is not None:
            self._activity.close()
            self._activity = None

    # errors -------------------------------------------------------------------------------

    def _fail(self, error: Exception, *, can_resume: bool = False) -> None:
        self._set_error(ErrorView(sentence_of(error), error, mend_of(error)))
        self._set_strip(StripView(StripState.FAILED, can_resume=can_resume))
        tell(error)

    def _fail_without_error(self, outcome: Outcome | None) -> None:
        document = {} if outcome is None else outcome.document
        sentence = str(document.get("error") or next(iter(document.get("warnings", ())), ""))
        self._set_error(
            ErrorView(sentence or ui("unexpected", kind="Outcome"), None, mend_of(None))
        )
        self._set_strip(StripView(StripState.FAILED))

    def _set_error(self, view: ErrorView | None) -> None:
        self.error = view
        self.error_changed.emit(view)

    def _set_strip(self, view: StripView) -> None:
        self.strip = view
        self.strip_changed.emit(view)

    # surroundings -------------------------------------------------------------------------

    def _on_active_changed(self) -> None:
        if not self.running and self.strip.state is not StripState.IDLE:
            self._set_strip(StripView())
            self._set_error(None)
        self.presenter_changed.emit()
