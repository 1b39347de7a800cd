"""Figures of a test and their intervals: every figure is worked out from sums over units.

Drawing slides (or tiles) with replacement only changes how often the sums of each are taken. So one
product of two matrices gives the sums of all resamples, and every figure of all of them follows by
a few array operations.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from napari_her2.scoring.intervals import RESAMPLES, interval_of

__all__ = ["Estimate", "Resampled", "Sums", "add_up", "estimate", "resample"]

Doubles = NDArray[np.float64]
Whole = NDArray[np.intp]

CALIBRATION_BINS: Final = 15
"""Bins of the expected calibration error, evenly over 0 to 1 (Guo 2017)."""

_SCORE_BINS = 200
"""Scores of a class are sorted into up to twice as many bins for the resampled AUC and average
precision: quantiles of all, and of its members. Up to that many different scores it is exact."""

_CHUNK = 64
_FLOOR = 1e-12


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its 95 % interval.

    Attributes
    ----------
    value : float or None
        None where it is undefined: a class without a member has no recall.
    ci95 : (float, float) or None
        Limits; None where there are too few units to say, or the figure is undefined.
    """

    value: float | None
    ci95: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"value": self.value, "ci95": None if self.ci95 is None else list(self.ci95)}

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Estimate:
        """What :meth:`to_json` gave."""
        ci95 = document.get("ci95")
        return cls(document["value"], None if ci95 is None else (float(ci95[0]), float(ci95[1])))


@dataclass(frozen=True, slots=True)
class Sums:
    """Columns that add up over units; each row is one unit (a slide, or a tile or cell).

    Attributes
    ----------
    table : csr_array, shape (units, columns)
        Counts of the confusion table, of the calibration bins, of the binned scores, and the sums
        of the Brier score and of the log loss.
    k : int
        Classes.
    score_bins : tuple of int
        Score bins of each class.
    """

    table: csr_array
    k: int
    score_bins: tuple[int, ...]

    @property
    def units(self) -> int:
        """Rows."""
        return int(self.table.shape[0])


@dataclass(frozen=True, slots=True)
class Resampled:
    """Figures of many resamples at once; the leading axis of each array is the resample.

    Attributes
    ----------
    accuracy, balanced_accuracy, f1_macro, auc_macro, ece, brier, log_loss : ndarray, shape (b,)
        Of all classes together. Macro figures leave out a class without a member.
    precision, recall, f1, auc, average_precision : ndarray, shape (b, k)
        Of each class; NaN where undefined.
    """

    accuracy: Doubles
    balanced_accuracy: Doubles
    f1_macro: Doubles
    auc_macro: Doubles
    ece: Doubles
    brier: Doubles
    log_loss: Doubles
    precision: Doubles
    recall: Doubles
    f1: Doubles
    auc: Doubles
    average_precision: Doubles


def add_up(truth: Whole, probs: Doubles, units: Whole | None = None) -> Sums:
    """Turn predictions into columns that add up.

    Parameters
    ----------
    truth : ndarray, shape (n,)
        Index of the true class.
    probs : ndarray, shape (n, k)
        Probabilities; the class called is the largest.
    units : ndarray, shape (n,), optional
        Index of the unit (slide) of each row, 0 to units - 1; each row its own unit if left out.
    """
    n, k = probs.shape
    rows = np.arange(n, dtype=np.intp) if units is None else np.asarray(units, np.intp)
    called = probs.argmax(axis=1)
    confidence = probs[np.arange(n), called]
    right = (called == truth).astype(np.float64)
    calibration = np.minimum((confidence * CALIBRATION_BINS).astype(np.intp), CALIBRATION_BINS - 1)
    start = k * k
    columns: list[Whole] = [truth * k + called]
    values: list[Doubles] = [np.ones(n)]
    for part in (np.ones(n), confidence, right):
        columns.append(start + calibration)
        values.append(part)
        start += CALIBRATION_BINS
    squares = ((probs - np.eye(k)[truth]) ** 2).sum(axis=1)
    surprise = -np.log(np.maximum(probs[np.arange(n), truth], _FLOOR))
    for part in (squares, surprise):
        columns.append(np.full(n, start, np.intp))
        values.append(part)
        start += 1
    sizes = []
    for c in range(k):
        member = truth == c
        place, bins = _binned(probs[:, c], member)
        columns.append(start + 2 * place + member)
        values.append(np.ones(n))
        start += 2 * bins
        sizes.append(bins)
    shape = (int(rows.max(initial=-1)) + 1, start)
    table = csr_array(
        (np.concatenate(values), (np.tile(rows, len(columns)), np.concatenate(columns))), shape
    )
    return Sums(table, k, tuple(sizes))


