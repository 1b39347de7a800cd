"""HER2 rules: what each says at and round its cuts, and what must hold for any counts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.cells.classes import CELL_CLASSES, SCORE_OF
from napari_her2.errors import UsageError
from napari_her2.messages import MESSAGES, NOTICE
from napari_her2.scoring.cases import differ, disagreement, score_all, score_case, score_percent
from napari_her2.scoring.evidence import GRADES, NOT_TUMOUR, TUMOUR, count_cells
from napari_her2.scoring.rules import RULES, default_rule, find_rule, rules_for

BREAST = ["asco-cap-breast-2013", "asco-cap-breast-2018", "asco-cap-breast-2023"]
CUMULATIVE = [*BREAST, "gea-resection-2016"]


def cells(zero: int, one: int, two: int, three: int, **other: int) -> dict[str, int]:
    return dict(zip(TUMOUR, (zero, one, two, three), strict=True)) | other


def score(counts, rule, **more):
    known = RULES[rule]
    return score_case(
        counts, organ=known.organ, specimen=known.specimen or "resection", rule=rule, **more
    )


grades = st.tuples(*[st.integers(0, 400)] * 4).filter(lambda g: sum(g) >= 100)


# names ----------------------------------------------------------------------------------


def test_the_classes_are_those_of_the_cells():
    assert (*TUMOUR, *NOT_TUMOUR) == CELL_CLASSES
    assert dict(zip(TUMOUR, GRADES, strict=True)) == dict(SCORE_OF)


def test_each_rule_says_where_it_comes_from():
    for name, rule in RULES.items():
        assert rule.id == name
        assert rule.version.count(".") == 1
        assert any(str(year) in rule.source for year in (2013, 2016, 2017, 2018, 2023))
        assert rule.short in ("P2 2017", "GEA 2016 resection", "GEA 2016 biopsy") or (
            rule.short.startswith("CAP 20")
        )


def test_the_default_rule_fits_the_tissue():
    assert default_rule() == "asco-cap-breast-2018"
    assert default_rule("gea", "resection") == "gea-resection-2016"
    assert default_rule("gea", "biopsy") == "gea-biopsy-2016"
    assert [r.id for r in rules_for("gea", "biopsy")] == ["gea-biopsy-2016"]
    assert len(rules_for("breast")) == 4


# breast ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", BREAST)
@pytest.mark.parametrize(
    ("counts", "ihc", "status"),
    [
        ((890, 0, 0, 110), "3+", "positive"),
        ((899, 0, 0, 101), "3+", "positive"),  # 10.1 %
        ((900, 0, 0, 100), "2+", "equivocal"),  # 10 % exactly is not above it: unusual pattern
        ((0, 899, 101, 0), "2+", "equivocal"),
        ((0, 900, 100, 0), "1+", "negative"),
        ((899, 101, 0, 0), "1+", "negative"),
        ((900, 100, 0, 0), "0", "negative"),
        ((1000, 0, 0, 0), "0", "negative"),
        ((670, 200, 50, 80), "2+", "equivocal"),  # complete staining summed: 13 %
        ((870, 80, 50, 0), "1+", "negative"),  # any staining summed: 13 %
        ((900, 50, 50, 0), "0", "negative"),
    ],
)
def test_breast_needs_more_than_ten_percent(rule, counts, ihc, status):
    result = score(cells(*counts), rule)
    assert (result.ihc, result.status) == (ihc, status)
    assert result.sentence == f"Rule yields {ihc} ({status})"
    assert result.assessable


def test_p2_takes_two_plus_alone():
    said = {
        counts: score(cells(*counts), "p2-2017").status
        for counts in [
            (890, 0, 0, 110), (900, 0, 0, 100), (890, 0, 110, 0), (900, 0, 100, 0),
            (0, 1000, 0, 0), (670, 200, 50, 80),
        ]
    }  # fmt: skip
    assert list(said.values()) == [
        "positive", "negative", "equivocal", "negative", "negative", "negative",
    ]  # fmt: skip
    negative = score(cells(670, 200, 50, 80), "p2-2017")
    assert negative.ihc is None
    assert negative.outcome == "negative"
    assert negative.sentence == "Rule yields negative (0 or 1+)"


def test_p2_is_not_monotone_and_the_guideline_is():
    # 1 % of the cells turn from 2+ to 3+: P2's sentence goes from equivocal to negative.
    before, after = cells(800, 0, 110, 90), cells(800, 0, 100, 100)
    assert [score(c, "p2-2017").status for c in (before, after)] == ["equivocal", "negative"]
    assert {score(c, "asco-cap-breast-2018").ihc for c in (before, after)} == {"2+"}


@pytest.mark.parametrize("rule", BREAST)
def test_little_intense_staining_is_an_unusual_pattern(rule):
    few = score(cells(950, 0, 0, 50), rule)
    assert few.ihc == "2+"
    assert MESSAGES["unusual_intense"].format(share="5.0") in few.notes
    assert few.margin == pytest.approx(2.0)  # to the 3 % below which it is no pattern
    stray = score(cells(9950, 0, 0, 50), rule)  # 0.5 %: a few mistaken cells
    assert stray.ihc == "0"
    assert score(cells(970, 0, 0, 30), rule).ihc == "0"  # 3 % exactly
    # Where nothing rests on the pattern its limit makes no margin: 9.5 points to the 1+ cut.
    assert stray.margin == pytest.approx(9.5)
    assert score(cells(1000, 0, 0, 0), rule).margin == pytest.approx(10.0)
    assert score(cells(969, 0, 0, 31), rule).ihc == "2+"


def test_incomplete_but_intense_staining_is_an_unusual_pattern():
    counts = cells(800, 200, 0, 0)
    assert score(counts, "asco-cap-breast-2018").ihc == "1+"
    seen = score(counts, "asco-cap-breast-2018", incomplete_intense=150)
    assert seen.ihc == "2+"
    assert seen.notes == (MESSAGES["unusual_incomplete"].format(share="15.0"),)
    assert seen.inputs == {"incomplete_intense_percent": 15.0}
    assert [c.value for c in seen.cuts if c.pattern] == [15.0]
    assert seen.margin == pytest.approx(5.0)
    assert score(counts, "asco-cap-breast-2018", incomplete_intense=100).ihc == "1+"
    with pytest.raises(ValueError, match="of 1000"):
        score(counts, "asco-cap-breast-2018", incomplete_intense=1001)


@pytest.mark.parametrize(
    ("counts", "descriptor"),
    [
        ((1000, 0, 0, 0), "null"),
        ((999, 1, 0, 0), "ultralow"),
        ((900, 100, 0, 0), "ultralow"),
        ((899, 101, 0, 0), "low"),
        ((0, 800, 200, 0), None),  # only with a negative ISH
        ((0, 0, 0, 1000), None),
    ],
)
def test_descriptors_of_2023_are_for_research(counts, descriptor):
    result = score(cells(*counts), "asco-cap-breast-2023")
    assert result.descriptor == descriptor
    assert ("2+ is called low only when ISH is negative." in result.notes) == (result.ihc == "2+")
    if descriptor:
        assert f"Descriptor (research): {descriptor}; it is no category of the guideline." in (
            result.notes
        )
    older = score(cells(*counts), "asco-cap-breast-2018")
    assert older.descriptor is None
    assert (older.ihc, older.status) == (result.ihc, result.status)


def test_zero_and_one_plus_come_with_a_warning():
    for counts in ((950, 50, 0, 0), (500, 500, 0, 0)):
        assert MESSAGES["low_range"] in score(cells(*counts), "asco-cap-breast-2018").notes


# gastro-oesophageal ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "ihc"),
    [
        ((900, 0, 0, 100), "3+"),  # 10 % exactly is enough
        ((901, 0, 0, 99), "0"),
        ((900, 0, 100, 0), "2+"),
        ((900, 100, 0, 0), "1+"),
        ((901, 99, 0, 0), "0"),
        ((900, 0, 50, 50), "2+"),
        ((900, 60, 20, 20), "1+"),
    ],
)
def test_resections_need_ten_percent_or_more(counts, ihc):
    assert score(cells(*counts), "gea-resection-2016").ihc == ihc


@pytest.mark.parametrize(
    ("clusters", "ihc"),
    [
        ({"3+": 5}, "3+"),
        ({"3+": 4}, "0"),
        ({"2+": 5, "3+": 4}, "2+"),
        ({"1+": 12}, "1+"),
        ({"tumour 3+": 6}, "3+"),
        ({}, "0"),
    ],
)
def test_biopsies_are_scored_by_their_clusters_at_any_percent(clusters, ihc):
    # 0.1 % of the cells are stained: no percentage decides.
    result = score(cells(9990, 0, 0, 10), "gea-biopsy-2016", clusters=clusters)
    assert result.ihc == ihc
    assert result.margin is None
    assert {c.unit for c in result.cuts} == {"cells"}
    assert [c.grade for c in result.cuts] == ["3+", "2+", "1+"]
    largest = max(clusters.values(), default=0)
    assert result.detail == f"largest cluster {largest} cells, cut 5 cells"
    assert set(result.inputs["clusters"]) == {"1+", "2+", "3+"}


def test_a_biopsy_without_clusters_is_not_assessable():
    result = score(cells(0, 0, 0, 1000), "gea-biopsy-2016")
    assert (result.status, result.ihc, result.reason) == ("not assessable", None, "no_clusters")


@pytest.mark.parametrize("rule", [*BREAST, "p2-2017"])
@pytest.mark.parametrize("specimen", ["resection", "biopsy"])
def test_breast_rules_are_refused_for_gastro_oesophageal_tissue(rule, specimen):
    with pytest.raises(UsageError) as caught:
        score_case(cells(0, 0, 0, 1000), organ="gea", specimen=specimen, rule=rule)
    assert str(caught.value) == "Breast rules do not apply to gastro-oesophageal tissue."


def test_other_rules_that_do_not_fit_are_refused():
    with pytest.raises(UsageError, match="do not apply to breast"):
        find_rule("gea-resection-2016", "breast", "resection")
    with pytest.raises(UsageError, match="choose another rule"):
        find_rule("gea-resection-2016", "gea", "biopsy")
    with pytest.raises(UsageError, match="asco-cap-breast-2018"):
        find_rule("asco-cap-2007", "breast", "resection")


# not assessable -------------------------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(RULES))
@pytest.mark.parametrize(
    ("counts", "reason", "sentence"),
    [
        ({}, "no_cells", "No cell was found, so no score is given."),
        (
            {"artefact": 500}, "all_artefact",
            "Every detected object looks like artefact, so no score is given.",
        ),
        (
            {"stroma": 500, "immune": 20, "artefact": 3}, "no_tumour_cells",
            "No tumour cell was counted, so no score is given.",
        ),
        (
            cells(38, 0, 0, 0), "few_tumour",
            "Only 38 tumour cells were counted (fewer than 100), so no score is given.",
        ),
        (
            cells(0, 0, 0, 99, stroma=9000), "few_tumour",
            "Only 99 tumour cells were counted (fewer than 100), so no score is given.",
        ),
        (
            cells(1, 0, 0, 0), "few_tumour",
            "Only 1 tumour cell was counted (fewer than 100), so no score is given.",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_assessed_is_never_negative(rule, counts, reason, sentence):
    result = score(counts, rule, clusters={"3+": 9})
    assert result.status == "not assessable"
    assert result.ihc is None
    assert result.outcome == "not assessable"
    assert not result.assessable
    assert (result.reason, result.sentence) == (reason, sentence)
    assert result.margin is None
    assert not result.at_the_cut
    assert "negative" not in json.dumps(result.to_json())
    assert disagreement([result, score(cells(0, 0, 0, 100), rule, clusters={"3+": 9})]) is None


def test_a_hundred_tumour_cells_are_enough():
    assert score(cells(100, 0, 0, 0, stroma=10**6), "asco-cap-breast-2018").ihc == "0"


def test_wrong_counts_are_programming_errors():
    with pytest.raises(ValueError, match="tumor 3"):
        count_cells({"tumor 3+": 4})
    with pytest.raises(ValueError, match="-1"):
        count_cells({"tumour 0": -1})


# percentages ----------------------------------------------------------------------------


def test_percentages_of_readers_follow_the_same_rules():
    mean = {"0": 50.0, "1+": 30.0, "2+": (10.2 + 9.8 + 10.1 + 9.9) / 4, "3+": 0.0}
    mean["0"] = 100 - mean["1+"] - mean["2+"]
    # Dust of the mean must not lift 10 % over the cut.
    assert score_percent(mean).ihc == "1+"
    assert score_percent(mean, rule="p2-2017").status == "negative"
    assert score_percent({"3+": 100}).ihc == "3+"
    assert score_percent({"3+": 33.3, "2+": 33.3, "1+": 33.3}).cells is None


@pytest.mark.parametrize(
    ("percent", "message"),
    [
        ({"0": 95.0}, "Sum is 95"),
        ({"0": 105.0}, "between 0 and 100"),
        ({"0": 110.0, "1+": -10.0}, "between 0 and 100"),
        ({"0": float("nan")}, "between 0 and 100"),
        ({}, "Sum is 0"),
    ],
)
def test_percentages_that_make_no_whole_are_refused(percent, message):
    with pytest.raises(UsageError, match=message):
        score_percent(percent)


# what must hold for any counts ----------------------------------------------------------


@given(counts=grades)
def test_shares_sum_to_a_hundred(counts):
    shares = count_cells(cells(*counts)).shares
    assert sum(shares.percent) == pytest.approx(100)
    assert shares.at_least[0] == pytest.approx(100)
    assert list(shares.at_least) == sorted(shares.at_least, reverse=True)
    assert list(shares.named()) == list(GRADES)


@pytest.mark.parametrize("rule", CUMULATIVE)
@given(counts=grades, place=st.integers(0, 2), moved=st.integers(1, 400))
@settings(max_examples=60)
def test_a_cell_that_stains_more_never_lowers_the_score(rule, counts, place, moved):
    stronger = list(counts)
    moved = min(moved, stronger[place])
    stronger[place] -= moved
    stronger[place + 1] += moved
    before, after = (score(cells(*c), rule).ihc for c in (counts, stronger))
    assert GRADES.index(after) >= GRADES.index(before)


@pytest.mark.parametrize("rule", [*CUMULATIVE, "p2-2017"])
@given(counts=grades, factor=st.integers(2, 1000))
@settings(max_examples=40)
def test_only_shares_count(rule, counts, factor):
    small, large = (score(cells(*c), rule) for c in (counts, [n * factor for n in counts]))
    assert (small.ihc, small.status, small.descriptor) == (
        large.ihc, large.status, large.descriptor,
    )  # fmt: skip
    assert small.margin == pytest.approx(large.margin, abs=1e-9)
    assert [c.distance for c in small.cuts] == pytest.approx([c.distance for c in large.cuts])


@pytest.mark.parametrize("rule", [*CUMULATIVE, "p2-2017"])
@given(counts=grades)
@settings(max_examples=60)
def test_the_score_is_the_strongest_cut_that_is_met(rule, counts):
    result = score(cells(*counts), rule)
    met = [c for c in result.cuts if c.met]
    expected = max((GRADES.index(c.grade) for c in met), default=0)
    assert (result.ihc or "0") == GRADES[expected]
    near = [c for c in result.cuts if c.counts and (c.met or not c.pattern)]
    assert result.margin == min(abs(c.distance) for c in near)
    assert result.nearest in result.cuts
    json.dumps(result.to_json(), allow_nan=False)


@given(counts=grades, share=st.integers(0, 1000))
@settings(max_examples=40)
def test_organs_differ_only_at_the_boundary(counts, share):
    # Whatever lies off the cuts and holds no unusual pattern reads the same in both tissues.
    breast, gea = (score(cells(*counts), r) for r in ("asco-cap-breast-2018", "gea-resection-2016"))
    unusual = any(c.pattern and c.met for c in breast.cuts)
    if not unusual and all(c.distance for c in breast.cuts):
        assert breast.ihc == gea.ihc


def test_every_result_carries_what_it_rests_on():
    document = score(cells(412, 454, 98, 36), "asco-cap-breast-2018").to_json()
    assert document["rule"] == "asco-cap-breast-2018"
    assert document["version"]
    assert "2018" in document["source"]
    assert document["tumour_cells"] == 1000
    assert document["percent"] == {"0": 41.2, "1+": 45.4, "2+": 9.8, "3+": 3.6}
    assert document["margin"] == pytest.approx(3.4)
    assert (document["share"], document["share_of"], document["cut"]) == (13.4, "2+ and 3+", 10.0)
    assert [round(c["distance"], 6) for c in document["cuts"]] == [-6.4, 3.4, 48.8]
    assert document["detail"] == "2+ and 3+ 13.4 % of 1000, cut 10 %, margin 3.4 points"
    assert document["notice"] == NOTICE


# disagreement ---------------------------------------------------------------------------


def test_rules_that_disagree_are_named():
    results = score_all(cells(670, 200, 50, 80))
    assert [r.rule for r in results] == [r.id for r in rules_for("breast")]
    assert disagreement(results) == ("Rules disagree: P2 2017 negative, CAP 2013/2018/2023 2+")
    two = [r for r in results if r.rule in ("p2-2017", "asco-cap-breast-2018")]
    assert disagreement(two) == "Rules disagree: P2 2017 negative, CAP 2018 2+"


@pytest.mark.parametrize(
    "counts", [(1000, 0, 0, 0), (500, 500, 0, 0), (0, 0, 1000, 0), (0, 0, 0, 900)]
)
def test_a_status_agrees_with_every_score_of_that_status(counts):
    assert disagreement(score_all(cells(*counts))) is None


def test_nothing_to_compare_is_no_disagreement():
    assert disagreement([]) is None
    assert disagreement(score_all({})) is None
    assert disagreement(score_all(cells(0, 0, 0, 500), organ="gea")) is None


@pytest.mark.parametrize(
    ("a", "b", "apart"),
    [
        (("negative", None), ("negative", "1+"), False),
        (("negative", None), ("equivocal", "2+"), True),
        (("negative", "0"), ("negative", "1+"), True),
        (("positive", "3+"), ("positive", "3+"), False),
        (("not assessable", None), ("positive", "3+"), False),
        ((None, "2+"), (None, "3+"), True),  # a demo model: scores without a status
        ((None, None), (None, "3+"), False),
    ],
)
def test_two_results_differ_where_both_say_something_else(a, b, apart):
    first, second = ({"status": status, "ihc": ihc} for status, ihc in (a, b))
    assert differ(first, second) is apart
    assert differ(second, first) is apart
