"""Curves over all thresholds of one class against the rest: ROC, precision-recall, MCC-F1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

__all__ = ["ClassCurves", "Curve", "curves_of"]

Doubles = NDArray[np.float64]

MAX_POINTS: Final = 150
"""Points kept of a curve: more can't be seen, and the file stays small."""

_DIGITS = 5


@dataclass(frozen=True, slots=True)
class Curve:
    """Points of a curve, in the order of falling thresholds.

    Attributes
    ----------
    x, y, threshold : ndarray, shape (m,)
        ``threshold`` is the smallest score that is still called; infinite where nothing is.
    """

    x: Doubles
    y: Doubles
    threshold: Doubles

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; an infinite threshold becomes null."""
        limits = [None if not np.isfinite(t) else float(t) for t in self.threshold]
        return {"x": self.x.tolist(), "y": self.y.tolist(), "threshold": limits}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Curve:
        """What :meth:`to_json` gave."""
        limits = [np.inf if t is None else t for t in document["threshold"]]
        x, y = (np.asarray(document[axis], np.float64) for axis in "xy")
        return cls(x, y, np.asarray(limits, np.float64))


@dataclass(frozen=True, slots=True)
class ClassCurves:
    """Curves of one class, and the areas under two of them from all points.

    Attributes
    ----------
    roc : Curve
        x: 1 - specificity, y: sensitivity.
    pr : Curve
        x: recall, y: precision.
    mcc_f1 : Curve
        x: F1, y: Matthews correlation scaled to 0 to 1 (Cao 2020; used by P4).
    auc, average_precision : float
    """

    roc: Curve
    pr: Curve
    mcc_f1: Curve
    auc: float
    average_precision: float


def curves_of(member: NDArray[np.bool_], scores: Doubles) -> ClassCurves | None:
    """Curves of one class against the rest.

    Parameters
    ----------
    member : ndarray, shape (n,)
        Whether the class is the true one.
    scores : ndarray, shape (n,)
        Its probability.

    Returns
    -------
    ClassCurves or None
        None where all are members, or none is: then there is nothing to tell apart.
    """
    positives = int(member.sum())
    negatives = len(member) - positives
    if not positives or not negatives:
        return None
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    tp = np.concatenate([[0.0], np.cumsum(member[order])[last]])
    fp = np.concatenate([[0.0], np.cumsum(~member[order])[last]])
    limit = np.concatenate([[np.inf], ranked[last]])
    fn, tn = positives - tp, negatives - fp
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(tp + fp > 0, tp / (tp + fp), 1.0)
        f1 = 2 * tp / (2 * tp + fp + fn)
        spread = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
        mcc = np.where(spread > 0, (tp * tn - fp * fn) / spread, 0.0)
    recall = tp / positives
    keep = _corners(fp / negatives, recall)
    return ClassCurves(
        roc=_curve(fp / negatives, recall, limit, keep),
        pr=_curve(recall, precision, limit, _evenly(len(limit))),
        mcc_f1=_curve(f1, (mcc + 1) / 2, limit, _evenly(len(limit))),
        auc=float(roc_auc_score(member, scores)),
        average_precision=float(average_precision_score(member, scores)),
    )


def _corners(x: Doubles, y: Doubles) -> NDArray[np.intp]:
    """Where a ROC curve turns: the points between lie on its straight pieces."""
    turn = np.ones(len(x), np.bool_)
    turn[1:-1] = (np.diff(x)[:-1] * np.diff(y)[1:]) != (np.diff(x)[1:] * np.diff(y)[:-1])
    kept = np.flatnonzero(turn)
    return kept[_evenly(len(kept))]


def _curve(x: Doubles, y: Doubles, limit: Doubles, kept: NDArray[np.intp]) -> Curve:
    # Rounded, so that the file stays small and what is read equals what was written.
    return Curve(*(np.round(values[kept], _DIGITS) for values in (x, y, limit)))


def _evenly(n: int) -> NDArray[np.intp]:
    if n <= MAX_POINTS:
        return np.arange(n)
    return np.unique(np.linspace(0, n - 1, MAX_POINTS).round().astype(np.intp))
