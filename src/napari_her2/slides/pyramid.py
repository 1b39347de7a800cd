"""Levels to look at: zarr-like arrays over the tile cache, unreadable tiles hatched."""

from __future__ import annotations

import math
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from napari_her2.geometry import Region, Size
from napari_her2.slides.backend import VIRTUAL_TILE, BackendSlide
from napari_her2.slides.base import NOT_SCANNED, Pixels, Slide, UnreadableTile
from napari_her2.slides.cache import new_token
from napari_her2.slides.sources import CachedSource, HalvedSource, StoredSource, TileSource
from napari_her2.types import BoolMask, RgbImage

__all__ = ["DisplayLevel", "display_levels", "hatch"]

_CHUNK = 256
"""Side of cached tiles; a window then decodes no more than OpenSlide would for it."""
_STEP = 2.5
"""Neighbouring levels further apart than this get levels of factor 2 between them."""
_SMALLEST = 256

_HATCH = np.array([0x4C, 0x2F, 0xC3], np.uint8)
_GREY = np.array([128, 128, 128], np.uint8)
_UNSCANNED = np.array([214, 214, 214], np.uint8)
_HATCH_PERIOD, _HATCH_WIDTH = 16, 5


def hatch(rgb: RgbImage, missing: BoolMask, y: int, x: int) -> RgbImage:
    """Paint what could not be read as diagonal lines on mid-grey.

    Parameters
    ----------
    rgb : RgbImage
        Shape (height, width, 3); not changed.
    missing : BoolMask
        Shape (height, width); True where the hatch goes.
    y, x : int
        Place of the first pixel in its level, so that the lines run on across tiles.
    """
    h, w = missing.shape
    phase = (np.arange(y, y + h)[:, None] + np.arange(x, x + w)[None]) % _HATCH_PERIOD
    lines = np.where((phase < _HATCH_WIDTH)[..., None], _HATCH, _GREY)
    return np.where(missing[..., None], lines, rgb)


class DisplayLevel:
    """One level as an array that reads what is asked for; what napari's image layers take.

    Attributes
    ----------
    shape : tuple of int
        (height, width, 3).
    chunks : tuple of int
        Extent of the cached tiles; reading along their borders costs least.
    downsample : tuple of float
        True shape ratio to level 0, (y, x).
    """

    ndim = 3
    dtype = np.dtype(np.uint8)

    def __init__(self, slide: Slide, index: int, source: CachedSource) -> None:
        self._slide, self._source, self.index = slide, source, index
        self.shape = (source.height, source.width, 3)
        self.chunks = (source.tile.height, source.tile.width, 3)
        size = slide.size
        self.downsample = (size.height / source.height, size.width / source.width)
        self._errors: dict[tuple[int, int], UnreadableTile] = {}
        self._lock = threading.Lock()

    @property
    def size(self) -> int:
        """Number of values."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes it would take in memory."""
        return self.size

    @property
    def errors(self) -> tuple[UnreadableTile, ...]:
        """The tiles that could not be read so far."""
        with self._lock:
            return tuple(self._errors.values())

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        del copy
        whole = self[:]
        return whole if dtype is None else whole.astype(dtype)

    def __getitem__(self, key: Any) -> NDArray[np.uint8]:
        rows, cols, rest = _split_key(key)
        y, x = _span(rows, self.shape[0]), _span(cols, self.shape[1])
        if y.stop <= y.start or x.stop <= x.start:
            empty = np.empty((max(y.stop - y.start, 0), max(x.stop - x.start, 0), 3), np.uint8)
            return empty[:, :, rest]
        out = self._window(y.start, y.stop, x.start, x.stop)
        return np.asarray(out[_local(rows), _local(cols), rest])

    def _window(self, y0: int, y1: int, x0: int, x1: int) -> RgbImage:
        pixels = self._source.read(x0, y0, x1 - x0, y1 - y0)
        if pixels.complete:
            return pixels.rgb
        return self._paint(pixels, y0, x0)

    def _paint(self, pixels: Pixels, y0: int, x0: int) -> RgbImage:
        """Show missing parts: flat where nothing was scanned, hatched where reading failed."""
        assert pixels.missing is not None
        rgb = pixels.rgb.copy()
        h, w = pixels.missing.shape
        for row, col in self._source.tiles(x0, y0, w, h):
            th, tw = self._source.tile.height, self._source.tile.width
            ya, xa = max(row * th, y0) - y0, max(col * tw, x0) - x0
            yb, xb = min((row + 1) * th - y0, h), min((col + 1) * tw - x0, w)
            gone = pixels.missing[ya:yb, xa:xb]
            if not gone.any():
                continue
            part = rgb[ya:yb, xa:xb]
            tile = self._source.tile_at(row, col)
            if tile.reason == NOT_SCANNED:
                part[gone] = _UNSCANNED
            else:
                part[...] = hatch(part, gone, y0 + ya, x0 + xa)
                self._record(row, col, tile)
        return rgb

    def _record(self, row: int, col: int, tile: Pixels) -> None:
        """Note an unreadable tile once, with the part of the slide it stands for."""
        if tile.missing is None:
            return
        ys, xs = np.flatnonzero(tile.missing.any(axis=1)), np.flatnonzero(tile.missing.any(axis=0))
        if not len(ys):
            return
        fy, fx = self.downsample
        y = row * self._source.tile.height + int(ys[0])
        x = col * self._source.tile.width + int(xs[0])
        region = Region(x, y, int(xs[-1] - xs[0]) + 1, int(ys[-1] - ys[0]) + 1).scaled(fx, fy)
        with self._lock:
            self._errors[row, col] = UnreadableTile(region, self.index, tile.reason or "unknown")

    def __repr__(self) -> str:
        h, w, _ = self.shape
        return f"<DisplayLevel {self.index}: {w} x {h} px>"


