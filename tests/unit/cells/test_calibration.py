"""One calibration per slide: the same from any part, portable, and honest about what is missing."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from painted_cells import field

from napari_her2.cells import calibration as module
from napari_her2.cells.calibration import Calibration, calibrate
from napari_her2.cells.stain_planes import read_planes
from napari_her2.cells.working_pixels import working_pixels
from napari_her2.errors import UnknownMppError, WrongMppError
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.stains.deconvolution import STAIN_VECTORS
from napari_her2.tiles.tissue import find_tissue


def calibrated(rgb, mode="her2-ihc", mpp=(0.5, 0.5), **more):
    slide = ArraySlide([rgb], mpp, "painted")
    return calibrate(slide, find_tissue(slide, qc=False), mode, **more)


@pytest.fixture(scope="module")
def painted():
    return field(seed=1)[0]


@pytest.mark.parametrize("mode", ["her2-ihc", "nuclear-ihc", "he"])
def test_it_travels_as_a_file_and_between_processes(painted, mode):
    found = calibrated(painted, mode)
    text = json.dumps(found.to_json())
    assert Calibration.from_json(text) == found
    assert Calibration.from_json(json.loads(text)) == found
    assert pickle.loads(pickle.dumps(found)) == found
    assert hash(found) == hash(calibrated(painted, mode))


def test_the_fields_are_drawn_the_same_each_time(painted, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE_PX", 128)
    monkeypatch.setattr(module, "SAMPLES", 5)
    first, second = calibrated(painted), calibrated(painted)
    assert first == second
    assert first.sampled_px == 5 * 128 * 128


def test_a_typical_nucleus(painted):
    area, density, upper = calibrated(painted).typical_nucleus
    assert area == pytest.approx(60, abs=20)
    assert 0.25 < density <= upper < 0.6


def test_nothing_is_found_on_a_blank_slide():
    blank = np.full((600, 600, 3), 240, np.uint8)
    found = calibrated(blank)
    assert found.threshold == 255
    assert found.sampled_px == 0
    assert found.typical_nucleus is None


def test_without_a_pixel_size_or_too_coarse(painted):
    with pytest.raises(UnknownMppError):
        calibrated(painted, mpp=None)
    with pytest.raises(WrongMppError):
        calibrated(painted, mpp=(1.5, 1.5))


@pytest.mark.parametrize(
    ("mpp", "factors"),
    [
        ((0.25, 0.25), (2, 2)),
        ((0.23, 0.23), (2, 2)),
        ((0.5, 0.5), (1, 1)),
        ((0.16, 0.16), (3, 3)),
        ((0.25, 0.5), (2, 1)),
        ((1.0, 1.0), (1, 1)),
    ],
)
def test_whole_pixels_near_half_a_micrometre(mpp, factors):
    slide = ArraySlide([np.zeros((301, 403, 3), np.uint8)], mpp, "s")
    p = working_pixels(slide)
    assert (p.factor_x, p.factor_y) == factors
    assert (p.width, p.height) == (403 // factors[0], 301 // factors[1])
    assert (p.mpp_x, p.mpp_y) == pytest.approx((mpp[0] * factors[0], mpp[1] * factors[1]))
    assert (p.scale_x, p.scale_y) == factors


def test_the_coarsest_level_that_is_fine_enough():
    levels = [np.zeros((n, n, 3), np.uint8) for n in (1600, 800, 400)]
    p = working_pixels(ArraySlide(levels, (0.25, 0.25), "s"))
    assert (p.level, p.factor_x, p.scale_x, p.mpp_x) == (1, 1, 2.0, 0.5)
    p = working_pixels(ArraySlide(levels, (0.125, 0.125), "s"))
    assert (p.level, p.factor_x, p.scale_x) == (2, 1, 4.0)


def test_stains_of_a_window(painted):
    """Amounts of stains come back as they were painted."""
    slide = ArraySlide([painted], (0.5, 0.5), "s")
    found = calibrate(slide, find_tissue(slide, qc=False), "her2-ihc")
    window = read_planes(slide, found, 0, 0, 600, 600)
    assert window.haematoxylin.dtype == np.float32
    inside = np.percentile(window.haematoxylin, 99) - np.median(window.haematoxylin)
    assert inside == pytest.approx(0.44, abs=0.04)
    assert abs(np.percentile(window.second, 99) - np.median(window.second)) < 0.05


def test_stain_vectors_that_are_given(painted):
    vectors = {"haematoxylin": (0.6, 0.7, 0.3), "second": STAIN_VECTORS["dab"]}
    found = calibrated(painted, stain_vectors=vectors)
    assert found.vectors == "given"
    first = np.array(found.matrix[0])
    np.testing.assert_allclose(first, np.array((0.6, 0.7, 0.3)) / np.linalg.norm((0.6, 0.7, 0.3)))
