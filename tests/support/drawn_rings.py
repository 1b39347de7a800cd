"""Cells drawn for tests: nuclei on a grid, membranes of known completeness and strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

MPP = 0.5


@dataclass(frozen=True)
class Planes:
    haematoxylin: NDArray[np.float32]
    second: NDArray[np.float32]


@dataclass(frozen=True)
class Nuclei:
    labels: NDArray[np.int32]
    centres_yx: NDArray[np.float64]
    area_px: NDArray[np.int64]


@dataclass(frozen=True)
class Scale:
    scale_x: float = 1.0
    scale_y: float = 1.0
    typical_nucleus: tuple[float, float, float] | None = (50.0, 0.4, 0.45)


def drawn(
    centres_yx: Any,
    stained: Any,
    od: Any,
    *,
    radius: float = 8.0,
    ring: float = 15.0,
    cytoplasm: float = 0.0,
    shape: tuple[int, int] | None = None,
) -> tuple[Planes, Nuclei]:
    """Round nuclei (radius in px) with a ring each; ``stained`` = share from angle 0 clockwise."""
    centres = np.asarray(centres_yx, np.float64)
    h, w = shape or tuple(int(v) for v in centres.max(0) + 40)
    labels = np.zeros((h, w), np.int32)
    dab = np.zeros((h, w), np.float32)
    for y, x in centres:
        middle = (round(x), round(y))
        if cytoplasm:
            cv2.circle(dab, middle, round(ring + 3), cytoplasm, -1)
    for (y, x), share, strength in zip(centres, stained, od, strict=True):
        line = np.zeros_like(dab)
        axes = (round(ring), round(ring))
        if share > 0:
            cv2.ellipse(line, (round(x), round(y)), axes, 0, 0, 360 * share, float(strength), 2)
        np.maximum(dab, line, out=dab)
    blue = np.zeros_like(dab)
    for i, (y, x) in enumerate(centres):
        cv2.circle(labels, (round(x), round(y)), round(radius), i + 1, -1)
    blue[labels > 0] = 0.4
    dab[labels > 0] = 0.0
    area = np.bincount(labels.ravel(), minlength=len(centres) + 1)[1:]
    return Planes(blue, dab), Nuclei(labels, centres, area)


def apart(n: int) -> NDArray[np.float64]:
    """Centres too far from each other to share a membrane."""
    k = np.arange(n)
    return np.stack([50.0 + 100 * (k // 8), 50.0 + 100 * (k % 8)], axis=1)


def packed(rows: int, columns: int, step: float = 28.0) -> NDArray[np.float64]:
    """Centres of a sheet of touching cells."""
    y, x = np.mgrid[0:rows, 0:columns] * step + 40.0
    return np.stack([y.ravel(), x.ravel()], axis=1)
