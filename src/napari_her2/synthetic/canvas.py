"""The plan of a scene: masks at 2 µm per pixel into which structures are drawn."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.fields import FloatImage, Raster

__all__ = ["PLAN_UM", "Canvas", "blob_radius", "ring_points"]

PLAN_UM = 2.0
"""Pixel of the plan, micrometres."""

_SHIFT = 4
Floats = NDArray[np.float64]
_THETA = np.linspace(0, 2 * np.pi, 49)[:-1]


def blob_radius(rng: np.random.Generator, rough: float) -> Floats:
    """Relative radius of a closed, gently irregular outline at 48 equally spaced angles."""
    r = np.ones_like(_THETA)
    for k in (2, 3, 4, 5, 7):
        r += rough * rng.normal() / k * np.cos(k * _THETA + rng.uniform(0, 2 * np.pi))
    return np.clip(r, 0.55, 1.6)


def ring_points(
    cx: float, cy: float, radius: Floats, stretch: float, angle: float
) -> NDArray[np.float64]:
    """Outline (48, 2) in µm of a blob stretched by ``stretch`` along ``angle``."""
    u = radius * np.cos(_THETA) * stretch
    v = radius * np.sin(_THETA)
    c, s = np.cos(angle), np.sin(angle)
    return np.stack([cx + u * c - v * s, cy + u * s + v * c], 1)


class Canvas:
    """Masks of a scene (uint8, 0 or 255), all of the same shape.

    Attributes
    ----------
    epithelium, lumen, necrosis, mucin : ndarray of uint8
        Tumour and normal epithelium; clear space; comedo necrosis; mucin lakes.
    """

    def __init__(self, width_um: float, height_um: float) -> None:
        self.shape = (int(np.ceil(height_um / PLAN_UM)), int(np.ceil(width_um / PLAN_UM)))
        self.epithelium = np.zeros(self.shape, np.uint8)
        self.lumen = np.zeros(self.shape, np.uint8)
        self.necrosis = np.zeros(self.shape, np.uint8)
        self.mucin = np.zeros(self.shape, np.uint8)

    def fill(self, layer: NDArray[np.uint8], outline_um: Floats, value: int = 255) -> None:
        """Fill a polygon given in µm."""
        pts = np.rint((outline_um / PLAN_UM - 0.5) * (1 << _SHIFT)).astype(np.int32)
        cv2.fillPoly(layer, [pts], value, cv2.LINE_8, _SHIFT)

    def line(self, layer: NDArray[np.uint8], points_um: Floats, width_um: float) -> None:
        """Draw a thick line given in µm."""
        pts = np.rint((points_um / PLAN_UM - 0.5) * (1 << _SHIFT)).astype(np.int32)
        width = max(1, round(width_um / PLAN_UM))
        cv2.polylines(layer, [pts], False, 255, width, cv2.LINE_8, _SHIFT)

    def is_set(self, layer: NDArray[np.uint8], x: Floats, y: Floats) -> NDArray[np.bool_]:
        """Whether the mask is set at points given in µm."""
        col = np.clip((x / PLAN_UM).astype(np.intp), 0, self.shape[1] - 1)
        row = np.clip((y / PLAN_UM).astype(np.intp), 0, self.shape[0] - 1)
        return np.asarray(layer[row, col] > 0)

    @staticmethod
    def height(mask: NDArray[np.uint8], reach_um: float = 32.0) -> Raster:
        """Signed distance to the mask's edge in µm (positive inside), smoothed by one pixel."""
        inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
        outside = cv2.distanceTransform(255 - mask, cv2.DIST_L2, 3)
        reach = reach_um + 8  # clipped first: an empty mask has no finite distance
        signed: FloatImage = np.minimum(inside, reach) - np.minimum(outside, reach)
        signed *= np.float32(PLAN_UM)
        smooth = np.asarray(cv2.GaussianBlur(signed, (0, 0), 1.2), dtype=np.float32)
        return Raster(smooth, PLAN_UM, -reach_um, reach_um)
