"""A picture takes on the colours of another and keeps its structure."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from mixtures import GLASS, HDAB, HE, mixture, unit

from napari_her2.stains.estimate import angle_between, estimate_stains
from napari_her2.stains.normalise import StainLook, measure_look, normalise

OTHER = ((0.70, 0.65, 0.29), (0.10, 0.95, 0.30))


def picture(vectors, **kwargs):
    pixels, amounts = mixture(vectors, n=128 * 128, **kwargs)
    return pixels.reshape(128, 128, 3), amounts.reshape(128, 128, 2)


@pytest.mark.parametrize("method", ["macenko", "vahadane", "cones"])
def test_own_colours_come_back(method):
    rgb, _ = picture(HE)
    look = measure_look(rgb.reshape(-1, 3), GLASS, "H&E", method)
    back = normalise(rgb, look, look)
    assert np.abs(back.astype(int) - rgb).mean() < 1.5


def test_another_slide_s_colours_are_taken_on():
    rgb, amounts = picture(HE, amounts=(0.4, 0.5))
    reference, _ = picture(OTHER, seed=3, glass=(250.0, 245.0, 248.0))
    own = measure_look(rgb.reshape(-1, 3), GLASS, "H&E")
    wanted = measure_look(reference.reshape(-1, 3), (250.0, 245.0, 248.0), "H&E")
    out = normalise(rgb, own, wanted)
    assert out.shape == rgb.shape
    assert out.dtype == np.uint8
    after = estimate_stains(out.reshape(-1, 3), (250.0, 245.0, 248.0), "H&E", "macenko")
    for got, true in zip(after.matrix[:2], unit(OTHER), strict=True):
        assert angle_between(got, true) < 4
    again = measure_look(out.reshape(-1, 3), (250.0, 245.0, 248.0), "H&E")
    assert again.strength == pytest.approx(wanted.strength, rel=0.1)
    dark = out.astype(float).sum(axis=2)
    assert np.corrcoef(dark.ravel(), amounts.sum(axis=2).ravel())[0, 1] < -0.8


def test_an_absent_stain_is_not_blown_up():
    blue, _ = mixture(HDAB, share=1.2)
    both, _ = mixture(HDAB)
    own = measure_look(blue, GLASS, "H-DAB", "cones")
    assert own.strength[1] < 0.1
    out = normalise(blue[None], own, measure_look(both, GLASS, "H-DAB", "cones"))
    assert estimate_stains(out[0], GLASS, "H-DAB", "cones").notes


@pytest.mark.parametrize("level", [0, 128, 240, 255])
def test_a_picture_without_stain_stays_a_picture(level):
    rgb = np.full((32, 40, 3), level, np.uint8)
    own = measure_look(rgb.reshape(-1, 3), GLASS, "H&E")
    reference, _ = mixture(HE)
    out = normalise(rgb, own, measure_look(reference, GLASS, "H&E"))
    assert out.shape == rgb.shape
    assert len(np.unique(out.reshape(-1, 3), axis=0)) == 1


def test_no_pixels_and_other_stains():
    none = measure_look(np.zeros((0, 3), np.uint8), GLASS, "H&E")
    assert none.strength == (0.0, 0.0)
    other = measure_look(mixture(HDAB)[0], GLASS, "H-DAB")
    with pytest.raises(ValueError, match="can't be given the colours"):
        normalise(np.zeros((4, 4, 3), np.uint8), none, other)


def test_a_record_reads_back_and_pickles():
    look = measure_look(mixture(HE)[0], GLASS, "H&E")
    assert StainLook.from_json(json.loads(json.dumps(look.to_json()))) == look
    assert pickle.loads(pickle.dumps(look)) == look
