"""What spoils a slide: pen, folds and blur."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import Slide
from napari_her2.tiles.overview import Overview
from napari_her2.types import BoolMask

__all__ = ["find_blur", "find_folds", "find_pen"]


def find_pen(view: Overview, density: NDArray[np.float32], readable: BoolMask) -> BoolMask:
    return np.zeros_like(readable)


def find_folds(
    mask: BoolMask, density: NDArray[np.float32], chroma: NDArray[np.float32], view: Overview
) -> BoolMask:
    return np.zeros_like(mask)


def find_blur(slide: Slide, mask: BoolMask, view: Overview) -> tuple[BoolMask, bool]:
    return np.zeros_like(mask), False
