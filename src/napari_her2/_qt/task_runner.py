"""Run a pipeline beside the window: one worker thread, one inbox, only the main thread speaks.

A pipeline is a generator of events that knows nothing of threads or Qt. The worker appends what
it yields to an inbox; a timer in the main thread empties the inbox at most ten times a second,
merges what is in it and emits it. No signal crosses a thread and no layer is touched outside the
main thread.
"""

from __future__ import annotations

import atexit
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2.pipelines.events import CancelToken, Event, Outcome, Partial, Progress

__all__ = ["BackgroundCalls", "MakeStream", "TaskEnd", "TaskRunner", "merge_events"]

MakeStream = Callable[[CancelToken], Iterator[Any]]
"""Makes the generator of a pipeline, given the token that stops it. Its events are those of
:mod:`napari_her2.pipelines.events` and of the pipeline itself."""

_POLL_MS = 100


@dataclass(frozen=True, slots=True)
class TaskEnd:
    """How a run ended.

    Attributes
    ----------
    outcome : Outcome or None
        The last event of the pipeline; None if it ended with an error or was abandoned.
    error : Exception or None
        What the pipeline raised.
    cancelled : bool
        Whether stopping was asked for.
    abandoned : bool
        Whether the answer was given up before it came (``Stop at once``).
    """

    outcome: Outcome | None = None
    error: Exception | None = None
    cancelled: bool = False
    abandoned: bool = False


def merge_events(events: Iterable[Event]) -> list[Event]:
    """Make one event of neighbours that say the same thing.

    Partials that follow each other are joined, of several progress reports the last one counts.

    Parameters
    ----------
    events : iterable of Event
        In the order they were yielded.

    Returns
    -------
    list of Event
        The same content in fewer events, in the same order.
    """
    merged: list[Event] = []
    partials: list[Partial] = []
    progress: Progress | None = None

    def flush() -> None:
        nonlocal progress
        if partials:
            merged.append(_joined(partials))
            partials.clear()
        if progress is not None:
            merged.append(progress)
            progress = None

    for event in events:
        if isinstance(event, Partial):
            if partials and (
                partials[0].slide_id != event.slide_id
                or partials[0].probs.keys() != event.probs.keys()
            ):
                flush()
            partials.append(event)
        elif isinstance(event, Progress):
            if progress is not None and progress.message and progress.message != event.message:
                flush()
            progress = event
        else:
            flush()
            merged.append(event)
    flush()
    return merged


def _alike(a: Partial, b: Partial) -> bool:
    return a.slide_id == b.slide_id and a.probs.keys() == b.probs.keys()


def _joined(partials: list[Partial]) -> Partial:
    if len(partials) == 1:
        return partials[0]
    return Partial(
        slide_id=partials[0].slide_id,
        cells=np.concatenate([p.cells for p in partials]),
        probs={k: np.concatenate([p.probs[k] for p in partials]) for k in partials[0].probs},
        failed=np.concatenate([p.failed for p in partials]),
    )


class _Worker(threading.Thread):
    """Drives one generator to its end and closes it, whatever happens."""

    def __init__(self, make_stream: MakeStream) -> None:
        super().__init__(name="napari-her2-run", daemon=True)
        self._make_stream = make_stream
        self.cancel = threading.Event()
        self.inbox: deque[Event] = deque()
        self.error: Exception | None = None

    def run(self) -> None:
        stream: Iterator[Event] | None = None
        try:
            stream = self._make_stream(self.cancel)
            for event in stream:
                self.inbox.append(event)
        except Exception as error:  # noqa: BLE001 - handed over to the main thread, which shows it
            self.error = error
        finally:
            close = getattr(stream, "close", None)
            if close is not None:
                close()


_WORKERS: weakref.WeakSet[_Worker] = weakref.WeakSet()


def stop_all(timeout: float = 10.0) -> None:
    """Stop every run and wait, so that what is done is written before the process ends."""
    for worker in list(_WORKERS):
        worker.cancel.set()
    for worker in list(_WORKERS):
        if worker.is_alive():
            worker.join(timeout)


atexit.register(stop_all)


