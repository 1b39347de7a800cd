"""What a tile is: three sizes, one grid."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_her2.geometry import Point, Region, ScaleTranslate, grid_transform

__all__ = ["TileGrid", "TileSpec"]


@dataclass(frozen=True, slots=True)
class TileSpec:
    """Tile as the model sees it: extent in pixels, pixel size and stride.

    Worked example: 512 px at 2 µm/px is a field of 1024 µm. On a slide of 0.25 µm/px that field is
    4096 level-0 px wide; from a level with downsample 4 it is read as 1024 px and reduced to 512.

    Parameters
    ----------
    tile_px : int
        Side of the tile handed to the model, pixels.
    tile_mpp : float
        Micrometres per pixel of that tile.
    stride_um : float
        Distance between neighbouring tile centres = side of one heatmap cell, micrometres.
    """

    tile_px: int
    tile_mpp: float
    stride_um: float

    @property
    def field_um(self) -> float:
        """Side of the tile on the slide, micrometres."""
        return self.tile_px * self.tile_mpp

    def __post_init__(self) -> None:
        if self.tile_px <= 0 or self.tile_mpp <= 0 or self.stride_um <= 0:
            msg = f"tile sizes must be positive: {self}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """The cells of a heatmap over a region and the tile window centred on each.

    Cells tile the region from its top-left corner; the last row and column may reach over its
    edge. The window of a cell is ``field_um`` wide, has the same centre, and is mirrored where it
    reaches over the slide's edge, so that narrow slides and TMA cores are covered to the rim.

    Parameters
    ----------
    spec : TileSpec
        Sizes in micrometres and tile pixels.
    region : Region
        What is covered, level-0 pixels.
    mpp_x, mpp_y : float
        Micrometres per level-0 pixel.
    """

    spec: TileSpec
    region: Region
    mpp_x: float
    mpp_y: float

    @property
    def cell_width(self) -> float:
        """Side of a cell in x, level-0 pixels."""
        return self.spec.stride_um / self.mpp_x

    @property
    def cell_height(self) -> float:
        """Side of a cell in y, level-0 pixels."""
        return self.spec.stride_um / self.mpp_y

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        # A region that is a whole number of cells must not gain a row from rounding noise.
        rows = math.ceil(self.region.height / self.cell_height - 1e-6)
        cols = math.ceil(self.region.width / self.cell_width - 1e-6)
        return max(rows, 1), max(cols, 1)

    def cell(self, row: int, col: int) -> Region:
        """The area a heatmap pixel stands for, level-0 pixels."""
        w, h = self.cell_width, self.cell_height
        return Region(self.region.x + col * w, self.region.y + row * h, w, h)

    def window(self, row: int, col: int) -> Region:
        """The field the model sees for a cell, level-0 pixels; may reach over the slide's edge."""
        w = self.spec.field_um / self.mpp_x
        h = self.spec.field_um / self.mpp_y
        cx = self.region.x + (col + 0.5) * self.cell_width
        cy = self.region.y + (row + 0.5) * self.cell_height
        return Region(cx - w / 2, cy - h / 2, w, h)

    def coords_xy(self, rows_cols: NDArray[np.intp]) -> NDArray[np.float64]:
        """Top-left corners of the windows of several cells.

        Parameters
        ----------
        rows_cols : ndarray
            Shape (n, 2), row then column.

        Returns
        -------
        ndarray of float64
            Shape (n, 2), x then y, level-0 pixels.
        """
        rc = np.asarray(rows_cols, dtype=np.float64)
        x = self.region.x + (rc[:, 1] + 0.5) * self.cell_width - self.spec.field_um / self.mpp_x / 2
        y = (
            self.region.y
            + (rc[:, 0] + 0.5) * self.cell_height
            - self.spec.field_um / self.mpp_y / 2
        )
        return np.stack([x, y], axis=1)

    def transform(self) -> ScaleTranslate:
        """Scale and translation (y, x; µm) that put the heatmap over the slide."""
        return grid_transform(
            Point(self.region.x, self.region.y),
            self.cell_width,
            self.cell_height,
            self.mpp_x,
            self.mpp_y,
        )
