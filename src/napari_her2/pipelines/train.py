"""Trains a model from a label set and says how far it is: a generator of events.

The work is done in a process of its own (:mod:`napari_her2.pipelines.train_process`); this side
only listens, passes wishes on, and makes sure that the other side ends.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any

from napari_her2.errors import CannotTrainError, Her2Error
from napari_her2.pipelines.events import NEVER, CancelToken, Outcome, Progress
from napari_her2.pipelines.train_process import Done, Stage, Step, serve_training
from napari_her2.pipelines.worker_process import POLL_SECONDS, end_worker, start_worker
from napari_her2.training.request import TrainRequest
from napari_her2.training.watch import EpochDone
from napari_her2.training.workplace import default_out, resume_state, unfinished

__all__ = ["EpochDone", "TrainEvent", "resume_state", "train_model", "unfinished"]

TrainEvent = Progress | EpochDone | Outcome


def train_model(
    request: TrainRequest, cancel: CancelToken = NEVER, pause: CancelToken | None = None
) -> Iterator[TrainEvent]:
    """Train one model.

    Parameters
    ----------
    request : TrainRequest
        What is asked.
    cancel : CancelToken
        When set, training ends after its batch and a model is made of the best weights so far.
    pause : CancelToken, optional
        When set, training ends after its batch and only a checkpoint is kept; the same request
        goes on from there.

    Yields
    ------
    Progress
        ``loading``, ``training`` (``done`` and ``total`` count batches), ``testing``, ``saving``.
    EpochDone
        After each epoch.
    Outcome
        Last. ``slide_id`` is the id of the model; the document is that of the command ``train``.
        A paused run has status ``cancelled`` and ``document["paused"]``.

    Raises
    ------
    Exception
        What is a fault of the program; what a user can mend comes as a failed ``Outcome``.
    """
    name = request.name or (request.out or default_out(request)).name
    process, pipe = start_worker(get_context("spawn"), serve_training, request)
    told, step, ended = "", Step(0, 0), False
    try:
        while not ended:
            told = _pass_on(pipe, told, cancel, pause)
            try:
                if not pipe.poll(POLL_SECONDS):
                    continue
                event = pipe.recv()
            except (EOFError, OSError):
                process.join()
                yield _died(request, name, process.exitcode)
                return
            if isinstance(event, Step):
                step = event
                yield Progress("training", name, step.done, step.total)
            elif isinstance(event, Stage):
                yield Progress(event.name, name, step.done, step.total)
            elif isinstance(event, EpochDone):
                yield event
            elif isinstance(event, Done):
                ended = True
                yield _outcome(event.document)
            elif isinstance(event, Her2Error):
                ended = True
                yield Outcome("failed", name, _blank(request, event), event)
            elif isinstance(event, BaseException):
                raise event
    finally:
        if not ended:
            with suppress(OSError):
                pipe.send("pause")
        end_worker(process, pipe)


def _pass_on(pipe: Connection, told: str, cancel: CancelToken, pause: CancelToken | None) -> str:
    """Tell the process once what is wished; gives what it was told so far."""
    if told:
        return told
    wish = "cancel" if cancel.is_set() else "pause" if pause and pause.is_set() else ""
    if wish:
        with suppress(OSError):
            pipe.send(wish)
    return wish


def _outcome(document: dict[str, Any]) -> Outcome:
    done = document["status"] == "completed"
    return Outcome("completed" if done else "cancelled", document["model_id"], document)


def _died(request: TrainRequest, name: str, code: int | None) -> Outcome:
    out = request.out or default_out(request)
    found = resume_state(out)
    reason = "its process ended"
    if code is not None and code < 0:
        with suppress(ValueError):
            reason = f"its process was ended by {signal.Signals(-code).name}"
    epoch = found.epoch if found else 0
    error = CannotTrainError("train_died", epoch=epoch, reason=reason)
    return Outcome("failed", name, _blank(request, error), error)


def _blank(request: TrainRequest, error: Her2Error) -> dict[str, Any]:
    out = request.out or default_out(request)
    found = resume_state(out)
    return {
        "model_id": None, "folder": str(out), "recipe": request.recipe, "status": "failed",
        "metrics": {}, "splits": {}, "epochs": found.epoch if found else 0, "seconds": 0.0,
        "warnings": [], "paused": False, "resumable": found is not None,
        "error": error.sentence,
    }  # fmt: skip