def display_levels(slide: Slide) -> list[DisplayLevel]:
    """Levels of a slide for an image layer, finest first.

    A viewer picks the level with at least one pixel per screen pixel; with factors of 4 it would
    read up to 16 times the screen. So levels of factor 2 are put between, averaged from the finer
    neighbour tile by tile. All levels share the tile cache of the process.

    Parameters
    ----------
    slide : Slide
        An open slide; kept open by the levels as long as they live.
    """
    token = slide.token if isinstance(slide, BackendSlide) else new_token()
    stored = slide.stored_levels if isinstance(slide, BackendSlide) else len(slide.levels)
    sources: list[CachedSource] = []
    for k, level in enumerate(slide.levels):
        if k and max(level.width, level.height) < _SMALLEST:
            break
        if k >= stored:
            sources.append(_cached(HalvedSource(sources[-1]), token, VIRTUAL_TILE))
            continue
        if sources:
            _fill_between(sources, level.width, level.height, token)
        source = StoredSource(_reader(slide, k), level.width, level.height)
        cheap = "direct" in slide.info.backend
        sources.append(CachedSource(source, token, _chunk(slide.tile_size(k)), cheap=cheap))
    return [
        DisplayLevel(slide, i, CachedSource(s.source, token, s.tile, pooled=True, cheap=s.cheap))
        for i, s in enumerate(sources)
    ]


def _reader(slide: Slide, level: int) -> Any:
    return lambda x, y, w, h: slide.read(level, x, y, w, h)


def _cached(source: TileSource, token: int, tile: Size) -> CachedSource:
    return CachedSource(source, token, tile)


def _fill_between(sources: list[CachedSource], width: int, height: int, token: int) -> None:
    """Add halved levels until the next stored one is within a factor of 2.5."""
    while max(sources[-1].width / width, sources[-1].height / height) > _STEP:
        sources.append(_cached(HalvedSource(sources[-1]), token, VIRTUAL_TILE))


def _chunk(tile: Size) -> Size:
    """Whole stored tiles: a chunk that cuts tiles decodes them twice."""
    return Size(_whole(tile.width), _whole(tile.height))


def _whole(n: int) -> int:
    if _CHUNK <= 2 * n <= 8 * _CHUNK:
        return n
    return n * round(_CHUNK / n) if 32 <= n < _CHUNK else _CHUNK


def _split_key(key: Any) -> tuple[Any, Any, Any]:
    parts = list(key) if isinstance(key, tuple) else [key]
    if any(p is Ellipsis for p in parts):
        at = next(i for i, p in enumerate(parts) if p is Ellipsis)
        parts[at : at + 1] = [slice(None)] * (3 - (len(parts) - 1))
    parts += [slice(None)] * (3 - len(parts))
    if len(parts) != 3:
        msg = f"too many indices for a level of 3 axes: {key!r}"
        raise IndexError(msg)
    return parts[0], parts[1], parts[2]


def _span(part: Any, n: int) -> slice:
    """The contiguous range of pixels an index touches."""
    if isinstance(part, slice):
        chosen = range(*part.indices(n))
        if not len(chosen):
            return slice(0, 0)
        return slice(min(chosen[0], chosen[-1]), max(chosen[0], chosen[-1]) + 1)
    i = int(part)
    i = i + n if i < 0 else i
    if not 0 <= i < n:
        msg = f"index {part} lies outside a level of {n} px"
        raise IndexError(msg)
    return slice(i, i + 1)


def _local(part: Any) -> Any:
    """The same index, counted from the start of the range read."""
    if not isinstance(part, slice):
        return 0
    step = 1 if part.step is None else part.step
    return slice(None, None, step)
