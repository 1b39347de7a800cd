"""What to label next: unsure, spread out, and the same each time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.training.active import disagreement, propose, uncertainty_of

CLASSES = ("a", "b", "c")


def random_probs(n, k=3, seed=0):
    p = np.random.default_rng(seed).gamma(0.7, size=(n, k)) + 1e-9
    return p / p.sum(1, keepdims=True)


def test_measures_of_uncertainty_by_hand():
    p = np.array([[1, 0, 0], [0.5, 0.5, 0], [1 / 3, 1 / 3, 1 / 3], [0.6, 0.3, 0.1]])
    assert uncertainty_of(p, "margin") == pytest.approx([0, 1, 1, 0.7])
    assert uncertainty_of(p, "least") == pytest.approx([0, 0.75, 1, 0.6])
    entropy = uncertainty_of(p, "entropy")
    assert entropy[:3] == pytest.approx([0, np.log(2) / np.log(3), 1])
    assert entropy[3] == pytest.approx(0.8979457 / np.log(3))


def test_several_models_disagree_where_each_is_sure_of_another_class():
    sure = [[1.0, 0.0], [0.0, 1.0]]
    torn = [[0.5, 0.5], [0.5, 0.5]]
    both = np.array([[sure[0], torn[0]], [sure[1], torn[1]]])
    assert disagreement(both) == pytest.approx([1, 0])
    assert propose(both, np.eye(2), 1, measure="disagreement").indices.tolist() == [0]
    with pytest.raises(ValueError, match="several"):
        propose(both[0], np.eye(2), 1, measure="disagreement")


@settings(max_examples=40, deadline=None)
@given(
    n_all=st.integers(1, 60),
    n=st.integers(0, 70),
    seed=st.integers(0, 99),
    spread=st.sampled_from(["k-means++", "k-centre", "none"]),
)
def test_a_batch_has_no_row_twice_none_that_is_labelled_and_is_the_same_again(
    n_all, n, seed, spread
):
    rng = np.random.default_rng(seed)
    p, x = random_probs(n_all, seed=seed), rng.normal(size=(n_all, 4))
    x[: n_all // 2] = 0
    labelled = rng.random(n_all) < 0.3
    got = propose(p, x, n, labelled=labelled, seed=seed, spread=spread)
    again = propose(p, x, n, labelled=np.flatnonzero(labelled), seed=seed, spread=spread)
    assert got.indices.tolist() == again.indices.tolist()
    assert len(got) == len(got.why) == min(n, int((~labelled).sum()))
    assert len(set(got.indices.tolist())) == len(got)
    assert not labelled[got.indices].any()


def test_without_spread_the_most_unsure_come_first():
    p = random_probs(50)
    got = propose(p, np.zeros((50, 2)), 5, spread="none")
    assert got.indices.tolist() == np.argsort(-uncertainty_of(p), kind="stable")[:5].tolist()


@pytest.mark.parametrize("spread", ["k-means++", "k-centre"])
def test_a_batch_is_spread_over_clusters_of_equally_unsure(spread):
    rng = np.random.default_rng(0)
    cluster = np.repeat(np.arange(5), [60, 10, 10, 10, 10])
    x = rng.normal(0, 0.05, (100, 5)) + 3 * np.eye(5)[cluster]
    p = np.tile([0.5, 0.49, 0.01], (100, 1))
    got = propose(p, x, 5, spread=spread, pool=20)
    assert len(set(cluster[got.indices])) == 5
    known = np.flatnonzero(cluster < 3)
    next_ones = propose(p, x, 2, labelled=known[::4], spread="k-centre", pool=50)
    assert set(cluster[next_ones.indices]) == {3, 4}


def test_the_reason_is_a_sentence_with_the_classes_in_doubt():
    p = np.array([[0.1, 0.5, 0.4], [0.9, 0.1, 0.0]])
    got = propose(p, np.array([[0.0], [1.0]]), 1)
    assert got.indices.tolist() == [0]
    assert got.why[0].sentence(CLASSES) == "Between b (0.50) and c (0.40)."
    far = propose(random_probs(40), np.arange(40.0)[:, None], 30, labelled=[0], seed=1)
    assert any("unlike what is labelled" in w.sentence(CLASSES) for w in far.why)
    assert not all(w.novel for w in far.why)


def test_what_is_no_probability_is_refused():
    for wrong in (np.ones((3, 2)), np.full((3, 2), np.nan), np.ones(3), np.ones((3, 1))):
        with pytest.raises(ValueError, match="prob"):
            propose(wrong, np.zeros((3, 1)), 1)
    with pytest.raises(ValueError, match="rows of features"):
        propose(random_probs(3), np.zeros((4, 1)), 1)
