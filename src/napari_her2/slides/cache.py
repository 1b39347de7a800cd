"""Decoded tiles kept for display: one cache for the process, counted in bytes."""

from __future__ import annotations

import itertools
import os
import threading
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Protocol

from napari_her2.settings import get_settings

__all__ = ["CacheStats", "TileCache", "cache_stats", "forget_slide", "new_token", "shared_cache"]

_BESIDE = 96 * 2**20
"""What showing a slide takes beside kept tiles, measured in a viewer: OpenSlide and its cache,
decoders, the window being put together and its copy on the way to the screen. It counts towards
the setting too, so that a process grows by about the setting and not by more."""

_TOKENS = itertools.count(1)


def new_token() -> int:
    """A number that no other open slide of this process has."""
    return next(_TOKENS)


class _Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


@dataclass(frozen=True, slots=True)
class CacheStats:
    """What the tile cache holds and how often it helped."""

    bytes: int
    limit: int
    tiles: int
    hits: int
    misses: int


class TileCache:
    """Least-recently-used cache with a limit in bytes; safe to share between threads.

    Parameters
    ----------
    limit : int
        Bytes it may hold. A tile larger than that is not kept.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._tiles: OrderedDict[Hashable, _Sized] = OrderedDict()
        self._bytes = self._hits = self._misses = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _Sized | None:
        """Give a tile and mark it as used, or None."""
        with self._lock:
            tile = self._tiles.get(key)
            if tile is None:
                self._misses += 1
                return None
            self._tiles.move_to_end(key)
            self._hits += 1
            return tile

    def put(self, key: Hashable, tile: _Sized) -> None:
        """Keep a tile, dropping the ones unused for longest."""
        size = tile.nbytes
        if size > self.limit:
            return
        with self._lock:
            old = self._tiles.pop(key, None)
            if old is not None:
                self._bytes -= old.nbytes
            # Room is made first, so that the sum never passes the limit, not even for a moment.
            while self._tiles and self._bytes + size > self.limit:
                self._bytes -= self._tiles.popitem(last=False)[1].nbytes
            self._tiles[key] = tile
            self._bytes += size

    def drop(self, token: int) -> None:
        """Forget all tiles of one slide; keys are tuples that start with its token."""
        with self._lock:
            for key in [k for k in self._tiles if isinstance(k, tuple) and k[0] == token]:
                self._bytes -= self._tiles.pop(key).nbytes

    def stats(self) -> CacheStats:
        """Bytes, tiles, hits and misses so far."""
        with self._lock:
            return CacheStats(self._bytes, self.limit, len(self._tiles), self._hits, self._misses)


_CHEAP_BYTES = 40 * 2**20
"""Enough for a few screens of tiles that are decoded in a millisecond; half of a smaller cache."""

_caches: dict[bool, TileCache] = {}
_caches_lock = threading.Lock()


def shared_cache(*, cheap: bool = False) -> TileCache:
    """Give a cache of this process, made at first use with the limit of the settings.

    The setting bounds what showing slides may take in all, so a part of it is left for what lies
    beside the caches.

    Parameters
    ----------
    cheap : bool
        The smaller cache for tiles that are decoded again almost as fast as they are found.
    """
    budget = get_settings().tile_cache_bytes
    limit = max(budget - _BESIDE, budget // 2)
    small = min(_CHEAP_BYTES, limit // 2)
    limit = small if cheap else limit - small
    with _caches_lock:
        if cheap not in _caches or _caches[cheap].limit != limit:
            _caches[cheap] = TileCache(limit)
        return _caches[cheap]


def forget_slide(token: int) -> None:
    """Drop all tiles of one slide."""
    for cheap in (False, True):
        shared_cache(cheap=cheap).drop(token)


def cache_stats() -> CacheStats:
    """What the tile caches of the process hold now, taken together."""
    a, b = (shared_cache(cheap=cheap).stats() for cheap in (False, True))
    return CacheStats(
        a.bytes + b.bytes,
        a.limit + b.limit,
        a.tiles + b.tiles,
        a.hits + b.hits,
        a.misses + b.misses,
    )


def _forget() -> None:
    """Start afresh in a forked process: the parent's lock may be held for ever there."""
    global _caches, _caches_lock
    _caches, _caches_lock = {}, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
