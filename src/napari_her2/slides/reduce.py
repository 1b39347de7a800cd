"""Make a coarser level from a finer one by area mean, window by window.

The coarser level has ``ceil(n / 2)`` pixels a side, so its pixels are *not* always two pixels
wide: for odd ``n`` they are ``n / ceil(n / 2)`` wide. Averaging over exactly that width keeps the
true shape ratio a true position at the far corner, which plain 2 x 2 means would not.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.types import BoolMask, RgbImage

__all__ = ["halve", "halved_size", "source_span"]

_TINY = 1e-9


def halved_size(n: int) -> int:
    """Pixels of the next coarser level."""
    return max(1, -(-n // 2))


def source_span(start: int, stop: int, fine: int, coarse: int) -> tuple[int, int]:
    """Finer pixels that coarser pixels ``start`` to ``stop`` cover, as a half-open range."""
    ratio = fine / coarse
    return math.floor(start * ratio + _TINY), min(fine, math.ceil(stop * ratio - _TINY))


def halve(
    rgb: RgbImage,
    missing: BoolMask | None,
    origin: tuple[int, int],
    target: tuple[int, int, int, int],
    fine: tuple[int, int],
    coarse: tuple[int, int],
) -> tuple[RgbImage, BoolMask | None]:
    """Average a window of the finer level into a window of the coarser one.

    Parameters
    ----------
    rgb : RgbImage
        Finer pixels, the spans of :func:`source_span` in both directions.
    missing : BoolMask or None
        Which of them could not be read.
    origin : tuple of int
        Top-left corner (y, x) of ``rgb`` in the finer level.
    target : tuple of int
        ``(y0, y1, x0, x1)`` of the window wanted, coarser pixels.
    fine, coarse : tuple of int
        (height, width) of the two levels.

    Returns
    -------
    tuple of RgbImage and BoolMask or None
        Pixels of the window; a pixel is missing if any part of it is.
    """
    y0, y1, x0, x1 = target
    if fine[0] == 2 * coarse[0] and fine[1] == 2 * coarse[1]:
        small = cv2.resize(rgb, (x1 - x0, y1 - y0), interpolation=cv2.INTER_AREA)
        if missing is None:
            return np.asarray(small, np.uint8), None
        gone = missing.reshape(y1 - y0, 2, x1 - x0, 2).any(axis=(1, 3))
        return np.asarray(small, np.uint8), np.asarray(gone, bool)
    taps_y = _taps(y0, y1, origin[0], rgb.shape[0], fine[0] / coarse[0])
    taps_x = _taps(x0, x1, origin[1], rgb.shape[1], fine[1] / coarse[1])
    wide = sum(rgb[:, i] * w[None, :, None] for i, w in taps_x)
    exact = np.asarray(sum(np.asarray(wide)[i] * w[:, None, None] for i, w in taps_y))
    out = np.rint(exact).astype(np.uint8)
    if missing is None:
        return out, None
    any_x = np.logical_or.reduce([missing[:, i] & (w > _TINY)[None] for i, w in taps_x])
    gone = np.logical_or.reduce([any_x[i] & (w > _TINY)[:, None] for i, w in taps_y])
    return out, np.asarray(gone, bool)


def _taps(
    start: int, stop: int, origin: int, length: int, ratio: float
) -> list[tuple[NDArray[np.intp], NDArray[np.float32]]]:
    """Indices and weights of the up to three finer pixels under each coarser one."""
    left = np.arange(start, stop) * ratio
    right = left + ratio
    first = np.floor(left + _TINY).astype(np.intp)
    taps = []
    for k in range(3):
        i = first + k
        weight = np.clip(np.minimum(right, i + 1) - np.maximum(left, i), 0, None) / ratio
        index = np.clip(i - origin, 0, length - 1)
        taps.append((index, weight.astype(np.float32)))
    return taps
