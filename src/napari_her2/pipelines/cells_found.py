"""All cells of a run so far: tiles as they come, one table at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable
from napari_her2.errors import TileReadError
from napari_her2.geometry import Region
from napari_her2.messages import tr
from napari_her2.pipelines.cells_summary import counts_so_far
from napari_her2.pipelines.cells_tiles import canonical_order
from napari_her2.pipelines.predict import MAX_FAILED
from napari_her2.results.cells_journal import CellBatch

__all__ = ["FoundCells", "weigh_damage"]


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
        self._unreadable: dict[int, float] = {}
        self._columns: dict[str, dict[int, NDArray[Any]]] = {}
        self._counts = np.zeros(len(classes), np.int64)

    def add(self, batch: CellBatch) -> CellTable:
        """Take a tile in; gives its cells."""
        self._reasons[batch.index] = batch.reason
        self._unreadable[batch.index] = batch.unreadable
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
        """Tiles that could not be read in full, with the reason."""
        return [(self.tiles[i], r) for i, r in sorted(self._reasons.items()) if r is not None]

    @property
    def lost_share(self) -> float:
        """Share of the area looked at that could not be read."""
        area = {i: self.tiles[i].width * self.tiles[i].height for i in self._unreadable}
        lost = sum(area[i] * share for i, share in self._unreadable.items())
        return lost / sum(area.values()) if area else 0.0

    @property
    def partly_read(self) -> bool:
        """Whether cells are known of a tile that could not be read in full."""
        return any(0 < share < 1 for share in self._unreadable.values())

    def read_tiles(self) -> list[Region]:
        """Tiles whose cells are known, also those with a hole in them."""
        return [self.tiles[i] for i, share in sorted(self._unreadable.items()) if share < 1]

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


def weigh_damage(found: FoundCells) -> list[str]:
    """Say what of a finished run could not be read.

    Returns
    -------
    list of str
        A warning, or nothing.

    Raises
    ------
    TileReadError
        If it is too much for a result: more than 5 % of the area looked at, or of the tiles where
        whole tiles are gone.
    """
    failed, total, lost = len(found.failed), len(found.tiles), found.lost_share
    if not failed:
        return []
    if found.partly_read:
        percent = max(round(100 * lost, 1), 0.1)
        if lost > MAX_FAILED:
            raise TileReadError("much_unreadable", percent=percent)
        return [tr("part_unreadable", percent=percent)]
    if failed > MAX_FAILED * total:
        raise TileReadError(
            "many_bad_tiles", failed=failed, total=total, percent=round(100 * failed / total)
        )
    return [tr("bad_tiles", failed=failed, total=total)]


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
