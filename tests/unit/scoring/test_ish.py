"""ISH: groups at their boundaries, what IHC decides, and what ISH makes of a 2+."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.errors import UsageError
from napari_her2.scoring.cases import score_case
from napari_her2.scoring.ish import (
    dual_probe,
    dual_probe_group,
    gastro_oesophageal_ish,
    single_probe,
    with_ish,
)

TWO_PLUS = {"tumour 0": 500, "tumour 2+": 500}


@pytest.mark.parametrize(
    ("ratio", "copies", "group"),
    [
        (2.0, 4.0, 1), (5.0, 20.0, 1), (2.0, 3.99, 2), (1.99, 6.0, 3), (1.99, 5.99, 4),
        (1.99, 4.0, 4), (1.99, 3.99, 5),
    ],
)  # fmt: skip
def test_groups_at_their_boundaries(ratio, copies, group):
    assert dual_probe_group(ratio, copies) == group


@pytest.mark.parametrize(
    ("figures", "by_ihc"),
    [
        ((2.5, 8.0), dict.fromkeys((None, "0", "1+", "2+", "3+"), "positive")),
        ((1.2, 2.0), dict.fromkeys((None, "0", "1+", "2+", "3+"), "negative")),
        (
            (2.5, 3.0),
            {None: "IHC needed", "0": "negative", "1+": "negative", "2+": "recount needed",
             "3+": "positive"},
        ),
        (
            (1.5, 6.5),
            {None: "IHC needed", "0": "negative", "1+": "negative", "2+": "recount needed",
             "3+": "positive"},
        ),
        (
            (1.5, 5.0),
            {None: "IHC needed", "0": "negative", "1+": "negative", "2+": "recount needed",
             "3+": "positive"},
        ),
    ],
)  # fmt: skip
def test_dual_probe_with_ihc(figures, by_ihc):
    for ihc, status in by_ihc.items():
        found = dual_probe(*figures, ihc)
        assert found.status == status
        assert found.decided == (status in ("positive", "negative"))
        assert found.sentence.endswith("." if not found.decided else ")")
        json.dumps(found.to_json(), allow_nan=False)


@pytest.mark.parametrize(
    ("figures", "status"),
    [((2.5, 3.0), "negative"), ((1.5, 6.5), "positive"), ((1.5, 5.0), "negative")],
)
def test_after_the_blinded_recount_two_plus_is_decided(figures, status):
    found = dual_probe(*figures, "2+", recounted=True)
    assert found.status == status
    assert found.notes == ()


@given(ratio=st.floats(0.1, 20), copies=st.floats(0.1, 50))
def test_every_figure_has_one_group_and_ihc_three_plus_is_never_negative_but_in_five(ratio, copies):
    group = dual_probe_group(ratio, copies)
    assert group in {1, 2, 3, 4, 5}
    assert (dual_probe(ratio, copies, "3+").status == "negative") == (group == 5)


@pytest.mark.parametrize(
    ("copies", "ihc", "status"),
    [
        (6.0, None, "positive"), (3.99, "3+", "negative"), (5.99, "3+", "positive"),
        (4.0, "1+", "negative"), (4.0, "0", "negative"), (4.0, "2+", "dual probe needed"),
        (5.0, None, "dual probe needed"),
    ],
)  # fmt: skip
def test_single_probe(copies, ihc, status):
    assert single_probe(copies, ihc).status == status


@pytest.mark.parametrize(
    ("ratio", "copies", "status"),
    [
        (2.0, 2.0, "positive"), (1.99, 6.0, "positive"), (1.99, 5.99, "negative"),
        (1.0, 2.0, "negative"),
    ],
)  # fmt: skip
def test_gastro_oesophageal_reading_of_p5(ratio, copies, status):
    found = gastro_oesophageal_ish(ratio, copies)
    assert (found.status, found.group) == (status, None)
    assert found.sentence == f"ISH {status}"


@pytest.mark.parametrize("figures", [(0, 4), (-1, 4), (2, float("nan")), (float("inf"), 4)])
def test_figures_have_to_be_numbers(figures):
    for read in (dual_probe, gastro_oesophageal_ish):
        with pytest.raises(UsageError, match="numbers above 0"):
            read(*figures)


# what it makes of IHC -------------------------------------------------------------------


def test_ish_decides_an_equivocal_case():
    seen = score_case(TWO_PLUS, rule="asco-cap-breast-2023")
    assert (seen.status, seen.descriptor) == ("equivocal", None)
    negative = with_ish(seen, dual_probe(1.2, 2.0))
    assert (negative.ihc, negative.status, negative.descriptor) == ("2+", "negative", "low")
    assert negative.sentence == "Rule yields 2+ with ISH negative (negative)"
    assert negative.notes == ("Descriptor (research): low; it is no category of the guideline.",)
    positive = with_ish(seen, dual_probe(3.0, 8.0))
    assert (positive.status, positive.descriptor, positive.notes) == ("positive", None, ())
    assert positive.inputs["ish"]["group"] == 1


def test_an_undecided_ish_leaves_it_equivocal():
    seen = score_case(TWO_PLUS, rule="asco-cap-breast-2018")
    waiting = with_ish(seen, dual_probe(1.5, 5.0, "2+"))
    assert waiting.status == "equivocal"
    assert "counts at least 20 cells again" in waiting.notes[-1]


def test_rules_without_descriptors_do_not_get_one():
    negative = with_ish(score_case(TWO_PLUS), dual_probe(1.2, 2.0))
    assert (negative.status, negative.descriptor) == ("negative", None)


@pytest.mark.parametrize("counts", [{"tumour 0": 500}, {"tumour 3+": 500}, {"tumour 2+": 50}])
def test_ish_changes_nothing_else(counts):
    seen = score_case(counts)
    for found in (dual_probe(3.0, 8.0), dual_probe(1.2, 2.0)):
        after = with_ish(seen, found)
        assert (after.ihc, after.status) == (seen.ihc, seen.status)
        assert after.inputs["ish"]["status"] == found.status
