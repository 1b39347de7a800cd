"""Stain amounts come back from the colours they make."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.stains.deconvolution import rgb_to_od, separate, stain_matrix


def test_glass_has_no_density_and_a_tenth_of_the_light_has_one():
    glass = (240.0, 230.0, 220.0)
    rgb = np.array([[[240, 230, 220], [24, 23, 22], [0, 0, 0]]], np.uint8)
    od = rgb_to_od(rgb, glass)
    assert od[0, 0] == pytest.approx([0, 0, 0], abs=1e-6)
    assert od[0, 1] == pytest.approx([1, 1, 1], abs=1e-6)
    assert np.isfinite(od).all()


@pytest.mark.parametrize("pair", [("haematoxylin", "eosin"), ("haematoxylin", "dab")])
def test_amounts_are_recovered(pair):
    matrix = stain_matrix(*pair)
    amounts = np.random.default_rng(0).random((50, 3)) * (0.8, 0.8, 0)
    rgb = np.clip(np.rint(245 * 10 ** -(amounts @ matrix)), 0, 255).astype(np.uint8)
    back = separate(rgb_to_od(rgb[None], (245.0, 245.0, 245.0)), matrix)[0]
    assert back == pytest.approx(amounts, abs=0.02)


def test_rows_have_length_one_and_the_third_is_at_right_angles():
    m = stain_matrix("haematoxylin", "dab")
    assert np.linalg.norm(m, axis=1) == pytest.approx([1, 1, 1])
    assert m[:2] @ m[2] == pytest.approx([0, 0], abs=1e-12)
    assert stain_matrix("haematoxylin", "eosin", "dab").shape == (3, 3)


@pytest.mark.parametrize("stains", [(), ("eosin",), ("eosin", "dab", "dab", "eosin")])
def test_one_stain_is_no_basis(stains):
    with pytest.raises(ValueError, match="two or three stains"):
        stain_matrix(*stains)
