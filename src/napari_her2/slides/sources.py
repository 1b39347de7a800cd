"""Levels as things to read windows from: as stored, halved on the fly, or kept in the cache."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from napari_her2.geometry import Size
from napari_her2.slides.base import NOT_SCANNED, Pixels
from napari_her2.slides.cache import shared_cache
from napari_her2.types import BoolMask, RgbImage

__all__ = ["GREY", "CachedSource", "HalvedSource", "StoredSource", "TileSource", "window_of"]

GREY = 128
"""What unread pixels hold: never white, which would look like glass."""

_RETRY_SECONDS = 20.0
"""A tile that failed is tried again after this time: the network may be back."""


class TileSource(Protocol):
    """One level that windows can be read from; the window lies inside the level."""

    width: int
    height: int

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window, level pixels."""
        ...


class StoredSource:
    """A level as the file holds it."""

    def __init__(
        self, read: Callable[[int, int, int, int], Pixels], width: int, height: int
    ) -> None:
        self._read, self.width, self.height = read, width, height

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window from the file."""
        return self._read(x, y, width, height)


class HalvedSource:
    """A level of half the size, averaged from the next finer one as it is asked for."""

    def __init__(self, finer: TileSource) -> None:
        from napari_her2.slides.reduce import halved_size

        self.finer = finer
        self.width, self.height = halved_size(finer.width), halved_size(finer.height)

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Average a window of the finer level."""
        from napari_her2.slides.reduce import halve, source_span

        x0, x1 = source_span(x, x + width, self.finer.width, self.width)
        y0, y1 = source_span(y, y + height, self.finer.height, self.height)
        fine = self.finer.read(x0, y0, x1 - x0, y1 - y0)
        rgb, missing = halve(
            fine.rgb,
            fine.missing,
            (y0, x0),
            (y, y + height, x, x + width),
            (self.finer.height, self.finer.width),
            (self.height, self.width),
        )
        return Pixels(rgb, missing, fine.reason)


@dataclass(frozen=True, slots=True)
class _Kept:
    pixels: Pixels
    until: float

    @property
    def nbytes(self) -> int:
        mask = self.pixels.missing
        return self.pixels.rgb.nbytes + (0 if mask is None else mask.nbytes)


class CachedSource:
    """A level cut into tiles that are kept in the process's tile cache.

    Parameters
    ----------
    source : TileSource
        What is read.
    token : int
        The slide's token: first part of the cache keys.
    tile : Size
        Extent of the tiles kept.
    pooled : bool
        Read the tiles of one window in several threads. Only for the outermost source: a pool
        whose tasks wait for the same pool would stand still.
    cheap : bool
        Tiles of this source are decoded fast: they get the smaller cache.
    """

    def __init__(
        self,
        source: TileSource,
        token: int,
        tile: Size,
        *,
        pooled: bool = False,
        cheap: bool = False,
    ) -> None:
        self.source, self.tile, self.cheap = source, tile, cheap
        self.width, self.height = source.width, source.height
        self._token, self._pooled = token, pooled

    def tiles(self, x: int, y: int, width: int, height: int) -> Iterator[tuple[int, int]]:
        """Rows and columns of the tiles a window touches."""
        for row in range(y // self.tile.height, -(-(y + height) // self.tile.height)):
            for col in range(x // self.tile.width, -(-(x + width) // self.tile.width)):
                yield row, col

    def tile_at(self, row: int, col: int) -> Pixels:
        """Give one tile, from the cache or read now."""
        cache = shared_cache(cheap=self.cheap)
        key = (self._token, self.width, self.height, self.tile, row, col)
        kept = cache.get(key)
        if isinstance(kept, _Kept) and kept.until > time.monotonic():
            return kept.pixels
        x, y = col * self.tile.width, row * self.tile.height
        pixels = self.source.read(
            x, y, min(self.tile.width, self.width - x), min(self.tile.height, self.height - y)
        )
        pixels = Pixels(_mapped(pixels.rgb), pixels.missing, pixels.reason)
        until = time.monotonic() + _RETRY_SECONDS if pixels.faulty else np.inf
        cache.put(key, _Kept(pixels, until))
        return pixels

    def read(self, x: int, y: int, width: int, height: int) -> Pixels:
        """Put a window together from its tiles."""
        wanted = list(self.tiles(x, y, width, height))
        if self._pooled and len(wanted) > 1:
            found = list(_pool().map(lambda rc: self.tile_at(*rc), wanted))
        else:
            found = [self.tile_at(*rc) for rc in wanted]
        parts = [
            (row * self.tile.height, col * self.tile.width, pixels)
            for (row, col), pixels in zip(wanted, found, strict=True)
        ]
        return window_of(parts, x, y, width, height)


def _mapped(rgb: RgbImage) -> RgbImage:
    """Copy a tile into memory of its own, which the system gets back when the tile is dropped.

    On the heap, kept tiles lie between short-lived buffers, and a cache of 256 MiB would cost the
    process up to 60 MB more than it holds.
    """
    memory = mmap.mmap(-1, max(rgb.nbytes, 1))
    kept = np.frombuffer(memory, np.uint8, rgb.nbytes).reshape(rgb.shape)
    kept[...] = rgb
    kept.flags.writeable = False
    return kept


def window_of(
    parts: list[tuple[int, int, Pixels]], x: int, y: int, width: int, height: int
) -> Pixels:
    """Cut a window out of tiles that cover it.

    Parameters
    ----------
    parts : list of tuple
        (y, x, pixels) of each tile, its corner in level pixels.
    x, y, width, height : int
        The window, level pixels.
    """
    if len(parts) == 1:
        ty, tx, p = parts[0]
        view = (slice(y - ty, y - ty + height), slice(x - tx, x - tx + width))
        gone = None if p.missing is None else p.missing[view]
        return Pixels(p.rgb[view], gone, p.reason)
    rgb = np.empty((height, width, 3), np.uint8)
    missing: BoolMask | None = None
    reason: str | None = None
    for ty, tx, p in parts:
        y0, x0 = max(y, ty), max(x, tx)
        y1 = min(y + height, ty + p.rgb.shape[0])
        x1 = min(x + width, tx + p.rgb.shape[1])
        to = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
        of = (slice(y0 - ty, y1 - ty), slice(x0 - tx, x1 - tx))
        rgb[to] = p.rgb[of]
        if p.missing is not None and p.missing[of].any():
            if missing is None:
                missing = np.zeros((height, width), bool)
            missing[to] = p.missing[of]
            if reason is None or reason == NOT_SCANNED:
                reason = p.reason
    return Pixels(rgb, missing, reason)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(4, os.cpu_count() or 1), thread_name_prefix="her2-tiles")


if hasattr(os, "register_at_fork"):
    # Threads do not survive a fork; a pool without them would wait for ever.
    os.register_at_fork(after_in_child=_pool.cache_clear)
