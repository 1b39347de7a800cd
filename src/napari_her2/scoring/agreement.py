"""How far two readings of the same cases agree: overall, kappa, Kendall's tau-b, rank sums.

Everything that is resampled works on the table of counts (rows one reader, columns the other):
drawing cases with replacement is drawing a table from the multinomial of its cells, so a thousand
resamples are one array operation. The functions on tables take any number of leading axes.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr
from scipy.stats import kendalltau, mannwhitneyu

from napari_her2.scoring.intervals import RESAMPLES, Interval, IntervalMethod, interval_of

__all__ = [
    "Agreement",
    "KappaWeights",
    "RankSum",
    "agreement",
    "agreement_of_table",
    "cohen_kappa",
    "crosstab",
    "kendall_tau_b",
    "kendall_tau_b_of_table",
    "overall_agreement",
    "rank_sum_p",
    "wilcoxon_rank_sum",
]

KappaWeights = Literal["unweighted", "linear", "quadratic"]

_EXACT_BELOW = 50
"""R's wilcox.test is exact for smaller samples without ties; the others take the normal curve."""


def crosstab(
    a: Sequence[Hashable | None], b: Sequence[Hashable | None], labels: Sequence[Hashable]
) -> NDArray[np.int64]:
    """Count pairs of readings.

    Parameters
    ----------
    a, b : sequence
        Readings of the same cases in the same order; a pair with None on a side is left out.
    labels : sequence
        Possible readings, in their order.

    Returns
    -------
    ndarray, shape (labels, labels)
        Rows: ``a``, columns: ``b``.

    Raises
    ------
    ValueError
        If lengths differ or a reading is not among the labels.
    """
    place = {label: i for i, label in enumerate(labels)}
    table = np.zeros((len(place), len(place)), np.int64)
    for first, second in zip(a, b, strict=True):
        if first is None or second is None:
            continue
        if first not in place or second not in place:
            msg = f"{first!r} and {second!r}: not both among {list(labels)}"
            raise ValueError(msg)
        table[place[first], place[second]] += 1
    return table


def overall_agreement(table: ArrayLike) -> NDArray[np.float64]:
    """Share of cases that both read alike.

    Parameters
    ----------
    table : array_like, shape (..., k, k)
        Counts.

    Returns
    -------
    ndarray, shape (...)
        NaN without a case.
    """
    m = np.asarray(table, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.trace(m, axis1=-2, axis2=-1) / m.sum(axis=(-2, -1)))


