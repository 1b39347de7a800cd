"""H-score, Allred, entropy, TILs and nuclear scores at their edges."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.messages import tr
from napari_her2.scoring.indices import (
    MAX_ENTROPY,
    allred,
    h_score,
    h_score_of_totals,
    proportion_score,
    shannon_entropy,
    stromal_tils,
)
from napari_her2.scoring.receptors import receptor_status, score_nuclei

shares = st.lists(st.integers(0, 1000), min_size=4, max_size=4).filter(any)


# H-score --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "expected"),
    [
        ({"0": 100}, 0),
        ({"3+": 100}, 300),
        ({"0": 41.2, "1+": 45.4, "2+": 9.8, "3+": 3.6}, 75.8),
        ({"tumour 1+": 50, "tumour 2+": 50}, 150),
        ({"negative": 70, "weak": 10, "moderate": 10, "strong": 10}, 60),
    ],
)
def test_h_score_is_intensity_times_percent(percent, expected):
    assert h_score(percent) == pytest.approx(expected)


@given(counts=shares)
def test_h_score_of_counts_is_that_of_their_shares(counts):
    percent = {
        g: 100 * c / sum(counts) for g, c in zip(("0", "1+", "2+", "3+"), counts, strict=True)
    }
    both = h_score_of_totals([counts, [0, 0, 0, 0]])
    assert both[0] == pytest.approx(h_score(percent))
    assert 0 <= both[0] <= 300
    assert np.isnan(both[1])


def test_an_unknown_intensity_is_a_programming_error():
    with pytest.raises(KeyError):
        h_score({"very strong": 10})


# entropy --------------------------------------------------------------------------------


def test_entropy_is_in_nats():
    assert round(MAX_ENTROPY, 3) == 1.386
    assert shannon_entropy([1, 1, 1, 1]) == pytest.approx(MAX_ENTROPY)
    assert shannon_entropy({"0": 50, "1+": 50, "2+": 0, "3+": 0}) == pytest.approx(np.log(2))
    assert shannon_entropy([7, 0, 0, 0]) == 0
    assert not np.signbit(shannon_entropy([7, 0, 0, 0]))
    assert np.isnan(shannon_entropy([0, 0, 0, 0]))
    assert shannon_entropy({"0": 41.2, "1+": 45.4, "2+": 9.8, "3+": 3.6}) == pytest.approx(
        1.07, abs=0.005
    )


@given(counts=shares, factor=st.integers(1, 99))
def test_entropy_is_bounded_and_knows_shares_only(counts, factor):
    value = shannon_entropy(counts)
    assert 0 <= value <= MAX_ENTROPY + 1e-12
    assert shannon_entropy([c * factor for c in counts]) == pytest.approx(value)
    assert shannon_entropy([counts, counts])[1] == pytest.approx(value)


# Allred ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "score"),
    [
        (0, 0), (0.001, 1), (0.999, 1), (1, 2), (10, 2), (10.001, 3), (33, 3), (33.001, 4),
        (66, 4), (66.001, 5), (100, 5),
    ],
)  # fmt: skip
def test_proportion_score_at_its_boundaries(percent, score):
    assert proportion_score(percent) == score


@pytest.mark.parametrize("percent", [-0.1, 100.1, float("nan")])
def test_no_percentage_no_proportion_score(percent):
    with pytest.raises(ValueError, match="no percentage"):
        proportion_score(percent)


@pytest.mark.parametrize(
    ("percent", "parts"),
    [
        ({"negative": 100}, (0, 0, 0, False)),
        ({"weak": 0.5}, (1, 1, 2, False)),
        ({"moderate": 0.5}, (1, 2, 3, True)),
        ({"weak": 5}, (2, 1, 3, True)),
        ({"strong": 100}, (5, 3, 8, True)),
        ({"weak": 20, "moderate": 20}, (4, 2, 6, True)),  # mean 1.5 goes up
        ({"weak": 30, "moderate": 20}, (4, 1, 5, True)),  # mean 1.4
        ({"moderate": 25, "strong": 25}, (4, 3, 7, True)),  # mean 2.5 goes up
        ({"weak": 33.3, "moderate": 33.3, "strong": 33.4}, (5, 2, 7, True)),
    ],
)
def test_allred(percent, parts):
    found = allred(percent)
    assert (found.proportion, found.intensity, found.total, found.positive) == parts
    assert found.to_json()["total"] == parts[2]


@given(counts=shares)
def test_allred_is_zero_or_two_to_eight(counts):
    names = ("negative", "weak", "moderate", "strong")
    percent = {n: 100 * c / sum(counts) for n, c in zip(names, counts, strict=True)}
    found = allred(percent)
    assert found.total in {0, 2, 3, 4, 5, 6, 7, 8}
    assert (found.total == 0) == (sum(counts[1:]) == 0)
    assert found.total == found.proportion + found.intensity


# TILs -----------------------------------------------------------------------------------


def test_tils_are_a_share_of_the_stroma_without_a_cut():
    assert stromal_tils(2.0, 8.0) == 25.0
    assert stromal_tils(0.0, 8.0) == 0.0
    assert stromal_tils(1.0, 0.0) is None


# ER, PgR, Ki67 --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("percent", "er", "pr"),
    [
        (0, "negative", "negative"),
        (0.999, "negative", "negative"),
        (1, "low positive", "positive"),
        (10, "low positive", "positive"),
        (10.001, "positive", "positive"),
        (100, "positive", "positive"),
    ],
)
def test_receptor_status_at_its_boundaries(percent, er, pr):
    assert receptor_status(percent, "ER") == er
    assert receptor_status(percent, "PR") == pr
    assert receptor_status(percent, "Ki67") is None


def nuclei(negative, weak=0, moderate=0, strong=0, artefact=0):
    return {
        "negative": negative, "weak": weak, "moderate": moderate, "strong": strong,
        "artefact": artefact,
    }  # fmt: skip


def test_nuclei_are_scored_without_artefacts():
    found = score_nuclei(nuclei(60, 20, 10, 10, artefact=900), "ER")
    assert found.nuclei == 100
    assert found.positive_fraction == 0.4
    assert found.percent == {"negative": 60, "weak": 20, "moderate": 10, "strong": 10}
    assert found.h_score == 70
    assert (found.allred.total, found.status) == (6, "positive")
    assert found.sentence == "Rule yields ER positive"
    assert found.notes == ()
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert document["rule"] == "asco-cap-er-pgr-2020"
    assert "2020" in document["source"]


def test_low_er_comes_with_the_guidelines_remarks():
    low = score_nuclei(nuclei(950, 50), "ER")
    assert low.status == "low positive"
    assert low.notes == (tr("er_low"), tr("er_controls"))
    assert score_nuclei(nuclei(1000), "ER").notes == (tr("er_controls"),)
    assert score_nuclei(nuclei(1000), "PR").notes == ()


def test_ki67_has_a_fraction_and_no_status():
    for marker in ("Ki67", None):
        found = score_nuclei(nuclei(800, 100, 50, 50), marker)
        assert (found.status, found.positive_percent) == (None, 20.0)
        assert found.sentence == "20.0 % of 1000 nuclei are positive"
        assert found.to_json()["rule"] is None


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (nuclei(99), "few_nuclei"),
        (nuclei(0, artefact=5), "all_artefact"),
        ({}, "no_cells"),
    ],
)
@pytest.mark.parametrize("marker", ["ER", "PR", "Ki67", None])
def test_too_few_nuclei_have_no_status(counts, reason, marker):
    found = score_nuclei(counts, marker)
    assert (found.status, found.reason) == ("not assessable", reason)
    assert not found.assessable
    assert found.sentence.endswith("so no score is given.")


def test_wrong_classes_are_programming_errors():
    with pytest.raises(ValueError, match="no counts"):
        score_nuclei({"tumour 0": 5})
