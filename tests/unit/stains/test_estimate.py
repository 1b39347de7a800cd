"""Stain vectors come back from mixtures, and what was not there is not invented."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
from mixtures import GLASS, HDAB, HE, mixture, unit
from sklearn.decomposition import DictionaryLearning

from napari_her2.stains.deconvolution import rgb_to_od, stain_matrix
from napari_her2.stains.estimate import MAX_ANGLES, angle_between, estimate_stains
from napari_her2.stains.macenko import macenko_vectors
from napari_her2.stains.vahadane import sparse_amounts, vahadane_vectors
from napari_her2.stains.vectors import StainVectors, known_vectors

METHODS = ("cones", "macenko", "vahadane")
PAIRS = {"H&E": HE, "H-DAB": HDAB}


@pytest.mark.parametrize("stain", PAIRS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_known_vectors_are_recovered(method, stain, seed):
    pixels, _ = mixture(PAIRS[stain], seed=seed)
    found = estimate_stains(pixels, GLASS, stain, method)
    assert found.method == method
    assert found.notes == ()
    for got, true in zip(found.matrix[:2], unit(PAIRS[stain]), strict=True):
        assert angle_between(got, true) < 2.0


@pytest.mark.parametrize("method", METHODS)
def test_tinted_glass_makes_no_difference(method):
    tinted = (212.0, 226.0, 216.0)
    pixels, _ = mixture(HDAB, glass=tinted)
    found = estimate_stains(pixels, tinted, "H-DAB", method)
    for got, true in zip(found.matrix[:2], unit(HDAB), strict=True):
        assert angle_between(got, true) < 2.0


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_pixels_and_the_run_make_no_difference(method):
    pixels, _ = mixture(HDAB, n=30_000, seed=5)
    found = estimate_stains(pixels, GLASS, "H-DAB", method)
    shuffled = np.random.default_rng(9).permutation(pixels)
    assert estimate_stains(shuffled, GLASS, "H-DAB", method) == found


@pytest.mark.parametrize("method", METHODS)
def test_a_few_brown_cells_do_not_bend_the_blue(method):
    """Two pixels in a hundred are brown: the blue must come out, the brown may stay published."""
    pixels, _ = mixture(HDAB, share=1.09, seed=6)
    brown, _ = mixture(HDAB, n=400, share=0.0, seed=7)
    found = estimate_stains(np.concatenate([pixels, brown]), GLASS, "H-DAB", method)
    assert angle_between(found.matrix[0], unit(HDAB)[0]) < 5
    assert angle_between(found.matrix[1], unit(HDAB)[1]) < MAX_ANGLES["DAB"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((0, 3), np.uint8),
        np.full((5000, 3), 240, np.uint8),
        np.full((5000, 3), 0, np.uint8),
        np.full((5000, 3), (120, 120, 120), np.uint8),
        np.full((5000, 3), (60, 200, 60), np.uint8),
    ],
    ids=["none", "glass", "black", "grey", "green"],
)
def test_what_holds_no_stain_keeps_the_published_vectors_and_says_so(method, pixels):
    found = estimate_stains(pixels, GLASS, "H-DAB", method)
    known = known_vectors("H-DAB")
    assert found.method == "ruifrok"
    assert (found.first, found.second) == (known.first, known.second)
    assert found.notes
    assert np.isfinite(found.separate(np.array([[0, 128, 255]], np.uint8))).all()


def test_without_dab_its_vector_stays_published():
    pixels, _ = mixture(HDAB, share=1.2)
    found = estimate_stains(pixels, GLASS, "H-DAB", "cones")
    assert found.second == pytest.approx(known_vectors("H-DAB").second)
    assert "DAB not measured" in found.notes[0]
    assert angle_between(found.matrix[0], unit(HDAB)[0]) < 2


def test_macenko_agrees_with_torchstain():
    """Vectors that torchstain 1.4.1 (numpy) found in the same pixels; it adds 1 to grey levels."""
    expected = {
        "H&E": [[0.6163, 0.7197, 0.3197], [0.1709, 0.8672, 0.4678]],
        "H-DAB": [[0.7592, 0.5791, 0.2971], [0.3458, 0.5666, 0.7479]],
    }
    for stain, theirs in expected.items():
        pixels, _ = mixture(PAIRS[stain])
        ours = macenko_vectors(rgb_to_od(pixels, GLASS))
        for a, b in zip(ours, unit(theirs), strict=True):
            assert angle_between(a, b) < 0.7


def test_vahadane_agrees_with_sparse_dictionary_learning():
    pixels, _ = mixture(HDAB, n=500, seed=2)
    od = rgb_to_od(pixels, GLASS)
    od = np.maximum(od[od.mean(axis=1) > 0.08], 0)
    start = stain_matrix("haematoxylin", "dab")[:2]
    ours = vahadane_vectors(od, start)
    theirs = DictionaryLearning(
        2, alpha=0.1, fit_algorithm="cd", transform_algorithm="lasso_cd", positive_code=True,
        positive_dict=True, max_iter=150, tol=1e-8, dict_init=start,
        code_init=np.ones((len(od), 2)), random_state=0,
    ).fit(od.astype(np.float64) * np.log(10)).components_  # fmt: skip
    for a, b in zip(ours, theirs, strict=True):
        assert angle_between(a, b) < 0.1


def test_sparse_amounts_are_the_cheapest():
    rng = np.random.default_rng(0)
    rows = unit(HDAB)
    od = rng.uniform(0, 1.5, (200, 3))
    best = sparse_amounts(od, rows, 0.1)

    def price(a):
        return 0.5 * ((od - a @ rows) ** 2).sum(axis=1) + 0.1 * a.sum(axis=1)

    assert best.min() >= 0
    for _ in range(50):
        other = np.maximum(best + rng.normal(0, 0.05, best.shape), 0)
        assert (price(other) >= price(best) - 1e-12).all()


def test_a_record_reads_back_and_pickles():
    pixels, _ = mixture(HDAB)
    found = estimate_stains(pixels, (231.0, 230.0, 236.0))
    assert StainVectors.from_json(json.loads(json.dumps(found.to_json()))) == found
    assert pickle.loads(pickle.dumps(found)) == found


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1, 1, 1), (0.6, 0.7, 0.39)),
        ((0.6, 0.8, 0.0), (0.6, 0.8, 0.0)),
        ((np.nan, 0, 1), (1, 0, 0)),
    ],
)
def test_what_is_no_pair_of_stains_is_refused(first, second):
    with pytest.raises(ValueError, match=r"length 1|one colour"):
        StainVectors("H-DAB", first, second)


def test_both_ways_of_telling_stains_apart_agree_on_what_is_stained():
    pixels, amounts = mixture(HDAB)
    vectors = estimate_stains(pixels, GLASS)
    for way in ("ruifrok", "hsd"):
        got = vectors.separate(pixels, way)
        solid = amounts.sum(axis=1) < 1.2
        assert np.abs(got - amounts)[solid].mean() < 0.03
