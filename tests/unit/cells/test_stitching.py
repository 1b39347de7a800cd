"""Tiles: the same cells whatever the tile, none twice, none lost, none in what can't be read."""

from __future__ import annotations

import numpy as np
import pytest
from painted_cells import field, hits

from napari_her2.cells import stitching
from napari_her2.cells.calibration import calibrate
from napari_her2.cells.detection import find_nuclei
from napari_her2.cells.stain_planes import read_planes
from napari_her2.cells.stitching import cell_tiles, detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.errors import TileReadError
from napari_her2.geometry import Region
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.slides.base import Pixels
from napari_her2.tiles.tissue import find_tissue


class Torn(ArraySlide):
    """A slide of which a rectangle can't be read."""

    hole = (300, 200, 240, 160)
    raises = False

    def _read_stored(self, level, x, y, width, height):
        if self.raises:
            raise TileReadError("tile_unreadable", name="torn", reason="the disk is gone")
        got = super()._read_stored(level, x, y, width, height)
        missing = np.zeros((height, width), np.bool_)
        left, top, w, h = self.hole
        rows = slice(max(0, top - y), max(0, top + h - y))
        missing[rows, max(0, left - x) : max(0, left + w - x)] = True
        rgb = got.rgb.copy()
        rgb[missing] = 128
        return Pixels(rgb, missing, "a tile is damaged")


@pytest.fixture(scope="module")
def crowded():
    """Touching nuclei, some between stained membranes, on 1200 x 1100 px."""
    left, _ = field(1100, 600, pitch_um=9.5, seed=11)
    right, _ = field(1100, 600, pitch_um=17, blue=0.4, brown=0.8, seed=12)
    return np.concatenate([left, right], axis=1)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(stitching, "BLOCK_LEVEL_PX", 512)


def opened(rgb, mpp=(0.5, 0.5), mode="her2-ihc", kind=ArraySlide):
    slide = kind([rgb], mpp, "painted")
    tissue = find_tissue(slide, qc=False)
    return slide, tissue, calibrate(slide, tissue, mode)


def ordered(table):
    order = np.lexsort((table["x_px"], table["y_px"]))
    return {k: table[k][order] for k in table}


def measure(planes, nuclei, kept):
    """Floats of the window: they show in the last bit if a window is another one."""
    y, x = nuclei.markers_yx[kept].T
    return {"od": planes.haematoxylin[y, x], "crop": np.zeros((len(kept), 2, 4, 4), np.uint8)}


@pytest.mark.parametrize("mpp", [0.5, 0.25])
def test_the_same_table_for_every_tile_size(crowded, small_blocks, mpp):
    slide, _, c = opened(crowded, (mpp, mpp))
    width, height = slide.size.width, slide.size.height
    tables = []
    for side in (512, 1000, 2000, 4096):
        parts = [
            detect_tile(slide, c, Region(x, y, side, side), measure)
            for y in range(0, height, side)
            for x in range(0, width, side)
        ]
        tables.append(ordered(CellTable.join(CellTable(p.columns) for p in parts)))
    assert len(tables[0]["x_px"]) > 500
    for other in tables[1:]:
        assert set(other) == set(tables[0])
        for name, values in tables[0].items():
            np.testing.assert_array_equal(other[name], values)


@pytest.mark.parametrize("tile_px", [512, 2000])
def test_tiles_for_a_slide_cover_it_once(crowded, small_blocks, tile_px):
    slide, tissue, c = opened(crowded)
    whole = ordered(detect_tile(slide, c, Region(0, 0, 1200, 1100)))
    tiles = cell_tiles(slide, tissue, c, tile_px)
    found = ordered(CellTable.join(CellTable(detect_tile(slide, c, t).columns) for t in tiles))
    np.testing.assert_array_equal(found["x_px"], whole["x_px"])
    np.testing.assert_array_equal(found["nucleus_radii"], whole["nucleus_radii"])


