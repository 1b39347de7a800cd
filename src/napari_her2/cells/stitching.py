"""Cells of any region of a slide, the same whatever the region: a fixed lattice of blocks.

The slide is divided into blocks that depend on the slide alone. A block is read with a margin,
and a nucleus belongs to the block that holds its *marker*, a single pixel which depends on the
pixels near it alone and so is the same in the windows of all blocks that see it: no nucleus is
found twice or lost at a seam. Outline and measurements are those of the owner's window, always
the same one, so a cell has the same numbers to the last bit whatever tile or region was asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.calibration import Calibration
from napari_her2.cells.detection import FoundNuclei, find_nuclei
from napari_her2.cells.outlines import outline_radii
from napari_her2.cells.stain_planes import StainPlanes, read_planes, stain_planes
from napari_her2.cells.table import CellTable
from napari_her2.errors import Her2Error
from napari_her2.geometry import Region
from napari_her2.slides.base import Slide
from napari_her2.tiles.tissue import TissueMask

__all__ = ["HALO_PX", "Measure", "TileCells", "block_size", "cell_tiles", "detect_tile"]

BLOCK_LEVEL_PX: Final = 2000
"""Side of a block, pixels of the level that is read (the tile of Vandenberghe 2017)."""

HALO_PX: Final = 64
"""Margin read round a block, working pixels."""

Measure = Callable[[StainPlanes, FoundNuclei, NDArray[np.intp]], Mapping[str, NDArray[Any]]]
"""Takes a window, its nuclei and the rows of those that are kept; gives columns of these rows."""


@dataclass(frozen=True)
class TileCells(CellTable):
    """Cells of a region, with what could not be read of it.

    Attributes
    ----------
    failed : str or None
        Why part of the region could not be read; the cells of the rest are there.
    unreadable : float
        Share of the region that could not be read.
    """

    failed: str | None = None
    unreadable: float = 0.0


def block_size(calibration: Calibration) -> tuple[int, int]:
    """Width and height of a block, working pixels."""
    # Even, because some steps work on pairs of pixels.
    w, h = (BLOCK_LEVEL_PX // f // 2 * 2 for f in (calibration.factor_x, calibration.factor_y))
    return max(256, w), max(256, h)


def cell_tiles(
    slide: Slide,
    tissue: TissueMask,
    calibration: Calibration,
    tile_px: int = 2000,
    roi: Region | None = None,
) -> list[Region]:
    """Divide a slide or a region of interest into tiles that hold tissue.

    Parameters
    ----------
    slide : Slide
        The slide.
    tissue : TissueMask
        Its tissue.
    calibration : Calibration
        Its calibration.
    tile_px : int
        About the side of a tile, level-0 pixels. Tiles are whole numbers of blocks, at least one,
        so that no block is computed for two tiles.
    roi : Region, optional
        Level-0 pixels; tiles are cut to it.

    Returns
    -------
    list of Region
        Level-0 pixels, row by row; they do not overlap and cover all tissue.
    """
    del slide
    block_w, block_h = block_size(calibration)
    step_x = block_w * calibration.scale_x
    step_y = block_h * calibration.scale_y
    step_x *= max(1, round(tile_px / step_x))
    step_y *= max(1, round(tile_px / step_y))
    right = calibration.width * calibration.scale_x
    bottom = calibration.height * calibration.scale_y
    x = np.append(np.arange(0, right, step_x), right)
    y = np.append(np.arange(0, bottom, step_y), bottom)
    share = tissue.coverage.fractions(x, y)
    out = []
    for i, j in np.argwhere(share > 0):
        tile: Region | None = Region(
            float(x[j]), float(y[i]), float(x[j + 1] - x[j]), float(y[i + 1] - y[i])
        )
        if tile is not None and roi is not None:
            tile = tile.intersect(roi)
        if tile is not None and tissue.fraction_in(tile) > 0:
            out.append(tile)
    return out


def detect_tile(
    slide: Slide, calibration: Calibration, region: Region, measure: Measure | None = None
) -> TileCells:
    """Find the cells of a region.

    Parameters
    ----------
    slide : Slide
        The slide.
    calibration : Calibration
        From :func:`napari_her2.cells.calibration.calibrate`, once per slide.
    region : Region
        Level-0 pixels. A cell belongs to it if the centre of its marker pixel does: left and
        upper edge included, right and lower edge not.
    measure : callable, optional
        Adds columns; see :data:`Measure`.

    Returns
    -------
    TileCells
        Columns ``x_px``, ``y_px``, ``area_um2``, ``nucleus_radii`` and what ``measure`` adds, also
        where no cell is found. Where pixels can't be read no cell is found, and ``failed`` says
        why.
    """
    block_w, block_h = block_size(calibration)
    c = calibration
    columns = _blocks(region.x / c.scale_x, region.right / c.scale_x, block_w, c.width)
    rows = _blocks(region.y / c.scale_y, region.bottom / c.scale_y, block_h, c.height)
    parts, failed, lost, total = [], None, 0.0, 0.0
    for row in rows:
        for column in columns:
            found = _block(slide, c, column * block_w, row * block_h, region, measure)
            parts.append(found[0])
            failed = failed or found[1]
            lost += found[2]
            total += found[3]
    if not parts:
        empty = _nothing(c, measure)
        return TileCells(empty.columns)
    return TileCells(CellTable.join(parts).columns, (), failed, lost / total if total else 0.0)


def _blocks(low: float, high: float, step: int, size: int) -> range:
    """Blocks along one axis that a span of working pixels touches."""
    low, high = max(0.0, low), min(float(size), high)
    return range(int(low // step), int(-(-high // step))) if high > low else range(0)


def _block(
    slide: Slide, c: Calibration, x: int, y: int, region: Region, measure: Measure | None
) -> tuple[CellTable, str | None, float, float]:
    """Cells of one block within the region; reason, and pixels missing of how many."""
    block_w, block_h = block_size(c)
    left, top = max(0, x - HALO_PX), max(0, y - HALO_PX)
    right = min(c.width, x + block_w + HALO_PX)
    bottom = min(c.height, y + block_h + HALO_PX)
    wanted = _span(region.x, region.right, c.scale_x, x, min(x + block_w, c.width))
    wanted_y = _span(region.y, region.bottom, c.scale_y, y, min(y + block_h, c.height))
    try:
        planes = read_planes(slide, c, left, top, right - left, bottom - top)
    except (Her2Error, OSError) as error:
        n = float((wanted[1] - wanted[0]) * (wanted_y[1] - wanted_y[0]))
        return _nothing(c, measure), str(error), n, n
    nuclei = find_nuclei(planes, c)
    inside = np.s_[wanted_y[0] - top : wanted_y[1] - top, wanted[0] - left : wanted[1] - left]
    marker_y, marker_x = nuclei.markers_yx[:, 0] + top, nuclei.markers_yx[:, 1] + left
    mine = (marker_x >= wanted[0]) & (marker_x < wanted[1])
    mine &= (marker_y >= wanted_y[0]) & (marker_y < wanted_y[1])
    lost = 0.0
    if planes.missing is not None:
        # What a hole cuts has no true outline; glass beside a hole would look like one.
        near = cv2.dilate(planes.missing.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        cut = np.zeros(len(nuclei) + 1, np.bool_)
        cut[nuclei.labels[near]] = True
        mine &= ~cut[1:]
        lost = float(planes.missing[inside].sum()) if planes.reason else 0.0
    table = _table(planes, nuclei, np.flatnonzero(mine), c, measure)
    size = float((wanted[1] - wanted[0]) * (wanted_y[1] - wanted_y[0]))
    return table, planes.reason if lost else None, lost, size


def _span(low: float, high: float, scale: float, start: int, stop: int) -> tuple[int, int]:
    """Working pixels of a block whose centres lie in a span of level-0 pixels."""
    first, last = (int(np.ceil(v / scale - 0.5)) for v in (low, high))
    first = min(max(first, start), stop)
    return first, min(max(last, first), stop)


def _table(
    planes: StainPlanes,
    nuclei: FoundNuclei,
    kept: NDArray[np.intp],
    c: Calibration,
    measure: Measure | None,
) -> CellTable:
    centres = nuclei.centres_yx[kept]
    columns: dict[str, NDArray[Any]] = {
        "x_px": (centres[:, 1] + planes.origin_x + 0.5) * c.scale_x,
        "y_px": (centres[:, 0] + planes.origin_y + 0.5) * c.scale_y,
        "area_um2": (nuclei.area_px[kept] * (c.mpp_x * c.mpp_y)).astype(np.float32),
        "nucleus_radii": outline_radii(nuclei, kept, c.scale_x, c.scale_y),
    }
    if measure is not None:
        columns |= measure(planes, nuclei, kept)
    return CellTable(columns)


def _nothing(c: Calibration, measure: Measure | None) -> CellTable:
    """No cell, with all columns."""
    glass = np.broadcast_to(np.rint(c.background).astype(np.uint8), (64, 64, 3))
    planes = stain_planes(np.ascontiguousarray(glass), c)
    nuclei = find_nuclei(planes, c)
    return _table(planes, nuclei, np.zeros(0, np.intp), c, measure)
