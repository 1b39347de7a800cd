"""Two quick figures for the curve that is drawn while a model learns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["macro_auc", "macro_f1"]

Whole = NDArray[np.integer[Any]]


def macro_f1(truth: Whole, called: Whole) -> float:
    """Mean F1 over the classes that occur, shape (n,) each."""
    scores = []
    for k in np.unique(truth):
        hits = int(((truth == k) & (called == k)).sum())
        scores.append(2 * hits / (int((truth == k).sum()) + int((called == k).sum())))
    return float(np.mean(scores)) if scores else 0.0


def macro_auc(truth: Whole, probs: NDArray[np.floating[Any]]) -> float:
    """Mean area under the ROC curve, each class against the rest; 0.5 where there is no other.

    Parameters
    ----------
    truth : ndarray of int
        Shape (n,).
    probs : ndarray
        Shape (n, classes).
    """
    from scipy.stats import rankdata

    found = []
    for k in np.unique(truth):
        member = truth == k
        n, others = int(member.sum()), int((~member).sum())
        if not others:
            continue
        ranks = rankdata(probs[:, k])
        found.append((ranks[member].sum() - n * (n + 1) / 2) / (n * others))
    return float(np.mean(found)) if found else 0.5
