"""Watershed of touching nuclei only: clumps are cut out, packed close and flooded together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from napari_her2.types import BoolMask

__all__ = ["Landscape", "Pixels", "flood_clumps", "mask_pixels"]

SHEET_PX: Final = 1024
"""About the width of the sheet that clumps are packed on."""


@dataclass(frozen=True)
class Landscape:
    """What the watershed works on.

    Attributes
    ----------
    mask : ndarray of uint8
        Shape (height, width): not 0 on nuclei.
    height : ndarray of float32
        Shape (height, width), to be flooded from the top; no two pixels nearer than 16 are equal.
    markers : ndarray of int64
        Flat indices of the markers, rising.
    least_px : float
        Smaller objects are left out.
    """

    mask: NDArray[np.uint8]
    height: NDArray[np.float32]
    markers: NDArray[np.int64]
    least_px: float


@dataclass(frozen=True, slots=True)
class Pixels:
    """Some pixels of a window, in the order in which they lie in memory.

    Attributes
    ----------
    flat : ndarray of int
        Flat indices, rising.
    rows, columns : ndarray of float64
        Whole numbers, as sums want them.
    """

    flat: NDArray[np.intp]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    def take(self, chosen: NDArray[np.intp]) -> Pixels:
        """Some of them."""
        return Pixels(self.flat[chosen], self.rows[chosen], self.columns[chosen])


def mask_pixels(mask: NDArray[np.uint8]) -> Pixels:
    """Pixels where a mask is not 0."""
    on = mask != 0
    flat = np.flatnonzero(on)
    h, w = mask.shape
    rows = np.repeat(np.arange(h, dtype=np.float64), np.count_nonzero(on, axis=1))
    return Pixels(flat, rows, flat - rows * w)


def flood_clumps(
    land: Landscape,
    pixels: Pixels,
    piece: NDArray[np.int32],
    owner: NDArray[np.int32],
    clump: BoolMask,
) -> NDArray[np.intp]:
    """Divide connected components with several markers.

    Water does not cross from one component to another, so flooding them apart gives what flooding
    the whole window would. They are put side by side on a sheet, which is a small part of the
    window where most nuclei stand alone.

    Parameters
    ----------
    land : Landscape
        Surface and markers.
    pixels : Pixels
        All pixels of the clumps.
    piece : ndarray of int32
        Which 4-connected component of the mask each lies in.
    owner : ndarray of int32
        Which component each of ``land.markers`` lies in.
    clump : BoolMask
        Shape (n components,): which are to be divided.

    Returns
    -------
    ndarray of int
        Which of ``land.markers`` each pixel belongs to.
    """
    w = land.mask.shape[1]
    number = (np.cumsum(clump) - 1).astype(np.int32)
    chosen = np.flatnonzero(clump[owner])
    of = number[piece]
    x, y, width, height = _boxes(pixels, of, int(clump.sum()))
    left, top, size = _pack(width, height)
    across = size[1]
    # From a pixel of the window to one of the sheet: the same step for all pixels of a clump.
    step = (top - y) * across + left - x
    # Rows of the sheet are longer or shorter than those of the window.
    at = pixels.flat + pixels.rows.astype(np.intp) * (across - w) + step[of]
    surface = np.zeros(size, np.float32)
    mask = np.zeros(size, np.bool_)
    seeds = np.zeros(size, np.int32)
    surface.ravel()[at] = -land.height.ravel()[pixels.flat]
    mask.ravel()[at] = True
    rows = land.markers[chosen] // w
    place = land.markers[chosen] + rows * (across - w) + step[number[owner[chosen]]]
    seeds.ravel()[place] = chosen + 1
    flooded = watershed(surface, seeds, mask=mask)  # type: ignore[no-untyped-call]
    return np.asarray(flooded.ravel()[at] - 1, np.intp)


def _boxes(
    pixels: Pixels, of: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Left, top, width and height of each clump."""
    columns = pixels.columns.astype(np.int64)
    # Pixels side by side lie in the same clump: the ends of such runs are enough.
    begins = np.ones(len(of), np.bool_)
    begins[1:] = (np.diff(pixels.flat) != 1) | (columns[1:] == 0)
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(of)) - 1
    run, rows = of[first], pixels.rows[first].astype(np.int64)
    low, high = np.iinfo(np.int64).max, -1
    left, top = np.full(n, low), np.full(n, low)
    right, bottom = np.full(n, high), np.full(n, high)
    np.minimum.at(left, run, columns[first])
    np.maximum.at(right, run, columns[last])
    np.minimum.at(top, run, rows)
    np.maximum.at(bottom, run, rows)
    return left, top, right - left + 1, bottom - top + 1


def _pack(
    widths: NDArray[np.int64], heights: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, int]]:
    """Left and top of boxes on a sheet, in rows of falling height, and the sheet's extent."""
    order = np.argsort(-heights, kind="stable")
    # One pixel apart; a row begins anew at each whole SHEET_PX, so its last box may reach over it.
    width = widths[order] + 1
    start = np.cumsum(width) - width
    row = start // SHEET_PX
    first = np.searchsorted(row, np.arange(row[-1] + 1))
    # A box much wider than the sheet leaves rows in which none begins.
    used = np.append(first[1:], len(row)) > first
    height = used * heights[order][np.minimum(first, len(row) - 1)]
    top_of_row = np.cumsum(height + 1) - (height + 1)
    left, top = np.empty(len(widths), np.int64), np.empty(len(widths), np.int64)
    left[order] = start - row * SHEET_PX
    top[order] = top_of_row[row]
    return left, top, (int((height + 1).sum()), int(SHEET_PX + width.max()))