class TaskRunner(QObject):
    """Drives one pipeline at a time.

    Signals
    -------
    started()
        A run has begun.
    received(list of Event)
        What the pipeline said since the last time, merged; about ten times a second.
    finished(TaskEnd)
        The generator is closed. Only now is :attr:`running` false.
    """

    started = Signal()
    received = Signal(object)
    finished = Signal(object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: _Worker | None = None
        self._generation = 0
        self._timer = QTimer(self)
        self._timer.setInterval(_POLL_MS)
        self._timer.timeout.connect(self._drain)

    @property
    def running(self) -> bool:
        """Whether a run is going on (also while it is stopping)."""
        return self._worker is not None

    @property
    def generation(self) -> int:
        """Number of the latest run; answers of older ones are dropped."""
        return self._generation

    @property
    def stopping(self) -> bool:
        """Whether stopping was asked for and the run has not ended yet."""
        return self._worker is not None and self._worker.cancel.is_set()

    def start(self, make_stream: MakeStream) -> int:
        """Start a run.

        Parameters
        ----------
        make_stream : callable
            Called in the worker with the cancel token; gives the generator.

        Returns
        -------
        int
            The run's generation number.

        Raises
        ------
        RuntimeError
            If a run is going on.
        """
        if self.running:
            msg = "a run is going on"
            raise RuntimeError(msg)
        self._generation += 1
        self._worker = _Worker(make_stream)
        _WORKERS.add(self._worker)
        self._worker.start()
        self._timer.start()
        self.started.emit()
        return self._generation

    def cancel(self) -> None:
        """Ask the run to stop after its batch; ``finished`` follows."""
        if self._worker is not None:
            self._worker.cancel.set()

    def abandon(self) -> None:
        """Do not wait for the batch: its answer is dropped when it comes."""
        worker = self._worker
        if worker is None:
            return
        worker.cancel.set()
        self._end(TaskEnd(cancelled=True, abandoned=True))

    def stop(self, timeout: float = 10.0) -> None:
        """Cancel, wait for the generator to be closed, and say no more (the window is closing)."""
        worker, self._worker = self._worker, None
        self._timer.stop()
        self._generation += 1
        if worker is not None:
            worker.cancel.set()
            worker.join(timeout)

    def _drain(self) -> None:
        worker, generation = self._worker, self._generation
        if worker is None:
            return
        # Asked before the inbox is emptied: a worker that ended has put its last event in already.
        ended = not worker.is_alive()
        events: list[Event] = []
        while worker.inbox:
            events.append(worker.inbox.popleft())
        if events:
            self.received.emit(merge_events(events))
        if not ended or generation != self._generation:
            return
        last = events[-1] if events and isinstance(events[-1], Outcome) else None
        self._end(TaskEnd(outcome=last, error=worker.error, cancelled=worker.cancel.is_set()))

    def _end(self, end: TaskEnd) -> None:
        self._worker = None
        self._timer.stop()
        self.finished.emit(end)


class BackgroundCalls(QObject):
    """Short calls in one worker thread; their answers arrive in the main thread.

    Used for what should not block the window but has no progress: the tissue outline of a slide
    just opened, thumbnails of a gallery.
    """

    def __init__(self, parent: QObject | None = None, *, poll_ms: int = 40) -> None:
        super().__init__(parent)
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: deque[tuple[Future[Any], Callable[[Any], None], Callable[[Exception], None]]]
        self._waiting = deque()
        self._timer = QTimer(self)
        self._timer.setInterval(poll_ms)
        self._timer.timeout.connect(self._collect)

    @property
    def busy(self) -> bool:
        """Whether answers are outstanding."""
        return bool(self._waiting)

    def submit(
        self,
        call: Callable[[], Any],
        on_done: Callable[[Any], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        """Run ``call`` in the worker, then one of the two answers in the main thread."""
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="napari-her2-background")
        self._waiting.append((self._pool.submit(call), on_done, on_error))
        self._timer.start()

    def drop(self) -> None:
        """Forget calls that have not started and the answers of those that have."""
        for future, _, _ in self._waiting:
            future.cancel()
        self._waiting.clear()
        self._timer.stop()

    def close(self) -> None:
        """Forget everything and let the thread end."""
        self.drop()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None

    def _collect(self) -> None:
        while self._waiting and self._waiting[0][0].done():
            future, on_done, on_error = self._waiting.popleft()
            error = future.exception()
            if error is None:
                on_done(future.result())
            elif isinstance(error, Exception):
                on_error(error)
        if not self._waiting:
            self._timer.stop()
