"""Tissue is found where it is, also on pale, coloured and damaged slides, and nowhere else."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest
import shapely
from painted import HE, PALE_IHC, SIDE, disc, glass, stained
from shapely.geometry import shape

from napari_her2.geometry import Region
from napari_her2.slides import open_array
from napari_her2.slides.base import Pixels
from napari_her2.tiles.overview import read_overview
from napari_her2.tiles.tissue import find_tissue


def overlap(found, where):
    """Dice of a tissue mask with the truth at level 0."""
    h, w = where.shape
    big = cv2.resize(found.mask.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST) > 0
    return 2 * (big & where).sum() / (big.sum() + where.sum())


# where there is none --------------------------------------------------------------------


@pytest.mark.parametrize("noise", [0.0, 2.0, 6.0])
@pytest.mark.parametrize("mpp", [1.0, None])
def test_blank_glass_has_no_tissue(noise, mpp):
    found = find_tissue(open_array(glass(noise=noise).astype(np.uint8), mpp=mpp))
    assert not found.mask.any()
    assert found.fraction == 0
    assert found.flags[0] == "no-tissue"
    assert found.to_geojson()["features"] == []


def test_shading_of_the_lamp_is_no_tissue():
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    pixels = (glass() * (1 - 0.2 * (x**2 + y**2))[..., None]).astype(np.uint8)
    assert not find_tissue(open_array(pixels, mpp=1.0)).mask.any()


def test_dust_and_jpeg_noise_are_no_tissue():
    pixels = glass(noise=3).astype(np.uint8)
    rng = np.random.default_rng(0)
    for x, y in rng.integers(0, SIDE, (40, 2)).tolist():
        cv2.circle(pixels, (x, y), int(rng.integers(2, 12)), (170, 170, 172), -1)
    pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], 1)
    assert not find_tissue(open_array(pixels, mpp=1.0)).mask.any()


@pytest.mark.parametrize("grey", [0, 60, 128, 255])
def test_a_flat_picture_of_any_grey_has_no_tissue(grey):
    found = find_tissue(open_array(np.full((600, 600, 3), grey, np.uint8), mpp=1.0))
    assert not found.mask.any()


@pytest.mark.parametrize("size", [(1, 1), (3, 700), (40, 60)])
@pytest.mark.parametrize("mpp", [1.0, None])
def test_tiny_pictures_are_glass_like_any_other(size, mpp):
    found = find_tissue(open_array(np.full((*size, 3), 200, np.uint8), mpp=mpp))
    assert found.mask.size > 0
    assert not found.mask.any()
    assert found.fraction == 0


# where there is -------------------------------------------------------------------------


@pytest.mark.parametrize("od", [HE, PALE_IHC, (0.15, 0.3, 0.4)], ids=["he", "ihc-0", "dab"])
@pytest.mark.parametrize("mpp", [1.0, None])
def test_tissue_is_outlined(od, mpp):
    where = disc()
    assert overlap(find_tissue(open_array(stained(where, od), mpp=mpp)), where) > 0.95


def test_a_field_that_is_all_tissue_is_not_cut_in_half():
    where = np.ones((SIDE, SIDE), bool)
    pixels = stained(where, HE, scale=3.0)
    # Darker and lighter halves: Otsu alone would keep one of them.
    pixels[:, : SIDE // 2] = pixels[:, : SIDE // 2] // 2
    found = find_tissue(open_array(pixels, mpp=1.0))
    assert found.fraction > 0.98
    assert "no-background" in found.flags


def test_false_colours_do_not_hide_tissue():
    where = disc()
    found = find_tissue(
        open_array(stained(where, (0.5, 0.05, 0.05), colour=(244, 127, 129)), mpp=1.0)
    )
    assert overlap(found, where) > 0.95
    assert "coloured-background" in found.flags


def test_fat_belongs_to_the_tissue_and_a_large_lumen_does_not():
    where = disc(radius=0.42)
    walls = np.zeros((SIDE, SIDE), np.uint8)
    for x in range(0, SIDE, 60):  # cells of 60 µm
        walls[:, max(0, x - 2) : x + 2] = 1
        walls[max(0, x - 2) : x + 2] = 1
    lumen = disc(radius=0.15)
    found = find_tissue(open_array(stained(where & (walls > 0) & ~lumen, HE), mpp=1.0))
    assert overlap(found, where & ~lumen) > 0.9
    assert found.fraction_in(
        Region(SIDE * 0.45, SIDE * 0.45, SIDE * 0.1, SIDE * 0.1)
    ) == pytest.approx(0)


def test_the_mask_lies_where_the_tissue_lies_for_any_downsample():
    """The overview is a whole number of level pixels: no drift, also at the far edge."""
    # The smooth mask is 12 µm wider than the paint; a drift would move both sides the same way.
    where = np.zeros((1003, 1003), bool)
    where[800:900, 775:925] = True
    found = find_tissue(open_array(stained(where, HE, scale=1.5), mpp=(1.0, 1.04)))
    (tissue,) = found.to_geojson()["features"]
    x0, y0, x1, y1 = shape(tissue["geometry"]).bounds
    assert (x0, y0, x1, y1) == pytest.approx((775, 800, 925, 900), abs=16)


# what can't be read ---------------------------------------------------------------------


def test_unreadable_pixels_are_no_tissue_and_do_not_count():
    where = disc()
    slide = open_array(stained(where, HE), mpp=1.0)
    whole = find_tissue(slide)
    inner = slide.read

    def read(level, x, y, width, height):
        got = inner(level, x, y, width, height)
        rgb, lost = got.rgb.copy(), np.zeros((height, width), bool)
        half = round(slide.levels[level].height / 2)
        lost[max(0, half - y) :] = True
        rgb[lost] = 128
        return Pixels(rgb, lost, "gone")

    slide.read = read
    found = find_tissue(slide)
    assert "unreadable" in found.flags
    rows = found.mask.shape[0]
    assert not found.mask[rows // 2 + 1 :].any()
    assert found.missing[rows // 2 + 1 :].all()
    assert found.fraction == pytest.approx(whole.fraction, abs=0.02)


# figures --------------------------------------------------------------------------------


def test_area_and_fraction():
    found = find_tissue(open_array(stained(disc(), HE), mpp=(1.0, 1.2)))
    assert found.fraction == pytest.approx(np.pi * 0.09, rel=0.08)
    assert found.area_mm2 == pytest.approx(found.fraction * SIDE**2 * 1.2e-6, rel=1e-6)


def test_without_pixel_size_no_area_is_given():
    found = find_tissue(open_array(stained(disc(), HE)))
    assert found.area_mm2 is None
    assert found.qc_area_mm2 == {"pen": None, "blur": None, "fold": None}
    assert "blur-not-assessed" in found.flags


def test_the_last_column_counts_as_far_as_it_lies_on_the_slide():
    pixels = stained(np.ones((2055, 2055), bool), HE, scale=2.0)
    slide = open_array(pixels, mpp=1.0)
    # Only level 0, read at a third: the last row and column reach over the edge.
    slide.info = dataclasses.replace(slide.info, levels=slide.levels[:1])
    found = find_tissue(slide)
    assert found.downsample[0] * found.mask.shape[1] > 2055
    assert found.area_mm2 == pytest.approx((2055 * 1e-3) ** 2, rel=1e-6)


def test_fraction_in_a_region():
    found = find_tissue(open_array(stained(disc(), HE), mpp=1.0))
    middle = SIDE / 2
    assert found.fraction_in(Region(middle - 50, middle - 50, 100, 100)) == 1
    assert found.fraction_in(Region(0, 0, 100, 100)) == 0
    assert found.fraction_in(Region(0, 0, SIDE, SIDE)) == pytest.approx(found.fraction, abs=0.01)


# outlines -------------------------------------------------------------------------------


def test_geojson_is_valid_and_has_the_area_of_the_mask():
    where = disc(radius=0.4) & ~disc(radius=0.2)
    found = find_tissue(open_array(stained(where, HE), mpp=1.0))
    document = found.to_geojson()
    (tissue,) = document["features"]
    assert document["type"] == "FeatureCollection"
    assert tissue["properties"]["classification"]["name"] == "Tissue"
    assert tissue["properties"]["objectType"] == "annotation"
    geometry = shape(tissue["geometry"])
    assert geometry.is_valid
    assert len(geometry.interiors) == 1
    level0 = found.mask.sum() * found.downsample[0] * found.downsample[1]
    assert geometry.area == pytest.approx(level0, rel=0.01)
    assert shapely.box(0, 0, SIDE, SIDE).covers(geometry)


def test_geojson_of_the_same_slide_is_the_same():
    slide = open_array(stained(disc(), HE), mpp=1.0)
    assert find_tissue(slide).to_geojson() == find_tissue(slide).to_geojson()


# reading --------------------------------------------------------------------------------


def test_a_large_slide_is_read_in_windows_and_never_whole():
    class Endless:
        """The arithmetic of a 100k slide without its pixels."""

        def __init__(self):
            real = open_array(np.full((64, 64, 3), 240, np.uint8), mpp=0.25)
            level = type(real.levels[0])
            self.levels = tuple(
                level(i, 100_000 // d, 80_000 // d, float(d), float(d))
                for i, d in enumerate((1, 4, 16))
            )
            self.mpp, self.size = real.mpp, self.levels[0].size
            self.largest, self.levels_read = 0, set()

        def read(self, level, x, y, width, height):
            self.largest = max(self.largest, width * height)
            self.levels_read.add(level)
            return Pixels(np.full((height, width, 3), 240, np.uint8))

    slide = Endless()
    view = read_overview(slide)
    assert slide.levels_read == {2}
    assert slide.largest <= 2048 * 2048
    assert view.rgb.shape[0] * view.rgb.shape[1] <= 4_000_000
    assert view.downsample[0] % 16 == 0
