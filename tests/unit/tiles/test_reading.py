"""Tiles come from the right level, from the right place, and never pretend."""

from __future__ import annotations

import threading
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_her2.errors import TileReadError, UnknownMppError, WrongMppError
from napari_her2.geometry import Region
from napari_her2.slides import open_array
from napari_her2.slides.base import Level, Pixels, PixelSize, Slide, SlideInfo
from napari_her2.tiles.reading import TileReader, choose_level
from napari_her2.tiles.spec import TileGrid, TileSpec


class MadeSlide(Slide):
    """Levels as given, with holes and faults where a test wants them."""

    def __init__(self, levels, mpp, *, level0=None, missing=(), fault=None):
        width, height = level0 or (levels[0].shape[1], levels[0].shape[0])
        self.pixels = levels
        self.missing, self.fault = missing, fault
        self.reads: Counter[tuple[int, int, int, int, int]] = Counter()
        self.is_changed = False
        made = tuple(
            Level(i, a.shape[1], a.shape[0], width / a.shape[1], height / a.shape[0])
            for i, a in enumerate(levels)
        )
        size = None if mpp is None else PixelSize(*mpp, "user")
        self.info = SlideInfo(Path("made"), "made", "made", "", made, size)

    def read(self, level, x, y, width, height):
        self.reads[level, x, y, width, height] += 1
        if self.fault is not None:
            self.fault(level, x, y)
        a = self.pixels[level]
        assert min(x, y) >= 0
        assert x + width <= a.shape[1]
        assert y + height <= a.shape[0]
        lost = np.zeros((height, width), bool)
        for mx, my, mw, mh in self.missing:
            top, left = max(my - y, 0), max(mx - x, 0)
            lost[top : max(my + mh - y, 0), left : max(mx + mw - x, 0)] = True
        rgb = a[y : y + height, x : x + width].copy()
        rgb[lost] = 128
        return Pixels(
            rgb, lost if lost.any() else None, "tile 3 is damaged" if lost.any() else None
        )

    def associated_image(self, name):
        raise KeyError(name)

    def close(self):
        pass

    def content_key(self):
        return "made"

    def changed(self):
        return self.is_changed


