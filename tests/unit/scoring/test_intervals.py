"""The bootstrap over tiles: seeded, quick, and right about how much is known."""

from __future__ import annotations

import time

import numpy as np
import pytest

from napari_her2.scoring.cases import score_all, score_case
from napari_her2.scoring.evidence import TUMOUR
from napari_her2.scoring.intervals import (
    MIN_TILES,
    Interval,
    bootstrap_over_tiles,
    interval_of,
    resampled_totals,
)


def percent_of_last(totals):
    return 100 * totals[..., -1] / totals.sum(axis=-1)


@pytest.fixture
def tiles():
    return np.random.default_rng(5).multinomial(40, (0.5, 0.3, 0.12, 0.08), size=200)


def counts_of(tiles) -> dict[str, int]:
    return dict(zip(TUMOUR, map(int, tiles.sum(axis=0)), strict=True))


def test_the_same_seed_gives_the_same_interval(tiles):
    first, again = (bootstrap_over_tiles(tiles, percent_of_last, seed=3) for _ in range(2))
    assert first == again
    assert bootstrap_over_tiles(tiles, percent_of_last, seed=4) != first


def test_the_interval_is_as_wide_as_the_tiles_say(tiles):
    found = bootstrap_over_tiles(tiles, percent_of_last)
    assert found.value == 100 * tiles[:, 3].sum() / tiles.sum()
    assert found.low < found.value < found.high
    assert found.n == 200
    # Tiles of 40 independent cells: the binomial's standard error of 8000 cells.
    share = found.value / 100
    expected = 2 * 1.96 * 100 * np.sqrt(share * (1 - share) / 8000)
    assert found.high - found.low == pytest.approx(expected, rel=0.2)


def test_clumped_cells_widen_it():
    # The same cells, but each tile holds one grade only: few independent observations.
    clumped = np.repeat(np.diag([40] * 4), 10, axis=0)
    mixed = np.full((40, 4), 10)
    wide, narrow = (bootstrap_over_tiles(t, percent_of_last) for t in (clumped, mixed))
    assert wide.value == narrow.value == 25
    assert narrow.low == narrow.high == 25
    assert wide.high - wide.low > 20


@pytest.mark.parametrize("tiles", [7, 400, 70_001])
def test_as_many_tiles_are_drawn_as_there_are(tiles):
    drawn = resampled_totals(np.ones((tiles, 1)), n=20)
    assert (drawn == tiles).all()


def test_each_tile_is_drawn_as_often_as_any_other():
    drawn = resampled_totals(np.eye(40), n=4000)
    assert drawn.mean(axis=0) == pytest.approx(np.ones(40), abs=0.08)
    # Multinomial: variance 1 - 1/40, covariance -1/40.
    assert drawn.var(axis=0).mean() == pytest.approx(1 - 1 / 40, rel=0.05)
    off = np.cov(drawn.T)[~np.eye(40, dtype=bool)]
    assert off.mean() == pytest.approx(-1 / 40, abs=0.005)


def test_a_thousand_resamples_of_twenty_thousand_tiles_are_quick():
    tiles = np.random.default_rng(0).poisson(5, (20_000, 7))
    seconds = []
    for _ in range(3):
        start = time.process_time()
        bootstrap_over_tiles(tiles, percent_of_last)
        seconds.append(time.process_time() - start)
    assert min(seconds) < 0.2


def test_few_tiles_give_no_limits():
    few = bootstrap_over_tiles(np.ones((MIN_TILES - 1, 2)), percent_of_last)
    assert few == Interval(50.0, None, None, MIN_TILES - 1)
    assert not few.holds(50.0)
    assert few.to_json() == {"value": 50.0, "ci95": None, "n": MIN_TILES - 1}


def test_nothing_counted_is_undefined_and_not_zero():
    assert bootstrap_over_tiles(np.zeros((9, 2)), percent_of_last).value is None
    assert bootstrap_over_tiles(np.zeros((0, 2)), percent_of_last) == Interval(None, None, None, 0)
    with pytest.raises(ValueError, match="two axes"):
        resampled_totals(np.ones(4))


