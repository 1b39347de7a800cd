"""Corrections of the cells that are shown: by row of the table, kept by place in the run."""

from __future__ import annotations

import getpass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_her2._qt.components.notice_dialog import reader_initials
from napari_her2.cells.table import CellTable
from napari_her2.errors import RunDamagedError
from napari_her2.layers.cell_index import CellIndex
from napari_her2.results.corrections import Correction, CorrectionsFile, cells_digest

__all__ = ["CellCorrections", "reader_name"]

_SAME_PX = 0.05
"""Tables keep places in single precision at worst: a hundredth of a pixel on the largest slides."""


class CellCorrections:
    """Undo, redo and the classes that result; every step is on the disk before it shows.

    Parameters
    ----------
    table : CellTable
        The cells as the run left them, classified.
    index : CellIndex
        Of the same cells.
    folder : Path
        Folder of the run.
    slide_id : str
        Whose cells they are.

    Raises
    ------
    RunDamagedError
        If the corrections found there belong to other cells.
    """

    def __init__(self, table: CellTable, index: CellIndex, folder: Path, slide_id: str) -> None:
        self._given = np.asarray(table["class"])
        self._names = table.classes
        identity = {
            "run": folder.name,
            "slide": slide_id,
            "cells": cells_digest(table["x_px"], table["y_px"]),
            "classes": list(table.classes),
        }
        self._file = CorrectionsFile(folder, identity, reader_name())
        self._rows: dict[tuple[float, float], int] = {}
        everyone = np.ones(max(len(table.classes), 1), np.bool_)
        for c in self._file.history:
            row = index.nearest(c.x_px, c.y_px, _SAME_PX, everyone)
            if row is None or c.now not in self._names or c.was not in self._names:
                raise RunDamagedError("foreign_corrections", name=folder.name)
            self._rows[c.x_px, c.y_px] = row
        self._table = table
        self.classes: NDArray[np.uint8] = self._given.astype(np.uint8).copy()
        for c in self._file.labels():
            self.classes[self._rows[c.x_px, c.y_px]] = self._names.index(c.now)

    def __len__(self) -> int:
        return len(self._file)

    @property
    def path(self) -> Path:
        """The file they are kept in; made with the first one."""
        return self._file.path

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return self._file.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether something was undone last."""
        return self._file.can_redo

    @property
    def rows(self) -> NDArray[np.intp]:
        """Rows whose class is not the given one."""
        return np.flatnonzero(self.classes != self._given)

    def given(self, row: int) -> str:
        """Class of a cell before corrections."""
        return self._names[int(self._given[row])]

    def set(self, row: int, name: str) -> bool:
        """Correct a cell; False if it is of that class already.

        Raises
        ------
        DiskFullError, CannotWriteError
            Nothing was corrected then.
        """
        now = self._names.index(name)
        if int(self.classes[row]) == now:
            return False
        was = self._names[int(self.classes[row])]
        c = self._file.set(self._table["x_px"][row], self._table["y_px"][row], was, name)
        self._rows[c.x_px, c.y_px] = row
        self.classes[row] = now
        return True

    def undo(self) -> int | None:
        """Take the last step back; the row it was about, None if there is none.

        Raises
        ------
        DiskFullError, CannotWriteError
            Nothing was taken back then.
        """
        c = self._file.undo()
        return None if c is None else self._apply(c, c.was)

    def redo(self) -> int | None:
        """Make the last step undone again; the row it is about, None if there is none.

        Raises
        ------
        DiskFullError, CannotWriteError
            Nothing was done then.
        """
        c = self._file.redo()
        return None if c is None else self._apply(c, c.now)

    def _apply(self, c: Correction, name: str) -> int:
        row = self._rows[c.x_px, c.y_px]
        self.classes[row] = self._names.index(name)
        return row


def reader_name() -> str:
    """Initials given with the notice, else the name of the user's account."""
    try:
        return reader_initials() or getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
