"""Nuclei in one window: threshold, markers, watershed of touching ones only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import CellMode
from napari_her2.cells.combined import NEUTRAL, combined_image
from napari_her2.cells.detection_settings import SETTINGS, DetectionSettings
from napari_her2.cells.flooding import Landscape, flood_clumps, mask_pixels
from napari_her2.cells.interiors import add_brown_objects
from napari_her2.cells.markers import find_markers, strict_heights
from napari_her2.types import RgbImage

__all__ = ["FoundNuclei", "find_nuclei", "landscape"]

DISTANCE_STEPS: Final = 8
"""Steps of the distance to the outline per pixel."""

LEVELS_PER_STEP: Final = 128
"""Levels of the surface per such step."""


class _Window(Protocol):
    @property
    def rgb(self) -> RgbImage: ...
    @property
    def channels(self) -> tuple[NDArray[np.uint8], ...]: ...
    @property
    def mpp_x(self) -> float: ...
    @property
    def mpp_y(self) -> float: ...
    @property
    def origin_x(self) -> int: ...
    @property
    def origin_y(self) -> int: ...


class _Constants(Protocol):
    @property
    def mode(self) -> CellMode: ...
    @property
    def background(self) -> tuple[float, float, float]: ...
    @property
    def threshold(self) -> int: ...
    @property
    def nuclear_contrast(self) -> int: ...


@dataclass(frozen=True)
class FoundNuclei:
    """Nuclei of one window.

    Attributes
    ----------
    labels : ndarray of int32
        Shape (height, width); 0 = none, nucleus ``i`` has label ``i + 1``.
    centres_yx : ndarray of float64
        Shape (n, 2): mean row and column of each nucleus; 0 is the centre of the first pixel.
    area_px : ndarray of int64
        Shape (n,).
    markers_yx : ndarray of int64
        Shape (n, 2): the pixel each nucleus was grown from. It depends on the pixels near it
        alone, so it is the same in each window that holds its surroundings.
    """

    labels: NDArray[np.int32]
    centres_yx: NDArray[np.float64]
    area_px: NDArray[np.int64]
    markers_yx: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.area_px)


def landscape(window: _Window, calibration: _Constants) -> Landscape:
    """Mask, markers and the surface to flood.

    Every step looks no further than a few micrometres and counts in whole numbers: what is found
    does not depend on where the window begins.
    """
    settings = SETTINGS[calibration.mode]
    um = float((window.mpp_x * window.mpp_y) ** 0.5)
    image = combined_image(window, calibration.background, settings)
    _, bright = cv2.threshold(image.contrast, calibration.threshold, 255, cv2.THRESH_BINARY)
    mask = np.asarray(bright, np.uint8)
    core = _cores(mask, image.contrast, calibration.threshold, settings, um)
    if settings.interiors:
        whole = add_brown_objects(mask, window, calibration.background)
        core = np.asarray(cv2.bitwise_or(core, cv2.subtract(whole, mask)), np.uint8)
        mask = whole
    distance = cv2.distanceTransform(core, cv2.DIST_L2, cv2.DIST_MASK_5)
    steps = cv2.convertScaleAbs(distance, alpha=DISTANCE_STEPS)
    steps = cv2.GaussianBlur(steps, (0, 0), 1.0)
    per_um = DISTANCE_STEPS * LEVELS_PER_STEP / um
    weight = max(1, round(settings.intensity_um * per_um / max(1, calibration.nuclear_contrast)))
    # Both together stay below 2**16, so that the darkest nuclei still have a shape.
    most = (2**16 - 1 - 255 * LEVELS_PER_STEP) // weight
    _, intensity = cv2.threshold(image.intensity, most, 255, cv2.THRESH_TRUNC)
    levels = cv2.addWeighted(steps, LEVELS_PER_STEP, intensity, weight, 0, dtype=cv2.CV_16U)
    height = strict_heights(np.asarray(levels, np.uint16), window.origin_x, window.origin_y)
    apart, reach = (max(1, round(v / um)) for v in (settings.apart_um, settings.reach_um))
    markers = find_markers(height, mask, apart, reach, settings.dip_um * per_um * 256)
    return Landscape(mask, height, markers, settings.least_um2 / um**2)


def _cores(
    mask: NDArray[np.uint8],
    contrast: NDArray[np.uint8],
    threshold: int,
    settings: DetectionSettings,
    um: float,
) -> NDArray[np.uint8]:
    """The mask less the seams between dark nuclei, which one threshold for the slide bridges.

    Beside a dark nucleus a pixel has to come up to a share of it; pale nuclei are left whole.
    """
    if not settings.core_share:
        return mask
    side = 2 * max(1, round(settings.core_um / um)) + 1
    top = cv2.dilate(contrast, np.ones((side, side), np.uint8))
    # Counts from nuclei three times as strong as the threshold asks.
    dark = NEUTRAL + 3 * max(threshold - NEUTRAL, 1)
    bar = cv2.addWeighted(top, settings.core_share, top, 0, threshold - settings.core_share * dark)
    return np.asarray(cv2.bitwise_and(mask, cv2.compare(contrast, bar, cv2.CMP_GT)), np.uint8)


def find_nuclei(window: _Window, calibration: _Constants) -> FoundNuclei:
    """Find the nuclei of one window.

    Parameters
    ----------
    window : StainPlanes
        The window, any size.
    calibration : Calibration
        Mode, glass and thresholds.

    Returns
    -------
    FoundNuclei
        Those cut by the window's edge too. Connected components with one marker are taken as they
        are, the others are flooded from their markers, which gives the same as flooding the whole
        mask: water does not cross from one to another.
    """
    land = landscape(window, calibration)
    pieces, joined = cv2.connectedComponents(land.mask, connectivity=4, ltype=cv2.CV_32S)
    components = np.asarray(joined, np.int32)
    pixels = mask_pixels(land.mask)
    piece = components.ravel()[pixels.flat]
    n = len(land.markers)
    owner = components.ravel()[land.markers]
    per = np.bincount(owner, minlength=pieces)
    alone = np.flatnonzero(per[owner] == 1)
    # What no marker lies in counts as the n-th.
    marker_of = np.full(pieces, n, np.intp)
    marker_of[owner[alone]] = alone
    which = marker_of[piece]
    if len(alone) < n:
        clump = per > 1
        together = np.flatnonzero(clump[piece])
        which[together] = flood_clumps(land, pixels.take(together), piece[together], owner, clump)
    area = np.bincount(which, minlength=n + 1)[:n]
    # Sums of whole numbers: exact, in whatever order.
    sums = (np.bincount(which, v, n + 1)[:n] for v in (pixels.rows, pixels.columns))
    centres = np.stack([total / np.maximum(area, 1) for total in sums], axis=1)
    keep = area >= max(1.0, land.least_px)
    number = np.append(np.where(keep, np.cumsum(keep), 0), 0).astype(np.int32)
    labels = np.zeros(land.mask.shape, np.int32)
    labels.ravel()[pixels.flat] = number[which]
    markers = np.stack(np.divmod(land.markers, land.mask.shape[1]), axis=1)
    return FoundNuclei(labels, centres[keep], area[keep], markers[keep])
