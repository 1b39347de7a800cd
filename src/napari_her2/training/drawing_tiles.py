"""Tiles of the drawn regions of one slide: those of the grid that a run would score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import UnknownMppError
from napari_her2.geometry import Region
from napari_her2.slides.base import Slide
from napari_her2.tiles.reading import TilePixels, TileReader
from napari_her2.tiles.spec import TileGrid, TileSpec
from napari_her2.training.assigning import Assigned, assign_boxes
from napari_her2.training.label_regions import LabelRegion
from napari_her2.training.label_rules import LabelRules

__all__ = ["TILE_FEATURES", "TilesChosen", "choose_tiles", "read_tiles", "tile_features"]

TILE_FEATURES: Final = (
    "od_red", "od_green", "od_blue", "od_red_sd", "od_green_sd", "od_blue_sd", "gradient",
    "pale_share",
)  # fmt: skip
"""Mean and spread of the optical density, slope of the grey picture, share of pale pixels."""

_LOOK_PX: Final = 128
_PALE_OD: Final = 0.06


@dataclass(frozen=True)
class TilesChosen:
    """Tiles of one slide that have a label; the first axis of all arrays.

    Attributes
    ----------
    windows : tuple of Region
        What is read, level-0 pixels.
    assigned : Assigned
        Their labels, and conflicts.
    """

    windows: tuple[Region, ...]
    assigned: Assigned


def choose_tiles(
    slide: Slide, spec: TileSpec, regions: Sequence[LabelRegion], rules: LabelRules
) -> TilesChosen:
    """Find the tiles that lie in regions; no pixel is read.

    Parameters
    ----------
    slide : Slide
        The open slide.
    spec : TileSpec
        Size and step of the tiles. The grid begins at the slide's corner, as in a run.
    regions : sequence of LabelRegion
        What labels tiles.
    rules : LabelRules
        Shares that count.

    Raises
    ------
    UnknownMppError
        If the slide states no pixel size.
    """
    mpp = slide.mpp
    if mpp is None:
        raise UnknownMppError("no_mpp")
    size = slide.size
    grid = TileGrid(spec, Region(0, 0, size.width, size.height), mpp.x, mpp.y)
    cells = _cells_near(grid, regions)
    corners = grid.coords_xy(cells)
    extent = np.array([spec.field_um / mpp.x, spec.field_um / mpp.y])
    boxes = np.concatenate([corners, corners + extent], axis=1)
    assigned = assign_boxes(boxes, regions, rules.inside, rules.other)
    kept = np.flatnonzero(assigned.label >= 0)
    windows = tuple(grid.window(int(r), int(c)) for r, c in cells[kept])
    return TilesChosen(windows, assigned.take(kept))


def _cells_near(grid: TileGrid, regions: Sequence[LabelRegion]) -> NDArray[np.intp]:
    """Cells whose window touches the bounds of a region, shape (n, 2), row by row."""
    n_rows, n_columns = grid.shape
    wanted = np.zeros((n_rows, n_columns), np.bool_)
    first = grid.window(0, 0)
    for r in regions:
        x0, y0, x1, y1 = r.geometry.bounds
        left = int(np.floor((x0 - first.right) / grid.cell_width)) + 1
        top = int(np.floor((y0 - first.bottom) / grid.cell_height)) + 1
        right = int(np.ceil((x1 - first.x) / grid.cell_width))
        bottom = int(np.ceil((y1 - first.y) / grid.cell_height))
        wanted[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = True
    return np.argwhere(wanted)


def read_tiles(
    slide: Slide, spec: TileSpec, windows: Sequence[Region]
) -> Iterator[tuple[int, TilePixels]]:
    """Read tiles one by one; one that can't be read says so and why, and is never white.

    Raises
    ------
    UnknownMppError, WrongMppError
        If the slide can't give tiles of that size.
    """
    reader = TileReader(slide, spec, model="This label set")
    for i, window in enumerate(windows):
        yield i, reader.read(window)


def tile_features(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour and texture of one tile, shape (8,): :data:`TILE_FEATURES`.

    For a look at odd labels, not for classifying.
    """
    side = min(_LOOK_PX, rgb.shape[0])
    small = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
    od = -np.log10((small.astype(np.float64) + 1) / 256)
    grey = cv2.cvtColor(np.asarray(small, np.uint8), cv2.COLOR_RGB2GRAY).astype(np.float32)
    slope = np.hypot(cv2.Sobel(grey, cv2.CV_32F, 1, 0), cv2.Sobel(grey, cv2.CV_32F, 0, 1))
    pale = (od.mean(2) < _PALE_OD).mean()
    return np.array([*od.mean((0, 1)), *od.std((0, 1)), slope.mean() / 255, pale], np.float32)
