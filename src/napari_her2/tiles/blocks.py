"""Decoded blocks of one level, kept a while, because overlapping tiles share pixels."""

from __future__ import annotations

import threading
from collections import OrderedDict

import numpy as np

from napari_her2.slides.base import Pixels, Slide
from napari_her2.types import BoolMask, RgbImage

__all__ = ["BlockCache"]

BLOCK_PX = 512
"""About the side of a block, level pixels; exactly a whole number of the file's own tiles."""


class BlockCache:
    """Windows of one level, put together from blocks that are decoded once.

    Thread-safe; bounded; what it returns does not depend on what it holds.

    Parameters
    ----------
    slide : Slide
        The slide.
    level : int
        The level that is read.
    max_bytes : int
        Most memory of the blocks kept.
    """

    def __init__(self, slide: Slide, level: int, max_bytes: int) -> None:
        self._slide = slide
        self._level = slide.levels[level]
        tile = slide.tile_size(level)
        self._width, self._height = _side(tile.width), _side(tile.height)
        self._max = max(1, max_bytes // (self._width * self._height * 3))
        self._kept: OrderedDict[tuple[int, int], Pixels] = OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forget all blocks."""
        with self._lock:
            self._kept.clear()

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window that lies wholly on the level, level pixels.

        Raises
        ------
        Her2Error
            What the slide raises when a block can't be read at all.
        """
        rgb: RgbImage = np.empty((height, width, 3), np.uint8)
        missing: BoolMask | None = None
        reason = None
        for row in range(y // self._height, (y + height - 1) // self._height + 1):
            for col in range(x // self._width, (x + width - 1) // self._width + 1):
                block = self._block(row, col)
                left, top = col * self._width, row * self._height
                x0, y0 = max(x, left), max(y, top)
                x1 = min(x + width, left + block.rgb.shape[1])
                y1 = min(y + height, top + block.rgb.shape[0])
                source = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
                target = np.s_[y0 - y : y1 - y, x0 - x : x1 - x]
                rgb[target] = block.rgb[source]
                if block.missing is not None and block.missing[source].any():
                    if missing is None:
                        missing = np.zeros((height, width), np.bool_)
                    missing[target] = block.missing[source]
                    reason = reason or block.reason
        return Pixels(rgb, missing, reason)

    def _block(self, row: int, col: int) -> Pixels:
        key = (row, col)
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        # Decoding outside the lock: two threads may decode the same block, which only costs time.
        x, y = col * self._width, row * self._height
        width = min(self._width, self._level.width - x)
        height = min(self._height, self._level.height - y)
        block = self._slide.read(self._level.index, x, y, width, height)
        with self._lock:
            self._kept[key] = block
            while len(self._kept) > self._max:
                self._kept.popitem(last=False)
        return block


def _side(tile: int) -> int:
    """A whole number of tiles near the wanted side; strips and huge tiles are cut as we like."""
    return tile * max(1, round(BLOCK_PX / tile)) if 0 < tile <= 2 * BLOCK_PX else BLOCK_PX
