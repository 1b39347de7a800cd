"""Small pictures round the centres of cells, as the cell network wants them.

The network looks at 44 x 44 px of 0.49 µm (21.6 µm; Vandenberghe 2017). Crops are cut from the
planes in which the cells were found. A working resolution within 3 % of 0.49 is taken as it is:
44 px, at 0.50 µm/px 22.0 µm. Any other is brought to size cell by cell: the whole number of working
pixels nearest to 21.6 µm (47 at 0.46) is cut and resized to 44, exact to half a working pixel over
the width. A crop starts at a whole working pixel that depends on the centre only, so that a cell's
crop is the same bytes in whatever window it was found.
"""

from __future__ import annotations

from typing import Final, Protocol

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from napari_her2.cells.protocols import CropChannels, Crops
from napari_her2.types import RgbImage

__all__ = [
    "CROP_MPP",
    "CROP_PX",
    "CROP_REACH_PX",
    "OD_LEVELS",
    "CropPlanes",
    "CropSource",
    "cut_crops",
    "od_to_levels",
]

CROP_PX: Final = 44
CROP_MPP: Final = 0.49
"""Micrometres per pixel of a crop (0.49 in the paper)."""

CROP_REACH_PX: Final = 26
"""Working pixels that a window must reach beyond a centre whose crop is cut (from 0.42 µm/px)."""

OD_LEVELS: Final = 100.0
"""Grey levels of a crop per unit of optical density (base 10): 255 stands for 2.55."""

_AS_IT_IS: Final = 0.03


class CropPlanes(Protocol):
    """What crops are cut from: the planes of one window at working resolution."""

    @property
    def haematoxylin(self) -> NDArray[np.generic]:
        """Optical density of haematoxylin, shape (h, w)."""
        ...

    @property
    def second(self) -> NDArray[np.generic]:
        """Optical density of DAB, shape (h, w)."""
        ...

    @property
    def rgb(self) -> RgbImage:
        """Colours, shape (h, w, 3)."""
        ...


def od_to_levels(od: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Optical density as bytes, :data:`OD_LEVELS` to the unit, cut off at 0 and 2.55."""
    plane = np.asarray(od, np.float32)
    return np.asarray(cv2.addWeighted(plane, OD_LEVELS, plane, 0, 0, dtype=cv2.CV_8U), np.uint8)


class CropSource:
    """Cuts crops from one window.

    Parameters
    ----------
    planes : CropPlanes
        Haematoxylin and DAB as optical density (base 10), and the colours.
    mpp : float
        Micrometres per working pixel.
    channels : {"stains", "rgb"}
        What the crops show.
    """

    def __init__(self, planes: CropPlanes, mpp: float, channels: CropChannels = "stains") -> None:
        if channels == "stains":
            parts = [od_to_levels(planes.haematoxylin), od_to_levels(planes.second)]
            image = np.asarray(cv2.merge(parts), dtype=np.uint8)
        else:
            image = planes.rgb
        self.side = _working_side(mpp)
        # Cells at the rim of the slide: the rim goes on, it is not taken for glass.
        self._pad = self.side
        framed = cv2.copyMakeBorder(image, *(4 * (self._pad,)), cv2.BORDER_REPLICATE)
        self._shape = framed.shape
        # A row as one run of bytes: a crop's row is then copied in one piece.
        flat = framed.reshape(framed.shape[0], -1)
        self._windows = sliding_window_view(flat, (self.side, self.side * framed.shape[2]))

    def cut(self, centres_yx: ArrayLike) -> Crops:
        """Cut crops.

        Parameters
        ----------
        centres_yx : array_like
            Shape (n, 2): row and column in working pixels of the window, 0 = middle of the first
            pixel, as :class:`~napari_her2.cells.detection.FoundNuclei` has them.

        Returns
        -------
        ndarray of uint8
            Shape (n, 44, 44, channels). Stains: haematoxylin and DAB, 100 levels to a unit of
            optical density.
        """
        centres = np.asarray(centres_yx, np.float64).reshape(-1, 2)
        # The first pixel for which the middle of the crop lies nearest to the centre.
        start = np.floor(centres - (self.side - 1) / 2 + 0.5).astype(np.intp) + self._pad
        limit = np.array(self._shape[:2]) - self.side
        if len(start) and not ((start >= 0) & (start <= limit)).all():
            msg = "a centre lies outside its window"
            raise ValueError(msg)
        channels = self._shape[2]
        out = np.asarray(self._windows[start[:, 0], start[:, 1] * channels], dtype=np.uint8)
        out = out.reshape(len(start), self.side, self.side, channels)
        return out if self.side == CROP_PX else _resized(out)


def cut_crops(
    planes: CropPlanes, centres_yx: ArrayLike, mpp: float, channels: CropChannels = "stains"
) -> Crops:
    """Crops round some centres of one window; see :class:`CropSource`."""
    return CropSource(planes, mpp, channels).cut(centres_yx)


def _working_side(mpp: float) -> int:
    """Working pixels that one crop spans."""
    if abs(mpp / CROP_MPP - 1) <= _AS_IT_IS:
        return CROP_PX
    return max(2, round(CROP_PX * CROP_MPP / mpp))


def _resized(crops: Crops) -> Crops:
    """Crops brought to size; the bit-exact kinds, so that machines agree."""
    shrink = crops.shape[1] > 2 * CROP_PX
    how = cv2.INTER_AREA if shrink else cv2.INTER_LINEAR_EXACT
    out = np.empty((len(crops), CROP_PX, CROP_PX, crops.shape[3]), np.uint8)
    for crop, small in zip(crops, out, strict=True):
        cv2.resize(crop, (CROP_PX, CROP_PX), dst=small, interpolation=how)
    return out
