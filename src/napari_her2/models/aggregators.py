"""From tile scores to one statement about a slide, fast enough to follow a slider.

:class:`RatioHistogramAggregator` is the second stage of P1 (Gamble et al. 2021): counts of tiles
called positive and negative, their ratio, and histograms of both probabilities, in an L1-penalised
logistic regression. All parameters live in ``aggregator.json``; nothing is unpickled.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import BadModelError
from napari_her2.models.protocols import SlideAggregator, SlideScore
from napari_her2.types import Probs

__all__ = [
    "P1_STAGE2",
    "MeanAggregator",
    "RatioHistogramAggregator",
    "aggregator_from_json",
    "fit_ratio_histogram",
]

P1_STAGE2: Final[dict[str, dict[str, float | int]]] = {
    "ER": {"bins": 5, "C": 0.077, "threshold": 0.7},
    "PR": {"bins": 5, "C": 0.045, "threshold": 0.7},
    "HER2": {"bins": 7, "C": 0.024, "threshold": 0.7},
}
"""Bins, inverse L1 strength and threshold t of P1, by biomarker."""

RATIO_CAP: Final = 10.0
EPSILON: Final = 1e-6
_LOW, _HIGH = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class RatioHistogramAggregator:
    """P1's second stage.

    For a threshold t, N+ = number of tiles with p+ >= t and N- = number with p- >= t. The features
    are N+ / N-, then a b-bin histogram of p+ and one of p-, over all scored tiles, where values
    below 0.1 are dropped and counts are divided by N+ + N-. The bins cut [0.1, 1.0] evenly; the
    last one holds 1.0. The drop does not touch the ratio.

    The paper leaves two cases open, decided here. N- is replaced by ``epsilon`` where it is 0, and
    the ratio is cut at ``ratio_cap``: without a cap a single lost negative tile would move the
    feature from hundreds to infinity, and a slide with ten positive tiles to one negative is as
    positive as this feature can say. Where no tile is called at all, N+ + N- = 0, the slide is
    *not assessable*; it is never negative.

    Parameters
    ----------
    positive, negative : int
        Columns of p+ and p- in the scores.
    bins : int
        b; features number 1 + 2b: 11 for ER and PR (b = 5), 15 for HER2 (b = 7).
    coefficients : tuple of float
        One for each feature.
    intercept : float
        Of the logistic regression.
    threshold : float
        t.
    epsilon, ratio_cap : float
        See above.
    fit : mapping
        How the coefficients were found; shown, not used.
    """

    positive: int
    negative: int
    bins: int
    coefficients: tuple[float, ...]
    intercept: float
    threshold: float = 0.7
    epsilon: float = EPSILON
    ratio_cap: float = RATIO_CAP
    fit: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        numbers = (*self.coefficients, self.intercept, self.threshold, self.epsilon, self.ratio_cap)
        if not all(math.isfinite(v) for v in numbers):
            msg = "a coefficient is not a finite number"
            raise ValueError(msg)
        if not 1 <= self.bins <= 100 or len(self.coefficients) != self.n_features:
            msg = f"{self.bins} bins need {self.n_features} coefficients"
            raise ValueError(msg)
        if not 0 < self.threshold <= 1 or self.epsilon <= 0 or self.ratio_cap <= 0:
            msg = "threshold, epsilon or ratio cap is out of range"
            raise ValueError(msg)
        if min(self.positive, self.negative) < 0 or self.positive == self.negative:
            msg = "the positive and negative classes are wrong"
            raise ValueError(msg)

    @property
    def n_features(self) -> int:
        """Length of the feature vector, 1 + 2b."""
        return 1 + 2 * self.bins

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names in the order of the coefficients: ``ratio``, ``p+ 0.10-0.28``, ..."""
        edges = _edges(self.bins)
        spans = [f"{a:.2f}-{b:.2f}" for a, b in itertools.pairwise(edges)]
        return ("ratio", *(f"p+ {s}" for s in spans), *(f"p- {s}" for s in spans))

    def counts(self, probs: Probs, threshold: float | None = None) -> tuple[int, int]:
        """N+ and N- at a threshold."""
        t = np.float32(self.threshold if threshold is None else threshold)
        positive, negative = probs[:, self.positive], probs[:, self.negative]
        return int(np.count_nonzero(positive >= t)), int(np.count_nonzero(negative >= t))

    def features(self, probs: Probs, threshold: float | None = None) -> NDArray[np.float64] | None:
        """The vector of 1 + 2b features, or None where no tile is called tumour.

        Parameters
        ----------
        probs : ndarray of float32
            Shape (n, n_classes); rows with NaN are left out.
        threshold : float, optional
            Replaces t.
        """
        probs = _finite(probs)
        n_positive, n_negative = self.counts(probs, threshold)
        called = n_positive + n_negative
        if called == 0:
            return None
        return np.concatenate(
            [
                [self._ratio(n_positive, n_negative)],
                _histogram(probs[:, self.positive], self.bins) / called,
                _histogram(probs[:, self.negative], self.bins) / called,
            ]
        )

    def _ratio(self, n_positive: int, n_negative: int) -> float:
        return min(n_positive / max(n_negative, self.epsilon), self.ratio_cap)

    def aggregate(self, probs: Probs, threshold: float | None = None) -> SlideScore:
        """Score a slide; see :class:`~napari_her2.models.protocols.SlideAggregator`."""
        probs = _finite(probs)
        t = self.threshold if threshold is None else float(threshold)
        n_positive, n_negative = self.counts(probs, t)
        features = self.features(probs, t)
        if features is None:
            return SlideScore(None, assessable=False, reason="no_tumour", threshold=t)
        names = self.feature_names
        score = float(features @ np.asarray(self.coefficients)) + self.intercept
        return SlideScore(
            probability=_logistic(score),
            assessable=True,
            features=dict(zip(names, features.tolist(), strict=True)),
            weights=dict(zip(names, self.coefficients, strict=True)),
            n_positive=n_positive,
            n_negative=n_negative,
            ratio=self._ratio(n_positive, n_negative),
            threshold=t,
            intercept=self.intercept,
        )

    def describe(self) -> Mapping[str, float | int | str | Sequence[float]]:
        """Parameters by name."""
        return {
            "kind": "ratio-histogram",
            "threshold": self.threshold,
            "bins": self.bins,
            "epsilon": self.epsilon,
            "ratio_cap": self.ratio_cap,
            "intercept": self.intercept,
            "coefficients": self.coefficients,
        }

    def to_json(self) -> dict[str, Any]:
        """The document for ``aggregator.json``."""
        return {
            **self.describe(),
            "schema": 1,
            "positive": self.positive,
            "negative": self.negative,
            "coefficients": list(self.coefficients),
            "feature_names": list(self.feature_names),
            "fit": dict(self.fit),
        }


