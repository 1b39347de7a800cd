"""Slides by dask.distributed: the only module that knows it.

A scheduler runs any code it is sent, so only ``tls://`` is accepted unless the user says otherwise.
Slides travel as paths, keys say nothing of them, and a task may run twice: it claims its run,
goes on where another stopped, and finds the result where another finished.
"""

from __future__ import annotations

import queue
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import distributed

from napari_her2.errors import Her2Error, RunBusyError, SchedulerError, TileReadError, UsageError
from napari_her2.pipelines.document import blank_document
from napari_her2.pipelines.events import CancelToken, Event, Outcome, Progress
from napari_her2.pipelines.executors import guarded, program_fault
from napari_her2.pipelines.request import PredictRequest
from napari_her2.settings import LOGGER

__all__ = ["predict_distributed", "score_slide"]

_CONNECT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_REPORT_SECONDS: Final = 0.5
_BUSY_SECONDS: Final = 1.0


def predict_distributed(
    requests: Sequence[PredictRequest], *, address: str, insecure: bool, cancel: CancelToken
) -> Iterator[Event]:
    """Score slides on the workers of a scheduler.

    Certificates come from dask's own configuration (``distributed.comm.tls``).

    Parameters
    ----------
    requests : sequence of PredictRequest
        One per slide, each with a folder for results that the workers share.
    address : str
        ``tls://host:port``.
    insecure : bool
        Allow an address without TLS; logged.
    cancel : CancelToken
        Passed on to the workers within about a second.

    Yields
    ------
    Event
        ``Progress`` twice a second at most and one ``Outcome`` for each slide.

    Raises
    ------
    SchedulerError
        If the scheduler is not protected, does not answer, or stops answering.
    UsageError
        If a request names no folder for results.
    """
    if not address.startswith("tls://"):
        if not insecure:
            raise SchedulerError("scheduler_plain", address=address)
        LOGGER.warning("a scheduler without TLS is used because it was asked for")
    if any(r.out is None for r in requests):
        raise UsageError("usage", detail="Slides on other computers need a folder for results.")
    topic = f"her2-{uuid.uuid4().hex}"
    with _connect(address) as client:
        news: queue.SimpleQueue[Progress] = queue.SimpleQueue()
        client.subscribe_topic(topic, lambda event: news.put(_progress(event[1], requests)))
        stop = distributed.Event(topic, client=client)
        tasks = {
            client.submit(score_slide, r, i, topic, key=uuid.uuid4().hex, pure=False): r
            for i, r in enumerate(requests)
        }
        told = False
        try:
            while tasks:
                if cancel.is_set() and not told:
                    told = True
                    stop.set()
                with suppress(queue.Empty):
                    yield news.get(timeout=_POLL_SECONDS)
                for future in [f for f in tasks if f.done()]:
                    yield _outcome(future, tasks.pop(future))
                if client.status != "running":
                    raise SchedulerError("scheduler_gone_mid", address=address)
        finally:
            if tasks and client.status == "running":
                with suppress(Exception):
                    stop.set()
            client.unsubscribe_topic(topic)


def score_slide(request: PredictRequest, number: int, topic: str) -> Outcome:
    """Score one slide on a worker; running it twice gives the same files once.

    Parameters
    ----------
    request : PredictRequest
        What is asked.
    number : int
        Stands for the slide in what is told of its progress.
    topic : str
        Where progress is told and the wish to stop is heard.
    """
    token = _RemoteToken(topic)
    while True:
        outcome = _score_once(request, number, topic, token)
        if not isinstance(outcome.error, RunBusyError) or token.is_set():
            return outcome
        # The scheduler gave this slide out twice: wait for the other, then take its result.
        time.sleep(_BUSY_SECONDS)


def _score_once(request: PredictRequest, number: int, topic: str, token: CancelToken) -> Outcome:
    worker = distributed.get_worker()
    told = float("-inf")
    outcome: Outcome | None = None
    for event in guarded(request, token):
        if isinstance(event, Outcome):
            outcome = event
        elif isinstance(event, Progress) and time.monotonic() - told > _REPORT_SECONDS:
            told = time.monotonic()
            # Events stay on the scheduler for anyone to read, so the slide goes by its number.
            worker.log_event(
                topic, [number, event.stage, event.done, event.total, event.tiles_per_second]
            )
    if outcome is None:
        msg = "a run ended without an outcome"
        raise RuntimeError(msg)
    return outcome


class _RemoteToken:
    """The client's wish to stop, asked for at most twice a second."""

    def __init__(self, topic: str) -> None:
        self._event = distributed.Event(topic)
        self._asked = float("-inf")
        self._set = False

    def is_set(self) -> bool:
        if not self._set and time.monotonic() - self._asked > _REPORT_SECONDS:
            self._asked = time.monotonic()
            self._set = bool(self._event.is_set())
        return self._set


def _connect(address: str) -> Any:
    try:
        return distributed.Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError, RuntimeError) as e:
        LOGGER.info("no connection to the scheduler: %s", type(e).__name__)
        raise SchedulerError("scheduler_gone", address=address) from e


def _progress(told: Sequence[Any], requests: Sequence[PredictRequest]) -> Progress:
    number, stage, done, total, speed = told
    return Progress(str(stage), requests[number].slide.stem, done, total, speed)


def _outcome(future: Any, request: PredictRequest) -> Outcome:
    error: Her2Error
    try:
        found = future.result()
    except distributed.KilledWorker:
        error = TileReadError("worker_died", name=request.slide.name)
    except Exception as e:  # noqa: BLE001  whatever a worker could not do is a record
        error = program_fault(request, e)
    else:
        if isinstance(found, Outcome):
            return found
        error = program_fault(request, TypeError(type(found).__name__))
    return Outcome(
        "failed", request.slide.stem, blank_document(request.slide, "failed", error), error
    )
