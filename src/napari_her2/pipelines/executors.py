"""Several slides through one interface: one after the other, in local processes, or by dask."""

from __future__ import annotations

import hashlib
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace

from napari_her2.errors import Her2Error, UsageError
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.dispatch import AnyEvent, Request, blank_of, events_of
from napari_her2.pipelines.events import NEVER, CancelToken, Outcome
from napari_her2.pipelines.plan import ModelSource
from napari_her2.pipelines.request import PredictRequest
from napari_her2.settings import LOGGER

__all__ = ["guarded", "predict_many", "program_fault", "score_cells_many"]


def predict_many(
    requests: Sequence[PredictRequest],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    insecure: bool = False,
    cancel: CancelToken = NEVER,
    registry: ModelSource | None = None,
) -> Iterator[AnyEvent]:
    """Score several slides; a slide that fails is a record and the rest goes on.

    The heatmaps are equal byte by byte, whichever way is chosen.

    Parameters
    ----------
    requests : sequence of PredictRequest
        One per slide.
    workers : int
        Local processes; they open no listening port. 0 = in this process.
    scheduler : str, optional
        Address of a dask scheduler, ``tls://host:port``. Slides travel as paths: the workers must
        see the same files and the same results folder.
    insecure : bool
        Allow a scheduler without TLS.
    cancel : CancelToken
        Stops all slides; what was scored is kept.
    registry : ModelSource, optional
        For one process only; workers use the installed models.

    Yields
    ------
    Event
        As :func:`~napari_her2.pipelines.predict.predict`; one ``Outcome`` for each slide, in the
        order they end. By dask no ``Started`` and ``Partial`` are sent.

    Raises
    ------
    SchedulerError
        If the scheduler does not answer, or is not protected and that was not allowed.
    """
    if scheduler is not None:
        if workers:
            raise UsageError("usage", detail="Choose --workers or --scheduler, not both.")
        from napari_her2.pipelines.dask_executor import predict_distributed

        yield from predict_distributed(
            requests, address=scheduler, insecure=insecure, cancel=cancel
        )
    elif workers:
        from napari_her2.pipelines.processes import predict_in_processes

        yield from predict_in_processes(requests, workers=workers, cancel=cancel)
    else:
        for request in requests:
            # Of several slides none may take the others with it.
            yield from guarded(request, cancel, registry, probe=len(requests) > 1)


def score_cells_many(
    requests: Sequence[CellsRequest], *, workers: int = 0, cancel: CancelToken = NEVER
) -> Iterator[AnyEvent]:
    """Score the cells of several slides; a slide that fails is a record and the rest goes on.

    The files are equal byte by byte, whatever the number of workers.

    Parameters
    ----------
    requests : sequence of CellsRequest
        One per slide.
    workers : int
        Local processes; they open no listening port. 0 = in this process. They share the slides
        where there are as many of these, else the tiles of one slide after the other.
    cancel : CancelToken
        Stops all slides; what was found is kept.

    Yields
    ------
    Progress, CellsStarted, Outcome
        One ``Outcome`` for each slide, in the order they end. The cells themselves are not told.
    """
    if workers > 1 and len(requests) >= workers:
        from napari_her2.pipelines.processes import predict_in_processes

        alone = [replace(r, workers=0) for r in requests]
        yield from predict_in_processes(alone, workers=workers, cancel=cancel)
        return
    for request in requests:
        # Of several slides none may take the others with it.
        shared = replace(request, workers=workers)
        yield from guarded(shared, cancel, probe=len(requests) > 1)


def guarded(
    request: Request,
    cancel: CancelToken = NEVER,
    registry: ModelSource | None = None,
    *,
    probe: bool = False,
) -> Iterator[AnyEvent]:
    """One slide of several: even a fault in the program ends in an ``Outcome``.

    The traceback goes to the log; the sentence carries its digest, so that the two can be found
    together.
    """
    try:
        yield from events_of(request, cancel, registry, probe=probe)
    except Exception as e:  # noqa: BLE001  the other slides must go on
        error = program_fault(request, e)
        document = blank_of(request, "failed", error)
        yield Outcome("failed", request.slide.stem, document, error)


def program_fault(request: Request, e: Exception) -> Her2Error:
    """A fault in the program as a sentence; its traceback goes to the log under a digest."""
    text = "".join(traceback.format_exception(e))
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    LOGGER.error("fault %s\n%s", digest, text)
    return Her2Error("unexpected", name=request.slide.name, kind=type(e).__name__, digest=digest)
