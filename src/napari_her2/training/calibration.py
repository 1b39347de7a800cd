"""Whether a probability of 0.8 is right eight times in ten, and one number that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize_scalar

from napari_her2.training.metrics import CALIBRATION_BINS

__all__ = [
    "CalibrationBin",
    "brier_score",
    "calibration_bins",
    "expected_calibration_error",
    "fit_temperature",
    "negative_log_likelihood",
    "with_temperature",
]

Doubles = NDArray[np.float64]

_FLOOR: Final = 1e-12
_COLDEST, _HOTTEST = 0.05, 20.0


@dataclass(frozen=True, slots=True)
class CalibrationBin:
    """Predictions whose largest probability lies in one bin.

    Attributes
    ----------
    low, high : float
        Limits of the bin.
    n : int
        Predictions in it.
    confidence : float or None
        Their mean probability; None in an empty bin.
    right : float or None
        The share of them that is right.
    """

    low: float
    high: float
    n: int
    confidence: float | None
    right: float | None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "low": self.low, "high": self.high, "n": self.n,
            "confidence": self.confidence, "right": self.right,
        }  # fmt: skip


def calibration_bins(
    truth: ArrayLike, probs: ArrayLike, bins: int = CALIBRATION_BINS
) -> tuple[CalibrationBin, ...]:
    """Sort predictions by their largest probability, in bins of equal width over 0 to 1.

    Parameters
    ----------
    truth : array_like, shape (n,)
        Index of the true class.
    probs : array_like, shape (n, k)
        Probabilities.
    bins : int
        15 in Guo 2017.
    """
    true, p = np.asarray(truth, np.intp), np.asarray(probs, np.float64)
    called = p.argmax(axis=1)
    confidence, right = p[np.arange(len(p)), called], called == true
    place = np.minimum((confidence * bins).astype(np.intp), bins - 1)
    n = np.bincount(place, minlength=bins)
    summed = np.bincount(place, confidence, bins)
    hits = np.bincount(place, right, bins)
    return tuple(
        CalibrationBin(
            i / bins, (i + 1) / bins, int(n[i]),
            float(summed[i] / n[i]) if n[i] else None,
            float(hits[i] / n[i]) if n[i] else None,
        )
        for i in range(bins)
    )  # fmt: skip


def expected_calibration_error(
    truth: ArrayLike, probs: ArrayLike, bins: int = CALIBRATION_BINS
) -> float:
    """Mean distance between probability and share of right answers, weighted by the bins' sizes.

    Parameters
    ----------
    truth, probs, bins
        As for :func:`calibration_bins`.

    Notes
    -----
    Guo 2017, equation 3.
    """
    found = calibration_bins(truth, probs, bins)
    n = sum(b.n for b in found)
    gaps = (b.n * abs((b.right or 0.0) - (b.confidence or 0.0)) for b in found)
    return sum(gaps) / n if n else float("nan")


def brier_score(truth: ArrayLike, probs: ArrayLike) -> float:
    """Mean squared distance of the probabilities from the truth, summed over classes (0 to 2).

    Parameters
    ----------
    truth : array_like, shape (n,)
        Index of the true class.
    probs : array_like, shape (n, k)
        Probabilities.
    """
    true, p = np.asarray(truth, np.intp), np.asarray(probs, np.float64)
    return float(((p - np.eye(p.shape[1])[true]) ** 2).sum(axis=1).mean())


def negative_log_likelihood(truth: ArrayLike, probs: ArrayLike) -> float:
    """Mean of minus the logarithm of the true class's probability, in nats."""
    true, p = np.asarray(truth, np.intp), np.asarray(probs, np.float64)
    return float(-np.log(np.maximum(p[np.arange(len(p)), true], _FLOOR)).mean())


def with_temperature(probs: ArrayLike, temperature: float) -> Doubles:
    """Soften (above 1) or sharpen (below 1) probabilities: softmax of the logarithms divided by T.

    Parameters
    ----------
    probs : array_like, shape (n, k)
        Probabilities. Their logarithms are the scores before softmax up to a constant, which
        cancels.
    temperature : float
        Above 0.

    Notes
    -----
    P4: confidence = max softmax(z / T). The class called never changes.
    """
    if not temperature > 0:
        msg = f"a temperature of {temperature} is not above 0"
        raise ValueError(msg)
    scores = np.log(np.maximum(np.asarray(probs, np.float64), _FLOOR)) / temperature
    scores -= scores.max(axis=1, keepdims=True)
    raised = np.exp(scores)
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def fit_temperature(truth: ArrayLike, probs: ArrayLike) -> float:
    """Find the temperature under which the given answers are most likely.

    Parameters
    ----------
    truth : array_like, shape (n,)
        True classes of the *tuning* set: fitted on the test set it would flatter the test.
    probs : array_like, shape (n, k)
        Probabilities.

    Returns
    -------
    float
        Between 0.05 and 20; 1 where there is nothing to fit.

    Notes
    -----
    P4 says "by logistic regression"; read as minimising the likelihood over one number.
    """
    p = np.asarray(probs, np.float64)
    if not len(p):
        return 1.0
    found = minimize_scalar(
        lambda log_t: negative_log_likelihood(truth, with_temperature(p, float(np.exp(log_t)))),
        bounds=(np.log(_COLDEST), np.log(_HOTTEST)),
        method="bounded",
    )
    return float(np.exp(found.x))
