"""Pixels mixed from known stains by Beer and Lambert, for tests of what takes them apart."""

from __future__ import annotations

import numpy as np

GLASS = (240.0, 240.0, 240.0)
HE = ((0.60, 0.73, 0.32), (0.18, 0.87, 0.46))
"""Haematoxylin and an eosin as laboratories use it; not the published vectors."""

HDAB = ((0.75, 0.58, 0.31), (0.36, 0.57, 0.74))


def unit(vectors):
    rows = np.array(vectors, np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def mixture(vectors, n=20_000, seed=0, *, glass=GLASS, amounts=(0.6, 0.6), share=0.5, noise=1.0):
    """Pixels of which most carry one stain and some both; shape (n, 3), and their amounts."""
    rng = np.random.default_rng(seed)
    strength = rng.gamma(4.0, 0.25, (n, 2)) * amounts
    kind = rng.random(n)
    strength[kind < share * 0.9, 1] = 0
    strength[(kind >= share * 0.9) & (kind < 0.9), 0] = 0
    levels = np.array(glass) * 10 ** -(strength @ unit(vectors))
    levels += rng.normal(0, noise, levels.shape)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8), strength
