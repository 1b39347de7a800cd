"""Watershed of touching nuclei only: clumps are cut out, packed close and flooded together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from napari_her2.types import BoolMask

__all__ = ["Landscape", "flood_clumps"]

SHEET_PX: Final = 1024
"""About the width of the sheet that clumps are packed on."""

_X, _Y, _WIDTH, _HEIGHT = range(4)
"""Columns of OpenCV's component statistics."""


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


def flood_clumps(
    land: Landscape, components: NDArray[np.int32], stats: NDArray[np.int32], clump: BoolMask
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Divide connected components with several markers.

    Water does not cross from one component to another, so flooding them apart gives what flooding
    the whole window would. They are put side by side on a sheet, which is a small part of the
    window where most nuclei stand alone.

    Parameters
    ----------
    land : Landscape
        Surface and markers.
    components : ndarray of int32
        Shape (height, width): 4-connected components of the mask.
    stats : ndarray of int32
        Their boxes, as from ``cv2.connectedComponentsWithStats``.
    clump : BoolMask
        Shape (n components,): which are to be divided.

    Returns
    -------
    pixels, markers : ndarray of int32
        Flat indices of the pixels of all clumps, and which of ``land.markers`` each belongs to.
    """
    w = components.shape[1]
    number = np.cumsum(clump, dtype=np.int32) * clump
    owner = components.ravel()[land.markers]
    chosen = np.flatnonzero(clump[owner])
    box = stats[clump]
    left, top, size = _pack(box)
    across = size[1]
    # From a pixel of the window to one of the sheet: the same step for all pixels of a clump.
    step = (top - box[:, _Y]) * across + left - box[:, _X]
    pixels = np.flatnonzero(clump[components]).astype(np.int32)
    of = number[components.ravel()[pixels]] - 1
    y, x = np.divmod(pixels, np.int32(w))
    at = y.astype(np.int64) * across + x + step[of]
    surface = np.zeros(size, np.float32)
    mask = np.zeros(size, np.bool_)
    seeds = np.zeros(size, np.int32)
    surface.ravel()[at] = -land.height.ravel()[pixels]
    mask.ravel()[at] = True
    y, x = np.divmod(land.markers[chosen], w)
    seeds.ravel()[y * across + x + step[number[owner[chosen]] - 1]] = chosen + 1
    flooded = watershed(surface, seeds, mask=mask)  # type: ignore[no-untyped-call]
    return pixels, np.asarray(flooded.ravel()[at] - 1, np.int32)


def _pack(
    boxes: NDArray[np.int32],
) -> tuple[NDArray[np.int64], NDArray[np.int64], tuple[int, int]]:
    """Left and top of boxes on a sheet, in rows of falling height, and the sheet's extent."""
    order = np.argsort(-boxes[:, _HEIGHT], kind="stable")
    # One pixel apart; a row begins anew at each whole SHEET_PX, so its last box may reach over it.
    width = boxes[order, _WIDTH].astype(np.int64) + 1
    start = np.cumsum(width) - width
    row = start // SHEET_PX
    first = np.searchsorted(row, np.arange(row[-1] + 1))
    # A box much wider than the sheet leaves rows in which none begins.
    used = np.append(first[1:], len(row)) > first
    height = used * boxes[order, _HEIGHT][np.minimum(first, len(row) - 1)].astype(np.int64)
    top_of_row = np.cumsum(height + 1) - (height + 1)
    left, top = np.empty(len(boxes), np.int64), np.empty(len(boxes), np.int64)
    left[order] = start - row * SHEET_PX
    top[order] = top_of_row[row]
    return left, top, (int((height + 1).sum()), int(SHEET_PX + width.max()))
