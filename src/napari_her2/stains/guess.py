"""Which stain a slide carries, from the hue of its tissue: fixed cuts, no weights.

Three hues tell the stains apart, each as a share of all dye in the tissue:

* *pink*: green is absorbed far more than red and blue. Eosin does that; haematoxylin does not (it
  takes red as strongly as green), DAB does not (it takes blue most).
* *brown*: blue is absorbed more than green and red less than the mean: DAB.
* neither: haematoxylin alone, which is what an IHC slide of score 0 looks like. Such a slide is
  called H-DAB without confidence, and never H&E.

The cuts were chosen on the images listed in ``docs/stain_guess.md``; the confidence is a graded
score, not a calibrated probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import Level, Slide
from napari_her2.stains.deconvolution import rgb_to_od
from napari_her2.types import BoolMask, RgbImage, Stain

__all__ = ["MISMATCH_CONFIDENCE", "StainGuess", "check_stain", "guess_stain"]

MISMATCH_CONFIDENCE = 0.8
"""From this confidence on a wrong stain stops a run."""

MIN_DENSITY = 0.04
"""Paler pixels have no reliable hue."""

PINK_EXCESS = 0.3
"""Green over the larger of red and blue, in units of the mean optical density."""

BROWN_RED = 0.9
"""Red in units of the mean optical density: DAB takes less."""

PINK_CUT, PINK_SCALE = 0.10, 0.10
BROWN_CUT, BROWN_SCALE = 0.05, 0.08
PINK_ABSENT = 0.05
NO_EOSIN = 0.02
"""With less pink than this in stained tissue there is no eosin, whatever else there may be."""

BLUE_ONLY_CONFIDENCE = 0.6
MAX_CONFIDENCE = 0.99

MIN_PIXELS = 500
STRANGE_SATURATION = 0.15
STRANGE_RED = 2.0
"""No stain in use takes so much red (in units of the mean): the file has false colours."""

SAMPLE_UM = 1.0
SAMPLE_PX = 256
SAMPLES = 40


class _Tissue(Protocol):
    """The part of a tissue mask that is needed here."""

    @property
    def mask(self) -> BoolMask: ...
    @property
    def downsample(self) -> tuple[float, float]: ...
    @property
    def background(self) -> tuple[float, float, float]: ...


@dataclass(frozen=True, slots=True)
class StainGuess:
    """What stain a slide seems to carry.

    Attributes
    ----------
    stain : {"H&E", "H-DAB", "unknown"}
        The guess.
    confidence : float
        0 to 1; a graded score, not a calibrated probability.
    pink, brown : float
        Shares of all dye in the tissue with the hue of eosin and of DAB.
    """

    stain: Stain
    confidence: float
    pink: float = 0.0
    brown: float = 0.0


def guess_stain(slide: Slide, tissue: _Tissue) -> StainGuess:
    """Guess the stain of a slide from up to 40 fields of its tissue at about 1 µm/px.

    Parameters
    ----------
    slide : Slide
        The slide.
    tissue : TissueMask
        Its tissue; ``unknown`` without any.

    Returns
    -------
    StainGuess
        ``unknown`` also where colours are false or the hues contradict each other.
    """
    glass = tissue.background
    if 1 - min(glass) / max(glass) > STRANGE_SATURATION:
        return StainGuess("unknown", 0.0)
    pixels = _sample(slide, tissue)
    od = rgb_to_od(pixels, glass)
    mean = od.mean(axis=1)
    dyed = mean > MIN_DENSITY
    if int(dyed.sum()) < MIN_PIXELS:
        return StainGuess("unknown", 0.0)
    red, green, blue = (od[dyed] / mean[dyed, None]).T
    weight = mean[dyed] / mean[dyed].sum(dtype=np.float64)
    if float(np.median(red)) > STRANGE_RED:
        return StainGuess("unknown", 0.0)
    pink = float(weight[(green - np.maximum(red, blue)) > PINK_EXCESS].sum())
    brown = float(weight[(blue > green) & (red < BROWN_RED)].sum())
    stain, confidence = _decide(pink, brown)
    return StainGuess(stain, round(confidence, 3), round(pink, 4), round(brown, 4))


def _decide(pink: float, brown: float) -> tuple[Stain, float]:
    if pink >= PINK_CUT and pink >= brown:
        sure = (1 - math.exp(-pink / PINK_SCALE)) * pink / (pink + brown)
        return "H&E", min(sure, MAX_CONFIDENCE)
    if brown >= BROWN_CUT and brown > pink:
        sure = (1 - math.exp(-brown / BROWN_SCALE)) * brown / (pink + brown)
        return "H-DAB", min(sure, MAX_CONFIDENCE)
    if pink < PINK_ABSENT:
        return "H-DAB", BLUE_ONLY_CONFIDENCE
    return "unknown", 0.0


def check_stain(
    guess: StainGuess, card_stain: Literal["H&E", "H-DAB"]
) -> Literal["ok", "unsure", "mismatch"]:
    """Compare a guess with the stain a model was made for.

    Parameters
    ----------
    guess : StainGuess
        Of the slide.
    card_stain : {"H&E", "H-DAB"}
        Of the model card.

    Returns
    -------
    {"ok", "unsure", "mismatch"}
        ``mismatch``: another stain with a confidence of at least 0.8, or no trace of eosin for a
        model of H&E: the run must be asked for. ``unsure``: unknown, or another stain with less: a
        warning is enough.
    """
    if guess.stain == card_stain:
        return "ok"
    if guess.stain == "unknown":
        return "unsure"
    no_eosin = card_stain == "H&E" and guess.pink < NO_EOSIN
    return "mismatch" if guess.confidence >= MISMATCH_CONFIDENCE or no_eosin else "unsure"


def _sample(slide: Slide, tissue: _Tissue) -> NDArray[np.uint8]:
    """Pixels of tissue, shape (n, 3), at about 1 µm/px (half of level 0 without pixel size)."""
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


def _fields(level: Level, side: int, tissue: _Tissue) -> list[tuple[int, int, int, int]]:
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
    tissue: _Tissue, level: Level, x: int, y: int, width: int, height: int, *, coarse: bool = False
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
