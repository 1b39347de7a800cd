"""A table of cells that grows while they are found, without copying what is there each time."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable

__all__ = ["GrowingTable"]


class GrowingTable:
    """Columns with room to spare; what :attr:`table` gives are views of them.

    Parameters
    ----------
    keep : collection of str, optional
        Columns worth keeping; None keeps all.
    """

    def __init__(self, keep: Collection[str] | None = None) -> None:
        self._keep = keep
        self._columns: dict[str, NDArray[Any]] = {}
        self._classes: tuple[str, ...] = ()
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, table: CellTable) -> None:
        """Put cells behind those that are there.

        Parameters
        ----------
        table : CellTable
            Columns that the first table did not have are left out; an empty one may have none.
        """
        n = len(table)
        if not n:
            return
        if not self._n:
            names = [k for k in table if self._keep is None or k in self._keep]
            # The first table is taken as it is: of a stored run it is the only one.
            self._columns = {k: table[k] for k in names}
            self._classes = table.classes
            self._n = n
            return
        end = self._n + n
        for name, column in self._columns.items():
            if len(column) < end:
                room = np.empty((max(end, 2 * len(column)), *column.shape[1:]), column.dtype)
                room[: self._n] = column[: self._n]
                self._columns[name] = column = room
            column[self._n : end] = table[name]
        self._n = end

    @property
    def table(self) -> CellTable:
        """What there is now; later cells do not change it."""
        if not self._n:
            nothing = np.empty(0, np.float64)
            return CellTable({"x_px": nothing, "y_px": nothing}, self._classes)
        return CellTable({k: v[: self._n] for k, v in self._columns.items()}, self._classes)
