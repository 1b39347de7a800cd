"""Figures: F1 by class with intervals, and the comparison of classifiers over folds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from napari_her2.cells.classes import CELL_CLASSES

Doubles = NDArray[np.float64]
Labels = NDArray[np.int64]

N_CLASSES = len(CELL_CLASSES)
COLUMNS = (*CELL_CLASSES, "macro F1", "accuracy")


def scores(true: Labels, said: Labels) -> Doubles:
    """F1 of each class, their mean, overall accuracy; NaN for a class that does not occur."""
    table = confusion(true, said)
    hits, of_true, of_said = np.diag(table), table.sum(1), table.sum(0)
    with np.errstate(invalid="ignore"):
        f1 = np.where(of_true > 0, 2 * hits / np.maximum(of_true + of_said, 1), np.nan)
    return np.array([*f1, np.nanmean(f1), hits.sum() / max(table.sum(), 1)])


def confusion(true: Labels, said: Labels) -> Labels:
    """Shape (7, 7): rows true, columns said."""
    flat = np.bincount(true * N_CLASSES + said, minlength=N_CLASSES**2)
    return flat.reshape(N_CLASSES, N_CLASSES).astype(np.int64)


def interval(
    true: Labels, said: Labels, groups: Labels, seed: int = 0, rounds: int = 1000
) -> Doubles:
    """95 % percentile intervals of :func:`scores`, groups (tiles) drawn with replacement."""
    names = np.unique(groups)
    tables = np.stack([confusion(true[groups == g], said[groups == g]) for g in names])
    rng = np.random.default_rng(seed)
    out = []
    for _ in range(rounds):
        table = tables[rng.integers(len(names), size=len(names))].sum(0)
        hits, both = np.diag(table), table.sum(0) + table.sum(1)
        f1 = 2 * hits / np.maximum(both, 1)
        out.append([*f1, f1.mean(), hits.sum() / max(table.sum(), 1)])
    return np.percentile(np.array(out), [2.5, 97.5], axis=0)


def folds(groups: Labels, n: int, seed: int) -> list[NDArray[np.bool_]]:
    """Rows to be tested in each fold: whole groups, dealt out at random."""
    names = np.random.default_rng(seed).permutation(np.unique(groups))
    return [np.isin(groups, part) for part in np.array_split(names, n)]


def mean_interval(values: Doubles) -> tuple[float, float, float]:
    """Mean over folds and its 95 % t interval; NaN folds are left out."""
    kept = values[np.isfinite(values)]
    mean = float(kept.mean())
    if len(kept) < 2 or kept.std(ddof=1) == 0:
        return mean, mean, mean
    half = float(stats.t.ppf(0.975, len(kept) - 1) * stats.sem(kept))
    return mean, mean - half, mean + half


@dataclass(frozen=True)
class Test:
    """One paired two-sided t-test over folds: first minus second."""

    first: str
    second: str
    column: str
    difference: float
    p: float
    holm: float


def compare(by_model: Mapping[str, Doubles], first: str) -> list[Test]:
    """Test one model against each other one, column by column; Holm over all these tests.

    Parameters
    ----------
    by_model : mapping of str to ndarray
        Shape (folds, columns): :func:`scores` of each fold.
    first : str
        The model that is compared with the others.
    """
    made: list[tuple[str, str, float, float]] = []
    for other, values in by_model.items():
        if other == first:
            continue
        for k, column in enumerate(COLUMNS):
            a, b = by_model[first][:, k], values[:, k]
            both = np.isfinite(a) & np.isfinite(b)
            gap = a[both] - b[both]
            p = 1.0 if np.allclose(gap, gap[0]) else float(stats.ttest_rel(a[both], b[both]).pvalue)
            made.append((other, column, float(gap.mean()), p))
    adjusted = holm([m[3] for m in made])
    return [Test(first, o, c, d, p, h) for (o, c, d, p), h in zip(made, adjusted, strict=True)]


def holm(p: list[float]) -> list[float]:
    """P-values adjusted for the number of tests (Holm 1979)."""
    order = np.argsort(p)
    out, largest = np.empty(len(p)), 0.0
    for rank, i in enumerate(order):
        largest = max(largest, (len(p) - rank) * p[i])
        out[i] = min(1.0, largest)
    return [float(v) for v in out]


def as_dict(values: Any) -> dict[str, float]:
    """Columns by name, rounded."""
    return {c: round(float(v), 4) for c, v in zip(COLUMNS, values, strict=True)}
