from __future__ import annotations

import math

import numpy as np
import pytest

from napari_her2.errors import BadModelError
from napari_her2.models.aggregators import (
    P1_STAGE2,
    MeanAggregator,
    RatioHistogramAggregator,
    aggregator_from_json,
    fit_ratio_histogram,
)
from napari_her2.models.protocols import SlideAggregator


def probs(*rows: tuple[float, float]) -> np.ndarray:
    """Rows of p+, p- and the rest."""
    return np.array([(a, b, 1 - a - b) for a, b in rows], dtype=np.float32)


def stage2(b: int = 3, **changes: object) -> RatioHistogramAggregator:
    fields = {
        "positive": 0,
        "negative": 1,
        "bins": b,
        "coefficients": (1.0, *range(2, 2 + 2 * b)),
        "intercept": -5.0,
        **changes,
    }
    return RatioHistogramAggregator(**fields)  # type: ignore[arg-type]


# Bins of [0.1, 1.0] for b = 3: 0.1-0.4, 0.4-0.7, 0.7-1.0. By hand at t = 0.7:
# p+ 0.9 0.8 0.15 0.05 0.05 0.72 -> N+ = 3; histogram (0.05 twice dropped): 1, 0, 3
# p- 0.05 0.1 0.75 0.05 0.5  0.2 -> N- = 1; histogram (0.05 twice dropped): 2, 1, 1
GOLDEN = probs((0.9, 0.05), (0.8, 0.1), (0.15, 0.75), (0.05, 0.05), (0.05, 0.5), (0.72, 0.2))


def test_features_by_hand() -> None:
    features = stage2().features(GOLDEN)
    assert features is not None
    np.testing.assert_allclose(features, [3, 1 / 4, 0, 3 / 4, 2 / 4, 1 / 4, 1 / 4])


def test_probability_by_hand() -> None:
    score = stage2().aggregate(GOLDEN)
    # 3*1 + 2/4 + 0*3 + 4*3/4 + 5*2/4 + 6/4 + 7/4 - 5 = 7.25
    assert score.probability == pytest.approx(1 / (1 + math.exp(-7.25)))
    assert (score.n_positive, score.n_negative, score.ratio) == (3, 1, 3.0)
    assert score.assessable
    assert score.threshold == 0.7
    assert list(score.features) == list(score.weights) == list(stage2().feature_names)
    log_odds = score.intercept + sum(score.features[n] * score.weights[n] for n in score.features)
    assert score.probability == pytest.approx(1 / (1 + math.exp(-log_odds)))


def test_threshold_moves_the_counts_but_not_the_drop() -> None:
    features = stage2().features(GOLDEN, 0.5)
    assert features is not None
    # N+ = 3, N- = 2 (0.75 and 0.5): the same histograms, divided by 5.
    np.testing.assert_allclose(features, [1.5, 1 / 5, 0, 3 / 5, 2 / 5, 1 / 5, 1 / 5])


def test_edges_belong_where_the_paper_puts_them() -> None:
    # 0.7 and 0.1 as float32 lie on a cut: t counts it, 0.1 is kept, 1.0 is in the last bin.
    features = stage2().features(probs((1.0, 0.0), (0.7, 0.1)))
    assert features is not None
    np.testing.assert_allclose(features, [10.0, 0, 0, 1, 1 / 2, 0, 0])


def test_without_negative_tiles_the_ratio_is_capped() -> None:
    one = stage2().aggregate(probs((0.9, 0.0)))
    many = stage2().aggregate(probs(*[(0.9, 0.0)] * 500))
    assert one.ratio == many.ratio == 10.0
    assert stage2().aggregate(probs(*[(0.9, 0.0)] * 40, (0.0, 0.9))).ratio == 10.0
    assert stage2().aggregate(probs((0.9, 0.0), (0.0, 0.9), (0.0, 0.9))).ratio == 0.5


def test_without_positive_tiles_the_ratio_is_zero_and_the_slide_is_assessable() -> None:
    score = stage2().aggregate(probs((0.05, 0.9)))
    assert score.assessable
    assert score.ratio == 0.0
    assert score.probability is not None


@pytest.mark.parametrize(
    "scores", [probs((0.3, 0.3), (0.1, 0.05)), np.zeros((0, 3), np.float32)], ids=["weak", "none"]
)
def test_no_tumour_called_is_not_assessable_never_negative(scores: np.ndarray) -> None:
    score = stage2().aggregate(scores)
    assert score.probability is None
    assert not score.assessable
    assert score.reason == "no_tumour"
    assert (score.n_positive, score.n_negative, score.ratio) == (0, 0, None)


