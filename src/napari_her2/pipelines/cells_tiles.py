"""One tile: its cells, brought into the form that is kept."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_her2.cells.stitching import TileCells
from napari_her2.cells.table import CellTable
from napari_her2.errors import TileReadError
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_parts import TileScorer
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.results.cells_journal import CellBatch

__all__ = ["canonical_order", "in_polygons", "score_tile", "settled"]

RADIUS_STEP: Final = 16
"""Outlines are kept to 1/16 level-0 pixel: far finer than they are known, and small on disk."""

PROB_STEP: Final = 10_000
"""Probabilities are kept to four decimals, so that the last digits of a sum, which depend on how
a processor orders it, change no file."""

LATTICE_PX: Final = 4096
"""Cells are ordered by squares of this side, so that neighbours stand together in the file."""


def score_tile(scorer: TileScorer, request: CellsRequest, index: int, tile: Region) -> CellBatch:
    """Find the cells of one tile; a tile that can't be read is a record, not an end.

    Parameters
    ----------
    scorer : TileScorer
        Finds and classifies.
    request : CellsRequest
        Its polygons choose which cells are kept.
    index : int
        Number of the tile.
    tile : Region
        Level-0 pixels.
    """
    try:
        table, reason = scorer(tile)
    except TileReadError as error:
        reason = str(error.slots.get("reason", error.sentence))
        return CellBatch(index, {}, reason or "it could not be read", 1.0)
    unreadable = table.unreadable if isinstance(table, TileCells) else float(reason is not None)
    if request.roi_polygons and len(table):
        table = table.take(in_polygons(table, request.roi_polygons))
    return CellBatch(index, settled(table), reason, unreadable)


def settled(table: CellTable) -> dict[str, NDArray[Any]]:
    """Columns in the form that is kept: the same in memory, in the journal and in the file."""
    out: dict[str, NDArray[Any]] = {}
    for name, values in table.columns.items():
        if name in {"x_px", "y_px"}:
            out[name] = np.ascontiguousarray(values, np.float64)
        elif name.endswith("_radii"):
            steps = np.rint(np.asarray(values, np.float32) * RADIUS_STEP)
            out[name] = (steps / RADIUS_STEP).astype(np.float32)
        elif name == "probs":
            kept = np.rint(np.asarray(values, np.float64) * PROB_STEP) / PROB_STEP
            out[name] = kept.astype(np.float32)
        elif values.dtype.kind == "f":
            out[name] = np.ascontiguousarray(values, np.float32)
        else:
            out[name] = np.ascontiguousarray(values)
    if "probs" in out:
        # From what is kept, so that a file and its class never disagree.
        out["class"] = out["probs"].argmax(axis=1).astype(np.uint8)
    return out


def in_polygons(
    table: CellTable, polygons: tuple[tuple[tuple[float, float], ...], ...]
) -> NDArray[np.bool_]:
    """Which cells have their centre in one of the outlines (level-0 pixels)."""
    shape = shapely.union_all([shapely.make_valid(shapely.Polygon(ring)) for ring in polygons])
    shapely.prepare(shape)
    return np.asarray(shapely.contains_xy(shape, table["x_px"], table["y_px"]), np.bool_)


def canonical_order(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order of cells in files: by squares of a fixed lattice, then by row and column.

    It depends on the cells alone, neither on tiles nor on who found them first.
    """
    keys = (x, y, np.floor(x / LATTICE_PX), np.floor(y / LATTICE_PX))
    return np.asarray(np.lexsort(keys), np.intp)
