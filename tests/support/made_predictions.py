"""Predictions whose truth is known, for tests of evaluation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["made_predictions"]


def made_predictions(
    n: int = 400, k: int = 3, slides: int = 8, seed: int = 0, sharpness: float = 1.5
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.str_]]:
    """Truth (n,), probabilities (n, k) that favour it, and the slide of each row.

    The scores are drawn so that the probabilities are well calibrated: log-likelihood ratios of
    normal scores with unit spread.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, k, n)
    scores = rng.normal(size=(n, k))
    scores[np.arange(n), truth] += sharpness
    raised = np.exp(sharpness * scores)
    probs = raised / raised.sum(axis=1, keepdims=True)
    groups = np.array([f"slide-{i:02}" for i in rng.integers(0, slides, n)])
    return truth, probs, groups
