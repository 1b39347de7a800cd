"""Folds that keep groups together; paired tests."""

from __future__ import annotations

import numpy as np
import pytest
from made_predictions import made_predictions
from scipy import stats

from napari_her2.errors import CannotTrainError
from napari_her2.training.cross_validation import (
    compare,
    cross_validate,
    grouped_folds,
    holm,
    paired_t_test,
)

CLASSES = ("a", "b", "c")


def test_no_slide_is_on_both_sides():
    truth, _, groups = made_predictions(500, slides=13)
    folds = grouped_folds(truth, groups, 10, seed=3)
    assert len(folds) == 10
    for train, test in folds:
        assert not set(groups[train]) & set(groups[test])
        assert len(train) + len(test) == len(truth)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(truth)))


def test_fewer_slides_make_fewer_folds_and_one_makes_none():
    truth, _, groups = made_predictions(60, slides=4)
    assert len(grouped_folds(truth, groups, 10)) == 4
    with pytest.raises(CannotTrainError, match="two slides"):
        grouped_folds(truth, np.full(60, "s"))


def _noisy(probs: np.ndarray, noise: float, seed: int):
    rng = np.random.default_rng(seed)

    def answer(train: np.ndarray, test: np.ndarray) -> np.ndarray:
        assert not set(train) & set(test)
        spoilt = probs[test] + noise * rng.random((len(test), probs.shape[1]))
        return spoilt / spoilt.sum(axis=1, keepdims=True)

    return answer


def test_the_better_method_is_told_from_the_worse_and_not_from_itself():
    truth, probs, groups = made_predictions(900, slides=20)
    folds = grouped_folds(truth, groups)
    done = []
    methods = {
        name: cross_validate(
            _noisy(probs, noise, 1), truth, CLASSES, folds, groups,
            n_boot=50, on_fold=lambda i, n: done.append((i, n)),
        )
        for name, noise in (("good", 0.0), ("twin", 0.0), ("poor", 3.0))
    }  # fmt: skip
    assert done[:2] == [(1, 10), (2, 10)]
    found = {(c.a, c.b): c for c in compare(methods, ("f1_macro",))}
    assert found["good", "twin"].p == 1.0
    assert found["good", "poor"].p < 0.01
    assert found["good", "poor"].difference > 0.05
    assert found["good", "poor"].p_holm >= found["good", "poor"].p
    good = methods["good"]
    assert good.pooled.resampled == "group"
    assert good.probs == pytest.approx(probs)
    assert good.to_json()["per_fold"]["f1_macro"]["mean"] == pytest.approx(
        good.per_fold("f1_macro").mean()
    )


def test_methods_on_other_folds_are_not_compared():
    truth, probs, groups = made_predictions(300, slides=12)
    methods = {
        str(seed): cross_validate(
            _noisy(probs, 0, 1), truth, CLASSES, grouped_folds(truth, groups, 5, seed), n_boot=5
        )
        for seed in (0, 1)
    }
    with pytest.raises(ValueError, match="same folds"):
        compare(methods)


def test_paired_t_test_is_scipys():
    a, b = np.array([0.7, 0.8, 0.75, 0.9]), np.array([0.6, 0.82, 0.7, 0.8])
    assert paired_t_test(a, b) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    with_gap = paired_t_test(np.append(a, np.nan), np.append(b, 0.5))
    assert with_gap == pytest.approx(paired_t_test(a, b))
    assert np.isnan(paired_t_test([0.5], [0.4]))
    assert paired_t_test([0.5, 0.6], [0.5, 0.6]) == 1.0


def test_holm_by_hand():
    """Holm: 0.01*4, 0.02*3, 0.03*2, 0.04*1, never falling, at most 1."""
    assert holm([0.04, 0.01, np.nan, 0.03, 0.02]) == pytest.approx(
        [0.06, 0.04, np.nan, 0.06, 0.06], nan_ok=True
    )
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
