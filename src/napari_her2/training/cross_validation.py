"""Cross-validation that keeps groups together, and tests of one method against another."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.training.evaluation import Evaluation, evaluate_predictions

__all__ = [
    "FOLDS",
    "Comparison",
    "CrossValidated",
    "compare",
    "cross_validate",
    "grouped_folds",
    "holm",
    "paired_t_test",
]

Whole = NDArray[np.intp]
Doubles = NDArray[np.float64]

FOLDS: Final = 10
"""As in Vandenberghe 2017, and for the second stage of Gamble 2021."""

FitPredict = Callable[[Whole, Whole], ArrayLike]
"""Rows to learn from and rows to answer -> probabilities, shape (rows to answer, classes)."""


def grouped_folds(
    truth: ArrayLike, groups: ArrayLike, n_folds: int = FOLDS, seed: int = 0
) -> list[tuple[Whole, Whole]]:
    """Split rows into folds that never part a group and hold the classes as evenly as they can.

    Parameters
    ----------
    truth : array_like of int, shape (n,)
        Class of each row.
    groups : array_like, shape (n,)
        Slide, tile or patient of each row. P2 split by tile; by slide is stricter and more honest.
    n_folds : int
        Fewer are made where there are fewer groups.
    seed : int
        Of the order in which groups are dealt out.

    Returns
    -------
    list of (train, test)
        Row numbers; each row is tested once.

    Raises
    ------
    CannotTrainError
        With fewer than two groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    true = np.asarray(truth, np.intp)
    _, units = np.unique(np.asarray(groups).astype(str), return_inverse=True)
    n_groups = int(units.max(initial=-1)) + 1
    folds = min(n_folds, n_groups)
    if folds < 2:
        raise CannotTrainError("one_group")
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # A class with fewer rows than folds is no fault here: some folds just do not test it.
        warnings.filterwarnings("ignore", message="The least populated class")
        found = list(splitter.split(np.zeros((len(true), 1)), true, units))
    return [(np.asarray(a, np.intp), np.asarray(b, np.intp)) for a, b in found if len(b)]


