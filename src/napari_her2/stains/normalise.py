"""The colours of one slide brought to those of another: stain by stain, structure kept.

Amounts of the two stains are found with the slide's own vectors, scaled so that the strong end
(99th percentile) matches the reference, and put back together with the reference's vectors and
glass: Macenko 2009, section 2.3; Vahadane 2016, section IV-C.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.stains.estimate import StainMethod, estimate_stains
from napari_her2.stains.vectors import StainVectors
from napari_her2.types import RgbImage

__all__ = ["StainLook", "measure_look", "normalise"]

STRONG_PERCENTILE = 99.0
MIN_STRENGTH = 0.02
"""A stain weaker than this (optical density) is absent: it is not blown up to match."""

_ROWS = 512


@dataclass(frozen=True)
class StainLook:
    """How a slide looks: its stains and how strong they are.

    Attributes
    ----------
    vectors : StainVectors
        Stains and glass.
    strength : (float, float)
        99th percentile of the amount of each stain, optical density.
    """

    vectors: StainVectors
    strength: tuple[float, float]

    def to_json(self) -> dict[str, Any]:
        """For the record of a run or a file of its own."""
        return {"vectors": self.vectors.to_json(), "strength": list(self.strength)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StainLook:
        """Read what :meth:`to_json` wrote."""
        first, second = data["strength"]
        return cls(StainVectors.from_json(data["vectors"]), (float(first), float(second)))


def measure_look(
    pixels: NDArray[np.uint8],
    glass: tuple[float, float, float],
    stain: Literal["H&E", "H-DAB"],
    method: StainMethod = "macenko",
) -> StainLook:
    """Measure how a slide looks.

    Parameters
    ----------
    pixels : ndarray of uint8
        Shape (n, 3), a sample of its tissue.
    glass : (float, float, float)
        Colour of bare glass.
    stain : {"H&E", "H-DAB"}
        Which pair of stains.
    method : {"macenko", "vahadane", "cones", "ruifrok"}
        How vectors are estimated; see :func:`~napari_her2.stains.estimate.estimate_stains`.

    Returns
    -------
    StainLook
        Strength 0 for no pixels.
    """
    vectors = estimate_stains(pixels, glass, stain, method)
    flat = np.asarray(pixels, np.uint8).reshape(-1, 3)
    if not len(flat):
        return StainLook(vectors, (0.0, 0.0))
    first, second = np.percentile(vectors.separate(flat), STRONG_PERCENTILE, axis=0)
    return StainLook(vectors, (max(float(first), 0.0), max(float(second), 0.0)))


def normalise(rgb: RgbImage, source: StainLook, reference: StainLook) -> RgbImage:
    """Give a picture the colours of the reference.

    Parameters
    ----------
    rgb : RgbImage
        Shape (height, width, 3).
    source : StainLook
        Of the slide it comes from.
    reference : StainLook
        Of the slide it should look like.

    Returns
    -------
    RgbImage
        Same shape. What neither stain explains is left out. A stain that is absent in the picture
        or in the reference keeps its amounts.

    Raises
    ------
    ValueError
        If the two carry different stains.
    """
    if source.vectors.stain != reference.vectors.stain:
        msg = f"{source.vectors.stain} can't be given the colours of {reference.vectors.stain}"
        raise ValueError(msg)
    factors = np.ones(2, np.float32)
    for k, (own, wanted) in enumerate(zip(source.strength, reference.strength, strict=True)):
        if min(own, wanted) > MIN_STRENGTH:
            factors[k] = wanted / own
    back = (factors[:, None] * reference.vectors.matrix[:2] * np.log(10)).astype(np.float32)
    glass = np.asarray(reference.vectors.glass, np.float32)
    out = np.empty_like(rgb)
    for top in range(0, len(rgb), _ROWS):
        amounts = source.vectors.separate(rgb[top : top + _ROWS])
        levels = glass * np.exp(-(amounts @ back))
        out[top : top + _ROWS] = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return out
