"""Painted slides for tissue, quality and stain tests: glass, tissue of given density, ink."""

from __future__ import annotations

import cv2
import numpy as np

GLASS = (243, 243, 245)
HE = (0.25, 0.40, 0.15)
PALE_IHC = (0.035, 0.032, 0.018)
SIDE = 1024


def glass(side=SIDE, colour=GLASS, noise=1.5, seed=0):
    rng = np.random.default_rng(seed)
    return np.clip(
        np.array(colour, np.float32) + noise * rng.standard_normal((side, side, 3), np.float32),
        0,
        255,
    )


def texture(side=SIDE, scale=2.0, seed=1):
    """A field of mean 1 that varies as nuclei do at 1 µm/px."""
    rough = np.random.default_rng(seed).standard_normal((side, side), np.float32)
    smooth = cv2.GaussianBlur(rough, (0, 0), scale)
    return np.clip(1 + 0.5 * smooth / smooth.std(), 0.05, 3)[..., None]


def stained(where, od, *, colour=GLASS, scale=2.0):
    """Tissue of an optical density (R, G, B) where a mask says so."""
    density = texture(where.shape[0], scale) * np.array(od, np.float32) * where[..., None]
    return np.clip(glass(where.shape[0], colour) * 10**-density, 0, 255).astype(np.uint8)


def disc(side=SIDE, radius=0.3, centre=(0.5, 0.5)):
    y, x = np.mgrid[:side, :side] / side
    return (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius**2


def inked(pixels, colour, points, width, alpha=0.93):
    """A felt-tip stroke over a picture; some of what lies under it shines through."""
    stroke = np.zeros(pixels.shape[:2], np.float32)
    cv2.polylines(stroke, [np.array(points, np.int32)], False, 1.0, width)
    cover = cv2.GaussianBlur(stroke, (0, 0), 2.5)[..., None] * alpha
    under = pixels.astype(np.float32)
    ink = np.array(colour) * (0.7 + 0.3 * under / 245)
    return np.clip(under * (1 - cover) + ink * cover, 0, 255).astype(np.uint8)
