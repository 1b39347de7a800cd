"""Names for the quantities that pass between the parts of the package."""

from __future__ import annotations

from typing import Final, Literal, NewType

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "BIOMARKERS",
    "Biomarker",
    "BoolMask",
    "IhcScore",
    "Microns",
    "ModelStatus",
    "Mpp",
    "Probs",
    "RgbImage",
    "RunStatus",
    "SlidePx",
    "Stain",
]

Microns = NewType("Microns", float)
"""A length in micrometres."""

SlidePx = NewType("SlidePx", float)
"""A length in level-0 pixels."""

Mpp = NewType("Mpp", float)
"""Micrometres per pixel."""

RgbImage = NDArray[np.uint8]
"""Shape (height, width, 3), row-major, sRGB."""

BoolMask = NDArray[np.bool_]
"""Shape (height, width)."""

Probs = NDArray[np.float32]
"""Shape (n tiles, n classes); each row sums to 1."""

Stain = Literal["H&E", "H-DAB", "unknown"]
Biomarker = Literal["ER", "PR", "HER2"]
IhcScore = Literal["0", "1+", "2+", "3+"]
ModelStatus = Literal["synthetic-demo", "user-unvalidated", "user-validated-locally"]
RunStatus = Literal["completed", "cancelled", "failed"]

BIOMARKERS: Final[tuple[Biomarker, ...]] = ("ER", "PR", "HER2")
