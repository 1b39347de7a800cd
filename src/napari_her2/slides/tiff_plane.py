"""One page of a TIFF file, read segment by segment."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.settings import LOGGER
from napari_her2.slides.backend import brief
from napari_her2.slides.base import Pixels
from napari_her2.slides.header import TiffDirectory
from napari_her2.slides.jpeg_tiles import JpegTiles
from napari_her2.slides.rawfile import RawFile
from napari_her2.slides.sources import GREY

__all__ = ["TiffPlane"]


class TiffPlane:
    """One page, read by windows: broken and empty segments are missing, never black."""

    def __init__(self, raw: RawFile, page: Any, directory: TiffDirectory) -> None:
        self._raw, self.page, self.directory = raw, page, directory
        self._jpeg = JpegTiles(raw, directory) if JpegTiles.suits(directory) else None
        # The decoder is made at first use; two threads making it at once would do it twice.
        self._lock = threading.Lock()
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window that lies inside the page."""
        if self._jpeg is not None:
            return self._jpeg.read(x, y, width, height)
        d = self.directory
        samples = 3 if d.samples >= 3 else 1
        out = np.empty((height, width, samples), np.uint8)
        missing = None
        reason = None
        for row in range(y // d.tile_height, -(-(y + height) // d.tile_height)):
            for col in range(x // d.tile_width, -(-(x + width) // d.tile_width)):
                top, left = row * d.tile_height, col * d.tile_width
                y0, x0 = max(y, top), max(x, left)
                y1, x1 = min(y + height, top + d.tile_height), min(x + width, left + d.tile_width)
                to = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
                try:
                    segment = self._segment(row, col)
                    out[to] = segment[y0 - top : y1 - top, x0 - left : x1 - left]
                except Exception as e:  # noqa: BLE001 - codecs raise anything
                    LOGGER.debug("segment unreadable", exc_info=True)
                    if missing is None:
                        missing = np.zeros((height, width), bool)
                    missing[to], out[to], reason = True, GREY, brief(e)
        rgb = out if samples == 3 else np.repeat(out, 3, axis=2)
        return Pixels(rgb, missing, reason)

    def _segment(self, row: int, col: int) -> NDArray[np.uint8]:
        """Decode one tile or strip, shape (height, width, samples)."""
        d = self.directory
        index = row * d.columns + col
        last = self._last
        if last is not None and last[0] == index:
            return last[1]
        if d.planar == 1 or d.samples == 1:
            segment = self._decode(index)[..., : 3 if d.samples >= 3 else 1]
        else:
            per_plane = len(d.offsets) // d.samples
            planes = [self._decode(index + k * per_plane)[..., 0] for k in range(3)]
            segment = np.stack(planes, axis=2)
        if d.photometric == 0:
            segment = 255 - segment
        if not d.tiled:
            # Neighbouring windows ask for the same strip again; a tall one is dear to decode.
            self._last = (index, segment)
        return segment

    def _decode(self, index: int) -> NDArray[np.uint8]:
        d, page = self.directory, self.page
        count = int(d.counts[index]) if len(d.counts) else self._raw.size - int(d.offsets[index])
        if count == 0:
            reason = "the file holds nothing for this tile"
            raise ValueError(reason)
        data = self._raw.read(int(d.offsets[index]), count)
        if len(data) != count:
            reason = "the file ends inside this tile"
            raise ValueError(reason)
        with self._lock:
            decode = page.decode
        options = {"jpegtables": d.jpeg_tables} if d.jpeg_tables else {}
        array, _, _ = decode(data, index, _fullsize=True, **options)
        if array is None:
            reason = "this tile can't be decoded"
            raise ValueError(reason)
        found = np.asarray(array)[0]
        rows = min(d.tile_height, d.height - (index // d.columns % self._rows) * d.tile_height)
        if found.shape[0] < rows or found.shape[1] < min(d.tile_width, d.width):
            reason = "a tile has another size than the header says"
            raise ValueError(reason)
        if found.dtype != np.uint8:
            reason = f"it decodes to {found.dtype}"
            raise ValueError(reason)
        return np.asarray(found, np.uint8)

    @property
    def _rows(self) -> int:
        return -(-self.directory.height // self.directory.tile_height)
