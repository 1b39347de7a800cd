"""Cells of a slide as columns of equal length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["RAYS", "CellTable"]

RAYS: Final = 32
"""Directions in which the outline and the membrane of a cell are described: ray ``k`` points to
the angle ``2 pi k / 32``, from x (right) towards y (down)."""


@dataclass(frozen=True)
class CellTable:
    """Cells of a slide, one row each.

    Attributes
    ----------
    columns : mapping of str to ndarray
        First axis = cells. ``x_px`` and ``y_px`` (float64, level-0 pixels, the slide's top-left
        corner is 0, 0) are always there. Further columns by convention:

        ``area_um2`` ; ``nucleus_<feature>`` ;
        ``nucleus_radii`` (n, 32) float32: distance from the centroid to the outline along each of
        :data:`RAYS` rays, level-0 pixels ;
        ``membrane_od``, ``membrane_completeness`` (0 to 1) ;
        ``membrane_radii`` (n, 32) float32: distance to the membrane, level-0 pixels ;
        ``membrane_stained`` (n, 32) bool ;
        ``class`` (n,) uint8: index into ``classes`` ; ``probs`` (n, n_classes) float32.
    classes : tuple of str
        Names of the classes that ``class`` and ``probs`` refer to; empty before classification.
    """

    columns: Mapping[str, NDArray[Any]]
    classes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        lengths = {len(v) for v in self.columns.values()}
        if len(lengths) > 1:
            msg = f"columns of different lengths: {sorted(lengths)}"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.columns["x_px"])

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def __iter__(self) -> Iterator[str]:
        return iter(self.columns)

    @property
    def points_yx(self) -> NDArray[np.float64]:
        """Centres, shape (n, 2), row then column, level-0 pixels."""
        return np.stack([self.columns["y_px"], self.columns["x_px"]], axis=1)

    @property
    def class_names(self) -> NDArray[np.str_]:
        """Name of each cell's class, shape (n,)."""
        return np.asarray(np.array(self.classes)[self.columns["class"]], np.str_)

    def counts(self) -> dict[str, int]:
        """Number of cells of each class."""
        found = np.bincount(self.columns["class"], minlength=len(self.classes))
        return {name: int(found[i]) for i, name in enumerate(self.classes)}

    def take(self, index: ArrayLike) -> CellTable:
        """Rows by index or by mask."""
        i = np.asarray(index)
        return CellTable({k: v[i] for k, v in self.columns.items()}, self.classes)

    def with_columns(
        self, columns: Mapping[str, NDArray[Any]], classes: tuple[str, ...] | None = None
    ) -> CellTable:
        """A copy with columns added or replaced."""
        kept = self.classes if classes is None else classes
        return CellTable({**self.columns, **columns}, kept)

    @staticmethod
    def join(tables: Iterable[CellTable]) -> CellTable:
        """Stack tables of equal columns; at least one is needed.

        Raises
        ------
        ValueError
            If there is none, or columns or classes differ.
        """
        parts = list(tables)
        if not parts:
            msg = "nothing to join"
            raise ValueError(msg)
        first = parts[0]
        if any(set(p.columns) != set(first.columns) or p.classes != first.classes for p in parts):
            msg = "tables of different columns or classes"
            raise ValueError(msg)
        names = list(first.columns)
        return CellTable(
            {k: np.concatenate([p.columns[k] for p in parts]) for k in names}, first.classes
        )
