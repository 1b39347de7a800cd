"""The files of a run of cells, written when all cells are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_her2.cells.classes import QUPATH_COLOURS, QUPATH_NAMES
from napari_her2.cells.table import CellTable
from napari_her2.messages import NOTICE
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.results.cells_geojson import FEW_CELLS, cells_geojson_writer
from napari_her2.results.cells_store import CELLS_FILE, GEOJSON_FILE, CellStore
from napari_her2.results.cells_table import cells_writer

__all__ = ["write_cells_files"]


def write_cells_files(
    store: CellStore, table: CellTable, request: CellsRequest, document: Mapping[str, Any]
) -> dict[str, str | None]:
    """Write ``cells.parquet`` and, where the cells are few or it is asked for, ``cells.geojson``.

    Equal cells give equal bytes: nothing in the files says when, where or by how many processes
    they were found.

    Returns
    -------
    dict
        ``cells_file`` and ``geojson_file`` (None where it was not written) for the document.
    """
    facts = {
        "slide_id": document["slide_id"],
        "mpp": document["mpp"],
        "stain": request.stain,
        "classifier": document["classifier"],
        "units": "level-0 pixels from the top-left corner; um2; optical density to base 10",
        "notice": NOTICE,
    }
    path = store.write_stream(CELLS_FILE, cells_writer(table.columns, table.classes, facts))
    out: dict[str, str | None] = {"cells_file": str(path), "geojson_file": None}
    wanted = len(table) <= FEW_CELLS if request.geojson is None else request.geojson
    if wanted:
        fill = cells_geojson_writer(table.columns, table.classes, QUPATH_NAMES, QUPATH_COLOURS)
        out["geojson_file"] = str(store.write_stream(GEOJSON_FILE, fill))
    return out
