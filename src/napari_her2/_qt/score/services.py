"""What the Score dock needs of the rest of the package; tests put fakes here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable
from napari_her2.models.card import ModelCard
from napari_her2.pipelines.cells_events import CellsEvent
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.events import CancelToken
from napari_her2.results.stored import StoredRun, find_runs, load_run

__all__ = ["ScoreServices", "write_cells_report"]

Summarise = Callable[..., Mapping[str, Any]]


def _score(request: CellsRequest, cancel: CancelToken) -> Iterator[CellsEvent]:
    from napari_her2.pipelines.cells import score_cells

    return score_cells(request, cancel)


def _replay(run: StoredRun, slide: Path) -> Iterator[CellsEvent]:
    from napari_her2.pipelines.cells_cached import replay_cells

    # Files are compared with their manifest before a number of them is shown.
    return replay_cells(load_run(run.folder), slide)


def _classifiers() -> Sequence[tuple[str, ModelCard | None]]:
    from napari_her2.cells.classifiers import list_classifiers

    return list_classifiers()


def _summarise(
    table: CellTable, tile_of_cell: NDArray[np.intp] | None, **options: Any
) -> Mapping[str, Any]:
    from napari_her2.pipelines.cells_document import summarise_cells

    return summarise_cells(table, tile_of_cell, **options)


def write_cells_report(document: Mapping[str, Any], run_dir: Path) -> Path:
    """Write the report of a run, or give the one that is there.

    Raises
    ------
    CannotWriteError
        If it can't be written.
    """
    from napari_her2.reporting.report import write_report

    there = run_dir / "report.html"
    return there if there.exists() else write_report(document, run_dir)


@dataclass(slots=True)
class ScoreServices:
    """The pipeline, the classifiers and the store, as functions.

    Attributes
    ----------
    score : callable
        Request and cancel token to the generator of events.
    replay : callable
        Stored run and slide to the same events.
    classifiers : callable
        The classifiers there are: id and card (None for the measurement without weights).
    summarise : callable
        Cells to the scoring part of the document.
    find_runs : callable
        Results folder and slide id to the stored runs.
    """

    score: Callable[[CellsRequest, CancelToken], Iterator[CellsEvent]] = field(default=_score)
    replay: Callable[[StoredRun, Path], Iterator[CellsEvent]] = field(default=_replay)
    classifiers: Callable[[], Sequence[tuple[str, ModelCard | None]]] = field(default=_classifiers)
    summarise: Summarise = field(default=_summarise)
    find_runs: Callable[[Path, str], list[StoredRun]] = field(default=find_runs)
