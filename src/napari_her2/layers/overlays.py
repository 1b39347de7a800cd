"""Outlines of tissue and of what spoils it, and the hatch over what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.geometry import Point, Region, ScaleTranslate, grid_transform, level_transform
from napari_her2.layers.colours import QC, TISSUE
from napari_her2.layers.placing import LayerData, common, world_mpp
from napari_her2.slides.base import Slide
from napari_her2.tiles.spec import TileGrid
from napari_her2.types import BoolMask

if TYPE_CHECKING:
    # Opening a slide must not load tissue detection: it costs tens of megabytes.
    from napari_her2.tiles.tissue import TissueMask

__all__ = ["qc_layer", "tissue_layer", "unreadable_layer", "unreadable_regions_layer"]

_OUTLINE_PX = 2
_HATCH = 12
"""Hatch pixels per side of a cell; three stripes of it."""
_STRIPE = 4
_LARGEST = 1200
"""Longest side of a hatch over areas that lie far apart, pixels."""
_OPACITY = 0.8

QC_ORDER = ("pen", "blur", "fold")


def tissue_layer(tissue: TissueMask, slide: Slide) -> LayerData:
    """Outline of the tissue; hidden until it is asked for.

    Parameters
    ----------
    tissue : TissueMask
        Mask at low resolution.
    slide : Slide
        Gives id and pixel size.

    Returns
    -------
    LayerData
        Labels: 1 along the rim of tissue, 0 elsewhere.
    """
    labels = _outline(tissue.mask).astype(np.uint8)
    place = _mask_place(tissue, slide)
    kwargs = _labels("tissue", "Tissue", slide, place, {1: TISSUE})
    return labels, {**kwargs, "visible": False}, "labels"


def qc_layer(tissue: TissueMask, slide: Slide) -> LayerData:
    """Outlines of pen, blur and folds.

    Returns
    -------
    LayerData
        Labels: 1 pen, 2 blur, 3 fold, 0 nothing.
    """
    labels = np.zeros(tissue.mask.shape, np.uint8)
    for i, name in enumerate(QC_ORDER, start=1):
        if name in tissue.qc:
            labels[_outline(tissue.qc[name])] = i
    colours: dict[int | None, str] = {i: QC[name] for i, name in enumerate(QC_ORDER, start=1)}
    kwargs = _labels("qc", "QC", slide, _mask_place(tissue, slide), colours)
    return labels, kwargs, "labels"


def unreadable_layer(grid: TileGrid, failed: BoolMask, slide: Slide) -> LayerData:
    """A hatch over the cells that could not be read: another look than "no tissue".

    Parameters
    ----------
    grid : TileGrid
        The cells.
    failed : BoolMask
        Shape (rows, columns).
    slide : Slide
        Gives id and pixel size.

    Returns
    -------
    LayerData
        Labels, twelve to a cell in each direction: 1 on the stripes.
    """
    rows, cols = failed.shape
    y, x = np.ogrid[: rows * _HATCH, : cols * _HATCH]
    # Stripes run on from cell to cell, because twelve is a multiple of four.
    stripes = (x + y) % _STRIPE == 0
    cells = np.kron(failed, np.ones((_HATCH, _HATCH), np.bool_))
    mpp_x, mpp_y = world_mpp(slide)
    place = grid_transform(
        Point(grid.region.x, grid.region.y),
        grid.cell_width / _HATCH,
        grid.cell_height / _HATCH,
        mpp_x,
        mpp_y,
    )
    labels = (cells & stripes).astype(np.uint8)
    kwargs = _labels("unreadable", "Unreadable", slide, place, {1: QC["unreadable"]})
    return labels, {**kwargs, "opacity": 1.0}, "labels"


def unreadable_regions_layer(regions: Sequence[Region], slide: Slide) -> LayerData:
    """The same hatch over areas that lie on no grid, such as the tiles of a search for cells.

    Parameters
    ----------
    regions : sequence of Region
        Level-0 pixels; at least one.
    slide : Slide
        Gives id and pixel size.

    Returns
    -------
    LayerData
        Labels over the box round all of them: 1 on the stripes.
    """
    left, top = min(r.x for r in regions), min(r.y for r in regions)
    right, bottom = max(r.right for r in regions), max(r.bottom for r in regions)
    # As fine as for one tile, yet a mask of a whole slide stays small.
    step = max(
        min(min(r.width, r.height) for r in regions) / _HATCH,
        max(right - left, bottom - top) / _LARGEST,
    )
    rows, cols = (max(1, round(side / step)) for side in (bottom - top, right - left))
    inside = np.zeros((rows, cols), np.bool_)
    for r in regions:
        y0, y1 = (round((v - top) / step) for v in (r.y, r.bottom))
        x0, x1 = (round((v - left) / step) for v in (r.x, r.right))
        inside[y0 : max(y1, y0 + 1), x0 : max(x1, x0 + 1)] = True
    y, x = np.ogrid[:rows, :cols]
    labels = (inside & ((x + y) % _STRIPE == 0)).astype(np.uint8)
    place = grid_transform(Point(left, top), step, step, *world_mpp(slide))
    kwargs = _labels("unreadable", "Unreadable", slide, place, {1: QC["unreadable"]})
    return labels, {**kwargs, "opacity": 1.0}, "labels"


def _labels(
    kind: str, label: str, slide: Slide, place: ScaleTranslate, colours: dict[int | None, str]
) -> dict[str, Any]:
    kwargs = common(kind, label, slide.slide_id, place, has_mpp=slide.mpp is not None)
    table = {0: "transparent", None: "transparent", **colours}
    return {**kwargs, "colormap": table, "opacity": _OPACITY}


def _mask_place(tissue: TissueMask, slide: Slide) -> ScaleTranslate:
    return level_transform(*tissue.downsample, *world_mpp(slide))


def _outline(mask: BoolMask) -> NDArray[np.bool_]:
    """The mask's own pixels along its rim; the border of the slide is no rim."""
    inner = cv2.erode(
        mask.astype(np.uint8),
        np.ones((3, 3), np.uint8),
        iterations=_OUTLINE_PX,
        borderType=cv2.BORDER_REPLICATE,
    )
    return np.asarray(mask & (inner == 0))
