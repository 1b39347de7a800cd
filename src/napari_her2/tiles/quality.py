"""Pen and folds, by what no stain does: colours of ink, and twice the tissue in one place.

In optical density haematoxylin takes red and green, eosin green, DAB blue; each takes less of the
other colours but none takes *only* what ink takes. Limits are in optical density relative to glass.
"""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.measure import label, regionprops_table

from napari_her2.tiles.background import Background
from napari_her2.tiles.overview import Overview
from napari_her2.types import BoolMask

__all__ = ["find_folds", "find_pen", "folds_can_be_told"]

Density = NDArray[np.float32]

STROKE_UM = 20.0
"""Ink is even over this length; tissue is not."""

MIN_PEN_UM2 = 40_000.0
GROW_PEN_UM = 60.0
"""Strokes are wide; what lies this near may be the rim where ink thins out, and is left out too."""

FOLD_UM = 20.0
MIN_FOLD_UM2 = 20_000.0
FOLD_DENSITY = 2.2
FOLD_CHROMA = 1.5
FOLD_LEAST = 0.22
FOLD_LENGTH = 2.5
"""A fold is twice as dense as the slide's tissue and more, more saturated too, and long."""


def find_pen(view: Overview, glass: Background) -> BoolMask:
    """Find ink of green, blue, red and black markers.

    Parameters
    ----------
    view : Overview
        The slide at low resolution.
    glass : Background
        Its bare glass. With false colours nothing is looked for.

    Returns
    -------
    BoolMask
        Shape (height, width).
    """
    readable = ~view.missing
    if glass.found and glass.saturation > 0.15:
        return np.zeros_like(readable)
    side = view.size_um
    smooth = cv2.GaussianBlur(view.rgb, (0, 0), max(STROKE_UM / side / 2, 0.7))
    red, green, blue = _channels(np.asarray(smooth, np.uint8), glass)
    strokes = np.zeros_like(readable)
    for clear, over_tissue in _inks(red, green, blue):
        strokes |= _connected(clear, clear | over_tissue, MIN_PEN_UM2 / side**2)
    if not strokes.any():
        return strokes
    radius = max(1, round(GROW_PEN_UM / side))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return np.asarray((cv2.dilate(strokes.astype(np.uint8), disc) > 0) & readable, np.bool_)


def _connected(seeds: BoolMask, field: BoolMask, pixels: float) -> BoolMask:
    """Parts of a field that touch a large enough seed."""
    n, labels, stats, _ = cv2.connectedComponentsWithStats(seeds.astype(np.uint8))
    large = stats[:, cv2.CC_STAT_AREA] >= pixels
    large[0] = False
    if n == 1 or not large.any():
        return np.zeros_like(seeds)
    _, parts = cv2.connectedComponents(field.astype(np.uint8))
    touched = np.unique(parts[large[labels]])
    return np.asarray(np.isin(parts, touched) & field, np.bool_)


def _channels(rgb: NDArray[np.uint8], glass: Background) -> list[Density]:
    levels = np.maximum(np.arange(256, dtype=np.float32), 1)
    return [
        np.maximum(np.log10(b / levels), 0).astype(np.float32)[rgb[..., c]]
        for c, b in enumerate(glass.rgb)
    ]


def _inks(red: Density, green: Density, blue: Density) -> Iterator[tuple[BoolMask, BoolMask]]:
    """For each ink: pixels that only it can make, and what it may look like over tissue."""
    high, low = np.maximum(np.maximum(red, green), blue), np.minimum(np.minimum(red, green), blue)
    # Green takes red and blue and lets green through; no stain does. Over tissue, red before green.
    yield np.minimum(red, blue) - green > 0.12, (red - green > 0.12) & (blue > 0.25)
    # Blue takes red, hardly blue; haematoxylin takes nearly half as much blue as red.
    clear = (red > 0.55) & (blue < 0.32 * red) & (green > 0.2 * red) & (green < 1.05 * red)
    yield clear, (red > 0.7) & (blue < 0.45 * red)
    # Red takes green and blue alike and no red; eosin takes far less blue, DAB takes red.
    clear = (green > 0.6) & (red < 0.28 * green) & (blue > 0.8 * green) & (blue < 1.5 * green)
    yield clear, (green > 0.8) & (red < 0.45 * green) & (blue > 0.6 * green)
    # Black takes all, alike.
    yield (low > 0.6) & (high < 1.3 * low), (low > 0.6) & (high < 1.8 * low)


def folds_can_be_told(view: Overview, glass: Background) -> bool:
    """Whether :func:`find_folds` looks for anything on this slide."""
    return glass.found and glass.saturation <= 0.15 and view.um_per_px is not None


def find_folds(view: Overview, mask: BoolMask, glass: Background) -> BoolMask:
    """Find long strips of tissue that lie double.

    Parameters
    ----------
    view : Overview
        The slide at low resolution.
    mask : BoolMask
        Shape (height, width): its tissue.
    glass : Background
        Its bare glass. With false colours, where no glass was found, or without pixel size (a
        nucleus is dense too), nothing is looked for.

    Returns
    -------
    BoolMask
        Shape (height, width). A hint to look at, not a measurement: a dense band of lymphocytes
        can look the same. Brown pixels are never taken for folds.
    """
    out = np.zeros_like(mask)
    if not folds_can_be_told(view, glass) or not mask.any():
        return out
    side = view.size_um
    smooth = cv2.GaussianBlur(view.rgb, (0, 0), max(FOLD_UM / side, 0.7))
    red, green, blue = _channels(np.asarray(smooth, np.uint8), glass)
    density = (red + green + blue) / 3
    chroma = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    usual, usual_chroma = float(np.median(density[mask])), float(np.median(chroma[mask]))
    dense = density > max(FOLD_DENSITY * usual, FOLD_LEAST)
    double = mask & dense & (chroma > FOLD_CHROMA * usual_chroma) & (blue <= green)
    pieces = label(double, connectivity=2)  # type: ignore[no-untyped-call]
    if not pieces.any():
        return out
    table = regionprops_table(  # type: ignore[no-untyped-call]
        pieces, properties=("label", "area", "axis_major_length")
    )
    # Mean width = area / length, so this is length over width also for a bent strip.
    length = table["axis_major_length"] ** 2 / table["area"]
    keep = np.zeros(int(pieces.max()) + 1, np.bool_)
    keep[table["label"]] = (table["area"] >= MIN_FOLD_UM2 / side**2) & (length >= FOLD_LENGTH)
    return np.asarray(keep[pieces], np.bool_)