@dataclass(frozen=True, slots=True)
class MeanAggregator:
    """Mean probability of one class over the scored tiles, for detectors and P4's models.

    Parameters
    ----------
    positive : int
        Column of the class.
    threshold : float
        Tiles at or above it are counted.
    """

    positive: int
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.positive < 0 or not 0 < self.threshold <= 1:
            msg = "the class or the threshold is out of range"
            raise ValueError(msg)

    def aggregate(self, probs: Probs, threshold: float | None = None) -> SlideScore:
        """Score a slide; not assessable (``no_tissue``) without a single scored tile."""
        probs = _finite(probs)
        t = self.threshold if threshold is None else float(threshold)
        if not len(probs):
            return SlideScore(None, assessable=False, reason="no_tissue", threshold=t)
        p = probs[:, self.positive]
        mean = float(p.mean(dtype=np.float64))
        n_positive = int(np.count_nonzero(p >= np.float32(t)))
        return SlideScore(
            probability=mean,
            assessable=True,
            features={"mean": mean, "fraction": n_positive / len(p)},
            n_positive=n_positive,
            n_negative=len(p) - n_positive,
            threshold=t,
        )

    def describe(self) -> Mapping[str, float | int | str | Sequence[float]]:
        """Parameters by name."""
        return {"kind": "mean", "threshold": self.threshold, "positive": self.positive}

    def to_json(self) -> dict[str, Any]:
        """The document for ``aggregator.json``."""
        return {"schema": 1, **self.describe()}


