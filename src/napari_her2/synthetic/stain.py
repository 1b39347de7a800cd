"""How stains and scanner turn amounts into colours: Beer-Lambert, vectors varying by slide."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.fields import FloatImage

__all__ = ["StainSet", "he_stains", "her2_stains"]

# Ruifrok and Johnston 2001, unit vectors of absorbed red, green and blue light.
_HAEMATOXYLIN = (0.650, 0.704, 0.286)
_EOSIN = (0.072, 0.990, 0.105)
_DAB = (0.268, 0.570, 0.776)
# Eosin as seen on many scanners (a common default in open-source viewers): less magenta.
_EOSIN_SALMON = (0.216, 0.801, 0.558)
_HAEMATOXYLIN_BLUE = (0.72, 0.63, 0.29)

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class StainSet:
    """Colours of one slide.

    Attributes
    ----------
    first, second : tuple of float
        Unit absorbance vectors (R, G, B): haematoxylin, then eosin or DAB.
    first_strength, second_strength : float
        Factors on the stain amounts.
    background : tuple of float
        Grey levels of clear glass.
    noise : float
        Standard deviation of the scanner's noise, grey levels.
    """

    first: Vector
    second: Vector
    first_strength: float
    second_strength: float
    background: Vector
    noise: float

    def matrix(self) -> NDArray[np.float64]:
        """Absorbance per unit of amount, shape (2, 3)."""
        return np.array(
            [
                np.array(self.first) * self.first_strength,
                np.array(self.second) * self.second_strength,
            ]
        )

    def to_rgb(self, first: FloatImage, second: FloatImage) -> FloatImage:
        """Grey levels (0 to 255, float, no noise) of two fields of stain amounts."""
        m = self.matrix()
        out = np.empty((*first.shape, 3), np.float32)
        for c in range(3):
            od = cv2.addWeighted(first, -m[0, c], second, -m[1, c], 0)
            out[..., c] = cv2.exp(od) * np.float32(self.background[c])
        return out

    def describe(self) -> dict[str, object]:
        """Values for the truth file."""
        return asdict(self)


def _vector(rng: np.random.Generator, a: Vector, b: Vector, t: float, spread: float) -> Vector:
    v = (1 - t) * np.array(a) + t * np.array(b) + rng.normal(0, spread, 3)
    v = np.clip(v, 0.02, None)
    v /= np.linalg.norm(v)
    return (float(v[0]), float(v[1]), float(v[2]))


def _background(rng: np.random.Generator) -> Vector:
    level = rng.uniform(238, 247)
    tint = rng.normal(0, 1.2, 3)
    return (float(level + tint[0]), float(level + tint[1]), float(level + tint[2]))


def he_stains(rng: np.random.Generator) -> StainSet:
    """Draw the colours of one H&E slide."""
    return StainSet(
        _vector(rng, _HAEMATOXYLIN, _HAEMATOXYLIN_BLUE, rng.uniform(0, 0.8), 0.012),
        _vector(rng, _EOSIN, _EOSIN_SALMON, rng.uniform(0.45, 0.95), 0.015),
        float(rng.uniform(0.85, 1.18)),
        float(rng.uniform(0.85, 1.18)),
        _background(rng),
        float(rng.uniform(1.0, 2.2)),
    )


def her2_stains(rng: np.random.Generator) -> StainSet:
    """Draw the colours of one HER2 slide: haematoxylin and DAB."""
    return StainSet(
        _vector(rng, _HAEMATOXYLIN, _HAEMATOXYLIN_BLUE, rng.uniform(0.4, 1.0), 0.012),
        _vector(rng, _DAB, _DAB, 0, 0.015),
        float(rng.uniform(0.8, 1.15)),
        float(rng.uniform(0.9, 1.1)),
        _background(rng),
        float(rng.uniform(1.0, 2.0)),
    )
