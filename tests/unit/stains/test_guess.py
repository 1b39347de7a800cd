"""The stain is told from the hue of the dye; what can't be told is not."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from painted import SIDE, disc, glass, stained, texture

from napari_her2.slides import open_array
from napari_her2.slides.base import Pixels
from napari_her2.stains.deconvolution import STAIN_VECTORS
from napari_her2.stains.guess import StainGuess, check_stain, guess_stain, is_colourless
from napari_her2.tiles.tissue import find_tissue


def mixture(first, first_amount, second, second_amount, *, mpp=1.0):
    """Nuclei of one stain over an even field of another."""
    where = disc()[..., None]
    nuclei = np.maximum(texture(SIDE, 3.0, seed=2) - 0.9, 0) * first_amount
    field = texture(SIDE, 4.0, seed=3) * second_amount
    od = nuclei * np.array(STAIN_VECTORS[first]) + field * np.array(STAIN_VECTORS[second])
    pixels = np.clip(glass() * 10 ** -(od * where), 0, 255).astype(np.uint8)
    return open_array(pixels, mpp=mpp)


def guess(slide):
    return guess_stain(slide, find_tissue(slide, qc=False))


@pytest.mark.parametrize("mpp", [0.5, 1.0, None])
def test_haematoxylin_and_eosin(mpp):
    found = guess(mixture("haematoxylin", 0.8, "eosin", 0.3, mpp=mpp))
    assert found.stain == "H&E"
    assert found.confidence > 0.9


@pytest.mark.parametrize("dab", [0.1, 0.6])
def test_haematoxylin_and_dab(dab):
    found = guess(mixture("haematoxylin", 0.4, "dab", dab))
    assert found.stain == "H-DAB"
    assert found.confidence > 0.9


def test_haematoxylin_alone_is_never_taken_for_eosin():
    found = guess(mixture("haematoxylin", 0.5, "haematoxylin", 0.08))
    assert found.stain == "H-DAB"
    assert 0.4 < found.confidence < 0.8


def test_false_colours_are_unknown():
    slide = open_array(stained(disc(), (0.4, 0.1, 0.1), colour=(244, 127, 129)), mpp=1.0)
    assert guess(slide) == StainGuess("unknown", 0.0)


def test_no_tissue_is_unknown():
    blank = open_array(np.clip(glass(), 0, 255).astype(np.uint8), mpp=1.0)
    assert guess(blank) == StainGuess("unknown", 0.0)


def test_unreadable_pixels_do_not_count():
    """A damaged slide's filler must not make a stain."""
    slide = mixture("haematoxylin", 0.8, "eosin", 0.3)
    tissue = find_tissue(slide, qc=False)
    inner = slide.read

    def read(level, x, y, width, height):
        rgb = inner(level, x, y, width, height).rgb.copy()
        rgb[: height // 2] = (120, 60, 20)
        lost = np.zeros((height, width), bool)
        lost[: height // 2] = True
        return Pixels(rgb, lost, "gone")

    slide.read = read
    assert guess_stain(slide, tissue).stain == "H&E"


def test_the_same_slide_is_always_guessed_alike():
    slide = mixture("haematoxylin", 0.4, "dab", 0.3)
    assert guess(slide) == guess(slide)


@pytest.mark.parametrize(
    ("found", "needed", "verdict"),
    [
        (StainGuess("H&E", 0.6), "H&E", "ok"),
        (StainGuess("H-DAB", 0.95), "H&E", "mismatch"),
        (StainGuess("H&E", 0.95), "H-DAB", "mismatch"),
        (StainGuess("unknown", 0.0), "H&E", "unsure"),
        (StainGuess("H&E", 0.7, pink=0.15), "H-DAB", "unsure"),
        # Haematoxylin alone: perhaps not DAB, but certainly no eosin.
        (StainGuess("H-DAB", 0.6, pink=0.0), "H&E", "mismatch"),
        (StainGuess("H-DAB", 0.6, pink=0.04), "H&E", "unsure"),
    ],
)
def test_what_a_guess_means_for_a_model(found, needed, verdict):
    assert check_stain(found, needed) == verdict


def test_a_grey_picture_has_no_stain():
    """Also as a coloured JPEG, whose channels differ by a level or two."""
    slide = mixture("haematoxylin", 0.4, "dab", 0.3)
    grey = slide.read(0, 0, 0, SIDE, SIDE).rgb.mean(axis=2).astype(np.uint8)
    uneven = np.random.default_rng(0).integers(0, 3, (SIDE, SIDE, 3)).astype(np.uint8)
    picture = np.clip(grey[..., None], 0, 252) + uneven
    found = guess(open_array(picture, mpp=1.0))
    assert found == StainGuess("unknown", 0.0, colourless=True)
    assert not guess(slide).colourless


def test_a_dark_picture_has_no_stain():
    """Fluorescence: what glows is few pixels on black, and not what absorbs light."""
    picture = np.zeros((SIDE, SIDE, 3), np.uint8)
    picture[disc(radius=0.2), 2] = 180
    whole = SimpleNamespace(
        mask=np.ones((64, 64), bool), downsample=(SIDE / 64, SIDE / 64), background=(200.0,) * 3
    )
    assert guess_stain(open_array(picture, mpp=1.0), whole) == StainGuess("unknown", 0, dark=True)


def test_no_pixels_are_not_grey():
    assert not is_colourless(np.zeros((0, 3), np.uint8))