def noise(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def with_marker(width: int, height: int, x: float, y: float, sigma: float) -> NDArray[np.uint8]:
    """A dark Gaussian spot on white, centred on a level-0 corner coordinate."""
    xx, yy = np.meshgrid(np.arange(width) + 0.5 - x, np.arange(height) + 0.5 - y)
    spot = np.exp(-(xx**2 + yy**2) / (2 * sigma**2))
    return np.repeat((255 - 250 * spot).astype(np.uint8)[..., None], 3, axis=2)


def centroid(rgb: NDArray[np.uint8]) -> tuple[float, float]:
    """Centre of darkness, pixels from the top-left corner."""
    dark = 255.0 - rgb.mean(axis=2)
    dark[dark < 5] = 0
    x = (dark.sum(axis=0) * (np.arange(dark.shape[1]) + 0.5)).sum() / dark.sum()
    y = (dark.sum(axis=1) * (np.arange(dark.shape[0]) + 0.5)).sum() / dark.sum()
    return float(x), float(y)


# level ----------------------------------------------------------------------------------


def pyramid(mpp, downsamples=(1, 4, 16)):
    return MadeSlide([noise(1600 // d, 1600 // d) for d in downsamples], mpp)


@pytest.mark.parametrize(
    ("mpp", "tile_mpp", "level"),
    [(0.25, 2.0, 1), (0.25, 1.0, 1), (0.25, 0.99, 1), (0.25, 0.97, 0), (0.25, 4.0, 2), (0.5, 2, 1)],
)
def test_the_coarsest_level_that_is_fine_enough_is_read(mpp, tile_mpp, level):
    assert choose_level(pyramid((mpp, mpp)), tile_mpp).level.index == level


def test_a_slide_up_to_a_tenth_too_coarse_is_enlarged_and_says_so():
    choice = choose_level(pyramid((0.54, 0.54)), 0.5)
    assert choice.level.index == 0
    assert choice.enlarged
    assert not choose_level(pyramid((0.5, 0.5)), 0.5).enlarged


def test_a_coarser_slide_is_refused():
    with pytest.raises(WrongMppError, match=r"needs 0\.5 µm/px and this slide offers 1 at best"):
        choose_level(pyramid((1.0, 1.0)), 0.5)


def test_one_coarse_direction_is_enough_to_refuse():
    with pytest.raises(WrongMppError):
        choose_level(pyramid((0.25, 0.6)), 0.5)


def test_an_unknown_pixel_size_is_never_guessed():
    with pytest.raises(UnknownMppError):
        TileReader(pyramid(None), TileSpec(64, 2.0, 64))


# geometry -------------------------------------------------------------------------------


@pytest.mark.parametrize("aspect", [1.0, 1.037])
def test_a_marker_lands_within_one_level0_pixel(aspect):
    """Non-integer downsample, anisotropic pixels, a window that starts between pixels."""
    width, height, x, y = 3001, 2777, 2611.0, 2399.0
    level1 = (width * 250 // 1000 - 3, height * 250 // 1000 - 2)
    fx, fy = width / level1[0], height / level1[1]
    low = with_marker(*level1, x / fx, y / fy, 4.0)
    mpp = (0.25, 0.25 * aspect)
    slide = MadeSlide([np.full((8, 8, 3), 255, np.uint8), low], mpp, level0=(width, height))
    slide.info = SlideInfo(
        Path("made"),
        "made",
        "made",
        "",
        (Level(0, width, height, 1, 1), Level(1, *level1, fx, fy)),
        PixelSize(*mpp, "user"),
    )
    spec = TileSpec(96, 2.0, 96)
    reader = TileReader(slide, spec)
    assert reader.choice.level.index == 1
    grid = TileGrid(spec, Region(0, 0, width, height), *mpp)
    row, col = int(y // grid.cell_height), int(x // grid.cell_width)
    window = grid.window(row, col)
    tile = reader.read(window)
    assert not tile.failed
    found = centroid(tile.rgb)
    back_x = window.x + found[0] * window.width / 96
    back_y = window.y + found[1] * window.height / 96
    assert abs(back_x - x) < 1
    assert abs(back_y - y) < 1


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5, 0.8])
def test_a_window_between_pixels_moves_the_picture_by_that_much(shift):
    slide = MadeSlide([with_marker(400, 400, 200, 200, 6.0)], (1.0, 1.0))
    tile = TileReader(slide, TileSpec(64, 2.0, 64)).read(Region(136 + shift, 136 - shift, 128, 128))
    x, y = centroid(tile.rgb)
    assert x == pytest.approx((64 - shift) / 2, abs=0.02)
    assert y == pytest.approx((64 + shift) / 2, abs=0.02)


def test_whole_ratios_are_plain_area_averages():
    pixels = noise(256, 256)
    tile = TileReader(MadeSlide([pixels], (0.5, 0.5)), TileSpec(32, 2.0, 64)).read(
        Region(64, 32, 128, 128)
    )
    blocks = pixels[32:160, 64:192].reshape(32, 4, 32, 4, 3).astype(float).mean(axis=(1, 3))
    assert np.abs(tile.rgb - blocks).max() <= 0.51


def test_equal_resolution_hands_the_pixels_on():
    pixels = noise(128, 128)
    tile = TileReader(MadeSlide([pixels], (2.0, 2.0)), TileSpec(64, 2.0, 64)).read(
        Region(30, 20, 64, 64)
    )
    assert np.array_equal(tile.rgb, pixels[20:84, 30:94])


def test_brightness_is_kept_by_both_ways_of_resampling():
    flat = np.full((300, 300, 3), (201, 77, 13), np.uint8)
    reader = TileReader(MadeSlide([flat], (0.5, 0.5)), TileSpec(32, 1.9, 64))
    for window in (Region(10, 10, 121.6, 121.6), Region(0.3, 7.7, 121.6, 121.6)):
        assert (reader.read(window).rgb == (201, 77, 13)).all()


# edges ----------------------------------------------------------------------------------


def test_beyond_the_slide_the_picture_is_mirrored():
    pixels = noise(100, 80)
    reader = TileReader(MadeSlide([pixels], (2.0, 2.0)), TileSpec(64, 2.0, 64))
    mirrored = np.pad(pixels, ((32, 32), (32, 32), (0, 0)), mode="symmetric")
    for x, y in ((-32, -32), (68, 48), (-10, 30), (60, -5)):
        got = reader.read(Region(x, y, 64, 64))
        assert not got.failed
        assert np.array_equal(got.rgb, mirrored[y + 32 : y + 96, x + 32 : x + 96])


def test_a_slide_smaller_than_a_tile_is_mirrored_more_than_once():
    pixels = noise(20, 15)
    reader = TileReader(MadeSlide([pixels], (2.0, 2.0)), TileSpec(64, 2.0, 64))
    tile = reader.read(Region(-22, -24, 64, 64))
    assert np.array_equal(tile.rgb, np.pad(pixels, ((24, 25), (22, 22), (0, 0)), mode="symmetric"))


def test_a_window_beside_the_slide_is_failed():
    reader = TileReader(MadeSlide([noise(100, 80)], (2.0, 2.0)), TileSpec(64, 2.0, 64))
    assert reader.read(Region(500, 0, 64, 64)).failed


# what can't be read ---------------------------------------------------------------------


def test_missing_pixels_fail_the_tile_and_are_never_white():
    slide = MadeSlide([np.full((256, 256, 3), 90, np.uint8)], (2.0, 2.0), missing=[(0, 0, 30, 30)])
    reader = TileReader(slide, TileSpec(64, 2.0, 64))
    tile = reader.read(Region(0, 0, 64, 64))
    assert tile.failed
    assert tile.reason == "tile 3 is damaged"
    assert tile.rgb.max() < 200
    assert not reader.read(Region(64, 64, 64, 64)).failed


def test_a_seam_of_missing_pixels_takes_the_mean_of_the_rest():
    slide = MadeSlide([np.full((256, 256, 3), 90, np.uint8)], (2.0, 2.0), missing=[(0, 0, 5, 5)])
    tile = TileReader(slide, TileSpec(64, 2.0, 64)).read(Region(0, 0, 64, 64))
    assert not tile.failed
    assert (tile.rgb == 90).all()


def test_a_read_error_fails_the_tile_with_its_sentence():
    def fault(level, x, y):
        raise TileReadError("tile_unreadable", name="made", reason="bad marker")

    reader = TileReader(MadeSlide([noise(99, 99)], (2.0, 2.0), fault=fault), TileSpec(64, 2.0, 64))
    tile = reader.read(Region(0, 0, 64, 64))
    assert tile.failed
    assert "bad marker" in str(tile.reason)


def test_a_file_that_changes_under_the_reader_is_noticed():
    slide = MadeSlide([noise(99, 99)], (2.0, 2.0))
    reader = TileReader(slide, TileSpec(64, 2.0, 64))
    assert not reader.slide_changed()
    slide.is_changed = True
    assert reader.slide_changed()


# shared pixels --------------------------------------------------------------------------


def test_overlapping_tiles_decode_each_block_once():
    slide = MadeSlide([noise(2048, 2048)], (1.0, 1.0))
    spec = TileSpec(256, 2.0, 256)
    reader = TileReader(slide, spec)
    grid = TileGrid(spec, Region(0, 0, 2048, 2048), 1.0, 1.0)
    for row in range(8):
        for col in range(8):
            reader.read(grid.window(row, col))
    assert len(slide.reads) == 16
    assert set(slide.reads.values()) == {1}


def test_results_do_not_depend_on_the_cache_or_the_order():
    slide = MadeSlide([noise(1500, 1300)], (1.0, 1.0))
    spec = TileSpec(96, 1.7, 80)
    grid = TileGrid(spec, Region(0, 0, 1500, 1300), 1.0, 1.0)
    cells = [(r, c) for r in range(0, 16, 3) for c in range(0, 18, 4)]
    big, none = TileReader(slide, spec), TileReader(slide, spec, cache_bytes=0)
    first = {rc: big.read(grid.window(*rc)).rgb for rc in cells}
    for rc in reversed(cells):
        assert np.array_equal(first[rc], none.read(grid.window(*rc)).rgb)


def test_the_block_cache_is_bounded():
    slide = MadeSlide([noise(2048, 512)], (1.0, 1.0))
    reader = TileReader(slide, TileSpec(64, 1.0, 64), cache_bytes=2 * 512 * 512 * 3)
    for x in (0, 512, 1024, 1536):
        reader.read(Region(x, 0, 64, 64))
    assert len(reader._blocks._kept) == 2


def test_a_reader_serves_several_threads():
    slide = open_array(noise(1024, 1024), mpp=1.0)
    spec = TileSpec(128, 2.0, 128)
    reader = TileReader(slide, spec, cache_bytes=512 * 512 * 3)
    grid = TileGrid(spec, Region(0, 0, 1024, 1024), 1.0, 1.0)
    want = [reader.read(grid.window(r, c)).rgb for r in range(8) for c in range(8)]
    wrong: list[int] = []

    def work(start: int) -> None:
        for i in range(start, start + 64):
            r, c = divmod(i % 64, 8)
            if not np.array_equal(want[i % 64], reader.read(grid.window(r, c)).rgb):
                wrong.append(i)

    threads = [threading.Thread(target=work, args=(n * 16,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert wrong == []