def test_the_normal_fit_is_mean_and_spread():
    values = np.random.default_rng(1).normal(10, 2, 4000)
    normal = interval_of(10.0, values, 50, "normal")
    percentile = interval_of(10.0, values, 50)
    assert normal.low == pytest.approx(10 - 1.96 * 2, abs=0.15)
    assert normal.high == pytest.approx(percentile.high, abs=0.25)
    assert interval_of(10.0, [np.nan, *values], 50, "normal") == normal


# in the scores --------------------------------------------------------------------------


def test_each_cut_gets_its_interval(tiles):
    result = score_case(counts_of(tiles), tiles=tiles)
    for cut in result.cuts:
        assert cut.interval is not None
        assert cut.interval.n == 200
        assert cut.interval.low <= cut.value <= cut.interval.high
    assert result.interval is result.nearest.interval
    assert "–" in result.detail
    plain = score_case(counts_of(tiles))
    assert (plain.ihc, plain.margin) == (result.ihc, result.margin)
    assert all(c.interval is None for c in plain.cuts)


def test_at_the_cut_is_said_when_the_interval_spans_it():
    rng = np.random.default_rng(2)

    def seen(share: float):
        tiles = rng.multinomial(40, (1 - share, 0, 0, share), size=200)
        return score_case(counts_of(tiles), tiles=tiles, rule="p2-2017")

    near, far = seen(0.1), seen(0.4)
    assert near.at_the_cut
    assert near.detail.endswith("at the cut")
    assert near.to_json()["at_the_cut"]
    assert not far.at_the_cut
    assert far.nearest.interval.low > 35


def test_a_cut_that_changes_nothing_is_not_at_the_cut():
    # 3+ decides; P2's cut of 2+ cells, which the interval spans, has no say.
    tiles = np.random.default_rng(3).multinomial(50, (0.4, 0, 0.1, 0.5), size=100)
    result = score_case(counts_of(tiles), tiles=tiles, rule="p2-2017")
    assert result.cuts[1].spanned
    assert not result.at_the_cut


def test_a_pattern_that_may_be_one_is_told():
    # 3+ in about 3 % of the cells: 2+ if it is a pattern, 1+ if not; margins are the guideline's.
    tiles = np.random.default_rng(7).multinomial(50, (0.67, 0.3, 0, 0.03), size=100)
    result = score_case(counts_of(tiles), tiles=tiles)
    assert result.at_cut.threshold == 3.0
    assert result.at_the_cut
    assert "at the cut" in result.detail
    if result.ihc == "1+":
        assert result.detail.endswith(f"at the cut of 3 % with 3+ {result.at_cut.value:.1f} %")
        assert result.margin > 5
    odd = score_case(counts_of(tiles), tiles=tiles, incomplete_intense=1)
    assert odd.cuts[-1].interval is None


def test_tiles_without_tumour_do_not_count(tiles):
    empty = np.zeros((500, 4), int)
    result = score_case(counts_of(tiles), tiles=np.vstack([tiles, empty]))
    assert result.interval.n == 200


def test_columns_after_the_tumour_classes_are_left_out(tiles):
    wide = np.hstack([tiles, np.full((200, 3), 999)])
    assert score_case(counts_of(tiles), tiles=wide) == score_case(counts_of(tiles), tiles=tiles)


def test_all_rules_get_the_intervals_that_each_gets_alone(tiles):
    counts = counts_of(tiles)
    for result in score_all(counts, tiles=tiles):
        assert result == score_case(counts, rule=result.rule, tiles=tiles)


def test_what_is_not_assessable_has_no_interval():
    tiles = np.ones((10, 4), int)
    result = score_all({"tumour 0": 40}, tiles=tiles)[0]
    assert result.interval is None
    assert result.cuts == ()
