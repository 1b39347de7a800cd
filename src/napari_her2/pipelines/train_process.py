"""The process that trains: torch, its threads and its memory stay out of the one with the window.

Whatever goes wrong in it (memory, a crash in a library, kill) ends that process only, and the last
checkpoint is there to go on from. It talks over a pipe of its own.
"""

from __future__ import annotations

import os
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final

from napari_her2.errors import CannotTrainError
from napari_her2.pipelines.worker_process import prepare_worker
from napari_her2.training.request import TrainRequest
from napari_her2.training.watch import EpochDone, Wish

__all__ = ["Done", "Stage", "Step", "serve_training"]

_STEP_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stage:
    """Another part of the work began."""

    name: str


@dataclass(frozen=True, slots=True)
class Step:
    """So many batches of so many are done."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Done:
    """The end: the document of the run."""

    document: dict[str, Any]


def serve_training(pipe: Connection, request: TrainRequest) -> None:
    """Train and tell over a pipe. Runs in the process that trains."""
    # Threads that wait must not take the cores from the window beside them.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    prepare_worker(request.threads or os.cpu_count() or 1)
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        try:
            from napari_her2.training.run import run_training

            pipe.send(Done(run_training(request, _PipeWatcher(pipe))))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise
        except Exception as e:  # noqa: BLE001  told to the parent, which raises it
            pipe.send(_plain(e, request))


class _PipeWatcher:
    """Tells the parent, and asks it whether to go on."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._wish: Wish = "go"
        self._told = 0.0

    def stage(self, name: str) -> None:
        self._send(Stage(name))

    def step(self, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - self._told >= _STEP_SECONDS:
            self._told = now
            self._send(Step(done, total))

    def epoch(self, event: EpochDone) -> None:
        self._send(event)

    def wish(self) -> Wish:
        if self._wish == "go":
            try:
                if self._pipe.poll():
                    self._wish = self._pipe.recv()
            except (EOFError, OSError):
                # The parent is gone: keep a checkpoint and end.
                self._wish = "pause"
        return self._wish

    def _send(self, event: object) -> None:
        # Whoever asked may be gone; the checkpoint is worth finishing all the same.
        with suppress(BrokenPipeError, ConnectionResetError):
            self._pipe.send(event)


def _plain(error: Exception, request: TrainRequest) -> Exception:
    """The error as something that can travel."""
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return CannotTrainError("train_mem", recipe=request.recipe)
    error.add_note(traceback.format_exc())
    return error
