"""All cells of a run so far: tiles as they come, one table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_summary import counts_so_far
from napari_her2.pipelines.cells_tiles import canonical_order
from napari_her2.results.cells_journal import CellBatch

__all__ = ["FoundCells"]


class FoundCells:
    """Collects tiles in any order.

    Parameters
    ----------
    tiles : list of Region
        The tiles of the run.
    classes : tuple of str
        Names of the classes.
    """

    def __init__(self, tiles: list[Region], classes: tuple[str, ...]) -> None:
        self.tiles = tiles
        self.classes = classes
        self._batches: dict[int, CellBatch] = {}
        self._counts = np.zeros(len(classes), np.int64)

    def add(self, batch: CellBatch) -> CellTable:
        """Take a tile in; gives its cells."""
        table = self._table(batch)
        self._batches[batch.index] = batch
        if len(table):
            self._counts += np.bincount(table["class"], minlength=len(self.classes))
        return table

    @property
    def todo(self) -> list[int]:
        """Tiles that are still to be looked at."""
        return [i for i in range(len(self.tiles)) if i not in self._batches]

    @property
    def done(self) -> int:
        """Number of tiles looked at, those that could not be read included."""
        return len(self._batches)

    @property
    def failed(self) -> list[tuple[Region, str]]:
        """Tiles that could not be read, with the reason."""
        batches = (self._batches[i] for i in sorted(self._batches))
        return [(self.tiles[b.index], b.reason) for b in batches if b.reason is not None]

    def read_tiles(self) -> list[Region]:
        """Tiles whose cells are known."""
        return [self.tiles[i] for i in sorted(self._batches) if not self._batches[i].failed]

    def summary(self) -> dict[str, Any]:
        """Counts so far."""
        return counts_so_far(dict(zip(self.classes, self._counts.tolist(), strict=True)))

    def table(self) -> CellTable:
        """All cells in their canonical order, whatever order the tiles came in."""
        batches = [self._batches[i] for i in sorted(self._batches) if len(self._batches[i])]
        if not batches:
            return empty_table(self.classes)
        names = list(batches[0].columns)
        x = np.concatenate([b.columns["x_px"] for b in batches])
        y = np.concatenate([b.columns["y_px"] for b in batches])
        order = canonical_order(x, y)
        # One column at a time: a million cells are never held three times over.
        return CellTable({n: _joined(batches, n)[order] for n in names}, self.classes)

    def _table(self, batch: CellBatch) -> CellTable:
        if not batch.columns:
            return empty_table(self.classes)
        return CellTable(batch.columns, self.classes)


def empty_table(classes: tuple[str, ...]) -> CellTable:
    """A table of no cells."""
    columns: Mapping[str, NDArray[Any]] = {
        "x_px": np.empty(0),
        "y_px": np.empty(0),
        "class": np.empty(0, np.uint8),
        "probs": np.empty((0, len(classes)), np.float32),
        "area_um2": np.empty(0, np.float32),
    }
    return CellTable(columns, classes)


def _joined(batches: list[CellBatch], name: str) -> NDArray[Any]:
    return np.concatenate([b.columns[name] for b in batches])
