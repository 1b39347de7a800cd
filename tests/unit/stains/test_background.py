"""Optical density is measured against the glass that is there, or the brightest that is."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from painted import disc, glass, stained

from napari_her2.slides import open_array
from napari_her2.stains.background import ASSUMED, Glass, brightest_colour, measure_glass
from napari_her2.stains.sampling import sample_tissue
from napari_her2.tiles.tissue import find_tissue


def measured(pixels):
    slide = open_array(pixels, mpp=1.0)
    return measure_glass(slide, find_tissue(slide, qc=False))


def test_glass_beside_the_tissue_is_what_counts():
    found = measured(stained(disc(), (0.3, 0.25, 0.1), colour=(231, 238, 244)))
    assert found.source == "glass"
    assert found.rgb == pytest.approx((231, 238, 244), abs=1.5)


def test_a_field_without_glass_is_measured_against_its_lumens():
    everywhere = np.ones((512, 512), bool)
    pixels = stained(everywhere, (0.35, 0.3, 0.15), scale=1.0)
    lumens = disc(512, 0.09, (0.3, 0.6))
    pixels[lumens] = np.clip(glass(512, (222, 219, 211)), 0, 255).astype(np.uint8)[lumens]
    slide = open_array(pixels, mpp=1.0)
    tissue = find_tissue(slide, qc=False)
    tissue = type(tissue)(**{**vars(tissue), "flags": ("no-background",)})
    found = measure_glass(slide, tissue, sample_tissue(slide, tissue))
    assert found.source == "brightest"
    assert np.log10(np.array(found.rgb) / (222, 219, 211)) == pytest.approx([0, 0, 0], abs=0.012)


def test_the_brightest_tissue_is_not_taken_for_coloured_glass():
    pink = np.full((1000, 3), (230, 150, 200), np.uint8)
    found = brightest_colour(pink)
    assert 1 - min(found.rgb) / max(found.rgb) <= 0.1 + 1e-9


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 3), np.uint8),
        np.full((100, 3), 240, np.uint8),
        np.zeros((5000, 3), np.uint8),
        np.full((5000, 3), (90, 40, 20), np.uint8),
    ],
)
def test_what_shows_no_light_gets_the_assumed_colour(pixels):
    assert brightest_colour(pixels) == Glass(ASSUMED, "assumed")


def test_the_order_of_pixels_does_not_matter_and_a_record_reads_back():
    pixels = np.random.default_rng(0).integers(60, 240, (4000, 3)).astype(np.uint8)
    found = brightest_colour(pixels)
    assert brightest_colour(np.random.default_rng(1).permutation(pixels)) == found
    assert Glass.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert pickle.loads(pickle.dumps(found)) == found
