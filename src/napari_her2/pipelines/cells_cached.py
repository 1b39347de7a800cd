"""Stored runs of cells: their table, and the run told as if it had just been made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_events import CellsEvent, CellsPartial, CellsStarted
from napari_her2.pipelines.cells_found import FoundCells
from napari_her2.pipelines.cells_summary import counts_so_far
from napari_her2.pipelines.events import Outcome
from napari_her2.results.cells_journal import CellJournal
from napari_her2.results.cells_store import CELLS_FILE, GEOJSON_FILE
from napari_her2.results.cells_table import read_cells
from napari_her2.results.store import JOURNAL
from napari_her2.results.stored import StoredRun

__all__ = ["load_cells", "replay_cells", "stored_cells_document"]


def load_cells(run_dir: Path) -> CellTable:
    """The cells of a run, also of one that was stopped.

    Parameters
    ----------
    run_dir : Path
        The run's folder.

    Returns
    -------
    CellTable
        In the order of ``cells.parquet``.

    Raises
    ------
    RunDamagedError
        If neither table nor journal can be read.
    """
    path = run_dir / CELLS_FILE
    if path.exists() or not (run_dir / JOURNAL).exists():
        columns, classes, _facts = read_cells(path)
        return CellTable(columns, classes)
    header, batches = CellJournal.read(run_dir / JOURNAL)
    found = FoundCells([Region(0, 0, 1, 1)] * int(header["tiles"]), tuple(header["classes"]))
    for batch in batches:
        found.add(batch)
    return found.take_table()


def replay_cells(run: StoredRun, slide: Path, *, partials: bool = True) -> Iterator[CellsEvent]:
    """Give tiles, cells and outcome of a stored run.

    Parameters
    ----------
    run : StoredRun
        A complete run whose files were verified.
    slide : Path
        Where the slide lies now.
    partials : bool
        Whether the cells are wanted.

    Yields
    ------
    CellsStarted, CellsPartial, Outcome
        All cells at once; the document says ``cached: true``.
    """
    document = stored_cells_document(run, slide)
    slide_id = str(document["slide_id"])
    tiles = tuple(Region(*t) for t in run.record.get("tiles", []))
    yield CellsStarted(slide_id, tiles, document.get("area_mm2"), run.folder)
    if partials:
        table = load_cells(run.folder)
        facts = run.record["slide"]
        whole = Region(0, 0, facts["width"], facts["height"])
        yield CellsPartial(slide_id, table, whole, counts_so_far(table.counts()))
    yield Outcome("completed", slide_id, document)


def stored_cells_document(run: StoredRun, slide: Path) -> dict[str, Any]:
    """The document of a stored run, with the paths as they are now."""
    document = run.document()
    for key, name in (("cells_file", CELLS_FILE), ("geojson_file", GEOJSON_FILE)):
        if document.get(key):
            document[key] = str(run.folder / name)
    return {**document, "slide": str(slide), "run_dir": str(run.folder), "cached": True}
