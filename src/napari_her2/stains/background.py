"""The colour of bare glass: what optical density is measured against.

Where the tissue mask found glass, that is the colour. A field without any (a photograph of the
middle of a tumour) still has lumens, gaps and pale stroma that let nearly all light through: the
brightest colour that a fair share of its pixels have stands for glass, and the result says so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from napari_her2.slides.base import Slide
from napari_her2.stains.sampling import TissueLike, sample_tissue

__all__ = ["Glass", "brightest_mode", "measure_glass"]

GlassSource = Literal["glass", "brightest", "assumed"]

MIN_PIXELS = 200
MODE_SHARE = 0.01
"""A bright mode counts if so many of the pixels lie within :data:`NEAR` grey levels of it."""

NEAR = 6
MIN_BRIGHT = 150.0
"""A field whose brightest mode is darker than this shows no light to measure against."""

MAX_SATURATION = 0.15
"""Glass is nearly grey: a pink or brown mode is tissue, and its weak channels are raised."""

ASSUMED = (245.0, 245.0, 245.0)


@dataclass(frozen=True, slots=True)
class Glass:
    """Bare glass.

    Attributes
    ----------
    rgb : (float, float, float)
        Its colour, grey levels.
    source : {"glass", "brightest", "assumed"}
        ``glass``: seen beside the tissue. ``brightest``: the brightest mode of a field without
        glass. ``assumed``: nothing bright was there to measure.
    """

    rgb: tuple[float, float, float]
    source: GlassSource

    def to_json(self) -> dict[str, Any]:
        """For the record of a run."""
        return asdict(self) | {"rgb": list(self.rgb)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Glass:
        """Read what :meth:`to_json` wrote."""
        r, g, b = data["rgb"]
        return cls((float(r), float(g), float(b)), data["source"])


class _Flagged(TissueLike, Protocol):
    @property
    def flags(self) -> tuple[str, ...]: ...


def measure_glass(slide: Slide, tissue: _Flagged, pixels: NDArray[np.uint8] | None = None) -> Glass:
    """Find the colour of bare glass of a slide or field.

    Parameters
    ----------
    slide : Slide
        The slide.
    tissue : TissueMask
        Its tissue, with the colour of glass and the flag ``no-background``.
    pixels : ndarray of uint8, optional
        Shape (n, 3), a sample of the field; read where it is needed and not given.

    Returns
    -------
    Glass
        Always a colour to divide by, with where it comes from.
    """
    if "no-background" not in tissue.flags:
        r, g, b = tissue.background
        return Glass((float(r), float(g), float(b)), "glass")
    return brightest_mode(sample_tissue(slide, tissue) if pixels is None else pixels)


def brightest_mode(pixels: NDArray[np.uint8]) -> Glass:
    """Find the brightest colour that at least a hundredth of the pixels have.

    Parameters
    ----------
    pixels : ndarray of uint8
        Shape (..., 3).

    Returns
    -------
    Glass
        ``brightest``; ``assumed`` for fewer than 200 pixels or a field too dark to tell.
    """
    flat = np.asarray(pixels, np.uint8).reshape(-1, 3)
    if len(flat) < MIN_PIXELS:
        return Glass(ASSUMED, "assumed")
    grey = flat.mean(axis=1, dtype=np.float32)
    counts = np.bincount(grey.astype(np.intp), minlength=256)
    density = gaussian_filter1d(counts.astype(np.float64), 2.0, mode="constant")
    padded = np.pad(density, 1)
    peaks = np.flatnonzero((density >= padded[:-2]) & (density > padded[2:]) & (density > 0))
    for level in peaks[::-1]:
        near = np.abs(grey - level) <= NEAR
        if near.mean() >= MODE_SHARE:
            return _checked(np.median(flat[near], axis=0))
    bright = flat[grey >= np.percentile(grey, 99)]
    return _checked(np.median(bright, axis=0))


def _checked(colour: NDArray[np.float64]) -> Glass:
    top = float(colour.max())
    if top < MIN_BRIGHT:
        return Glass(ASSUMED, "assumed")
    r, g, b = np.maximum(colour, (1 - MAX_SATURATION) * top)
    return Glass((float(r), float(g), float(b)), "brightest")
