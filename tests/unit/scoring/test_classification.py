"""Figures of predictions, each under its own name, against scikit-learn."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics

from napari_her2.scoring.classification import binary_table, classification_of_table

pairs = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=50)


@given(pairs=pairs)
@settings(max_examples=60)
def test_figures_are_those_of_scikit_learn(pairs):
    truth, called = map(np.array, zip(*pairs, strict=True))
    table = np.zeros((3, 3), int)
    np.add.at(table, (truth, called), 1)
    found = classification_of_table(table, "abc")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert found.accuracy == pytest.approx(metrics.accuracy_score(truth, called))
        assert found.balanced_accuracy == pytest.approx(
            metrics.balanced_accuracy_score(truth, called)
        )
        p, r, f, _ = metrics.precision_recall_fscore_support(
            truth, called, labels=range(3), average="weighted", zero_division=0
        )
    assert (found.precision_weighted, found.recall_weighted, found.f1_weighted) == pytest.approx(
        (p, r, f)
    )
    assert found.recall_weighted == pytest.approx(found.accuracy)
    assert found.recall_macro == pytest.approx(found.balanced_accuracy)
    json.dumps(found.to_json(), allow_nan=False)


def test_a_class_without_members_is_warned_of():
    found = classification_of_table([[5, 1, 0], [0, 0, 0], [1, 0, 3]], ("0", "1+", "2+"))
    assert found.warnings == ("The test set holds no 1+: its figures say nothing about 1+.",)
    absent = found.classes[1]
    assert (absent.support, absent.predicted) == (0, 1)
    assert (absent.precision, absent.recall, absent.f1) == (0.0, None, None)
    assert found.balanced_accuracy == pytest.approx((5 / 6 + 3 / 4) / 2)


def test_a_class_that_is_never_called_has_no_precision():
    found = classification_of_table(binary_table(0, 14, 0, 36), ("negative", "positive"))
    assert found.classes[1].precision is None
    assert found.classes[1].recall == 0.0
    assert found.balanced_accuracy == 0.5
    assert found.accuracy == 0.72


def test_one_accuracy_is_not_another():
    # P3 on 54 slides, 51 of them called positive.
    found = classification_of_table(binary_table(14, 0, 37, 3), ("negative", "positive"))
    assert 100 * found.balanced_accuracy == pytest.approx(53.75)
    assert 100 * found.accuracy == pytest.approx(31.48, abs=0.005)
    assert 100 * found.precision_weighted == pytest.approx(81.19, abs=0.005)
    assert 100 * found.precision_macro == pytest.approx((100 + 100 * 14 / 51) / 2)
    assert 100 * found.f1_weighted == pytest.approx(21.5, abs=0.005)


@pytest.mark.parametrize("table", [[[1, 2]], np.zeros((2, 2))])
def test_a_table_has_to_hold_something_of_the_right_shape(table):
    with pytest.raises(ValueError, match="for 2 labels"):
        classification_of_table(table, ("a", "b"))
