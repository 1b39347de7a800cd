"""A fixed sample of the coloured pixels of a slide, on which its stains are measured."""

from __future__ import annotations

import math
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import Level, Slide
from napari_her2.types import BoolMask, RgbImage

__all__ = ["TissueLike", "sample_tissue"]

SAMPLE_UM = 1.0
SAMPLE_PX = 256
SAMPLES = 40


class TissueLike(Protocol):
    """The part of a tissue mask that is needed to measure stains."""

    @property
    def mask(self) -> BoolMask:
        """Shape (height, width)."""
        ...

    @property
    def downsample(self) -> tuple[float, float]:
        """Level-0 pixels per mask pixel in x and y."""
        ...

    @property
    def background(self) -> tuple[float, float, float]:
        """Colour of bare glass."""
        ...


def sample_tissue(slide: Slide, tissue: TissueLike) -> NDArray[np.uint8]:
    """Read pixels of tissue from up to 40 fields spread evenly over it, always the same ones.

    Parameters
    ----------
    slide : Slide
        The slide.
    tissue : TissueLike
        Its tissue.

    Returns
    -------
    ndarray of uint8
        Shape (n, 3), at about 1 µm/px (half of level 0 without pixel size); what can't be read is
        left out, so n may be 0.
    """
    mpp = slide.mpp
    wanted = 2.0 if mpp is None else max(1.0, SAMPLE_UM / mpp.mean)
    fine = [level for level in slide.levels if level.downsample <= wanted * 1.2]
    level = max(fine, key=lambda one: one.downsample) if fine else slide.levels[0]
    k = max(1, round(wanted / level.downsample))
    found = [np.empty((0, 3), np.uint8)]
    for x, y, width, height in _fields(level, SAMPLE_PX * k, tissue):
        got = slide.read(level.index, x, y, width, height)
        rgb: RgbImage = got.rgb
        mask = _mask_at(tissue, level, x, y, width, height)
        if got.missing is not None:
            mask &= ~got.missing
        if width >= k and height >= k:
            size = (width // k, height // k)
            rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), np.uint8)
            small = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
            mask = np.asarray(small > 0)
        # JPEG keeps colour at half resolution: a light blur evens what it makes of edges.
        rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), 0.8), np.uint8)
        found.append(rgb[mask])
    return np.concatenate(found)


def _fields(level: Level, side: int, tissue: TissueLike) -> list[tuple[int, int, int, int]]:
    """Windows of a level that hold tissue, evenly spread over it."""
    fields = []
    for y in range(0, level.height, side):
        for x in range(0, level.width, side):
            w, h = min(side, level.width - x), min(side, level.height - y)
            share = float(_mask_at(tissue, level, x, y, w, h, coarse=True).mean())
            if share > 0:
                fields.append((share >= 0.3, (x, y, w, h)))
    full = [box for enough, box in fields if enough] or [box for _, box in fields]
    if len(full) <= SAMPLES:
        return full
    return [full[i] for i in np.linspace(0, len(full) - 1, SAMPLES).round().astype(int)]


def _mask_at(
    tissue: TissueLike,
    level: Level,
    x: int,
    y: int,
    width: int,
    height: int,
    *,
    coarse: bool = False,
) -> BoolMask:
    """The mask over a window of a level: at the level's resolution, or at its own."""
    fx = level.downsample_x / tissue.downsample[0]
    fy = level.downsample_y / tissue.downsample[1]
    rows, cols = tissue.mask.shape
    if coarse:
        top, left = int(y * fy), int(x * fx)
        bottom = max(top + 1, math.ceil((y + height) * fy))
        right = max(left + 1, math.ceil((x + width) * fx))
        return tissue.mask[min(top, rows - 1) : bottom, min(left, cols - 1) : right]
    i = np.minimum(((np.arange(height) + y + 0.5) * fy).astype(np.intp), rows - 1)
    j = np.minimum(((np.arange(width) + x + 0.5) * fx).astype(np.intp), cols - 1)
    return np.asarray(tissue.mask[np.ix_(i, j)], np.bool_)
