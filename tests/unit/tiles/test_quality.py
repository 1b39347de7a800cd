"""Pen, blur and folds are flagged where they are drawn and not on clean tissue."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from painted import HE, SIDE, disc, inked, stained

from napari_her2.geometry import Region
from napari_her2.slides import open_array
from napari_her2.tiles.focus import sharpness
from napari_her2.tiles.tissue import find_tissue

INKS = {
    "green": (20, 120, 60),
    "pale green": (60, 170, 110),
    "blue": (30, 50, 160),
    "light blue": (40, 80, 200),
    "red": (200, 30, 40),
    "black": (25, 25, 28),
}
STROKE = [(75, 75), (450, 500), (950, 450)]


def tissue_only(od=HE):
    return stained(disc(), od, scale=1.5)


@pytest.mark.parametrize("ink", INKS)
@pytest.mark.parametrize("mpp", [4.0, None])
def test_ink_is_flagged_and_left_out(ink, mpp):
    found = find_tissue(open_array(inked(tissue_only(), INKS[ink], STROKE, 80), mpp=mpp))
    stroke = np.zeros((SIDE, SIDE), np.uint8)
    cv2.polylines(stroke, [np.array(STROKE)], False, 1, 60)
    h, w = found.mask.shape
    at = cv2.resize(stroke, (w, h), interpolation=cv2.INTER_NEAREST) > 0
    assert "pen" in found.flags
    assert found.qc["pen"][at].mean() > 0.95
    assert not (found.usable & found.qc["pen"]).any()
    # Ink on bare glass is no tissue, its soft rim neither.
    assert found.fraction_in(Region(0, 0, 250, 250)) == 0


@pytest.mark.parametrize(
    "od",
    [HE, (0.50, 0.62, 0.28), (0.10, 0.75, 0.15), (0.25, 0.50, 0.70), (0.30, 0.24, 0.12)],
    ids=["H&E", "dense nuclei", "dense eosin", "strong DAB", "blue counterstain"],
)
def test_stained_tissue_is_no_ink(od):
    found = find_tissue(open_array(tissue_only(od), mpp=1.0))
    assert "pen" not in found.flags
    assert found.fraction > 0.25


def test_the_outline_of_ink_goes_to_geojson():
    found = find_tissue(open_array(inked(tissue_only(), INKS["green"], STROKE, 80), mpp=4.0))
    names = [f["properties"]["classification"]["name"] for f in found.to_geojson()["features"]]
    assert names == ["Tissue", "Pen"]
    assert found.qc_area_mm2["pen"] > 0.05


def test_blurred_tissue_is_flagged_where_it_is():
    pixels = tissue_only()
    pixels[SIDE // 2 :] = cv2.GaussianBlur(pixels, (0, 0), 3)[SIDE // 2 :]
    found = find_tissue(open_array(pixels, mpp=1.0))
    assert "blur" in found.flags
    blur = found.qc["blur"]
    rows = blur.shape[0]
    in_blurred = found.mask.copy()
    in_blurred[: rows // 2] = False
    assert blur[in_blurred].mean() > 0.6
    assert not blur[: int(rows * 0.45)].any()
    assert not (found.usable & blur).any()


def test_tissue_in_focus_is_not_flagged():
    found = find_tissue(open_array(tissue_only(), mpp=1.0))
    assert "blur" not in found.flags
    assert "blur-not-assessed" not in found.flags


def test_a_slide_all_out_of_focus_is_flagged():
    pixels = cv2.GaussianBlur(tissue_only(), (0, 0), 5)
    found = find_tissue(open_array(pixels, mpp=1.0))
    assert found.qc["blur"][found.mask].mean() > 0.6


def test_sharpness_falls_with_blur_and_says_nothing_of_an_empty_field():
    rough = np.random.default_rng(0).normal(0, 1, (128, 128)).astype(np.float32)
    field = 150 + 12 * cv2.GaussianBlur(rough, (0, 0), 1.0) / 0.28
    on = np.ones(field.shape, bool)
    values = [sharpness(np.asarray(cv2.GaussianBlur(field, (0, 0), s)), on) for s in (0.3, 1, 2, 3)]
    assert values == sorted(values, reverse=True)
    assert sharpness(np.full((128, 128), 200, np.float32), on) is None
    assert sharpness(field, np.zeros_like(on)) is None


def test_a_fold_is_flagged():
    pixels = tissue_only()
    strip = np.zeros((SIDE, SIDE), np.uint8)
    cv2.line(strip, (350, 450), (650, 600), 1, 120)
    glassy = pixels.astype(np.float32) / 244
    pixels[strip > 0] = np.clip(glassy**3 * 244, 0, 255).astype(np.uint8)[strip > 0]
    found = find_tissue(open_array(pixels, mpp=1.0))
    assert "fold" in found.flags
    h, w = found.mask.shape
    at = cv2.resize(strip, (w, h), interpolation=cv2.INTER_NEAREST) > 0
    assert found.qc["fold"][at].mean() > 0.6
    assert found.qc["fold"][~at].mean() < 0.01
    # A hint only: folded tissue is scored.
    assert (found.usable & found.qc["fold"]).any()


def test_brown_is_no_fold():
    pixels = tissue_only((0.05, 0.05, 0.03))
    brown = np.zeros((SIDE, SIDE), bool)
    brown[450:530, 350:650] = True
    dab = stained(brown & disc(), (0.25, 0.5, 0.7), scale=1.5)
    pixels[brown] = dab[brown]
    assert "fold" not in find_tissue(open_array(pixels, mpp=1.0)).flags
