"""The colour of bare glass on a slide, and optical density relative to it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_her2.types import BoolMask, RgbImage

__all__ = ["Background", "density_and_chroma", "estimate_background", "local_spread"]

_BIN = 6
_NEAR = 12
"""Pixels within so many grey levels of the mode are glass (with a little dust and shading)."""

FLAT_SPREAD = 2.5
"""Glass has no texture: standard deviation over 5 x 5 pixels, grey levels."""


@dataclass(frozen=True, slots=True)
class Background:
    """Bare glass.

    Attributes
    ----------
    rgb : (float, float, float)
        Its colour; where none was found a bright near-grey from the brightest pixels.
    found : bool
        False where the field is all tissue.
    share : float
        Part of the readable pixels that are flat and of this colour.
    spread : float
        Median local standard deviation on glass, grey levels; 0 where none was found.
    noise : float
        Robust standard deviation of the optical density of glass; 0 where none was found.
    """

    rgb: tuple[float, float, float]
    found: bool
    share: float
    spread: float
    noise: float

    @property
    def saturation(self) -> float:
        """HSV saturation: above 0.15 the colours of the file are strange."""
        return 1 - min(self.rgb) / max(self.rgb)


def local_spread(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """Standard deviation over 5 x 5 pixels, shape (height, width)."""
    mean = cv2.blur(grey, (5, 5))
    square = cv2.blur(grey * grey, (5, 5))
    return np.asarray(np.sqrt(np.maximum(square - mean * mean, 0)), np.float32)


def estimate_background(rgb: RgbImage, readable: BoolMask) -> Background:
    """Find the most frequent colour among bright pixels without texture.

    It counts as glass if enough of the field has it and it is nearly the brightest and nearly
    grey; a coloured background (a file with false colours) must fill a quarter of the field.

    Parameters
    ----------
    rgb : RgbImage
        Shape (height, width, 3), slightly smoothed, low resolution.
    readable : BoolMask
        Shape (height, width).

    Returns
    -------
    Background
        The colour, or the brightest pixels' where the field shows no glass.
    """
    if not readable.any():
        return Background((255.0, 255.0, 255.0), False, 0.0, 0.0, 0.0)
    grey = rgb.mean(axis=2, dtype=np.float32)
    spread = local_spread(grey)
    bright = float(np.percentile(grey[readable], 99))
    # Where no glass is found this stands for it: bright, because a field of dark ink has a
    # brightest pixel too, and nearly grey, because the brightest pixel of stained tissue is not.
    white = np.percentile(rgb[readable], 99.5, axis=0)
    white = np.maximum(white, max(200.0, 0.9 * float(white.max())))
    flat = readable & (spread < FLAT_SPREAD) & (grey > max(0.75 * bright, 100.0))
    total = int(readable.sum())
    if flat.sum() >= 0.005 * total:
        counts = np.zeros((256 // _BIN + 1,) * 3, np.float32)
        np.add.at(counts, tuple((rgb[flat] // _BIN).T), 1)
        mode = np.unravel_index(int(gaussian_filter(counts, 1).argmax()), counts.shape)
        centre = np.array(mode) * _BIN + _BIN / 2
        near = flat & (np.abs(rgb.astype(np.int16) - centre).max(axis=2) <= _NEAR)
        share = float(near.sum()) / total
        if near.any():
            colour = np.median(rgb[near], axis=0)
            glass_spread = float(np.median(spread[near]))
            grey_enough = 1 - colour.min() / colour.max() < 0.15
            bright_enough = bool((colour > white - 30).all())
            if (share >= 0.01 and grey_enough and bright_enough) or (
                share >= 0.25 and glass_spread < 1.0
            ):
                rgb3 = (float(colour[0]), float(colour[1]), float(colour[2]))
                density, _ = density_and_chroma(rgb[near][None], rgb3)
                middle = np.median(density)
                noise = 1.4826 * float(np.median(np.abs(density - middle)))
                return Background(rgb3, True, share, glass_spread, noise)
    return Background((float(white[0]), float(white[1]), float(white[2])), False, 0.0, 0.0, 0.0)


def density_and_chroma(
    rgb: RgbImage, background: tuple[float, float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Brightness and saturation in optical density relative to the background.

    Parameters
    ----------
    rgb : RgbImage
        Shape (height, width, 3).
    background : (float, float, float)
        Colour of bare glass.

    Returns
    -------
    density, chroma : ndarray of float32
        Shape (height, width): mean optical density of the channels, and largest minus smallest
        (the saturation of a white-balanced picture on a logarithmic scale). Both >= 0 on glass 0.
    """
    levels = np.maximum(np.arange(256, dtype=np.float32), 1)
    # Lighter than glass is a reflection, not negative dye: but chroma keeps the sign.
    tables = [np.log10(b / levels).astype(np.float32) for b in background]
    channels = [tables[c][rgb[..., c]] for c in range(3)]
    density = np.maximum((channels[0] + channels[1] + channels[2]) / 3, 0)
    high = np.maximum(np.maximum(channels[0], channels[1]), channels[2])
    low = np.minimum(np.minimum(channels[0], channels[1]), channels[2])
    return np.asarray(density, np.float32), np.asarray(high - low, np.float32)