def test_rows_with_nan_are_left_out() -> None:
    holes = np.concatenate([GOLDEN, np.full((3, 3), np.nan, np.float32)])
    assert stage2().aggregate(holes) == stage2().aggregate(GOLDEN)
    lost = stage2().aggregate(np.full((2, 3), np.nan, np.float32))
    assert lost.reason == "no_tumour"


def test_histogram_agrees_with_numpy_on_many_tiles() -> None:
    scores = np.random.default_rng(3).dirichlet((1, 1, 1), 5000).astype(np.float32)
    aggregator = stage2(7)
    features = aggregator.features(scores)
    assert features is not None
    called = sum(aggregator.counts(scores))
    edges = np.linspace(0.1, 1.0, 8)
    np.testing.assert_allclose(features[1:8] * called, np.histogram(scores[:, 0], edges)[0])
    np.testing.assert_allclose(features[8:] * called, np.histogram(scores[:, 1], edges)[0])


def test_lengths_are_the_papers() -> None:
    for biomarker, length in (("ER", 11), ("PR", 11), ("HER2", 15)):
        assert stage2(int(P1_STAGE2[biomarker]["bins"])).n_features == length
    assert [P1_STAGE2[b]["C"] for b in ("ER", "PR", "HER2")] == [0.077, 0.045, 0.024]
    assert {P1_STAGE2[b]["threshold"] for b in ("ER", "PR", "HER2")} == {0.7}


def test_json_round_trip_gives_the_same_number() -> None:
    import json

    aggregator = stage2(5, fit={"C": 0.077})
    again = aggregator_from_json(json.dumps(aggregator.to_json()), "m")
    assert again == aggregator
    assert isinstance(again, SlideAggregator)
    mean = MeanAggregator(1, 0.6)
    assert aggregator_from_json(mean.to_json(), "m") == mean


@pytest.mark.parametrize(
    "change",
    [
        {"coefficients": [1.0]},
        {"coefficients": [float("nan")] * 7},
        {"intercept": None},
        {"kind": "pickle"},
        {"schema": 2},
        {"threshold": 0},
        {"positive": 1},
        {"bins": 10**9},
        {"epsilon": 0},
    ],
    ids=str,
)
def test_damaged_documents_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadModelError, match="aggregator"):
        aggregator_from_json({**stage2().to_json(), **change}, "m")


@pytest.mark.parametrize("text", [b"", b"[1]", b'"x"', b"{}", b"\xff\xfe", b"[" * 100_000])
def test_text_that_is_no_aggregator_is_refused(text: bytes) -> None:
    with pytest.raises(BadModelError, match="aggregator"):
        aggregator_from_json(text, "m")


def test_mean_aggregator() -> None:
    score = MeanAggregator(1, 0.5).aggregate(probs((0.2, 0.8), (0.9, 0.1)))
    assert score.probability == pytest.approx(0.45)
    assert score.features == pytest.approx({"mean": 0.45, "fraction": 0.5})
    empty = MeanAggregator(1).aggregate(np.zeros((0, 3), np.float32))
    assert (empty.assessable, empty.reason, empty.probability) == (False, "no_tissue", None)


def _slides(n: int, seed: int) -> tuple[list[np.ndarray], list[int]]:
    rng = np.random.default_rng(seed)
    slides, labels = [], []
    for i in range(n):
        positive = i % 2
        alpha = (6, 2, 3) if positive else (2, 6, 3)
        slides.append(rng.dirichlet(np.array(alpha) / 3, 80).astype(np.float32))
        labels.append(positive)
    return slides, labels


def test_fit_separates_and_is_sparse_and_repeatable() -> None:
    slides, labels = _slides(80, 0)
    fitted = fit_ratio_histogram(slides, labels, b=5, C=0.077)
    again = fit_ratio_histogram(slides, labels, b=5, C=0.077)
    assert fitted == again
    assert fitted.n_features == 11
    assert sum(c == 0 for c in fitted.coefficients) >= 5
    assert fitted.coefficients[0] > 0
    held_out, truth = _slides(40, 1)
    scores = [fitted.aggregate(p).probability for p in held_out]
    positive = [s for s, y in zip(scores, truth, strict=True) if y]
    negative = [s for s, y in zip(scores, truth, strict=True) if not y]
    assert min(positive) > max(negative)
    assert fitted.fit["n_slides"] == 80


def test_fit_leaves_out_slides_without_tumour_and_needs_both_classes() -> None:
    slides, labels = _slides(20, 0)
    blank = np.tile(np.float32([0, 0, 1]), (5, 1))
    fitted = fit_ratio_histogram([*slides, blank], [*labels, 0], b=5, C=0.077)
    assert (fitted.fit["n_slides"], fitted.fit["n_not_assessable"]) == (20, 1)
    with pytest.raises(ValueError, match="both classes"):
        fit_ratio_histogram(slides[::2], labels[::2], b=5, C=0.077)