def test_seams_change_nothing(crowded, small_blocks):
    """Nine blocks give the cells of one window over everything: none twice, none lost."""
    slide, _, c = opened(crowded)
    table = ordered(detect_tile(slide, c, Region(0, 0, 1200, 1100)))
    nuclei = find_nuclei(read_planes(slide, c, 0, 0, c.width, c.height), c)
    whole = nuclei.centres_yx[np.lexsort(nuclei.centres_yx.T[::-1])] + 0.5
    assert len(table["x_px"]) == len(whole)
    np.testing.assert_allclose(table["y_px"], whole[:, 0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(table["x_px"], whole[:, 1], rtol=0, atol=1e-6)


def test_any_region_gives_the_cells_of_the_whole(crowded, small_blocks):
    slide, tissue, c = opened(crowded)
    whole = detect_tile(slide, c, Region(0, 0, 1200, 1100))
    region = Region(333.3, 411.7, 500.5, 300.25)
    part = detect_tile(slide, c, region)
    every = {tuple(p) for p in whole.points_yx}
    assert 50 < len(part) < len(whole)
    assert {tuple(p) for p in part.points_yx} <= every
    roi = cell_tiles(slide, tissue, c, 512, region)
    assert all(t.x >= region.x and t.right <= region.right for t in roi)
    parts = np.concatenate([detect_tile(slide, c, t).points_yx for t in roi])
    assert {tuple(p) for p in parts} == {tuple(p) for p in part.points_yx}


def test_a_part_that_cannot_be_read(small_blocks):
    rgb, truth = field(700, 900, seed=13)
    slide, _, c = opened(rgb, kind=Torn)
    table = detect_tile(slide, c, Region(0, 0, 900, 700))
    left, top, w, h = Torn.hole
    x, y = table["x_px"], table["y_px"]
    assert not ((x > left) & (x < left + w) & (y > top) & (y < top + h)).any()
    away = np.abs(truth - [left + w / 2, top + h / 2]) > [w / 2 + 12, h / 2 + 12]
    there = truth[away.any(axis=1)]
    assert hits(np.stack([x, y], axis=1), there, 2) == len(there)
    assert table.failed == "a tile is damaged"
    assert table.unreadable == pytest.approx(w * h / (900 * 700), rel=0.01)
    elsewhere = detect_tile(slide, c, Region(600, 400, 300, 300))
    assert elsewhere.failed is None
    assert elsewhere.unreadable == 0


def test_a_slide_that_fails_while_it_is_read(small_blocks, monkeypatch):
    slide, _, c = opened(field(600, 600, seed=13)[0], kind=Torn)
    monkeypatch.setattr(Torn, "raises", True)
    table = detect_tile(slide, c, Region(0, 0, 600, 600), measure)
    assert len(table) == 0
    assert table.unreadable == 1
    assert "the disk is gone" in table.failed
    assert table["nucleus_radii"].shape == (0, 32)
    assert table["crop"].shape == (0, 2, 4, 4)


def test_columns_and_their_units():
    rgb, truth = field(300, 400, um=0.25, seed=14)
    slide, _, c = opened(rgb, (0.25, 0.25), "he")
    table = detect_tile(slide, c, Region(0, 0, 400, 300))
    assert hits(np.stack([table["x_px"], table["y_px"]], axis=1), truth, 3) == len(truth)
    assert np.median(table["area_um2"]) == pytest.approx(50, rel=0.35)
    radii = table["nucleus_radii"]
    assert radii.shape == (len(table), 32)
    assert np.median(radii) * 0.25 == pytest.approx(4, rel=0.2)
    assert table["x_px"].dtype == table["y_px"].dtype == np.float64


def test_pixels_that_are_not_square():
    """Twice as wide as high: the same nuclei, their radii longer in y by level-0 pixels."""
    rgb, truth = field(500, 300, um=0.5, seed=15)
    tall = np.repeat(rgb, 2, axis=0)
    slide, _, c = opened(tall, (0.5, 0.25))
    table = detect_tile(slide, c, Region(0, 0, 300, 1000))
    assert (c.factor_x, c.factor_y) == (1, 2)
    xy = np.stack([table["x_px"], table["y_px"] / 2], axis=1)
    assert hits(xy, truth, 1.5) == len(truth)
    across, down = table["nucleus_radii"][:, 0], table["nucleus_radii"][:, 8]
    assert np.median(down) == pytest.approx(2 * np.median(across), rel=0.15)


def test_the_pixel_size_may_be_a_third_off():
    rgb, truth = field(600, 600, seed=16)
    for mpp in (0.35, 0.65):
        slide, _, c = opened(rgb, (mpp, mpp))
        table = detect_tile(slide, c, Region(0, 0, 600, 600))
        found = hits(np.stack([table["x_px"], table["y_px"]], axis=1), truth, 3)
        assert found >= 0.98 * len(truth)
        assert len(table) <= 1.03 * len(truth)


@pytest.mark.parametrize("mode", ["her2-ihc", "nuclear-ihc", "he"])
def test_blank_tiny_and_all_brown(mode):
    blank = np.full((300, 300, 3), 242, np.uint8)
    slide, tissue, c = opened(blank, mode=mode)
    assert cell_tiles(slide, tissue, c) == []
    assert len(detect_tile(slide, c, Region(0, 0, 300, 300))) == 0
    tiny, _ = field(30, 24, seed=17)
    slide, _, c = opened(tiny, mode=mode)
    assert len(detect_tile(slide, c, Region(0, 0, 24, 30))) <= 2
    assert len(detect_tile(slide, c, Region(100, 100, 50, 50))) == 0
    brown = np.broadcast_to(np.array([90, 60, 30], np.uint8), (300, 300, 3)).copy()
    brown[:60] = 242
    slide, _, c = opened(brown, mode=mode)
    detect_tile(slide, c, Region(0, 0, 300, 300))
