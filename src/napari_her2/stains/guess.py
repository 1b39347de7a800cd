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
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.slides.base import Slide
from napari_her2.stains.deconvolution import rgb_to_od
from napari_her2.stains.sampling import TissueLike, sample_tissue
from napari_her2.types import Stain

__all__ = ["MISMATCH_CONFIDENCE", "StainGuess", "check_stain", "guess_stain", "is_colourless"]

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
GREY_LEVELS = 4
"""Channels no further apart than this in 99 of 100 pixels: a grey picture, perhaps saved as a
coloured JPEG. The palest of 65 real immunostained pictures has 8 in half of its pixels."""

DARK_LEVEL = 60
"""Half of the tissue darker than this in all channels: no light comes through. The darkest of 39
real pictures has 131 there."""

STRANGE_SATURATION = 0.15
STRANGE_RED = 2.0
"""No stain in use takes so much red (in units of the mean): the file has false colours."""


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
    colourless : bool
        Whether the picture is grey throughout, so that no stain can ever be told in it.
    dark : bool
        Whether it is dark where a slide lets light through: fluorescence, or a negative.
    """

    stain: Stain
    confidence: float
    pink: float = 0.0
    brown: float = 0.0
    colourless: bool = False
    dark: bool = False


def guess_stain(slide: Slide, tissue: TissueLike) -> StainGuess:
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
    pixels = sample_tissue(slide, tissue)
    if is_colourless(pixels):
        return StainGuess("unknown", 0.0, colourless=True)
    if len(pixels) and np.median(pixels.max(axis=1)) < DARK_LEVEL:
        return StainGuess("unknown", 0.0, dark=True)
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


def is_colourless(pixels: NDArray[np.uint8]) -> bool:
    """Whether pixels, shape (n, 3), are all grey; False for none."""
    if not len(pixels):
        return False
    apart = pixels.max(axis=1).astype(np.int16) - pixels.min(axis=1)
    return bool(np.percentile(apart, 99) <= GREY_LEVELS)


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
