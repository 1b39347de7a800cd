"""Levels as dask arrays, for computing: tasks carry how to open the slide, never a handle."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2.errors import TileReadError
from napari_her2.slides.backend import BackendSlide, SlideSpec
from napari_her2.slides.base import Slide
from napari_her2.types import RgbImage

if TYPE_CHECKING:
    import dask.array as da

__all__ = ["dask_levels"]

_MAX_OPEN = 4
_open: OrderedDict[SlideSpec, Slide] = OrderedDict()
_lock = threading.Lock()


def dask_levels(slide: Slide, chunk: int = 1024) -> list[da.Array]:
    """Levels of a slide as dask arrays.

    Parameters
    ----------
    slide : Slide
        A slide. Its tasks name the file, not the handle, so they can run in other processes; a
        slide in memory travels with its pixels.
    chunk : int
        Side of the chunks, level pixels.

    Returns
    -------
    list of dask.array.Array
        One per level, finest first; shape (height, width, 3), uint8.

    Raises
    ------
    TileReadError
        On computing, where a chunk could not be read whole. It never becomes pixels.

    Notes
    -----
    Keys hold a digest and no path or name, since a scheduler shows keys to everyone it serves.
    """
    import dask.array as da

    source: Slide | SlideSpec = slide
    if isinstance(slide, BackendSlide) and slide.info.backend != "array":
        source = slide.spec
    arrays = []
    for level in slide.levels:
        identity = f"{slide.content_key()}/{level.index}/{chunk}"
        name = "slide-level-" + hashlib.sha256(identity.encode()).hexdigest()[:32]
        rows, cols = _cuts(level.height, chunk), _cuts(level.width, chunk)
        arrays.append(
            da.map_blocks(  # type: ignore[no-untyped-call]
                _block,
                source,
                level.index,
                chunk,
                chunks=(rows, cols, (3,)),
                dtype=np.uint8,
                meta=np.empty((0, 0, 0), np.uint8),
                name=name,
            )
        )
    return arrays


def _cuts(n: int, chunk: int) -> tuple[int, ...]:
    return (chunk,) * (n // chunk) + ((n % chunk,) if n % chunk else ())


def _block(
    source: Slide | SlideSpec, level: int, chunk: int, block_info: dict[Any, Any] | None = None
) -> RgbImage:
    """Read one chunk; runs on the worker."""
    assert block_info is not None
    (y0, y1), (x0, x1), _ = block_info[None]["array-location"]
    del chunk
    slide = _opened(source) if isinstance(source, SlideSpec) else source
    pixels = slide.read(level, x0, y0, x1 - x0, y1 - y0)
    if pixels.faulty:
        raise TileReadError("tile_unreadable", name=slide.slide_id, reason=pixels.reason)
    return pixels.rgb


def _forget() -> None:
    """Open slides anew in a forked process: handles are not shared between processes."""
    global _lock
    _open.clear()
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def _opened(spec: SlideSpec) -> Slide:
    """The slide of a description, opened once per process; the last few stay open."""
    from napari_her2.slides.opening import reopen

    with _lock:
        slide = _open.get(spec)
        if slide is not None and slide.changed():
            del _open[spec]
            slide = None
        if slide is None:
            slide = reopen(spec)
            _open[spec] = slide
            # Dropped, not closed: another thread may be reading; the last reference closes it.
            while len(_open) > _MAX_OPEN:
                _open.popitem(last=False)
        _open.move_to_end(spec)
        return slide
