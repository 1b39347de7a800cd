"""Runs requests on the command line: progress, Ctrl+C, reports, the exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click

from napari_her2.cli.app import CANCELLED
from napari_her2.cli.progress import ProgressLine
from napari_her2.cli.signals import cancel_on_interrupt
from napari_her2.errors import Her2Error
from napari_her2.messages import tr
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.dispatch import AnyEvent
from napari_her2.pipelines.events import CancelToken, Outcome
from napari_her2.pipelines.executors import predict_many, score_cells_many
from napari_her2.pipelines.request import PredictRequest
from napari_her2.reporting.report import write_report
from napari_her2.results.table import CELL_COLUMNS, COLUMNS, write_slide_table

__all__ = ["SLIDES_FILE", "run_cells", "run_requests"]

SLIDES_FILE: Final = "slides.csv"
"""Table of the slides of one call, in the folder of results."""


def run_requests(
    requests: Sequence[PredictRequest],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    insecure: bool = False,
) -> tuple[list[dict[str, Any]], int]:
    """Run requests to their end and write a report beside each result.

    Parameters
    ----------
    requests : sequence of PredictRequest
        One per slide.
    workers : int
        Local processes; 0 = in this one.
    scheduler : str, optional
        Address of a dask scheduler.
    insecure : bool
        Whether a scheduler without TLS is allowed.

    Returns
    -------
    list of dict, int
        The slides' documents in the order they ended, and the exit code.
    """
    return _run(
        requests,
        lambda token: predict_many(
            requests, workers=workers, scheduler=scheduler, insecure=insecure, cancel=token
        ),
        COLUMNS,
    )


def run_cells(
    requests: Sequence[CellsRequest], *, workers: int = 0
) -> tuple[list[dict[str, Any]], int]:
    """Score the cells of slides and write a report beside each result.

    Parameters
    ----------
    requests : sequence of CellsRequest
        One per slide.
    workers : int
        Local processes; 0 = in this one.

    Returns
    -------
    list of dict, int
        The slides' documents in the order they ended, and the exit code.
    """
    return _run(
        requests,
        lambda token: score_cells_many(requests, workers=workers, cancel=token),
        CELL_COLUMNS,
    )


def _run(
    requests: Sequence[PredictRequest] | Sequence[CellsRequest],
    start: Callable[[CancelToken], Iterator[AnyEvent]],
    columns: Sequence[str],
) -> tuple[list[dict[str, Any]], int]:
    documents: list[dict[str, Any]] = []
    failures: list[Her2Error | None] = []
    cancelled = False
    with cancel_on_interrupt() as token, ProgressLine() as line:
        for event in start(token):
            line.show(event)
            if not isinstance(event, Outcome):
                continue
            document = _as_document(event)
            documents.append(document)
            if event.status == "failed":
                failures.append(event.error)
                click.echo(document["error"], err=True)
                continue
            if event.status == "cancelled":
                cancelled = True
                if event.error is not None:
                    # The window's sentence names its button; here the same command goes on.
                    click.echo(tr("cancelled_cli", **event.error.slots), err=True)
            _report(document)
    if len(requests) > 1:
        _tabulate(requests[0].out, documents, columns)
    if cancelled or token.is_set():
        return documents, CANCELLED
    if not failures:
        return documents, 0
    if len(requests) > 1:
        return documents, 1
    return documents, failures[0].exit_code if failures[0] is not None else 3


def _tabulate(
    out: Path | None, documents: Sequence[dict[str, Any]], columns: Sequence[str]
) -> None:
    """Write ``slides.csv`` for several slides; the results are kept whether or not that works."""
    if out is None:
        return
    try:
        path = write_slide_table(out / SLIDES_FILE, documents, columns)
    except Her2Error as error:
        click.echo(error.sentence, err=True)
        return
    for document in documents:
        document["table"] = path


def _as_document(outcome: Outcome) -> dict[str, Any]:
    """Give the slide's document, also where the run did not come far enough to make one."""
    blank: dict[str, Any] = {
        "slide": outcome.slide_id,
        "run_dir": None,
        "results": [],
        "seconds": 0.0,
        "warnings": [],
    }
    document = {**blank, **outcome.document, "status": outcome.status}
    if outcome.status == "failed":
        sentence = outcome.error.sentence if outcome.error else "unknown reason"
        document.setdefault("error", sentence)
    return document


def _report(document: dict[str, Any]) -> None:
    """Write ``report.html`` beside the result; a full disk must not lose the result itself."""
    if not document.get("run_dir"):
        return
    try:
        document["report"] = write_report(document, Path(document["run_dir"]))
    except Her2Error as error:
        click.echo(error.sentence, err=True)
        document["warnings"] = [*document["warnings"], error.sentence]
