"""Cells found again by place: which lie in a view, which is nearest to a click."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.geometry import Region
from napari_her2.types import BoolMask

__all__ = ["CellIndex"]

_BIN_PX: Final = 512.0
"""Side of a bin, level-0 pixels: a few hundred cells of dense tissue at 0.25 µm per pixel."""
_MOST_BINS: Final = 1 << 20


class CellIndex:
    """Cells sorted into square bins.

    Parameters
    ----------
    x_px, y_px : array_like
        Shape (n,), level-0 pixels.
    classes : array_like of int
        Shape (n,), index of each cell's class.
    n_classes : int
        How many classes there are.
    """

    def __init__(
        self, x_px: ArrayLike, y_px: ArrayLike, classes: ArrayLike, n_classes: int
    ) -> None:
        x = np.asarray(x_px, np.float64)
        y = np.asarray(y_px, np.float64)
        self._x0 = float(x.min()) if len(x) else 0.0
        self._y0 = float(y.min()) if len(y) else 0.0
        self._bin = self._side(x, y)
        column = ((x - self._x0) / self._bin).astype(np.int32)
        row = ((y - self._y0) / self._bin).astype(np.int32)
        self._columns = int(column.max()) + 1 if len(x) else 1
        self._rows = int(row.max()) + 1 if len(y) else 1
        key = row * np.int32(self._columns) + column
        n_bins = self._rows * self._columns
        order = np.argsort(key, kind="stable")
        self._order = order.astype(np.int32)
        self._x, self._y = x[order], y[order]
        self._start = np.zeros(n_bins + 1, np.int64)
        np.cumsum(np.bincount(key, minlength=n_bins), out=self._start[1:])
        self._n_classes = max(n_classes, 1)
        self.set_classes(classes)

    def __len__(self) -> int:
        return len(self._order)

    def set_classes(self, classes: ArrayLike) -> None:
        """Take other classes of the same cells, in the order of the table."""
        given = np.asarray(classes)
        self._class = given[self._order].astype(np.uint8)
        n_bins = self._rows * self._columns
        bins = np.repeat(np.arange(n_bins), np.diff(self._start))
        counts = np.bincount(
            bins * self._n_classes + self._class, minlength=n_bins * self._n_classes
        )
        self._counts = counts.reshape(self._rows, self._columns, self._n_classes)

    def set_class(self, row: int, kind: int) -> None:
        """One cell of the table is of another class now."""
        at = int(np.flatnonzero(self._order == row)[0])
        r, c = divmod(int(np.searchsorted(self._start, at, side="right")) - 1, self._columns)
        self._counts[r, c, self._class[at]] -= 1
        self._counts[r, c, kind] += 1
        self._class[at] = kind

    def count(self, region: Region, wanted: BoolMask) -> int:
        """Cells of the wanted classes in the bins that a region touches: never too few.

        Parameters
        ----------
        region : Region
            Level-0 pixels.
        wanted : BoolMask
            Shape (n_classes,).
        """
        r0, r1, c0, c1 = self._touched(region)
        return int(self._counts[r0:r1, c0:c1].sum(axis=(0, 1)) @ wanted)

    def within(self, region: Region, wanted: BoolMask) -> NDArray[np.intp]:
        """Rows of the table whose cells lie in a region, shape (m,), in the table's order.

        Parameters
        ----------
        region : Region
            Level-0 pixels.
        wanted : BoolMask
            Shape (n_classes,).
        """
        r0, r1, c0, c1 = self._touched(region)
        found = []
        for row in range(r0, r1):
            # The bins of one row that lie side by side are one run of the sorted cells.
            first = int(self._start[row * self._columns + c0])
            last = int(self._start[row * self._columns + c1])
            run = slice(first, last)
            x, y = self._x[run], self._y[run]
            inside = (x >= region.x) & (x < region.right)
            inside &= (y >= region.y) & (y < region.bottom)
            inside &= wanted[self._class[run]]
            found.append(self._order[run][inside])
        if not found:
            return np.empty(0, np.intp)
        return np.sort(np.concatenate(found)).astype(np.intp)

    def nearest(self, x: float, y: float, reach_px: float, wanted: BoolMask) -> int | None:
        """Row of the cell whose centre is nearest to a place, None if none is in reach.

        Parameters
        ----------
        x, y : float
            Level-0 pixels.
        reach_px : float
            How far to look.
        wanted : BoolMask
            Shape (n_classes,).
        """
        if not len(self) or reach_px <= 0:
            return None
        around = Region(x - reach_px, y - reach_px, 2 * reach_px, 2 * reach_px)
        best, best_at = reach_px**2, None
        r0, r1, c0, c1 = self._touched(around)
        for row in range(r0, r1):
            first = int(self._start[row * self._columns + c0])
            run = slice(first, int(self._start[row * self._columns + c1]))
            far = (self._x[run] - x) ** 2 + (self._y[run] - y) ** 2
            far[~wanted[self._class[run]]] = np.inf
            if len(far) and float(far.min()) <= best:
                best = float(far.min())
                best_at = int(self._order[first + int(far.argmin())])
        return best_at

    def _touched(self, region: Region) -> tuple[int, int, int, int]:
        def clip(value: float, top: int) -> int:
            return int(np.clip(np.floor(value), 0, top))

        c0 = clip((region.x - self._x0) / self._bin, self._columns)
        c1 = clip((region.right - self._x0) / self._bin + 1, self._columns)
        r0 = clip((region.y - self._y0) / self._bin, self._rows)
        r1 = clip((region.bottom - self._y0) / self._bin + 1, self._rows)
        return r0, r1, c0, c1

    def _side(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
        if not len(x):
            return _BIN_PX
        area = (float(np.ptp(x)) + 1) * (float(np.ptp(y)) + 1)
        # Far-off coordinates of a damaged table must not ask for a table of billions of bins.
        return max(_BIN_PX, float(np.sqrt(area / _MOST_BINS)), float(np.ptp(x)) / 4096,
                   float(np.ptp(y)) / 4096)  # fmt: skip