def cohen_kappa(table: ArrayLike, weights: KappaWeights = "unweighted") -> NDArray[np.float64]:
    """Agreement beyond what the readers' own frequencies would give by chance (Cohen 1960, 1968).

    Parameters
    ----------
    table : array_like, shape (..., k, k)
        Counts; rows and columns in the same, ordered classes.
    weights : {"unweighted", "linear", "quadratic"}
        How a disagreement grows with its distance. The paper's kappa is unweighted.

    Returns
    -------
    ndarray, shape (...)
        -1 to 1; NaN where both readers used one and the same class only.
    """
    m = np.asarray(table, np.float64)
    k = m.shape[-1]
    distance = np.abs(np.subtract.outer(np.arange(k), np.arange(k))).astype(np.float64)
    power = {"unweighted": 0, "linear": 1, "quadratic": 2}[weights]
    cost = distance**power if power else (distance > 0).astype(np.float64)
    n = m.sum(axis=(-2, -1))
    chance = m.sum(axis=-1)[..., :, None] * m.sum(axis=-2)[..., None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = (cost * chance).sum(axis=(-2, -1)) / n
        return np.asarray(1 - (cost * m).sum(axis=(-2, -1)) / expected)


def kendall_tau_b_of_table(table: ArrayLike) -> NDArray[np.float64]:
    """Rank correlation with ties, from a table of ordered classes (Kendall 1945).

    Parameters
    ----------
    table : array_like, shape (..., k, l)
        Counts.

    Returns
    -------
    ndarray, shape (...)
        -1 to 1; NaN where a reader used one class only.
    """
    m = np.asarray(table, np.float64)
    # Cells to the lower right of a cell are concordant with it, those to the lower left discordant.
    below = _cells_after(m)
    concordant = (m * _to_the_right(below)).sum(axis=(-2, -1))
    mirrored = m[..., ::-1]
    discordant = (mirrored * _to_the_right(_cells_after(mirrored))).sum(axis=(-2, -1))
    n = m.sum(axis=(-2, -1))
    pairs = n * (n - 1) / 2
    tied_rows = _pairs(m.sum(axis=-1))
    tied_columns = _pairs(m.sum(axis=-2))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(
            (concordant - discordant) / np.sqrt((pairs - tied_rows) * (pairs - tied_columns))
        )


def _cells_after(m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of all rows below each row."""
    return np.asarray(np.flip(np.cumsum(np.flip(m, -2), axis=-2), -2) - m)


def _to_the_right(m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum of all columns right of each column."""
    return np.asarray(np.flip(np.cumsum(np.flip(m, -1), axis=-1), -1) - m)


def _pairs(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray((counts * (counts - 1) / 2).sum(axis=-1))


def kendall_tau_b(a: ArrayLike, b: ArrayLike) -> float:
    """Rank correlation with ties of two sets of numbers, e.g. densities.

    Parameters
    ----------
    a, b : array_like, shape (n,)
        Paired numbers; pairs with a NaN are left out.

    Returns
    -------
    float
        NaN if fewer than two pairs are left or one side is constant.
    """
    x, y = np.asarray(a, np.float64), np.asarray(b, np.float64)
    both = np.isfinite(x) & np.isfinite(y)
    if both.sum() < 2 or np.ptp(x[both]) == 0 or np.ptp(y[both]) == 0:
        return float("nan")
    return float(kendalltau(x[both], y[both], variant="b").statistic)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of two readers, each figure with its 95 % interval.

    Attributes
    ----------
    n : int
        Cases that both read.
    missing : int
        Cases that one of them did not read: left out.
    labels : tuple
        Classes in order.
    table : ndarray, shape (k, k)
        Rows reader a, columns reader b.
    overall, kappa, kappa_linear, kappa_quadratic, tau_b : Interval
        The figures.
    """

    n: int
    missing: int
    labels: tuple[Hashable, ...]
    table: NDArray[np.int64]
    overall: Interval
    kappa: Interval
    kappa_linear: Interval
    kappa_quadratic: Interval
    tau_b: Interval

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, under the names of the command line."""
        return {
            "n": self.n,
            "missing": self.missing,
            "labels": [str(label) for label in self.labels],
            "confusion": self.table.tolist(),
            "overall_agreement": self.overall.to_json(),
            "cohen_kappa": self.kappa.to_json(),
            "cohen_kappa_linear": self.kappa_linear.to_json(),
            "cohen_kappa_quadratic": self.kappa_quadratic.to_json(),
            "kendall_tau_b": self.tau_b.to_json(),
        }


def agreement(
    a: Sequence[Hashable | None],
    b: Sequence[Hashable | None],
    labels: Sequence[Hashable],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: IntervalMethod = "normal",
) -> Agreement:
    """Compare two readers case by case.

    Parameters
    ----------
    a, b : sequence
        Readings in the same order of cases; None = not read.
    labels : sequence
        Classes, weakest first.
    resamples, seed : int
        Of the bootstrap over cases.
    method : {"normal", "percentile"}
        Limits from a normal curve fitted to the resampled values, as in P2, or their middle 95 %.
    """
    table = crosstab(a, b, labels)
    missing = len(a) - int(table.sum())
    return agreement_of_table(
        table, labels, missing=missing, resamples=resamples, seed=seed, method=method
    )


def agreement_of_table(
    table: ArrayLike,
    labels: Sequence[Hashable],
    *,
    missing: int = 0,
    resamples: int = RESAMPLES,
    seed: int = 0,
    method: IntervalMethod = "normal",
) -> Agreement:
    """Compare two readers from their table of counts.

    Parameters
    ----------
    table : array_like, shape (k, k)
        Rows reader a, columns reader b.
    labels, missing, resamples, seed, method
        As for :func:`agreement`.
    """
    counts = np.asarray(table, np.int64)
    if counts.shape != (len(labels), len(labels)):
        msg = f"table {counts.shape} for {len(labels)} labels"
        raise ValueError(msg)
    n = int(counts.sum())
    drawn = np.zeros((resamples, *counts.shape))
    if n:
        rng = np.random.default_rng(seed)
        drawn[:] = rng.multinomial(n, counts.ravel() / n, resamples).reshape(drawn.shape)

    def interval(value: NDArray[np.float64], values: NDArray[np.float64]) -> Interval:
        return interval_of(float(value), values, n, method)

    def kappa(weights: KappaWeights) -> Interval:
        return interval(cohen_kappa(counts, weights), cohen_kappa(drawn, weights))

    return Agreement(
        n, missing, tuple(labels), counts,
        interval(overall_agreement(counts), overall_agreement(drawn)),
        kappa("unweighted"), kappa("linear"), kappa("quadratic"),
        interval(kendall_tau_b_of_table(counts), kendall_tau_b_of_table(drawn)),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class RankSum:
    """Wilcoxon's rank-sum test of two groups, two-sided.

    Attributes
    ----------
    w : float
        R's W: pairs in which the first group's value is the larger; ties count one half.
    p : float
        Two-sided.
    n_a, n_b : int
        Sizes of the groups.
    median_a, median_b : float
        Their medians.
    """

    w: float
    p: float
    n_a: int
    n_b: int
    median_a: float
    median_b: float


def wilcoxon_rank_sum(a: ArrayLike, b: ArrayLike) -> RankSum:
    """Ask whether one group's values (entropy of discordant cases) lie above the other's.

    Parameters
    ----------
    a, b : array_like, shapes (n,), (m,)
        Values; NaN is left out.

    Notes
    -----
    As R's ``wilcox.test``, which P2 used: exact for fewer than 50 values a group without ties,
    otherwise the normal curve with continuity correction.
    """
    x, y = (np.asarray(v, np.float64) for v in (a, b))
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not len(x) or not len(y):
        nan = float("nan")
        return RankSum(nan, nan, len(x), len(y), nan, nan)
    tied = len(np.unique(np.concatenate([x, y]))) < len(x) + len(y)
    exact = max(len(x), len(y)) < _EXACT_BELOW and not tied
    found = mannwhitneyu(x, y, alternative="two-sided", method="exact" if exact else "asymptotic")
    return RankSum(
        float(found.statistic), float(found.pvalue), len(x), len(y),
        float(np.median(x)), float(np.median(y)),
    )  # fmt: skip


def rank_sum_p(w: float, n_a: int, n_b: int) -> float:
    """P value of a printed W: normal curve with continuity correction, no ties.

    Parameters
    ----------
    w : float
        R's W.
    n_a, n_b : int
        Sizes of the groups.
    """
    centre = n_a * n_b / 2
    spread = np.sqrt(n_a * n_b * (n_a + n_b + 1) / 12)
    distance = max(0.0, abs(w - centre) - 0.5)
    return float(2 * ndtr(-distance / spread))
