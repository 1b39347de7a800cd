"""Blur: how much fine detail the tissue has left, sampled over the slide at 2 µm/px."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import Level, PixelSize, Slide
from napari_her2.types import BoolMask

__all__ = ["find_blur", "sharpness"]

LOOK_UM = 2.0
"""Resolution that is judged: that of the tiles most models read."""

COARSEST_UM = 2.6
"""A slide coarser than this has no detail to judge."""

FIELD_PX = 128
"""Side of a field, pixels of 2 µm: one cell of the blur map at its finest."""

MAX_FIELDS = 400
"""More tissue than this many fields is sampled: one field stands for a larger cell."""

BLURRED_SHARPNESS = 0.45
BLURRED_SHARE = 0.16
"""A field is blurred if its sharpness is below the first, or below this share of the slide's upper
quartile. On 14 real images in focus no field lay below 2.0, nor below half of the upper quartile.
Blurred with a Gaussian of 2 µm they came to 0.2-1.2 and at most 0.14 of it; of 3 µm, to 0.4 at
most. A blur of 1 µm can't be seen at this resolution and does not matter to tiles of it."""

DETAIL_SIGMA_PX = 6.0
"""Contrast is measured on the scale of a cell: slow changes of stain and shadow say nothing."""

ROUNDING_NOISE = 1.7
"""Variance that rounding to whole grey levels alone gives to the Laplacian (20 / 12)."""

MIN_CONTRAST = 2.0
"""Variance in grey levels below which nothing can be told."""

MIN_TISSUE = 0.4


def sharpness(grey: NDArray[np.float32], on: BoolMask) -> float | None:
    """Energy of the Laplacian over the contrast of cells, on tissue; None where it can't be told.

    Parameters
    ----------
    grey : ndarray of float32
        Shape (height, width), grey levels at 2 µm/px.
    on : BoolMask
        Shape (height, width): tissue.

    Returns
    -------
    float or None
        About 2 to 20 in focus, below 0.4 where nuclei have no edges.
    """
    inner = np.zeros_like(on)
    inner[1:-1, 1:-1] = on[1:-1, 1:-1]
    if inner.sum() < MIN_TISSUE * on.size:
        return None
    cells = grey - cv2.GaussianBlur(grey, (0, 0), DETAIL_SIGMA_PX)
    contrast = float(cells[inner].var()) - 1 / 12
    if contrast < MIN_CONTRAST:
        return None
    detail = float(cv2.Laplacian(grey, cv2.CV_32F)[inner].var()) - ROUNDING_NOISE
    return max(detail, 0.0) / contrast


def find_blur(
    slide: Slide, mask: BoolMask, downsample: tuple[float, float]
) -> tuple[BoolMask, bool]:
    """Find tissue out of focus.

    Parameters
    ----------
    slide : Slide
        The slide.
    mask : BoolMask
        Shape (height, width): tissue at low resolution.
    downsample : (float, float)
        Level-0 pixels per mask pixel in x and y.

    Returns
    -------
    blurred : BoolMask
        Like ``mask``; whole cells of at least 256 µm, tissue only.
    assessed : bool
        False where the pixel size is unknown or too coarse: then nothing is said of focus.
    """
    blurred = np.zeros_like(mask)
    mpp = slide.mpp
    if mpp is None or mpp.mean > COARSEST_UM:
        return blurred, False
    if not mask.any():
        return blurred, True
    fields, side = _fields(mask, downsample, mpp)
    level = _level(slide, mpp)
    found = []
    for left, top in fields:
        value = _field_sharpness(slide, level, mpp, mask, downsample, left, top, side)
        if value is not None:
            found.append((left, top, value))
    if not found:
        return blurred, False
    values = np.array([value for _, _, value in found])
    limit = max(BLURRED_SHARPNESS, BLURRED_SHARE * float(np.percentile(values, 75)))
    for left, top, value in found:
        if value < limit:
            rows = _span(top, side / mpp.y, downsample[1])
            cols = _span(left, side / mpp.x, downsample[0])
            blurred[rows, cols] = mask[rows, cols]
    return blurred, True


def _fields(
    mask: BoolMask, downsample: tuple[float, float], mpp: PixelSize
) -> tuple[list[tuple[float, float]], float]:
    """Top-left corners (level-0 pixels) of the cells that hold tissue, and their side in µm."""
    side = FIELD_PX * LOOK_UM
    height, width = mask.shape[0] * downsample[1], mask.shape[1] * downsample[0]
    while True:
        step_x, step_y = side / mpp.x, side / mpp.y
        corners = [
            (col * step_x, row * step_y)
            for row in range(math.ceil(height / step_y))
            for col in range(math.ceil(width / step_x))
        ]
        held = [
            (x, y)
            for x, y in corners
            if _share(mask[_span(y, step_y, downsample[1]), _span(x, step_x, downsample[0])])
            >= MIN_TISSUE
        ]
        if len(held) <= MAX_FIELDS:
            return held, side
        side *= max(1.1, math.sqrt(len(held) / MAX_FIELDS))


def _share(part: BoolMask) -> float:
    return float(part.mean()) if part.size else 0.0


def _span(start: float, length: float, downsample: float) -> slice:
    first = round(start / downsample)
    return slice(first, max(first + 1, round((start + length) / downsample)))


def _level(slide: Slide, mpp: PixelSize) -> Level:
    fine = [one for one in slide.levels if one.downsample * mpp.mean <= LOOK_UM * 1.05]
    return max(fine, key=lambda one: one.downsample) if fine else slide.levels[0]


def _field_sharpness(
    slide: Slide,
    level: Level,
    mpp: PixelSize,
    mask: BoolMask,
    downsample: tuple[float, float],
    left: float,
    top: float,
    side: float,
) -> float | None:
    """Sharpness of the middle of a cell."""
    field_x, field_y = FIELD_PX * LOOK_UM / mpp.x, FIELD_PX * LOOK_UM / mpp.y
    x = (left + (side / mpp.x - field_x) / 2) / level.downsample_x
    y = (top + (side / mpp.y - field_y) / 2) / level.downsample_y
    x0, y0 = max(0, round(x)), max(0, round(y))
    width = min(round(field_x / level.downsample_x), level.width - x0)
    height = min(round(field_y / level.downsample_y), level.height - y0)
    out_w = round(width * level.downsample_x * mpp.x / LOOK_UM)
    out_h = round(height * level.downsample_y * mpp.y / LOOK_UM)
    if min(out_w, out_h) < FIELD_PX // 4:
        return None
    got = slide.read(level.index, x0, y0, width, height)
    rows = _at(np.arange(out_h), height / out_h, y0, level.downsample_y / downsample[1], mask, 0)
    cols = _at(np.arange(out_w), width / out_w, x0, level.downsample_x / downsample[0], mask, 1)
    on = mask[np.ix_(rows, cols)]
    if got.missing is not None:
        lost = got.missing.astype(np.uint8)
        on &= cv2.resize(lost, (out_w, out_h), interpolation=cv2.INTER_NEAREST) == 0
    grey = cv2.cvtColor(got.rgb, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(grey, (out_w, out_h), interpolation=cv2.INTER_AREA)
    return sharpness(np.asarray(small, np.float32), on)


def _at(
    index: NDArray[np.int_], step: float, start: int, factor: float, mask: BoolMask, axis: int
) -> NDArray[np.intp]:
    """Mask rows or columns under the pixels of a field."""
    place = (start + (index + 0.5) * step) * factor
    return np.asarray(np.minimum(place.astype(np.intp), mask.shape[axis] - 1), np.intp)
