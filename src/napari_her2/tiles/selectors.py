"""Which cells of a grid are scored, and in what order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_her2.tiles.coverage import Coverage
from napari_her2.tiles.spec import TileGrid
from napari_her2.types import BoolMask

__all__ = ["AllOf", "PolygonSelector", "TissueSelector", "coarse_to_fine"]

_BLOCKS = ((1, 64), (2, 256), (4, 8192))

Cells = NDArray[np.intp]
"""Shape (n, 2), row then column, in row-major order."""


class _Selector(Protocol):
    def select(
        self, grid: TileGrid, tissue: BoolMask, tissue_downsample: tuple[float, float]
    ) -> Cells: ...


@dataclass(frozen=True, slots=True)
class TissueSelector:
    """Cells with enough tissue.

    The share is taken of the *cell* (the area a heatmap pixel stands for), not of the larger window
    the model sees, and only of the part of the cell that lies on the slide, so that the rim of a
    TMA core or of a narrow slide is scored too.

    Parameters
    ----------
    min_fraction : float
        Least share of the cell that is tissue, 0 to 1; 0 takes every cell with any tissue.
    """

    min_fraction: float = 0.25

    def select(
        self, grid: TileGrid, tissue: BoolMask, tissue_downsample: tuple[float, float]
    ) -> Cells:
        """Choose cells; see :class:`napari_her2.models.protocols.TileSelector`.

        ``tissue`` is what is worth scoring (:attr:`TissueMask.usable`): pen and blur left out.
        """
        rows, cols = grid.shape
        x = grid.region.x + grid.cell_width * np.arange(cols + 1, dtype=np.float64)
        y = grid.region.y + grid.cell_height * np.arange(rows + 1, dtype=np.float64)
        # What reaches beyond the region (a drawn field) is not what was asked for.
        x[-1], y[-1] = min(x[-1], grid.region.right), min(y[-1], grid.region.bottom)
        share = Coverage(tissue, tissue_downsample).fractions(x, y)
        return np.argwhere((share > 0) & (share >= self.min_fraction))


@dataclass(frozen=True, slots=True)
class PolygonSelector:
    """Cells whose centre lies in (or on the outline of) one of some polygons.

    A polygon too small to hold any centre takes the one cell that holds a point inside it, so that
    a small drawn field is never silently empty.

    Parameters
    ----------
    polygons : sequence of sequences of (x, y)
        Closed outlines, level-0 pixels; a self-crossing one counts as what it encloses.
    """

    polygons: Sequence[Sequence[tuple[float, float]]]

    def select(
        self,
        grid: TileGrid,
        tissue: BoolMask,  # noqa: ARG002 - the protocol's signature
        tissue_downsample: tuple[float, float],  # noqa: ARG002
    ) -> Cells:
        """Choose cells; see :class:`napari_her2.models.protocols.TileSelector`."""
        rows, cols = grid.shape
        x = grid.region.x + grid.cell_width * (np.arange(cols) + 0.5)
        y = grid.region.y + grid.cell_height * (np.arange(rows) + 0.5)
        xx, yy = np.meshgrid(x, y)
        chosen = np.zeros((rows, cols), np.bool_)
        for points in self.polygons:
            if len(points) < 3:
                continue
            shape = shapely.make_valid(shapely.Polygon(points))
            shapely.prepare(shape)
            inside = np.asarray(shapely.intersects_xy(shape, xx, yy), np.bool_)
            if not inside.any() and shape.area > 0:
                point = shape.representative_point()
                row = int((point.y - grid.region.y) // grid.cell_height)
                col = int((point.x - grid.region.x) // grid.cell_width)
                if 0 <= row < rows and 0 <= col < cols:
                    inside[row, col] = True
            chosen |= inside
        return np.argwhere(chosen)


@dataclass(frozen=True, slots=True)
class AllOf:
    """Cells that every one of some selectors chooses: tissue inside a drawn region.

    Parameters
    ----------
    selectors : tuple of TileSelector
        At least one.
    """

    selectors: tuple[_Selector, ...]

    def select(
        self, grid: TileGrid, tissue: BoolMask, tissue_downsample: tuple[float, float]
    ) -> Cells:
        """Choose cells; see :class:`napari_her2.models.protocols.TileSelector`."""
        if not self.selectors:
            raise ValueError("AllOf needs a selector")
        chosen = np.ones(grid.shape, np.bool_)
        for selector in self.selectors:
            one = np.zeros(grid.shape, np.bool_)
            one[tuple(selector.select(grid, tissue, tissue_downsample).T)] = True
            chosen &= one
        return np.argwhere(chosen)


def coarse_to_fine(
    cells: Cells, grid_shape: tuple[int, int], seed: int = 0, *, block: int | None = None
) -> Cells:
    """Order cells so that the first few already cover the whole slide.

    Blocks of neighbouring cells follow the two-dimensional van der Corput sequence (the reversed
    bits of the Morton code of their place): any leading part is spread evenly. Within a block cells
    stay in row-major order, because overlapping windows share decoded pixels.

    Parameters
    ----------
    cells : ndarray
        Shape (n, 2), row then column.
    grid_shape : (int, int)
        Rows and columns of the grid.
    seed : int
        Shifts the sequence; the same seed always gives the same order.
    block : int, optional
        Side of a block in cells. None = 1, 2, 4 or 8, larger where there are more cells: on a slide
        of 60,000 px blocks of 4 take 0.4 of the time to read that blocks of 1 take.

    Returns
    -------
    ndarray
        Shape (n, 2): the same cells, each once.
    """
    cells = np.asarray(cells, np.intp).reshape(-1, 2)
    if block is None:
        block = next((b for b, most in _BLOCKS if len(cells) < most), 8)
    bits = max(1, int(max(grid_shape) // block).bit_length())
    shift = np.random.default_rng(seed).integers(0, 1 << bits, 2)
    place = (cells // block + shift) % (1 << bits)
    key = np.zeros(len(cells), np.int64)
    for b in range(bits):
        # Lowest bits of the place become the highest of the key: neighbours come far apart.
        key = (key << 2) | ((place[:, 0] >> b & 1) << 1) | ((place[:, 1] ^ place[:, 0]) >> b & 1)
    return cells[np.lexsort((cells[:, 1], cells[:, 0], key))]
