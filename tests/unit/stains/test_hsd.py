"""Density and chromaticity come apart, and mixtures lie on the line between their stains."""

from __future__ import annotations

import numpy as np
import pytest
from mixtures import HDAB, unit

from napari_her2.stains.deconvolution import separate, stain_matrix
from napari_her2.stains.hsd import chromaticity, hsd, od_from_hsd, separate_hsd


def test_there_and_back():
    od = np.random.default_rng(0).uniform(-0.1, 2.0, (500, 3)).astype(np.float32)
    od = od[np.abs(od.mean(axis=1)) > 0.01]
    assert od_from_hsd(hsd(od)) == pytest.approx(od, abs=1e-5)


def test_the_paper_s_equations():
    d, cx, cy = hsd([0.3, 0.6, 0.9])
    assert d == pytest.approx(0.6)
    assert cx == pytest.approx(0.3 / 0.6 - 1)
    assert cy == pytest.approx((0.6 - 0.9) / (np.sqrt(3) * 0.6))


def test_grey_dye_lies_at_the_origin_and_hue_does_not_depend_on_the_amount():
    assert hsd([0.4, 0.4, 0.4])[1:] == pytest.approx([0, 0], abs=1e-7)
    thin, thick = (hsd(np.array((0.65, 0.70, 0.29)) * a)[1:] for a in (0.1, 3.0))
    assert thin == pytest.approx(thick, abs=1e-6)


def test_glass_and_brighter_than_glass_stay_finite():
    values = hsd([[0, 0, 0], [-0.02, 0.02, 0], [1e-6, 0, 0]])
    assert np.isfinite(values).all()
    assert np.isfinite(
        separate_hsd([[0, 0, 0], [-0.02, 0.02, 0]], stain_matrix("eosin", "dab"))
    ).all()


@pytest.mark.parametrize("vectors", [HDAB, stain_matrix("haematoxylin", "eosin")[:2]])
def test_amounts_are_recovered_as_by_matrix_inversion(vectors):
    rows = unit(vectors)
    amounts = np.random.default_rng(3).gamma(2, 0.3, (400, 2))
    od = amounts @ rows
    matrix = np.stack([*rows, np.cross(*rows) / np.linalg.norm(np.cross(*rows))])
    assert separate_hsd(od, matrix) == pytest.approx(amounts, abs=1e-4)
    assert separate(od, matrix)[:, :2] == pytest.approx(amounts, abs=1e-4)


def test_nothing_is_negative_and_density_is_kept_where_a_third_colour_comes_in():
    matrix = stain_matrix("haematoxylin", "dab")
    od = np.random.default_rng(4).uniform(0.05, 1.5, (300, 3))
    amounts = separate_hsd(od, matrix)
    assert amounts.min() >= 0
    kept = amounts @ matrix[:2].mean(axis=1)
    assert kept == pytest.approx(od.mean(axis=1), rel=1e-4)
    assert separate(od, matrix).min() < 0


def test_stains_of_one_colour_or_none_are_refused():
    with pytest.raises(ValueError, match="one colour"):
        separate_hsd([[0.1, 0.2, 0.3]], np.array([[0.5, 0.5, 0.7], [1.0, 1.0, 1.4]]))
    with pytest.raises(ValueError, match="not the colour"):
        chromaticity([0, 0, 0])
