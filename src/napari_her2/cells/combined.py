"""One grey image in which nuclei are bright: haematoxylin minus a share of the membrane stain."""

from __future__ import annotations

from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import CellMode
from napari_her2.cells.stain_planes import UNITS_PER_OD, StainPlanes

__all__ = ["GREY_PER_OD", "SMOOTH_UM", "combined_image"]

GREY_PER_OD: Final = 250
"""Grey levels of the combined image per optical density."""

SMOOTH_UM: Final = 0.75
"""Standard deviation of the smoothing, µm."""

SECOND_SHARE: Final[dict[CellMode, float]] = {"her2-ihc": -0.25, "nuclear-ihc": 1.0, "he": 0.0}
"""Share of the second stain that is added: membranes are taken off haematoxylin (Vandenberghe
2017), brown nuclei are nuclei too, and eosin is left alone."""


class _Mode(Protocol):
    @property
    def mode(self) -> CellMode: ...


def combined_image(planes: StainPlanes, calibration: _Mode) -> NDArray[np.uint8]:
    """Nucleus minus membrane, smoothed.

    Parameters
    ----------
    planes : StainPlanes
        A window.
    calibration : Calibration
        The mode is used.

    Returns
    -------
    ndarray of uint8
        Shape (height, width), 250 grey levels per optical density, clipped at 0 and 255. The
        filter works in whole numbers, so a pixel does not depend on where the window begins.
    """
    # Both factors are sums of a few powers of two: the products are exact, the result is rounded
    # once, and no pixel depends on its place in the array.
    gain = GREY_PER_OD / UNITS_PER_OD
    share = SECOND_SHARE[calibration.mode]
    grey = cv2.addWeighted(
        planes.first_units, gain, planes.second_units, gain * share, 0, dtype=cv2.CV_8U
    )
    sigma_x, sigma_y = SMOOTH_UM / planes.mpp_x, SMOOTH_UM / planes.mpp_y
    return np.asarray(cv2.GaussianBlur(grey, (0, 0), sigma_x, sigmaY=sigma_y), np.uint8)
