"""Markers: one pixel per nucleus, found from its surroundings alone."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

__all__ = ["find_markers", "strict_heights"]

PERIOD: Final = 16
"""No two pixels nearer than this have equal heights."""

_ORDER = np.random.default_rng(0).permutation(PERIOD**2).reshape(PERIOD, PERIOD)


def strict_heights(levels: NDArray[np.uint16], x: int, y: int) -> NDArray[np.float32]:
    """Whole-number levels with ties broken by the place on the slide.

    Parameters
    ----------
    levels : ndarray of uint16
        Shape (height, width).
    x, y : int
        Working pixel of the slide that the first pixel is.

    Returns
    -------
    ndarray of float32
        ``256 * levels`` plus a number below 256, each once in any 16 x 16 pixels: exact, since
        below 2**24.
    """
    place = _places(*levels.shape, x % PERIOD, y % PERIOD)
    return np.asarray(cv2.addWeighted(levels, 256, place, 1, 0, dtype=cv2.CV_32F), np.float32)


# Most windows of a slide have one size and begin at one place of the lattice.
@lru_cache(maxsize=2)
def _places(h: int, w: int, x: int, y: int) -> NDArray[np.uint16]:
    rows, columns = (np.arange(PERIOD) + y) % PERIOD, (np.arange(PERIOD) + x) % PERIOD
    place = _ORDER[np.ix_(rows, columns)].astype(np.uint16)
    place = np.tile(place, (-(-h // PERIOD), -(-w // PERIOD)))[:h, :w]
    return np.ascontiguousarray(place)


def find_markers(
    heights: NDArray[np.float32], mask: NDArray[np.uint8], apart: int, reach: int, dip: float
) -> NDArray[np.int64]:
    """Peaks of a surface, less those that are shoulders of a higher one.

    A peak is the highest pixel of a disc. It is dropped if a higher peak lies within ``reach`` and
    the straight way to it nowhere dips by ``dip`` below the lower one: the h-maxima of
    mathematical morphology, asked along a line, so that the answer depends on pixels within
    ``reach`` only and never on how far a clump of nuclei goes on.

    Parameters
    ----------
    heights : ndarray of float32
        Shape (height, width), strictly ordered, see :func:`strict_heights`.
    mask : ndarray of uint8
        Markers lie where it is not 0.
    apart : int
        Radius of the disc, below 8 pixels.
    reach : int
        Pixels.
    dip : float
        In units of ``heights``.

    Returns
    -------
    ndarray of int64
        Flat indices, rising.
    """
    size = 2 * min(apart, PERIOD // 2 - 1) + 1
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size))
    top = cv2.dilate(heights, disc)
    peak = cv2.bitwise_and(cv2.compare(heights, top, cv2.CMP_GE), mask)
    if not cv2.countNonZero(peak):
        return np.zeros(0, np.int64)
    x, y = np.asarray(cv2.findNonZero(peak), np.int64).reshape(-1, 2).T
    w = heights.shape[1]
    flat: NDArray[np.int64] = y * w + x
    pairs = cKDTree(np.stack([y, x], axis=1)).query_pairs(reach, output_type="ndarray")
    if not len(pairs):
        return flat
    values = heights.ravel()
    swap = values[flat[pairs[:, 0]]] > values[flat[pairs[:, 1]]]
    low = np.where(swap, pairs[:, 1], pairs[:, 0])
    high = pairs[:, 0] + pairs[:, 1] - low
    # Whole-number steps: the way between two pixels is the same in each window.
    step = np.arange(1, reach)
    way_y = y[low, None] + (2 * (y[high] - y[low])[:, None] * step + reach) // (2 * reach)
    way_x = x[low, None] + (2 * (x[high] - x[low])[:, None] * step + reach) // (2 * reach)
    lowest = values[way_y * w + way_x].min(axis=1)
    shoulder = np.zeros(len(flat), np.bool_)
    shoulder[low[values[flat[low]] - lowest < dip]] = True
    return np.asarray(flat[~shoulder], np.int64)
