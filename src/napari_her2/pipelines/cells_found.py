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
        self._reasons: dict[int, str | None] = {}
        self._columns: dict[str, dict[int, NDArray[Any]]] = {}
        self._counts = np.zeros(len(classes), np.int64)

    def add(self, batch: CellBatch) -> CellTable:
        """Take a tile in; gives its cells."""
        self._reasons[batch.index] = batch.reason
        if not len(batch):
            return empty_table(self.classes)
        for name, values in batch.columns.items():
            self._columns.setdefault(name, {})[batch.index] = values
        self._counts += np.bincount(batch.columns["class"], minlength=len(self.classes))
        return CellTable(batch.columns, self.classes)

    @property
    def todo(self) -> list[int]:
        """Tiles that are still to be looked at."""
        return [i for i in range(len(self.tiles)) if i not in self._reasons]

    @property
    def done(self) -> int:
        """Number of tiles looked at, those that could not be read included."""
        return len(self._reasons)

    @property
    def failed(self) -> list[tuple[Region, str]]:
        """Tiles that could not be read, with the reason."""
        return [(self.tiles[i], r) for i, r in sorted(self._reasons.items()) if r is not None]

    def read_tiles(self) -> list[Region]:
        """Tiles whose cells are known."""
        return [self.tiles[i] for i, r in sorted(self._reasons.items()) if r is None]

    def summary(self) -> dict[str, Any]:
        """Counts so far."""
        return counts_so_far(dict(zip(self.classes, self._counts.tolist(), strict=True)))

    def take_table(self) -> CellTable:
        """Hand over all cells in their canonical order, whatever order the tiles came in.

        They are handed over once: a million cells are never held twice.
        """
        if not self._columns:
            return empty_table(self.classes)
        x, y = (self._joined(self._columns[name]) for name in ("x_px", "y_px"))
        order = canonical_order(x, y)
        columns = {}
        for name in list(self._columns):
            columns[name] = self._joined(self._columns.pop(name))[order]
        return CellTable(columns, self.classes)

    @staticmethod
    def _joined(parts: Mapping[int, NDArray[Any]]) -> NDArray[Any]:
        return np.concatenate([parts[i] for i in sorted(parts)])


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
