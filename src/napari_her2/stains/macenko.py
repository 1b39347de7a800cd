"""Stain vectors from the extremes of the plane that optical densities lie in.

Macenko M, Niethammer M, Marron JS, et al., "A method for normalizing histology slides for
quantitative analysis", ISBI 2009, 1107, section 2.1. The two extremes are the stains only where
both are plentiful: see :mod:`napari_her2.stains.estimate` for what guards the use of it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["macenko_vectors"]

BETA = 0.15
"""Least optical density (natural logarithm) in each channel, section 2.1; paler pixels are left
out because their direction is noise."""

ALPHA = 1.0
"""Percentile of the angles that stands for the extreme."""


def macenko_vectors(
    od: NDArray[np.float32], *, alpha: float = ALPHA, beta: float = BETA
) -> NDArray[np.float64] | None:
    """Estimate two stain vectors.

    Parameters
    ----------
    od : ndarray of float32
        Shape (n, 3), optical density (base 10) in R, G, B.
    alpha : float
        Percentile of the angles, 0 to 50.
    beta : float
        Least optical density in every channel, as the paper gives it: natural logarithm.

    Returns
    -------
    ndarray of float64 or None
        Shape (2, 3), rows of length 1, the one that takes more red first (haematoxylin in H&E and
        in H-DAB). None where too few pixels are dyed or all have one colour.
    """
    natural = np.asarray(od, np.float64) * np.log(10)
    dyed = natural[(natural >= beta).all(axis=1)]
    if len(dyed) < 3:
        return None
    values, vectors = np.linalg.eigh(np.cov(dyed.T))
    if not values[1] > 1e-9:
        return None
    # Plane of the two largest variances; both axes made to point into the dyed side.
    plane = vectors[:, [2, 1]]
    plane = plane * np.where(plane.sum(axis=0) < 0, -1, 1)
    at = dyed @ plane
    angles = np.arctan2(at[:, 1], at[:, 0])
    low, high = np.percentile(angles, [alpha, 100 - alpha])
    found = np.stack([plane @ (np.cos(a), np.sin(a)) for a in (low, high)])
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found if found[0, 0] > found[1, 0] else found[::-1].copy()
