"""How dense the cells of each class lie: the picture of cells that are too many to draw."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Point, Region, ScaleTranslate, grid_transform
from napari_her2.layers.colours import veil_map
from napari_her2.layers.placing import LayerData, common

__all__ = ["CELL_UM", "DensePlace", "DensityGrid", "density_grid", "density_layer"]

CELL_UM: Final = 122.5
"""Side of a square of the map, µm: Vandenberghe 2017 counts cells per 250 px at 0.49 µm per pixel,
0.015 mm2."""
_CELL_PX: Final = 250.0
"""The same where the pixel size is unknown, in level-0 pixels."""
_OPACITY: Final = 0.7
_DENSE_SHARE: Final = 0.5
_LEAST: Final = 3
_MOST_PLACES: Final = 12
_TOP_PERCENT: Final = 99.0


@dataclass(frozen=True, slots=True)
class DensePlace:
    """A square in which many cells of one class lie.

    Attributes
    ----------
    region : Region
        Level-0 pixels.
    n_cells : int
        Cells of the class in it.
    class_name : str
        The class.
    density_mm2 : float or None
        Cells to the square millimetre of the square; None where the pixel size is unknown.
    """

    region: Region
    n_cells: int
    class_name: str
    density_mm2: float | None


@dataclass(frozen=True, slots=True)
class DensityGrid:
    """Cells of each class counted in squares.

    Attributes
    ----------
    counts : ndarray of int32
        Shape (n_classes, rows, columns).
    origin : Point
        Top-left corner of the first square, level-0 pixels.
    width, height : float
        Side of a square in x and y, level-0 pixels.
    classes : tuple of str
        Names of the classes.
    mpp : (float, float) or None
        Micrometres per level-0 pixel in x and y.
    """

    counts: NDArray[np.int32]
    origin: Point
    width: float
    height: float
    classes: tuple[str, ...]
    mpp: tuple[float, float] | None

    @property
    def square_mm2(self) -> float | None:
        """Area of a square."""
        if self.mpp is None:
            return None
        return self.width * self.mpp[0] * self.height * self.mpp[1] / 1e6

    def of(self, names: Collection[str]) -> NDArray[np.float32]:
        """Density of some classes together, shape (rows, columns).

        Cells to the square millimetre (to the square, where the pixel size is unknown); NaN where
        there is none, so that bare tissue stays bare.
        """
        which = [i for i, name in enumerate(self.classes) if name in names]
        total = self.counts[which].sum(axis=0).astype(np.float32)
        total[total == 0] = np.nan
        area = self.square_mm2
        if area is not None:
            total /= np.float32(area)
        return np.asarray(total, np.float32)

    def transform(self) -> ScaleTranslate:
        """Where the map lies in the world."""
        return grid_transform(self.origin, self.width, self.height, *(self.mpp or (1.0, 1.0)))

    def places(self, name: str) -> tuple[DensePlace, ...]:
        """Squares where a class lies densest, the densest first.

        A square counts if it holds at least half as many cells as the densest one, and at least
        three. Of squares that touch only the densest is listed, so that each leads somewhere else.
        At most twelve.
        """
        if name not in self.classes:
            return ()
        counts = self.counts[self.classes.index(name)]
        if not counts.size or counts.max() < _LEAST:
            return ()
        enough = max(_LEAST, _DENSE_SHARE * float(counts.max()))
        order = np.argsort(-counts, axis=None, kind="stable")
        order = order[counts.ravel()[order] >= enough]
        taken = np.zeros(counts.shape, np.bool_)
        found: list[DensePlace] = []
        for at in order:
            row, column = divmod(int(at), counts.shape[1])
            if taken[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2].any():
                continue
            taken[row, column] = True
            found.append(self._place(row, column, name, int(counts[row, column])))
            if len(found) == _MOST_PLACES:
                break
        return tuple(found)

    def _place(self, row: int, column: int, name: str, n: int) -> DensePlace:
        region = Region(
            self.origin.x + column * self.width,
            self.origin.y + row * self.height,
            self.width,
            self.height,
        )
        area = self.square_mm2
        return DensePlace(region, n, name, None if area is None else n / area)


def density_grid(table: CellTable, bounds: Region, mpp: tuple[float, float] | None) -> DensityGrid:
    """Count the cells of each class in squares of 122.5 µm.

    Parameters
    ----------
    table : CellTable
        Cells; before classification all are of one class.
    bounds : Region
        The slide, level-0 pixels; squares begin at its top-left corner.
    mpp : (float, float) or None
        Micrometres per level-0 pixel in x and y.
    """
    width, height = (_CELL_PX, _CELL_PX) if mpp is None else (CELL_UM / mpp[0], CELL_UM / mpp[1])
    columns = max(1, int(np.ceil(bounds.width / width)))
    rows = max(1, int(np.ceil(bounds.height / height)))
    names = table.classes or ("",)
    column = ((table["x_px"] - bounds.x) / width).astype(np.int64)
    row = ((table["y_px"] - bounds.y) / height).astype(np.int64)
    inside = (column >= 0) & (column < columns) & (row >= 0) & (row < rows)
    kind = table["class"].astype(np.int64) if "class" in table else np.zeros(len(table), np.int64)
    key = (kind * rows + row) * columns + column
    if not inside.all():
        key = key[inside]
    counts = np.bincount(key, minlength=len(names) * rows * columns)
    return DensityGrid(
        counts.reshape(len(names), rows, columns).astype(np.int32),
        Point(bounds.x, bounds.y),
        width,
        height,
        names,
        mpp,
    )


def density_layer(
    grid: DensityGrid, names: Collection[str], slide_id: str, label: str, **metadata: Any
) -> LayerData:
    """Density of some classes as a picture: clear where there is none, purple where most are.

    Parameters
    ----------
    grid : DensityGrid
        The counts.
    names : collection of str
        Classes to add up.
    slide_id : str
        Whose cells.
    label : str
        First part of the layer's name, ``Density 3+``.
    **metadata
        More for ``metadata["her2"]``.

    Returns
    -------
    LayerData
        Shape (rows, columns) float32. The limit is the 99th percentile of the squares that hold
        cells: one crowded lymph follicle must not make the rest look empty.
    """
    values = grid.of(names)
    kwargs = common(
        "density", label, slide_id, grid.transform(), has_mpp=grid.mpp is not None,
        classes=sorted(names), **metadata,
    )  # fmt: skip
    kwargs |= {
        "colormap": veil_map("density"),
        "contrast_limits": (0.0, top_of(values)),
        "opacity": _OPACITY,
        "blending": "translucent",
        "interpolation2d": "nearest",
    }
    return values, kwargs, "image"


def top_of(values: NDArray[np.float32]) -> float:
    """Value at the full colour of a density map; 1 where there are no cells."""
    there = values[np.isfinite(values)]
    return max(float(np.percentile(there, _TOP_PERCENT)), 1e-3) if len(there) else 1.0
