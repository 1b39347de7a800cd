"""What a table of cells comes to: counts, scores by each rule, how sure the numbers are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES, SCORE_OF, TUMOUR_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.messages import tr
from napari_her2.pipelines.cells_scores import her2_scores, nuclear_scores
from napari_her2.scoring.intervals import MIN_TILES
from napari_her2.scoring.receptors import NuclearMarker
from napari_her2.scoring.rules import Organ, Specimen

__all__ = [
    "RESAMPLE_UM",
    "SMALL_RESAMPLE_UM",
    "counts_by_tile",
    "counts_so_far",
    "resample_tiles",
    "summarise_cells",
]

RESAMPLE_UM: Final = 490.0
"""Side of the squares that are drawn anew for an interval: 1000 px at 0.49 µm/px, half the side of
the tiles of Vandenberghe 2017 (Methods). A fixed lattice of the slide, independent of the tiles of
the run."""

SMALL_RESAMPLE_UM: Final = 122.5
"""Side where fewer than five of those hold tumour cells (cores, single fields): the 250 px of that
paper's density maps. Neighbouring squares are then less independent, the interval rather short."""


def counts_so_far(counts: Mapping[str, int]) -> dict[str, Any]:
    """Counts and percent of tumour cells, as far as a run has come.

    Parameters
    ----------
    counts : mapping of str to int
        Cells of each class.

    Returns
    -------
    dict
        ``cells_detected``, ``counts``; with HER2 classes ``tumour_cells`` and ``percent`` by score
        (of the tumour cells; None where there are none).
    """
    out: dict[str, Any] = {"cells_detected": sum(counts.values()), "counts": dict(counts)}
    if set(counts) >= set(TUMOUR_CLASSES):
        tumour = sum(counts[c] for c in TUMOUR_CLASSES)
        out["tumour_cells"] = tumour
        out["percent"] = {
            SCORE_OF[c]: 100 * counts[c] / tumour if tumour else None for c in TUMOUR_CLASSES
        }
    return out


def resample_side(table: CellTable, mpp_x: float, mpp_y: float) -> float:
    """Side of the squares for the intervals of a slide, µm: large ones if there are enough."""
    counted = table
    if table.classes == CELL_CLASSES:
        counted = table.take(table["class"] < len(TUMOUR_CLASSES))
    numbers = resample_tiles(counted, mpp_x, mpp_y, RESAMPLE_UM)
    enough = len(numbers) > 0 and int(numbers.max()) + 1 >= MIN_TILES
    return RESAMPLE_UM if enough else SMALL_RESAMPLE_UM


def resample_tiles(
    table: CellTable, mpp_x: float, mpp_y: float, side_um: float | None = None
) -> NDArray[np.intp]:
    """Square of the slide's lattice that each cell lies in, numbered from 0.

    Parameters
    ----------
    table : CellTable
        The cells.
    mpp_x, mpp_y : float
        Micrometres per level-0 pixel.
    side_um : float, optional
        Side of a square; :func:`resample_side` without it.
    """
    side = resample_side(table, mpp_x, mpp_y) if side_um is None else side_um
    col = np.floor(table["x_px"] * (mpp_x / side)).astype(np.int64)
    row = np.floor(table["y_px"] * (mpp_y / side)).astype(np.int64)
    _, number = np.unique(row * (1 << 32) + col, return_inverse=True)
    return np.asarray(number, np.intp)


def summarise_cells(
    table: CellTable,
    tile_of_cell: NDArray[np.intp] | None,
    *,
    organ: Organ = "breast",
    specimen: Specimen = "resection",
    rule: str | None = None,
    tissue_mm2: float | None = None,
    mpp: tuple[float, float] | None = None,
    demo: bool = False,
    marker: NuclearMarker | None = None,
) -> dict[str, Any]:
    """Score a table of cells; the scoring part of the document.

    Parameters
    ----------
    table : CellTable
        Classified cells. Their classes say what is scored: HER2 grades, nuclear staining, or
        nothing (nuclei that were only found).
    tile_of_cell : ndarray of intp or None
        Shape (n,): the square each cell lies in, from :func:`resample_tiles`, for the intervals;
        None gives none.
    organ, specimen, rule
        As in :class:`~napari_her2.pipelines.cells_request.CellsRequest`.
    tissue_mm2 : float, optional
        Tissue that was looked at, for cells per mm².
    mpp : (float, float), optional
        Micrometres per level-0 pixel in x and y; biopsies are scored by clusters, which need it.
    demo : bool
        Whether the classes come from a demo model (status ``synthetic-demo``): its scores are
        never called positive, equivocal or negative.
    marker : {"ER", "PR", "Ki67"}, optional
        What nuclear staining shows; ER and PR get a status.

    Returns
    -------
    dict
        Keys of the document, see ``docs/cli.md``. What can't be assessed has the reason instead
        of a score, and is never called negative.

    Raises
    ------
    UsageError
        If there is no such rule.
    """
    counts = table.counts()
    out = counts_so_far(counts)
    out["cells_per_mm2"] = len(table) / tissue_mm2 if tissue_mm2 else None
    if table.classes == CELL_CLASSES:
        tiles = None if tile_of_cell is None else counts_by_tile(table, tile_of_cell)
        return out | her2_scores(table, counts, tiles, organ, specimen, rule, mpp, demo)
    if table.classes == NUCLEAR_CLASSES:
        tiles = None if tile_of_cell is None else counts_by_tile(table, tile_of_cell)
        return out | nuclear_scores(table, tiles, marker)
    return out | {"assessable": len(table) > 0, "reason": None if len(table) else tr("no_cells")}


def counts_by_tile(table: CellTable, tile_of_cell: NDArray[np.intp]) -> NDArray[np.int64]:
    """Cells of each class in each square, shape (squares, classes)."""
    k = len(table.classes)
    n = int(tile_of_cell.max()) + 1 if len(tile_of_cell) else 0
    flat = np.bincount(tile_of_cell * k + table["class"], minlength=n * k)
    return np.asarray(flat.reshape(n, k), np.int64)
