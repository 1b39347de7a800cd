"""What to label next: cells or tiles the model is unsure of, and that are unlike each other.

**Unsure** is what the model cannot tell: the margin between its two likeliest classes, the entropy
of all, or how far several models disagree. The most unsure alone are often many of a kind. So from
the unsure ones a batch is drawn that is **spread out** in features, and away from what is labelled
already: seeds as k-means++ takes them (Arthur 2007; as in the BADGE of Ash 2020, here with the
uncertainty as the weight), or the farthest one each time (k-centre; Sener 2018).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.messages import tr

__all__ = ["Proposal", "Reason", "Spread", "Uncertainty", "disagreement", "propose",
           "uncertainty_of"]  # fmt: skip

Uncertainty = Literal["margin", "entropy", "least"]
"""``margin``: 1 minus the lead of the likeliest class over the next. ``entropy``: of all classes,
1 for a uniform guess. ``least``: 1 minus the probability of the likeliest."""

Spread = Literal["k-means++", "k-centre", "none"]
"""How a batch is spread out in features."""

POOL: Final = 8
"""From so many unsure ones for each wanted a batch is chosen."""

NOVEL: Final = 0.75
"""From this share of the pool that lies closer to a label on, a proposal is called unlike them."""

Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one cell or tile is proposed.

    Attributes
    ----------
    first, second : int
        The two likeliest classes.
    p_first, p_second : float
        Their probabilities.
    uncertainty : float
        0 to 1, in the measure that was asked for.
    novel : bool
        Whether it is unlike what is labelled.
    """

    first: int
    second: int
    p_first: float
    p_second: float
    uncertainty: float
    novel: bool

    def sentence(self, classes: Sequence[str]) -> str:
        """What the queue says of it."""
        return tr(
            "why_unsure_new" if self.novel else "why_unsure",
            first=classes[self.first],
            p_first=f"{self.p_first:.2f}",
            second=classes[self.second],
            p_second=f"{self.p_second:.2f}",
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to label next.

    Attributes
    ----------
    indices : ndarray of int
        Rows, in the order in which they were chosen: a reader who stops early has had the best.
    why : tuple of Reason
        One for each.
    """

    indices: NDArray[np.intp]
    why: tuple[Reason, ...]

    def __len__(self) -> int:
        return len(self.indices)


def uncertainty_of(probs: Floats, measure: Uncertainty = "margin") -> NDArray[np.float64]:
    """How unsure a model is, 0 to 1.

    Parameters
    ----------
    probs : ndarray
        Shape (n, k), or (models, n, k) for several models, whose mean counts.
    measure : {"margin", "entropy", "least"}
        See :data:`Uncertainty`.

    Returns
    -------
    ndarray of float64
        Shape (n,).

    Raises
    ------
    ValueError
        If the shape is none of these, or a row is no distribution.
    """
    p = _mean(probs)
    if measure == "entropy":
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = np.where(p > 0, p * np.log(p), 0.0)
        return np.asarray(-terms.sum(1) / np.log(p.shape[1]))
    top = np.sort(p, axis=1)[:, ::-1]
    if measure == "least":
        return np.asarray((1 - top[:, 0]) / (1 - 1 / p.shape[1]))
    return np.asarray(1 - (top[:, 0] - top[:, 1]))


def disagreement(probs: Floats) -> NDArray[np.float64]:
    """How far several models differ: entropy of their mean minus the mean of their entropies.

    What one model is torn about by nature (two classes that look alike) all models are torn about,
    and it does not count; what the labels so far leave open does (BALD; Houlsby 2011).

    Parameters
    ----------
    probs : ndarray
        Shape (models, n, k).

    Returns
    -------
    ndarray of float64
        Shape (n,), 0 to 1.
    """
    each = np.mean([uncertainty_of(p, "entropy") for p in probs], axis=0)
    return np.asarray(np.maximum(uncertainty_of(probs, "entropy") - each, 0.0))


def propose(
    probs: Floats,
    features: Floats,
    n: int,
    *,
    labelled: NDArray[Any] | Sequence[int] | None = None,
    seed: int = 0,
    measure: Uncertainty | Literal["disagreement"] = "margin",
    spread: Spread = "k-means++",
    pool: int = POOL,
) -> Proposal:
    """Choose the next batch to label. The same input gives the same batch.

    Parameters
    ----------
    probs : ndarray
        Shape (n_all, k): probabilities of the model; or (models, n_all, k) of several.
    features : ndarray
        Shape (n_all, f): what was measured of each, or learned features. Brought to one scale here.
    n : int
        Size of the batch; fewer come back if fewer are left.
    labelled : array of bool or of int, optional
        Rows that have a label: never proposed, and kept away from.
    seed : int
        Of the seeds that k-means++ draws.
    measure : {"margin", "entropy", "least", "disagreement"}
        What unsure means; ``disagreement`` needs several models.
    spread : {"k-means++", "k-centre", "none"}
        How the batch is spread out.
    pool : int
        From how many unsure ones for each wanted it is chosen.

    Raises
    ------
    ValueError
        If shapes do not fit.
    """
    mean = _mean(probs)
    if len(features) != len(mean):
        msg = f"{len(features)} rows of features for {len(mean)} of probabilities"
        raise ValueError(msg)
    if measure == "disagreement":
        if np.ndim(probs) != 3:
            msg = "disagreement needs several models"
            raise ValueError(msg)
        unsure = disagreement(probs)
    else:
        unsure = uncertainty_of(probs, measure)
    taken = np.zeros(len(mean), np.bool_)
    if labelled is not None:
        taken[np.asarray(labelled)] = True
    free = np.flatnonzero(~taken)
    # Equally unsure ones in the order of the rows: no random tie decides what a reader is shown.
    ranked = free[np.argsort(-unsure[free], kind="stable")]
    n = max(0, min(n, len(ranked)))
    if n == 0:
        return Proposal(np.zeros(0, np.intp), ())
    candidates = ranked[: max(n, min(len(ranked), n * pool))]
    x = _scaled(np.asarray(features, np.float64))
    near = _to_nearest(x[candidates], x[taken])
    if spread == "none":
        chosen = np.arange(n)
    else:
        chosen = _spread_out(x[candidates], unsure[candidates], near, n, seed, spread)
    novel = _novel(near)[chosen]
    rows = candidates[chosen]
    why = tuple(_reason(mean[r], unsure[r], bool(new)) for r, new in zip(rows, novel, strict=True))
    return Proposal(np.asarray(rows, np.intp), why)


def _mean(probs: Floats) -> NDArray[np.float64]:
    p = np.asarray(probs, np.float64)
    if p.ndim == 3:
        p = p.mean(0)
    if p.ndim != 2 or p.shape[1] < 2:
        msg = f"probabilities of shape {np.shape(probs)}"
        raise ValueError(msg)
    if len(p) and not (np.isfinite(p).all() and np.allclose(p.sum(1), 1, atol=1e-3)):
        msg = "rows that are no probabilities"
        raise ValueError(msg)
    return p


def _scaled(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns of mean 0 and spread 1; far values are drawn in, so that none rules the distances."""
    spread = x.std(0)
    scaled = (x - x.mean(0)) / np.where(spread > 0, spread, 1)
    return np.asarray(np.clip(scaled, -4, 4) / max(1.0, np.sqrt(x.shape[1])), np.float64)


def _to_nearest(x: NDArray[np.float64], labelled: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared distance of each to the nearest labelled one; infinite where nothing is labelled."""
    from scipy.spatial import cKDTree

    if not len(labelled):
        return np.full(len(x), np.inf)
    return np.asarray(cKDTree(labelled).query(x)[0] ** 2, np.float64)


def _novel(near: NDArray[np.float64]) -> NDArray[np.bool_]:
    if not np.isfinite(near).all():
        return np.zeros(len(near), np.bool_)
    return np.asarray(near > np.quantile(near, NOVEL))


def _spread_out(
    x: NDArray[np.float64],
    unsure: NDArray[np.float64],
    near: NDArray[np.float64],
    n: int,
    seed: int,
    how: Spread,
) -> NDArray[np.intp]:
    """Rows of a batch: each is unsure, and far from the ones before and from what is labelled."""
    rng = np.random.default_rng(seed)
    weight = unsure + 1e-12
    gap = near.copy()
    open_rows = np.ones(len(x), np.bool_)
    chosen: list[int] = []
    for _ in range(n):
        wish = np.where(open_rows, weight * np.where(np.isfinite(gap), gap, 1.0), 0.0)
        if not wish.any():
            at = int(np.where(open_rows, weight, -1.0).argmax())
        elif how == "k-centre" or not chosen:
            at = int(wish.argmax())
        else:
            at = int(np.searchsorted(np.cumsum(wish), rng.random() * wish.sum(), side="right"))
            at = min(at, len(x) - 1)
        chosen.append(at)
        open_rows[at] = False
        gap = np.minimum(gap, ((x - x[at]) ** 2).sum(1))
    return np.array(chosen, np.intp)


def _reason(p: NDArray[np.float64], unsure: float, novel: bool) -> Reason:
    first, second = np.argsort(-p, kind="stable")[:2]
    return Reason(int(first), int(second), float(p[first]), float(p[second]), float(unsure), novel)
