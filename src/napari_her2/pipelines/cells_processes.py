"""The tiles of one slide shared by local processes that talk over pipes.

Each worker opens the slide for itself and has a pipe of its own; calibration and request travel
once, tiles as rectangles, cells back as columns. What a tile gives does not depend on who looked at
it, so the files are equal byte by byte for any number of workers.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Final

from napari_her2.geometry import Region
from napari_her2.messages import tr
from napari_her2.pipelines.cells_parts import CellParts
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.events import CancelToken, Progress
from napari_her2.pipelines.worker_process import (
    POLL_SECONDS,
    end_worker,
    prepare_worker,
    start_worker,
)
from napari_her2.results.cells_journal import CellBatch

__all__ = ["tiles_in_processes"]

_MAX_DEATHS: Final = 2
_IN_HAND: Final = 2
"""Tiles a worker has at once: the next lies ready when one is done."""

Task = tuple[int, Region]


@dataclass(slots=True)
class _Worker:
    process: SpawnProcess
    pipe: Connection
    tasks: deque[Task] = field(default_factory=deque)
    told_to_stop: bool = False


def tiles_in_processes(
    todo: Sequence[Task],
    *,
    parts: CellParts,
    calibration: Any,
    request: CellsRequest,
    cancel: CancelToken,
) -> Iterator[CellBatch | Progress]:
    """Find the cells of some tiles in ``request.workers`` processes.

    Parameters
    ----------
    todo : sequence of (int, Region)
        Number and place of each tile.
    parts, calibration, request
        What is done with a tile.
    cancel : CancelToken
        Ends the work; tiles in hand are finished and given.

    Yields
    ------
    CellBatch or Progress
        Cells of each tile as they come. A tile over which two workers died is given as unreadable.

    Raises
    ------
    Her2Error
        What a worker could not do for a reason that is not the tile's.
    """
    waiting = deque(todo)
    deaths: dict[int, int] = {}
    team: list[_Worker] = []
    context = get_context("spawn")
    try:
        while waiting or any(w.tasks for w in team):
            if cancel.is_set():
                waiting.clear()
                for worker in team:
                    _tell_to_stop(worker)
            while waiting and len(team) < min(request.workers, len(todo)):
                process, pipe = start_worker(context, serve_tiles, parts, calibration, request)
                team.append(_Worker(process, pipe))
            for worker in team:
                _fill(worker, waiting)
            for worker in _ready(team):
                try:
                    answer = worker.pipe.recv()
                except (EOFError, OSError):
                    team.remove(worker)
                    end_worker(worker.process, worker.pipe)
                    yield from _lost(worker, waiting, deaths, request)
                    continue
                if isinstance(answer, BaseException):
                    raise answer
                worker.tasks.popleft()
                # Before the cells are kept, so that the worker never waits for the disk.
                _fill(worker, waiting)
                yield answer
    finally:
        for worker in team:
            _tell_to_stop(worker)
        for worker in team:
            end_worker(worker.process, worker.pipe)


def serve_tiles(
    pipe: Connection, parts: CellParts, calibration: Any, request: CellsRequest
) -> None:
    """Look at tiles from a pipe until it is closed. Runs in the worker process."""
    prepare_worker(1)
    import cv2

    from napari_her2.pipelines.cells_tiles import score_tile
    from napari_her2.slides import open_slide

    cv2.setNumThreads(1)
    in_hand: deque[Task] = deque()
    with suppress(EOFError, BrokenPipeError):
        try:
            with open_slide(request.slide, mpp=request.mpp) as slide:
                scorer = parts.scorer(slide, calibration, parts.classifier(request), request)
                while _take(pipe, in_hand):
                    index, tile = in_hand.popleft()
                    pipe.send(score_tile(scorer, request, index, tile))
        except (EOFError, BrokenPipeError):
            raise
        except Exception as e:  # noqa: BLE001  told to the parent, which raises it
            e.add_note(traceback.format_exc())
            pipe.send(e)


def _take(pipe: Connection, in_hand: deque[Task]) -> bool:
    """Take over what lies in the pipe; False once the parent says stop."""
    while not in_hand or pipe.poll():
        task = pipe.recv()
        if task is None:
            return False
        in_hand.append(task)
    return True


def _fill(worker: _Worker, waiting: deque[Task]) -> None:
    while waiting and len(worker.tasks) < _IN_HAND and not worker.told_to_stop:
        task = waiting.popleft()
        worker.tasks.append(task)
        # A worker that died meanwhile is noticed when its pipe is read.
        with suppress(OSError):
            worker.pipe.send(task)


def _ready(team: Sequence[_Worker]) -> list[_Worker]:
    by_pipe = {w.pipe: w for w in team}
    found = wait(list(by_pipe), timeout=POLL_SECONDS)
    return [by_pipe[p] for p in found if isinstance(p, Connection)]


def _lost(
    worker: _Worker, waiting: deque[Task], deaths: dict[int, int], request: CellsRequest
) -> Iterator[CellBatch | Progress]:
    """A worker died over its first tile: once may be chance, twice is the tile."""
    if worker.told_to_stop or not worker.tasks:
        return
    first = worker.tasks.popleft()
    # Those behind it were not begun.
    waiting.extendleft(reversed(worker.tasks))
    index = first[0]
    deaths[index] = deaths.get(index, 0) + 1
    if deaths[index] < _MAX_DEATHS:
        waiting.append(first)
        yield Progress("scoring", request.slide.stem, message=tr("tile_worker_gone"))
    else:
        yield CellBatch(index, {}, tr("worker_died", name=request.slide.name))


def _tell_to_stop(worker: _Worker) -> None:
    if not worker.told_to_stop:
        worker.told_to_stop = True
        with suppress(OSError):
            worker.pipe.send(None)
