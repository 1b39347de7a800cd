"""No tissue on two sides of a split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.errors import BadLabelSetError
from napari_her2.training.label_rules import SplitRule
from napari_her2.training.splits import OUT, TEST, TRAIN, TUNE, SplitRows, slide_groups, split_rows
from napari_her2.training.stratify import share_out

K = 3
NAMES = ("a", "b", "c")


def rows(slides, per_slide=60, *, block=None, patient=None, carried=(), seed=0, side_um=2000.0):
    """Cells scattered over some slides, classes at random."""
    rng = np.random.default_rng(seed)
    n = slides * per_slide
    number = np.repeat(np.arange(slides), per_slide)
    return SplitRows(
        label=rng.integers(0, K, n),
        slide=np.array([f"s{i}" for i in number]),
        block=np.array([(block or {}).get(i, "") for i in number]),
        patient=np.array([(patient or {}).get(i, "") for i in number]),
        x_um=rng.uniform(0, side_um, n),
        y_um=rng.uniform(0, side_um, n),
        size_um=21.56,
        propagated=np.isin(number, carried),
    )


def sides_of(values, side):
    """Sides that the rows of each value are on."""
    return {v: set(side[(values == v) & (side != OUT)].tolist()) for v in np.unique(values)}


def ids(split):
    return [n[0] for n in split.notes]


@settings(max_examples=25, deadline=None)
@given(
    slides=st.integers(2, 12),
    blocks=st.integers(1, 6),
    seed=st.integers(0, 10_000),
    by=st.sampled_from(["slide", "patient"]),
    carried=st.integers(0, 3),
)
def test_serial_sections_of_a_block_are_never_on_two_sides(slides, blocks, seed, by, carried):
    rng = np.random.default_rng(seed)
    of = {i: f"B{rng.integers(blocks)}" for i in range(slides)}
    who = {i: f"P{int(of[i][1:]) % 3}" for i in range(slides)}
    marked = rng.choice(slides, min(carried, slides - 1), replace=False)
    made = rows(slides, 12, block=of, patient=who, seed=seed, carried=marked)
    split = split_rows(made, SplitRule(by), seed, NAMES)
    assert not (made.propagated & np.isin(split.side, [TUNE, TEST])).any()
    if split.by == "tile":
        assert {"one_block", "one_patient", "one_slide"} & set(ids(split))
        return
    groups = made.block if by == "slide" else made.patient
    for found in sides_of(groups, split.side).values():
        # Tuning may be on other fields of the training slides; the test never is.
        assert TEST not in found or found == {TEST}
        if split.tune_by != "tile":
            assert len(found) <= 1
    assert (split.side == TRAIN).any()
    # A carried-over label of held-out tissue is nowhere.
    held = [g for g, found in sides_of(groups, split.side).items() if TEST in found]
    assert (split.side[made.propagated & np.isin(groups, held)] == OUT).all()


def test_blocks_hold_slides_together_also_across_patients():
    made = rows(4, 5, block={0: "B", 1: "B"}, patient={0: "P", 1: "P", 2: "P", 3: "Q"})
    by_slide = slide_groups(made, "slide")
    assert len(np.unique(by_slide)) == 3
    assert len(np.unique(by_slide[:10])) == 1
    by_patient = slide_groups(made, "patient")
    assert len(np.unique(by_patient)) == 2
    assert len(np.unique(by_patient[:15])) == 1


def test_the_same_seed_gives_the_same_split_and_another_one_another():
    made = rows(12)
    first = split_rows(made, SplitRule(), 3, NAMES).side
    assert (split_rows(made, SplitRule(), 3, NAMES).side == first).all()
    others = [split_rows(made, SplitRule(), s, NAMES).side for s in range(4, 10)]
    assert any((o != first).any() for o in others)


def test_shares_come_near_what_was_wished_in_every_class():
    made = rows(20, 100)
    split = split_rows(made, SplitRule(tune=0.15, test=0.25), 1, NAMES)
    assert split.by == split.tune_by == "slide"
    for k in range(K):
        of_class = split.side[made.label == k]
        assert (of_class == TEST).mean() == pytest.approx(0.25, abs=0.06)
        assert (of_class == TUNE).mean() == pytest.approx(0.15, abs=0.06)


def test_one_slide_is_split_by_fields_and_says_that_this_is_no_honest_test():
    made = rows(1, 1500)
    split = split_rows(made, SplitRule("slide"), 1, NAMES)
    assert split.by == "tile"
    assert ids(split) == ["one_slide", "tile_test"]
    for side in (TRAIN, TUNE, TEST):
        assert set(made.label[split.side == side]) == {0, 1, 2}
    assert (split.side == OUT).mean() < 0.35


def test_no_pixel_is_seen_on_two_sides_where_fields_are_shared_out():
    made = rows(1, 1500, side_um=900.0)
    split = split_rows(made, SplitRule("tile"), 2, NAMES)
    at = np.stack([made.x_um, made.y_um], 1)
    for one, other in ((TRAIN, TEST), (TRAIN, TUNE), (TUNE, TEST)):
        a, b = at[split.side == one], at[split.side == other]
        gap = np.abs(a[:, None] - b[None]).max(2).min()
        assert gap >= made.size_um * (1 - 1e-5)


def test_tiles_side_by_side_do_not_count_as_overlapping():
    number = np.arange(100)
    made = SplitRows(
        number % 2, np.full(100, "s"), np.full(100, ""), np.full(100, ""),
        (number % 10) * 1024.0 + 512, (number // 10) * 1024.0 + 512, 1024.0, np.zeros(100, bool),
    )  # fmt: skip
    split = split_rows(made, SplitRule("tile"), 1, NAMES[:2])
    assert (split.side != OUT).all()


def test_two_slides_give_an_honest_test_and_tuning_on_fields():
    made = rows(2, 500)
    split = split_rows(made, SplitRule(), 1, NAMES)
    assert (split.by, split.tune_by) == ("slide", "tile")
    tested = set(made.slide[split.side == TEST])
    assert len(tested) == 1
    assert not tested & set(made.slide[split.side == TRAIN])
    assert (split.side == TUNE).any()
    assert "one_slide" not in ids(split)


def test_sections_of_one_block_are_no_second_slide():
    split = split_rows(rows(3, 300, block=dict.fromkeys(range(3), "B")), SplitRule(), 1, NAMES)
    assert split.by == "tile"
    assert ids(split)[0] == "one_block"


def test_a_class_of_one_slide_is_learnt_from_and_the_test_says_that_it_lacks_it():
    made = rows(6, 50)
    made.label[made.label == 2] = 0
    made.label[np.flatnonzero(made.slide == "s3")[:10]] = 2
    split = split_rows(made, SplitRule(), 1, NAMES)
    assert (split.side[made.slide == "s3"] == TRAIN).all()
    assert ("zero_support", {"name": "c"}) in split.notes


def test_patients_must_be_known_to_test_by_patient():
    with pytest.raises(BadLabelSetError, match="not for s1, s2"):
        split_rows(rows(3, 5, patient={0: "P"}), SplitRule("patient"), 1, NAMES)


def test_one_patient_on_both_sides_is_said():
    made = rows(6, 20, patient=dict.fromkeys(range(6), "P"))
    split = split_rows(made, SplitRule("slide"), 1, NAMES)
    assert "same_patient" in ids(split)
    assert split_rows(made, SplitRule("patient"), 1, NAMES).by == "tile"


def test_all_carried_over_leaves_nothing_to_test_on():
    made = rows(3, 40, carried=(0, 1, 2))
    split = split_rows(made, SplitRule(), 1, NAMES)
    assert set(split.side) <= {TRAIN, OUT}


def test_groups_that_can_be_shared_out_exactly_are():
    counts = np.array([[4, 0], [0, 4], [4, 0], [0, 4], [1, 1], [1, 1]])
    side = share_out(counts, (0.5, 0.0, 0.5), np.random.default_rng(0))
    assert counts[side == 0].sum(0).tolist() == [5, 5]
    assert counts[side == 2].sum(0).tolist() == [5, 5]
    assert 1 not in side
