"""A small picture of the whole slide for tissue and quality, read in windows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import Level, Slide
from napari_her2.types import BoolMask, RgbImage

__all__ = ["Overview", "nominal_um", "read_overview"]

NOMINAL_UM = 8.0
"""Side of a mask pixel that sizes of specks and strokes are written for, micrometres."""

MIN_SIDE = 512
"""A small image (a TMA core, a crop) is looked at with at least this many pixels a side."""

MAX_PIXELS = 4_000_000
"""Bound of the overview, so that memory does not grow with the slide."""

MAX_SIDE_NO_MPP = 2048
WINDOW = 2048
"""Side of one read, level pixels."""


@dataclass(frozen=True, slots=True)
class Overview:
    """A slide at low resolution.

    Attributes
    ----------
    rgb : RgbImage
        Shape (height, width, 3); mid-grey where ``missing``.
    missing : BoolMask
        Shape (height, width); True where more than half of a pixel could not be read.
    downsample : (float, float)
        Level-0 pixels per overview pixel in x and y. The last row and column may reach over the
        slide's edge.
    um_per_px : (float, float) or None
        Micrometres per overview pixel in x and y; None where the slide states no pixel size.
    reason : str or None
        Why something is missing.
    """

    rgb: RgbImage
    missing: BoolMask
    downsample: tuple[float, float]
    um_per_px: tuple[float, float] | None
    reason: str | None = None

    @property
    def size_um(self) -> float:
        """Side of a pixel for sizes of specks and strokes: true, or nominal without pixel size."""
        return nominal_um(self.um_per_px)


def nominal_um(um_per_px: tuple[float, float] | None) -> float:
    """Mean side of a mask pixel; without pixel size clean-up counts pixels as if of 8 µm.

    Nothing in micrometres is ever reported from the nominal value.
    """
    return NOMINAL_UM if um_per_px is None else math.sqrt(um_per_px[0] * um_per_px[1])


def read_overview(slide: Slide, *, target_um_per_px: float = NOMINAL_UM) -> Overview:
    """Read a slide at about ``target_um_per_px``.

    The coarsest level that is fine enough is read window by window and averaged down by a whole
    number, so that the downsample stays a true ratio. Small images are read finer (512 px a side)
    and huge ones coarser (4 Mpx at most); without a pixel size the long side has 2048 px at most.

    Parameters
    ----------
    slide : Slide
        The slide; a damaged one is fine.
    target_um_per_px : float
        Wanted side of an overview pixel, micrometres.

    Returns
    -------
    Overview
        The picture, with what could not be read.
    """
    wanted = _wanted_downsample(slide, target_um_per_px)
    level = _coarsest_level(slide.levels, wanted)
    k = max(1, int(wanted / level.downsample + 1e-6))
    # Rounding k down may leave more pixels than allowed: then one step coarser.
    while math.ceil(level.width / k) * math.ceil(level.height / k) > MAX_PIXELS:
        k += 1
    rgb, missing, reason = _read_reduced(slide, level, k)
    downsample = (level.downsample_x * k, level.downsample_y * k)
    mpp = slide.mpp
    um = None if mpp is None else (mpp.x * downsample[0], mpp.y * downsample[1])
    return Overview(rgb, missing, downsample, um, reason)


def _wanted_downsample(slide: Slide, target_um: float) -> float:
    size, mpp = slide.size, slide.mpp
    longest = max(size.width, size.height)
    wanted = max(longest / MAX_SIDE_NO_MPP, 4.0) if mpp is None else target_um / mpp.mean
    wanted = max(1.0, min(wanted, longest / MIN_SIDE))
    return max(wanted, math.sqrt(size.width * size.height / MAX_PIXELS))


def _coarsest_level(levels: tuple[Level, ...], downsample: float) -> Level:
    fine = [level for level in levels if level.downsample <= downsample * 1.01]
    return max(fine, key=lambda level: level.downsample) if fine else levels[0]


def _read_reduced(slide: Slide, level: Level, k: int) -> tuple[RgbImage, BoolMask, str | None]:
    width, height = math.ceil(level.width / k), math.ceil(level.height / k)
    rgb: RgbImage = np.full((height, width, 3), 128, np.uint8)
    missing: BoolMask = np.ones((height, width), np.bool_)
    reason = None
    step = max(1, WINDOW // k)
    for top in range(0, height, step):
        for left in range(0, width, step):
            rows, cols = min(step, height - top), min(step, width - left)
            x, y = left * k, top * k
            w, h = min(cols * k, level.width - x), min(rows * k, level.height - y)
            got = slide.read(level.index, x, y, w, h)
            reason = reason or got.reason
            part, lost = _average(got.rgb, got.missing, k, rows, cols)
            rgb[top : top + rows, left : left + cols] = part
            missing[top : top + rows, left : left + cols] = lost
    return rgb, missing, reason


def _average(
    rgb: RgbImage, lost: BoolMask | None, k: int, rows: int, cols: int
) -> tuple[RgbImage, BoolMask]:
    """Mean of the readable pixels in blocks of k by k; blocks at the edge may be smaller."""
    whole = rgb.shape[:2] == (rows * k, cols * k)
    if whole and (lost is None or not lost.any()):
        small = rgb if k == 1 else cv2.resize(rgb, (cols, rows), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8), np.zeros((rows, cols), np.bool_)
    weight = np.zeros((rows * k, cols * k), np.float32)
    weight[: rgb.shape[0], : rgb.shape[1]] = 1 if lost is None else ~lost
    area = _block_sum(np.pad(np.ones(rgb.shape[:2], np.float32), _to_shape(rgb, weight)), k)
    count = _block_sum(weight, k)
    out: RgbImage = np.full((rows, cols, 3), 128, np.uint8)
    gone: BoolMask = count < 0.5 * area
    for c in range(3):
        channel = np.pad(rgb[..., c].astype(np.float32), _to_shape(rgb, weight)) * weight
        mean = _block_sum(channel, k) / np.maximum(count, 1)
        out[..., c] = np.where(gone, 128, np.rint(mean)).astype(np.uint8)
    return out, gone


def _to_shape(
    rgb: RgbImage, weight: NDArray[np.float32]
) -> tuple[tuple[int, int], tuple[int, int]]:
    return (0, weight.shape[0] - rgb.shape[0]), (0, weight.shape[1] - rgb.shape[1])


def _block_sum(a: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    h, w = a.shape
    return np.asarray(a.reshape(h // k, k, w // k, k).sum(axis=(1, 3), dtype=np.float32))