def aggregator_from_json(document: str | bytes | Mapping[str, Any], name: str) -> SlideAggregator:
    """Build an aggregator from the document of ``aggregator.json``.

    Parameters
    ----------
    document : str, bytes or mapping
        JSON text, or what it holds.
    name : str
        Name of the model, for the sentence.

    Raises
    ------
    BadModelError
        If the document is damaged or its kind is unknown.
    """
    try:
        data = document if isinstance(document, Mapping) else json.loads(document)
        kind, schema = data["kind"], data.get("schema", 1)
        if schema != 1:
            msg = f"schema {schema} is newer than this program"
            raise ValueError(msg)
        if kind == "ratio-histogram":
            return RatioHistogramAggregator(
                positive=int(data["positive"]),
                negative=int(data["negative"]),
                bins=int(data["bins"]),
                coefficients=tuple(float(c) for c in data["coefficients"]),
                intercept=float(data["intercept"]),
                threshold=float(data["threshold"]),
                epsilon=float(data["epsilon"]),
                ratio_cap=float(data["ratio_cap"]),
                fit=dict(data.get("fit", {})),
            )
        if kind == "mean":
            return MeanAggregator(int(data["positive"]), float(data.get("threshold", 0.5)))
        reason = f"its aggregator {str(kind)[:40]!r} is unknown"
    except KeyError as e:
        reason = f"its aggregator lacks {e}"
    except (TypeError, ValueError, AttributeError, RecursionError) as e:
        reason = f"its aggregator is damaged: {e}"
    raise BadModelError("bad_weights", model=name, reason=reason)


def fit_ratio_histogram(
    slides: Sequence[Probs],
    labels: Sequence[bool | int],
    *,
    b: int,
    t: float = 0.7,
    C: float,  # noqa: N803  (the name the paper and scikit-learn use)
    penalty: str = "l1",
    positive: int = 0,
    negative: int = 1,
) -> RatioHistogramAggregator:
    """Fit P1's second stage.

    Features are not scaled, as in the paper: the L1 strength is meant for them as they are. The
    solver is saga, which leaves the intercept unpenalised (liblinear would pull it to 0), with a
    fixed seed. Slides on which no tile is called tumour take no part and are counted in ``fit``.

    Parameters
    ----------
    slides : sequence of ndarray
        Tile scores of each slide, shape (n_i, n_classes).
    labels : sequence of bool
        Whether each slide is positive.
    b, t, C, penalty
        Bins, threshold, inverse strength and ``l1`` or ``l2``, as in P1.
    positive, negative : int
        Columns of p+ and p-.

    Raises
    ------
    ValueError
        If fewer than two assessable slides or only one class are left.
    """
    import warnings

    from sklearn.linear_model import LogisticRegression

    blank = RatioHistogramAggregator(positive, negative, b, (0.0,) * (1 + 2 * b), 0.0, t)
    rows = [blank.features(np.asarray(p, dtype=np.float32)) for p in slides]
    kept = [(x, bool(y)) for x, y in zip(rows, labels, strict=True) if x is not None]
    if len({y for _, y in kept}) < 2:
        msg = "stage 2 needs assessable slides of both classes"
        raise ValueError(msg)
    # One spelling that scikit-learn 1.6 and 1.9 both know; 1.8 and later warn of its age.
    model = LogisticRegression(
        penalty="elasticnet",
        l1_ratio=1.0 if penalty == "l1" else 0.0,
        C=C,
        solver="saga",
        max_iter=50_000,
        tol=1e-6,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        model.fit(np.stack([x for x, _ in kept]), np.array([y for _, y in kept]))
    details = {
        "C": C,
        "penalty": penalty,
        "solver": "saga",
        "scaling": "none",
        "n_slides": len(kept),
        "n_positive": int(sum(y for _, y in kept)),
        "n_not_assessable": len(rows) - len(kept),
    }
    return RatioHistogramAggregator(
        positive=positive,
        negative=negative,
        bins=b,
        coefficients=tuple(float(c) for c in model.coef_[0]),
        intercept=float(model.intercept_[0]),
        threshold=t,
        fit=details,
    )


def _edges(bins: int) -> NDArray[np.float32]:
    # Scores are float32, so edges are too: 0.1 as written by a model then belongs to the first bin.
    edges: NDArray[np.float32] = np.linspace(_LOW, _HIGH, bins + 1).astype(np.float32)
    return edges


def _histogram(p: NDArray[np.float32], bins: int) -> NDArray[np.float64]:
    at_least = [int(np.count_nonzero(p >= e)) for e in _edges(bins)[:-1]]
    return np.array([a - b for a, b in itertools.pairwise([*at_least, 0])], dtype=np.float64)


def _finite(probs: Probs) -> Probs:
    probs = np.asarray(probs, dtype=np.float32)
    good = np.isfinite(probs).all(axis=1)
    return probs if bool(good.all()) else probs[good]


def _logistic(score: float) -> float:
    if score >= 0:
        return 1.0 / (1.0 + math.exp(-score))
    e = math.exp(score)
    return e / (1.0 + e)
