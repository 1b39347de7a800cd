"""How unbroken the stained membranes of a slide are, as one number.

Brügmann 2012 (Breast Cancer Res 14, R41) scored HER2 by the connectivity of stained membranes
instead of their intensity: 3+ makes a net without gaps, 1+ leaves fragments. That software works on
the skeleton of all stained pixels. Here the same idea is measured on the rings of the cells, which
are there anyway: the chance that two places on the membrane of a tumour cell, drawn at random, are
joined by stain without a gap. For a ring with stained stretches of lengths l_1, l_2, ... on a
perimeter P this is the sum of (l_i / P)^2; a slide has the mean of its tumour cells. 0 is no stain,
1 is every cell stained all round; half of the perimeter counts 0.25 in one piece and 0.06 in four.

It needs no density cut for 2+ or 3+ and adds up tile by tile. It is no replacement of the guideline
score, and its cuts are not those of the paper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import TUMOUR_CLASSES
from napari_her2.cells.table import CellTable

__all__ = ["Connectivity", "membrane_connectivity", "ring_connectivity"]


@dataclass(frozen=True, slots=True)
class Connectivity:
    """Sums over cells; those of tiles that do not overlap add up to those of the slide.

    Attributes
    ----------
    total : float
        Sum of the connectivity of each tumour cell's membrane.
    cells : int
        Number of tumour cells.
    """

    total: float = 0.0
    cells: int = 0

    def __add__(self, other: Connectivity) -> Connectivity:
        return Connectivity(self.total + other.total, self.cells + other.cells)

    @property
    def value(self) -> float | None:
        """Mean over the tumour cells, 0 to 1; None where there are none."""
        return self.total / self.cells if self.cells else None

    @classmethod
    def of(cls, table: CellTable) -> Connectivity:
        """Sums over the tumour cells of a classified table."""
        codes = [i for i, name in enumerate(table.classes) if name in TUMOUR_CLASSES]
        tumour = np.isin(table["class"], codes)
        rings = ring_connectivity(
            table["membrane_stained"][tumour], table["membrane_radii"][tumour]
        )
        return cls(float(rings.sum(dtype=np.float64)), int(tumour.sum()))


def membrane_connectivity(tables: CellTable | Iterable[CellTable]) -> float | None:
    """Connectivity of the stained membranes of a slide.

    Parameters
    ----------
    tables : CellTable or iterable of CellTable
        Classified cells with ``membrane_stained`` and ``membrane_radii``: of a slide, or of tiles
        that share no cell.

    Returns
    -------
    float or None
        0 to 1; None where there is no tumour cell.
    """
    parts = [tables] if isinstance(tables, CellTable) else tables
    return sum((Connectivity.of(part) for part in parts), Connectivity()).value


def ring_connectivity(
    stained: NDArray[np.bool_], radii: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Chance that two places on a cell's membrane are joined by unbroken stain.

    Parameters
    ----------
    stained : ndarray of bool
        Shape (n, rays).
    radii : ndarray of float
        Shape (n, rays): distance from the centre to the membrane, any unit.

    Returns
    -------
    ndarray of float32
        Shape (n,), 0 to 1.
    """
    n, rays = stained.shape
    angle = 2 * np.pi * np.arange(rays) / rays
    x, y = radii * np.cos(angle), radii * np.sin(angle)
    stretch = np.hypot(np.roll(x, -1, 1) - x, np.roll(y, -1, 1) - y)
    length = (stretch + np.roll(stretch, 1, 1)) / 2
    share = length / np.maximum(length.sum(1, keepdims=True), 1e-9)
    # Rings are read from a gap on, so that no stretch is cut where the rays begin to be counted.
    gap = np.where(stained.all(1), 0, (~stained).argmax(1))
    order = (gap[:, None] + np.arange(rays)) % rays
    on = np.take_along_axis(stained, order, 1)
    part = np.where(on, np.take_along_axis(share, order, 1), 0.0)
    run = np.zeros(n)
    joined = np.zeros(n)
    for k in range(rays):
        run = np.where(on[:, k], run + part[:, k], 0.0)
        # (a + b)^2 - a^2, so that a stretch adds up to its square.
        joined += part[:, k] * (2 * run - part[:, k])
    return np.minimum(joined, 1).astype(np.float32)
