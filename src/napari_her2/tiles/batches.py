"""Batches of tiles, read ahead while the model works on the one before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_her2.settings import LOGGER

if TYPE_CHECKING:
    from napari_her2.tiles.reading import TilePixels, TileReader
    from napari_her2.tiles.spec import TileGrid

__all__ = ["TileBatch", "iter_batches"]

_POLL_SECONDS = 0.05


class _Cancel(Protocol):
    def is_set(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class TileBatch:
    """Tiles for one call of the model.

    Attributes
    ----------
    index : int
        Place of the batch in the list it was asked for by.
    cells : ndarray
        Shape (n, 2), row then column.
    rgb : ndarray of uint8
        Shape (n, tile_px, tile_px, 3), contiguous; mid-grey where failed.
    failed : ndarray of bool
        Shape (n,): tiles that could not be read and must not be scored.
    reasons : tuple of (str or None)
        Why, by tile.
    """

    index: int
    cells: NDArray[np.intp]
    rgb: NDArray[np.uint8]
    failed: NDArray[np.bool_]
    reasons: tuple[str | None, ...]


def iter_batches(
    reader: TileReader,
    grid: TileGrid,
    batches: Sequence[NDArray[np.intp]],
    read_ahead: int = 2,
    cancel: _Cancel | None = None,
    *,
    threads: int = 1,
) -> Iterator[TileBatch]:
    """Read batches in order, some ahead of the caller.

    At most ``read_ahead`` batches wait beside the one handed out, however slow the caller is.
    Closing the generator stops the reading after the tile in hand and ends the threads. A tile that
    can't be read is a failed tile with its reason, not the end.

    Parameters
    ----------
    reader : TileReader
        Reads the tiles.
    grid : TileGrid
        Gives each cell its window.
    batches : sequence of ndarray
        Each of shape (n, 2), row then column.
    read_ahead : int
        Batches read ahead; 0 reads each when it is asked for.
    cancel : object with ``is_set``, optional
        Polled between tiles; once set, no further batch is given.
    threads : int
        Batches read at the same time. One keeps up with a CPU; more are for fast models.

    Yields
    ------
    TileBatch
        In the order of ``batches``, whatever the number of threads.

    Raises
    ------
    MemoryError
        If there is no memory for a batch: for the caller to try a smaller one.
    """
    stop = threading.Event()

    def stopped() -> bool:
        return stop.is_set() or (cancel is not None and cancel.is_set())

    if read_ahead <= 0:
        for i, cells in enumerate(batches):
            batch = _read_batch(reader, grid, i, cells, stopped)
            if batch is None:
                return
            yield batch
        return
    pool = ThreadPoolExecutor(max_workers=max(1, threads), thread_name_prefix="tile-reader")
    waiting: deque[Future[TileBatch | None]] = deque()
    todo = iter(enumerate(batches))

    def submit_next() -> None:
        following = next(todo, None)
        if following is not None:
            waiting.append(pool.submit(_read_batch, reader, grid, *following, stopped))

    try:
        for _ in range(read_ahead):
            submit_next()
        while waiting:
            batch = _result(waiting.popleft(), stopped)
            if batch is None:
                return
            submit_next()
            yield batch
    finally:
        stop.set()
        for future in waiting:
            future.cancel()
        pool.shutdown(wait=True)


def _result(future: Future[TileBatch | None], stopped: Callable[[], bool]) -> TileBatch | None:
    while not future.done():
        wait([future], timeout=_POLL_SECONDS)
        if stopped():
            return None
    return future.result()


def _read_batch(
    reader: TileReader,
    grid: TileGrid,
    index: int,
    cells: NDArray[np.intp],
    stopped: Callable[[], bool],
) -> TileBatch | None:
    cells = np.asarray(cells, np.intp).reshape(-1, 2)
    n, side = len(cells), reader.spec.tile_px
    rgb = np.empty((n, side, side, 3), np.uint8)
    failed = np.zeros(n, np.bool_)
    reasons: list[str | None] = []
    for i, (row, col) in enumerate(cells.tolist()):
        if stopped():
            return None
        tile = _read_tile(reader, grid, row, col)
        rgb[i], failed[i] = tile.rgb, tile.failed
        reasons.append(tile.reason)
    return TileBatch(index, cells, rgb, failed, tuple(reasons))


def _read_tile(reader: TileReader, grid: TileGrid, row: int, col: int) -> TilePixels:
    try:
        return reader.read(grid.window(row, col))
    except MemoryError:
        raise
    except Exception as e:  # noqa: BLE001 - a decoder's surprise costs one tile, not the run
        LOGGER.warning("tile %d, %d could not be read", row, col, exc_info=True)
        return reader.failed_tile(f"{type(e).__name__}: {e}")