@dataclass(frozen=True, slots=True)
class CrossValidated:
    """What a cross-validation gave.

    Attributes
    ----------
    probs : ndarray, shape (n, k)
        Each row answered by the model that had not seen its group.
    fold : ndarray of int, shape (n,)
        In which fold each row was tested.
    pooled : Evaluation
        Figures of all rows together.
    folds : tuple of Evaluation
        Figures of each fold, without intervals.
    """

    probs: Doubles
    fold: Whole
    pooled: Evaluation
    folds: tuple[Evaluation, ...]

    def per_fold(self, metric: str) -> Doubles:
        """One figure of each fold by its name in :meth:`Evaluation.metrics`; NaN if undefined."""
        values = [f.metrics()[metric].value for f in self.folds]
        return np.array([np.nan if v is None else v for v in values], np.float64)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: the pooled document, and mean and spread over the folds."""
        spread = {}
        for name in ("accuracy", "balanced_accuracy", "f1_macro", "auc_macro"):
            values = self.per_fold(name)
            known = values[np.isfinite(values)]
            spread[name] = {
                "folds": [float(v) if np.isfinite(v) else None for v in values],
                "mean": float(known.mean()) if len(known) else None,
                "sd": float(known.std(ddof=1)) if len(known) > 1 else None,
            }
        return {**self.pooled.to_json(), "folds": len(self.folds), "per_fold": spread}


def cross_validate(
    fit_predict: FitPredict,
    truth: ArrayLike,
    classes: Sequence[str],
    folds: Sequence[tuple[Whole, Whole]],
    groups: ArrayLike | None = None,
    *,
    n_boot: int = 1000,
    seed: int = 0,
    on_fold: Callable[[int, int], object] | None = None,
) -> CrossValidated:
    """Learn anew for each fold and answer the rows that were kept back.

    Parameters
    ----------
    fit_predict : callable
        Learns from the first rows and answers the second.
    truth : array_like of int, shape (n,)
        Class of each row.
    classes : sequence of str
        Names.
    folds : sequence of (train, test)
        From :func:`grouped_folds`. The same folds for several methods make them comparable.
    groups : array_like of str, shape (n,), optional
        Slides, for the intervals.
    n_boot, seed : int
        Of the pooled intervals.
    on_fold : callable, optional
        Told how many folds of how many are done.
    """
    true = np.asarray(truth, np.intp)
    probs = np.full((len(true), len(classes)), np.nan)
    place = np.full(len(true), -1, np.intp)
    for i, (train, test) in enumerate(folds):
        probs[test] = np.asarray(fit_predict(train, test), np.float64)
        place[test] = i
        if on_fold is not None:
            on_fold(i + 1, len(folds))
    names = None if groups is None else np.asarray(groups).astype(str)
    tested = place >= 0
    pooled = evaluate_predictions(
        true[tested], probs[tested], classes, None if names is None else names[tested],
        n_boot=n_boot, seed=seed,
    )  # fmt: skip
    single = tuple(
        evaluate_predictions(true[test], probs[test], classes, n_boot=1) for _, test in folds
    )
    return CrossValidated(probs, place, pooled, single)


def paired_t_test(a: ArrayLike, b: ArrayLike) -> float:
    """Two-sided p of the paired t-test of two methods over the same folds.

    Parameters
    ----------
    a, b : array_like, shape (folds,)
        One figure of each fold; folds where one is NaN are left out.

    Returns
    -------
    float
        NaN with fewer than two folds; 1 where the methods never differ.

    Notes
    -----
    As in P2. Folds share most of what they learn from, so the p is smaller than it should be.
    """
    from scipy.stats import ttest_rel

    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    x, y = x[both], y[both]
    if len(x) < 2:
        return float("nan")
    difference = x - y
    if np.ptp(difference) == 0:
        return 1.0 if difference[0] == 0 else 0.0
    return float(ttest_rel(x, y).pvalue)


def holm(p: ArrayLike) -> Doubles:
    """Correct p-values for having asked several times (Holm 1979).

    Parameters
    ----------
    p : array_like, shape (m,)
        NaN stays NaN and does not count.
    """
    values = np.asarray(p, np.float64)
    out = np.full_like(values, np.nan)
    known = np.flatnonzero(np.isfinite(values))
    order = known[np.argsort(values[known], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    out[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return out


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two methods over the same folds.

    Attributes
    ----------
    a, b : str
        The methods.
    metric : str
        What was compared.
    difference : float
        Mean of a - b over the folds.
    p, p_holm : float
        Two-sided paired t-test; P2 did not correct, Holm's correction is given beside it.
    folds : int
        Pairs that entered.
    """

    a: str
    b: str
    metric: str
    difference: float
    p: float
    p_holm: float
    folds: int

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        found = {"a": self.a, "b": self.b, "metric": self.metric, "folds": self.folds}
        numbers = {"difference": self.difference, "p": self.p, "p_holm": self.p_holm}
        return found | {k: v if np.isfinite(v) else None for k, v in numbers.items()}


def compare(
    methods: Mapping[str, CrossValidated], metrics: Sequence[str] = ("f1_macro",)
) -> tuple[Comparison, ...]:
    """Test every pair of methods on every figure; Holm's correction is over all of them.

    Parameters
    ----------
    methods : mapping
        Cross-validated over the same folds.
    metrics : sequence of str
        Names in :meth:`Evaluation.metrics`, e.g. ``f1 tumour 2+``.
    """
    asked = list(_pairs(methods, metrics))
    p = [paired_t_test(x, y) for _, _, _, x, y in asked]
    corrected = holm(p)
    return tuple(
        Comparison(
            a, b, metric, float(np.nanmean(x - y)) if np.isfinite(x - y).any() else float("nan"),
            p[i], float(corrected[i]), int(np.isfinite(x - y).sum()),
        )
        for i, (a, b, metric, x, y) in enumerate(asked)
    )  # fmt: skip


def _pairs(
    methods: Mapping[str, CrossValidated], metrics: Sequence[str]
) -> Iterator[tuple[str, str, str, Doubles, Doubles]]:
    for metric in metrics:
        for a, b in combinations(methods, 2):
            x, y = methods[a].per_fold(metric), methods[b].per_fold(metric)
            if not (methods[a].fold == methods[b].fold).all():
                msg = f"{a} and {b} were not tested on the same folds"
                raise ValueError(msg)
            yield a, b, metric, x, y
