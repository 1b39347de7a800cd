"""Agreement of readers against scikit-learn and SciPy, and against what P2 printed."""

from __future__ import annotations

import json
import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau
from sklearn.metrics import cohen_kappa_score

from napari_her2.scoring.agreement import (
    agreement,
    agreement_of_table,
    cohen_kappa,
    crosstab,
    kendall_tau_b,
    kendall_tau_b_of_table,
    overall_agreement,
    rank_sum_p,
    wilcoxon_rank_sum,
)

LABELS = ("negative", "equivocal", "positive")
P2 = np.array([[41, 3, 0], [2, 8, 1], [0, 6, 10]])

readings = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=60)


@given(pairs=readings)
@settings(max_examples=60)
def test_figures_are_those_of_the_libraries(pairs):
    a, b = map(list, zip(*pairs, strict=True))
    table = crosstab(a, b, range(4))
    assert overall_agreement(table) == pytest.approx(np.mean(np.array(a) == b))
    for weights, known in (("unweighted", None), ("linear", "linear"), ("quadratic", "quadratic")):
        ours = float(cohen_kappa(table, weights))
        if len({*a, *b}) == 1:
            assert math.isnan(ours)
        else:
            theirs = cohen_kappa_score(a, b, labels=range(4), weights=known)
            assert ours == pytest.approx(theirs)
    ours = float(kendall_tau_b_of_table(table))
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert math.isnan(ours)
        assert math.isnan(kendall_tau_b(a, b))
    else:
        assert ours == pytest.approx(kendalltau(a, b).statistic)
        assert kendall_tau_b(a, b) == pytest.approx(ours)


@given(pairs=readings)
@settings(max_examples=30)
def test_it_does_not_matter_who_reads_first(pairs):
    table = crosstab(*map(list, zip(*pairs, strict=True)), range(4))
    for figure in (overall_agreement, cohen_kappa, kendall_tau_b_of_table):
        assert figure(table) == pytest.approx(figure(table.T), nan_ok=True)


def test_p2_comes_out_as_printed():
    found = agreement_of_table(P2, LABELS)
    assert found.n == 71
    for figure, value, low, high in (
        (found.overall, 0.8310, 0.74, 0.92),
        (found.kappa, 0.6942, 0.55, 0.84),
        (found.tau_b, 0.8407, 0.75, 0.93),
    ):
        assert figure.value == pytest.approx(value, abs=5e-5)
        assert (figure.low, figure.high) == pytest.approx((low, high), abs=0.01)
        assert figure.n == 71
    assert found.kappa_linear.value == pytest.approx(0.785, abs=5e-4)
    assert found.kappa_quadratic.value == pytest.approx(0.865, abs=5e-4)


def test_the_normal_fit_and_the_percentiles_are_two_intervals():
    normal, percentile = (
        agreement_of_table(P2, LABELS, method=m) for m in ("normal", "percentile")
    )
    assert normal.kappa != percentile.kappa
    assert normal.kappa.low == pytest.approx(percentile.kappa.low, abs=0.03)
    assert agreement_of_table(P2, LABELS, seed=0).kappa == normal.kappa


def test_resampling_tables_is_resampling_cases():
    a, b = (np.repeat(side.ravel(), P2.ravel()) for side in np.indices((3, 3)))
    rng = np.random.default_rng(0)
    kappas = []
    for _ in range(400):
        drawn = rng.integers(0, 71, 71)
        kappas.append(float(cohen_kappa(crosstab(a[drawn], b[drawn], range(3)))))
    found = agreement_of_table(P2, LABELS).kappa
    assert (found.high - found.low) / (2 * 1.96) == pytest.approx(np.std(kappas), rel=0.12)


def test_missing_readings_are_left_out_and_counted():
    found = agreement(
        ["negative", None, "positive", "positive"], ["negative", "positive", None, "positive"],
        LABELS,
    )  # fmt: skip
    assert (found.n, found.missing) == (2, 2)
    assert found.overall.value == 1
    assert found.overall.low is None, "two cases say nothing of how sure that is"
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["confusion"] == [[1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert set(document) >= {"n", "overall_agreement", "cohen_kappa", "kendall_tau_b"}
    assert set(document["cohen_kappa"]) == {"value", "ci95", "n"}


def test_undefined_agreement_is_none():
    alike = agreement(["negative"] * 20, ["negative"] * 20, LABELS)
    assert alike.overall.value == 1
    assert alike.kappa.value is None
    assert alike.tau_b.value is None
    nobody = agreement([], [], LABELS)
    assert nobody.overall.value is None
    json.dumps(nobody.to_json(), allow_nan=False)


def test_readings_have_to_fit():
    with pytest.raises(ValueError, match="not both among"):
        agreement(["4+"], ["negative"], LABELS)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        agreement(["negative"], [], LABELS)
    with pytest.raises(ValueError, match="labels"):
        agreement_of_table(P2, ("a", "b"))


def test_a_thousand_resamples_are_quick():
    start = time.process_time()
    agreement_of_table(P2, LABELS)
    assert time.process_time() - start < 0.1


# rank sums ------------------------------------------------------------------------------


def test_rank_sums_count_pairs():
    found = wilcoxon_rank_sum([1.0, 4.0, 5.0], [2.0, 3.0])
    assert found.w == 4  # 4 > 2, 4 > 3, 5 > 2, 5 > 3
    assert found.p == pytest.approx(0.8)  # exact, of 10 orders
    assert (found.n_a, found.n_b) == (3, 2)
    assert (found.median_a, found.median_b) == (4.0, 2.5)
    swapped = wilcoxon_rank_sum([2.0, 3.0], [1.0, 4.0, 5.0])
    assert (swapped.w, swapped.p) == (2, found.p)


def test_large_or_tied_samples_take_the_normal_curve():
    rng = np.random.default_rng(0)
    concordant, discordant = rng.normal(0, 1, 59), rng.normal(0.9, 1, 12)
    found = wilcoxon_rank_sum(concordant, discordant)
    assert found.p == pytest.approx(rank_sum_p(found.w, 59, 12))
    tied = wilcoxon_rank_sum([1, 1, 2], [1, 2, 2])
    assert 0 < tied.p <= 1


def test_the_printed_sums_give_the_printed_p_values():
    assert round(rank_sum_p(186, 59, 12), 2) == 0.01
    assert round(rank_sum_p(162, 59, 12), 3) == 0.003
    assert rank_sum_p(59 * 12 / 2, 59, 12) == 1


def test_an_empty_group_has_no_p_value():
    found = wilcoxon_rank_sum([], [1.0, float("nan")])
    assert math.isnan(found.p)
    assert (found.n_a, found.n_b) == (0, 1)
