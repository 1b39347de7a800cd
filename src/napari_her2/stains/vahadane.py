"""Stain vectors by sparse non-negative matrix factorisation of optical densities.

Vahadane A, Peng T, Sethi A, et al., "Structure-preserving color normalization and sparse stain
separation for histological images", IEEE Trans Med Imaging 35 (2016) 1962, equation 5: each pixel
is a non-negative mixture of two vectors of length 1, and an L1 price on the amounts makes one stain
a pixel the cheaper explanation.

With two stains the best amounts of a pixel have a closed form, so that all pixels are solved at
once; general-purpose dictionary learning (scikit-learn, SPAMS) goes through them one by one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["sparse_amounts", "vahadane_vectors"]

SPARSITY = 0.1
"""Price of an amount, on optical densities of the natural logarithm: the paper's lambda."""

ROUNDS = 200
TOLERANCE = 1e-5
MAX_PIXELS = 20_000
MIN_PIXELS = 100


def sparse_amounts(
    od: NDArray[np.float64], vectors: NDArray[np.float64], sparsity: float
) -> NDArray[np.float64]:
    """Find the non-negative amounts that explain each pixel at the least price.

    Minimises ``0.5 |od - amounts @ vectors|^2 + sparsity * sum(amounts)``, exactly.

    Parameters
    ----------
    od : ndarray of float64
        Shape (n, 3).
    vectors : ndarray of float64
        Shape (2, 3), rows of length 1.
    sparsity : float
        Price of one unit of amount.

    Returns
    -------
    ndarray of float64
        Shape (n, 2), none below 0.
    """
    gain = od @ vectors.T - sparsity
    cosine = float(vectors[0] @ vectors[1])
    both = (gain - cosine * gain[:, ::-1]) / max(1 - cosine * cosine, 1e-12)
    alone = np.maximum(gain, 0)
    # Where the free solution is negative, the better of the two single stains is the optimum.
    first = alone[:, 0] >= alone[:, 1]
    single = np.where(np.stack([first, ~first], axis=1), alone, 0)
    inside = np.all(both >= 0, axis=1, keepdims=True)
    return np.asarray(np.where(inside, both, single))


def vahadane_vectors(
    od: NDArray[np.float32],
    start: NDArray[np.float64],
    *,
    sparsity: float = SPARSITY,
    seed: int = 0,
) -> NDArray[np.float64] | None:
    """Estimate two stain vectors.

    Parameters
    ----------
    od : ndarray of float32
        Shape (n, 3), optical density (base 10) in R, G, B; pale pixels left out by the caller.
        More than 20,000 are thinned by the seed.
    start : ndarray of float64
        Shape (2, 3): where the search begins, which also fixes the order of the result.
    sparsity : float
        The paper's lambda.
    seed : int
        For the thinning.

    Returns
    -------
    ndarray of float64 or None
        Shape (2, 3), non-negative rows of length 1, in the order of ``start``. None for fewer than
        100 pixels, or where one stain explains everything.
    """
    pixels = np.maximum(np.asarray(od, np.float64) * np.log(10), 0)
    if len(pixels) > MAX_PIXELS:
        rng = np.random.default_rng(seed)
        pixels = pixels[rng.choice(len(pixels), MAX_PIXELS, replace=False)]
    if len(pixels) < MIN_PIXELS:
        return None
    vectors: NDArray[np.float64] = start / np.linalg.norm(start, axis=1, keepdims=True)
    for _ in range(ROUNDS):
        amounts = sparse_amounts(pixels, vectors, sparsity)
        if (amounts.sum(axis=0) <= 0).any():
            return None
        moved = _better_vectors(pixels, amounts, vectors)
        change = float(np.abs(moved - vectors).max())
        vectors = moved
        if change < TOLERANCE:
            break
    return np.asarray(vectors)


def _better_vectors(
    pixels: NDArray[np.float64], amounts: NDArray[np.float64], vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    """One round of block coordinate descent over the rows, each held to length 1."""
    gram = amounts.T @ amounts
    target = amounts.T @ pixels
    new = vectors.copy()
    for k in range(2):
        step = new[k] + (target[k] - gram[k] @ new) / max(float(gram[k, k]), 1e-12)
        step = np.maximum(step, 0)
        length = float(np.linalg.norm(step))
        if length > 0:
            new[k] = step / length
    return new
