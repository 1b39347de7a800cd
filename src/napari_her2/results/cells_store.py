"""The folder of a run that finds cells: as for predictions, with a journal of cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from napari_her2.results.atomic import write_stream
from napari_her2.results.cells_journal import CellBatch, CellJournal
from napari_her2.results.store import JOURNAL, RunStore

__all__ = ["CELLS_FILE", "GEOJSON_FILE", "CellStore"]

CELLS_FILE = "cells.parquet"
GEOJSON_FILE = "cells.geojson"


class CellStore(RunStore):
    """A run that finds cells while it is being written. Made by :meth:`begin`.

    Attributes
    ----------
    tiles : list of CellBatch
        What an earlier, stopped run had found. Taken over by :meth:`take_tiles`.
    """

    tiles: list[CellBatch]

    def take_tiles(self) -> list[CellBatch]:
        """Hand the earlier tiles over; the store forgets them, so that memory holds them once."""
        tiles, self.tiles = getattr(self, "tiles", []), []
        return tiles

    def keep(self, batch: CellBatch) -> None:
        """Keep the cells of one tile; on return they survive a kill.

        Raises
        ------
        DiskFullError, CannotWriteError
            All earlier tiles are kept.
        """
        self._append(batch)

    def write_stream(self, name: str, fill: Callable[[BinaryIO], None]) -> Path:
        """Write one more file of the run, piece by piece."""
        self._check_open()
        path = self.folder / name
        write_stream(path, fill)
        self._claim.heartbeat()
        return path

    def _open_journal(self, header: Mapping[str, Any]) -> None:
        journal = CellJournal(self.folder / JOURNAL, header)
        self._journal, self.tiles = journal, journal.batches
        journal.batches = []
