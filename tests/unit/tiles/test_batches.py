"""Batches come in order, ahead of the model, within bounds, and end when told to."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from napari_her2.geometry import Region
from napari_her2.slides import open_array
from napari_her2.tiles.reading import TilePixels, TileReader, iter_batches
from napari_her2.tiles.spec import TileGrid, TileSpec

SPEC = TileSpec(8, 1.0, 8)
GRID = TileGrid(SPEC, Region(0, 0, 160, 160), 1.0, 1.0)
CELLS = np.argwhere(np.ones((20, 20), bool))
BATCHES = [CELLS[i : i + 16] for i in range(0, 400, 16)]


def reader() -> TileReader:
    pixels = np.random.default_rng(3).integers(0, 256, (160, 160, 3), np.uint8)
    return TileReader(open_array(pixels, mpp=1.0), SPEC)


class Watched(TileReader):
    """Counts, waits and fails where a test says so."""

    def __init__(self, **options):
        pixels = np.full((160, 160, 3), 9, np.uint8)
        super().__init__(open_array(pixels, mpp=1.0), SPEC)
        self.started = 0
        self.options = options

    def read(self, window: Region) -> TilePixels:
        self.started += 1
        time.sleep(self.options.get("seconds", 0))
        error = self.options.get("error")
        if error is not None and self.started == self.options.get("at", 1):
            raise error
        return super().read(window)


def reading_threads() -> int:
    return sum(t.name.startswith("tile-reader") for t in threading.enumerate())


@pytest.mark.parametrize(("ahead", "threads"), [(0, 1), (1, 1), (2, 1), (4, 3)])
def test_order_and_pixels_do_not_depend_on_reading_ahead(ahead, threads):
    r = reader()
    got = list(iter_batches(r, GRID, BATCHES, ahead, threads=threads))
    assert [b.index for b in got] == list(range(25))
    for batch, cells in zip(got, BATCHES, strict=True):
        assert np.array_equal(batch.cells, cells)
        assert batch.rgb.shape == (16, 8, 8, 3)
        assert batch.rgb.flags.c_contiguous
        assert not batch.failed.any()
        for rgb, (row, col) in zip(batch.rgb, cells, strict=True):
            assert np.array_equal(rgb, r.read(GRID.window(row, col)).rgb)


def test_no_more_is_read_than_was_asked_for():
    r = Watched()
    batches = iter_batches(r, GRID, BATCHES, 2)
    next(batches)
    time.sleep(0.3)
    # The batch handed out and two waiting.
    assert r.started == 3 * 16
    batches.close()


def test_closing_stops_reading_and_ends_the_thread():
    r = Watched(seconds=0.01)
    batches = iter_batches(r, GRID, BATCHES, 4)
    next(batches)
    begin = time.monotonic()
    batches.close()
    assert time.monotonic() - begin < 0.5
    after = r.started
    time.sleep(0.1)
    assert r.started == after < 6 * 16
    assert reading_threads() == 0


def test_cancel_ends_the_batches_soon():
    cancel = threading.Event()
    r = Watched(seconds=0.02)
    threading.Timer(0.15, cancel.set).start()
    begin = time.monotonic()
    got = list(iter_batches(r, GRID, BATCHES, 2, cancel))
    assert time.monotonic() - begin < 1.5
    assert len(got) < 25
    assert reading_threads() == 0


def test_a_surprise_in_a_decoder_costs_one_tile_only():
    r = Watched(error=KeyError("no such tag"), at=20)
    got = list(iter_batches(r, GRID, BATCHES, 2))
    failed = np.concatenate([b.failed for b in got])
    assert failed.sum() == 1
    assert failed[19]
    assert got[1].reasons[3] == "KeyError: 'no such tag'"
    assert (got[1].rgb[3] == 128).all()


def test_lack_of_memory_is_for_the_caller():
    with pytest.raises(MemoryError):
        list(iter_batches(Watched(error=MemoryError(), at=20), GRID, BATCHES, 2))
    assert reading_threads() == 0


def test_nothing_to_read_is_no_batch():
    assert list(iter_batches(reader(), GRID, [])) == []