def _binned(scores: Doubles, member: NDArray[np.bool_]) -> tuple[Whole, int]:
    """Bin of each score, rising with it, and how many bins there are."""
    different = np.unique(scores)
    if len(different) > 2 * _SCORE_BINS:
        at = np.linspace(0, 1, _SCORE_BINS + 1)[1:]
        edges = [np.quantile(scores, at)]
        if member.any():
            edges.append(np.quantile(scores[member], at))
        different = np.unique(np.concatenate([*edges, [scores.max()]]))
    return np.searchsorted(different, scores, side="left"), len(different)


def resample(sums: Sums, n: int = RESAMPLES, seed: int = 0) -> Resampled:
    """Draw as many units as there are, with replacement, and work out every figure each time.

    Parameters
    ----------
    sums : Sums
        From :func:`add_up`.
    n : int
        How often; 1000 in P1.
    seed : int
        The same seed gives the same limits on every computer.
    """
    rng = np.random.default_rng(seed)
    units = sums.units
    columns = csr_array(sums.table.T)
    parts = []
    for start in range(0, n, _CHUNK):
        rows = min(_CHUNK, n - start)
        drawn = rng.integers(0, units, (rows, units)) + (np.arange(rows) * units)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units)
        parts.append(columns @ weights.T.astype(np.float64))
    return _figures(np.concatenate(parts, axis=1).T, sums)


def _figures(totals: Doubles, sums: Sums) -> Resampled:
    k = sums.k
    table = totals[:, : k * k].reshape(-1, k, k)
    start = k * k
    bins = totals[:, start : start + 3 * CALIBRATION_BINS].reshape(-1, 3, CALIBRATION_BINS)
    start += 3 * CALIBRATION_BINS
    hits, support, called = table.diagonal(0, 1, 2), table.sum(axis=2), table.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        n = table.sum(axis=(1, 2))
        precision, recall = hits / called, hits / support
        f1 = np.where(support > 0, 2 * hits / (support + called), np.nan)
        ece = np.abs(bins[:, 2] - bins[:, 1]).sum(axis=1) / n
        brier, log_loss = totals[:, start] / n, totals[:, start + 1] / n
        accuracy = hits.sum(axis=1) / n
    start += 2
    auc, ap = np.empty_like(f1), np.empty_like(f1)
    for c, size in enumerate(sums.score_bins):
        counts = totals[:, start : start + 2 * size].reshape(-1, size, 2)
        auc[:, c], ap[:, c] = _ranked(counts[..., 1], counts[..., 0])
        start += 2 * size
    return Resampled(
        accuracy, _mean(recall), _mean(f1), _mean(auc), ece, brier, log_loss,
        precision, recall, f1, auc, ap,
    )  # fmt: skip


def _ranked(members: Doubles, others: Doubles) -> tuple[Doubles, Doubles]:
    """AUC and average precision from counts in bins of rising score; a tie counts one half."""
    above = np.cumsum(members[:, ::-1], axis=1)[:, ::-1]
    false = np.cumsum(others[:, ::-1], axis=1)[:, ::-1]
    n_members, n_others = above[:, 0], false[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        wins = (members * (n_others[:, None] - false + others / 2)).sum(axis=1)
        auc = wins / (n_members * n_others)
        precision = np.nan_to_num(above / (above + false))
        ap = np.where(n_members > 0, (members * precision).sum(axis=1) / n_members, np.nan)
    return auc, ap


def _mean(values: Doubles) -> Doubles:
    """Mean over the classes where the figure is defined; NaN where it never is."""
    known = np.isfinite(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(known, values, 0).sum(axis=1) / known.sum(axis=1))


def estimate(value: float | None, resampled: Doubles, units: int) -> Estimate:
    """Put the middle 95 % of the resampled values round a figure.

    Parameters
    ----------
    value : float or None
        The figure itself.
    resampled : ndarray, shape (b,)
        Its resampled values.
    units : int
        Units that were drawn; with fewer than five no limits are given.
    """
    found = interval_of(value, resampled, units)
    if found.low is None or found.high is None:
        return Estimate(found.value)
    return Estimate(found.value, (found.low, found.high))
