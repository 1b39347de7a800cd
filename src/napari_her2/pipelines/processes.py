"""Slides in local processes that talk over pipes: no port is opened, no lock is shared.

Each worker has a pipe of its own, so that a worker killed at any moment (by a slide that breaks a
decoder, by the system for want of memory) leaves nothing locked, and its death is counted against
the slide it had in hand.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Final, cast

from napari_her2.errors import TileReadError
from napari_her2.messages import tr
from napari_her2.pipelines.dispatch import AnyEvent, Request, blank_of
from napari_her2.pipelines.events import CancelToken, Outcome, Progress
from napari_her2.pipelines.worker_process import (
    POLL_SECONDS,
    end_worker,
    prepare_worker,
    start_worker,
)

__all__ = ["predict_in_processes"]

_MAX_DEATHS: Final = 2
_STOP: Final = "stop"


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    task: int | None = None
    told_to_stop: bool = False


@dataclass(slots=True)
class _Slides:
    """Which slides wait and how often each stopped its worker."""

    waiting: deque[int]
    deaths: dict[int, int] = field(default_factory=dict)


def predict_in_processes(
    requests: Sequence[Request], *, workers: int, cancel: CancelToken
) -> Iterator[AnyEvent]:
    """Score slides in local processes.

    Parameters
    ----------
    requests : sequence of PredictRequest or CellsRequest
        One per slide; they travel as paths and numbers.
    workers : int
        At most so many processes; each works on one slide at a time.
    cancel : CancelToken
        Passed on to the workers, which keep what they scored.

    Yields
    ------
    Event
        The workers' events as they come; one ``Outcome`` for each slide.
    """
    context = get_context("spawn")
    slides = _Slides(deque(range(len(requests))))
    threads = max(1, (os.cpu_count() or 1) // min(workers, max(len(requests), 1)))
    team: list[_Worker] = []
    try:
        while slides.waiting or any(w.task is not None for w in team):
            stopping = cancel.is_set()
            if stopping:
                for worker in team:
                    _tell_to_stop(worker)
                while slides.waiting:
                    yield _not_begun(requests[slides.waiting.popleft()])
            free = [w for w in team if w.task is None and w.process.is_alive()]
            while slides.waiting and (free or len(team) < workers):
                worker = free.pop() if free else _start(context, threads)
                if worker not in team:
                    team.append(worker)
                _give(worker, slides.waiting.popleft(), requests)
            for worker in _ready(team):
                yield from _listen(worker, team, slides, requests)
    finally:
        for worker in team:
            _tell_to_stop(worker)
        for worker in team:
            _end(worker)


def serve(pipe: Connection, threads: int) -> None:
    """Work on requests from a pipe until it is closed. Runs in the worker process."""
    prepare_worker(threads)
    from napari_her2.pipelines.executors import guarded

    token = _PipeToken(pipe)
    with suppress(EOFError, BrokenPipeError):
        while (request := pipe.recv()) != _STOP:
            with closing(
                cast("Generator[AnyEvent, None, None]", guarded(request, token))
            ) as events:
                for event in events:
                    pipe.send(event)


class _PipeToken:
    """Set once the parent says stop, or is gone."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._set = False

    def is_set(self) -> bool:
        if not self._set:
            try:
                # While a slide is worked on the parent says nothing but "stop".
                self._set = self._pipe.poll()
            except OSError:
                self._set = True
        return self._set


def _start(context: SpawnContext, threads: int) -> _Worker:
    process, ours = start_worker(context, serve, threads)
    return _Worker(process, ours)


def _give(worker: _Worker, task: int, requests: Sequence[Request]) -> None:
    worker.task = task
    # A worker that died meanwhile is noticed when its pipe is read.
    with suppress(OSError):
        worker.pipe.send(requests[task])


def _ready(team: Sequence[_Worker]) -> list[_Worker]:
    by_pipe = {w.pipe: w for w in team}
    found = wait(list(by_pipe), timeout=POLL_SECONDS)
    return [by_pipe[p] for p in found if isinstance(p, Connection)]


def _listen(
    worker: _Worker, team: list[_Worker], slides: _Slides, requests: Sequence[Request]
) -> Iterator[AnyEvent]:
    """Pass on one event of a worker, or find that it is gone."""
    try:
        event = worker.pipe.recv()
    except (EOFError, OSError):
        team.remove(worker)
        _end(worker)
        if worker.task is not None:
            yield from _lost(worker.task, worker.told_to_stop, slides, requests)
        return
    if isinstance(event, Outcome):
        worker.task = None
    yield event


def _lost(
    task: int, stopping: bool, slides: _Slides, requests: Sequence[Request]
) -> Iterator[AnyEvent]:
    """A worker died over a slide: once may be chance, twice is the slide."""
    request = requests[task]
    slides.deaths[task] = slides.deaths.get(task, 0) + 1
    if stopping:
        yield _not_begun(request)
    elif slides.deaths[task] < _MAX_DEATHS:
        slides.waiting.append(task)
        yield Progress("opening", request.slide.stem, message=tr("worker_gone"))
    else:
        error = TileReadError("worker_died", name=request.slide.name)
        yield Outcome("failed", request.slide.stem, blank_of(request, "failed", error), error)


def _not_begun(request: Request) -> Outcome:
    return Outcome("cancelled", request.slide.stem, blank_of(request, "cancelled"))


def _tell_to_stop(worker: _Worker) -> None:
    if not worker.told_to_stop:
        worker.told_to_stop = True
        with suppress(OSError):
            worker.pipe.send(_STOP)


def _end(worker: _Worker) -> None:
    end_worker(worker.process, worker.pipe)
