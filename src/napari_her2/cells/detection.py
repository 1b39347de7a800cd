"""Nuclei in one window: threshold, markers, watershed of touching ones only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import watershed

from napari_her2.cells.classes import CellMode
from napari_her2.cells.combined import combined_image
from napari_her2.cells.stain_planes import StainPlanes
from napari_her2.types import BoolMask

__all__ = ["FoundNuclei", "Landscape", "find_nuclei", "landscape"]

LEAST_UM2: Final = 10.0
"""Smaller objects are debris: a lymphocyte's nucleus has about 25 µm²."""

APART_UM: Final = 2.2
"""Markers of two nuclei lie at least this far apart."""

DISTANCE_STEPS: Final = 8
"""Steps of the distance to the outline per pixel."""

_PERIOD = 16


class _Constants(Protocol):
    @property
    def mode(self) -> CellMode: ...
    @property
    def threshold(self) -> int: ...


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


@dataclass(frozen=True)
class Landscape:
    """What the watershed works on.

    Attributes
    ----------
    mask : ndarray of uint8
        Shape (height, width): 255 on nuclei.
    components : ndarray of int32
        Connected pieces of the mask, 0 = none; numbers need not follow each other.
    n_components : int
        Largest number plus one.
    height : ndarray of float32
        Shape (height, width), to be flooded from the top; no two pixels nearer than 16 are equal.
    markers : ndarray of int64
        Flat indices of the markers.
    """

    mask: NDArray[np.uint8]
    components: NDArray[np.int32]
    n_components: int
    height: NDArray[np.float32]
    markers: NDArray[np.int64]


def landscape(planes: StainPlanes, calibration: _Constants) -> Landscape:
    """Mask, markers and the surface to flood.

    Every step looks no further than a few micrometres and counts in whole numbers: what is found
    does not depend on where the window begins.
    """
    grey = combined_image(planes, calibration)
    um2 = planes.mpp_x * planes.mpp_y
    _, bright = cv2.threshold(grey, calibration.threshold, 255, cv2.THRESH_BINARY)
    n, pieces, stats, _ = cv2.connectedComponentsWithStats(bright, connectivity=4, ltype=cv2.CV_32S)
    components = np.asarray(pieces, np.int32)
    keep = stats[:, cv2.CC_STAT_AREA] >= LEAST_UM2 / um2
    keep[0] = False
    mask = np.where(keep, np.uint8(255), np.uint8(0))[components]
    distance = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5)
    steps = cv2.convertScaleAbs(distance, alpha=DISTANCE_STEPS)
    steps = cv2.GaussianBlur(steps, (0, 0), 1.0)
    height = _strict(np.asarray(steps, np.uint8), grey, planes.origin_x, planes.origin_y)
    radius = min(max(1, round(APART_UM / um2**0.5)), _PERIOD // 2 - 1)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    top = cv2.dilate(height, disc)
    markers = np.flatnonzero((height >= top) & (mask > 0))
    return Landscape(mask, components, n, height, markers)


def _strict(
    first: NDArray[np.uint8], second: NDArray[np.uint8], x: int, y: int
) -> NDArray[np.float32]:
    """Order pixels by ``first``, then by ``second``, then by their place on the slide.

    The three become the bytes of one float, whose order is that of its bits.
    """
    h, w = first.shape
    order = np.random.default_rng(0).permutation(_PERIOD**2).astype(np.uint8)
    rows, columns = (np.arange(h) + y) % _PERIOD, (np.arange(w) + x) % _PERIOD
    place = order.reshape(_PERIOD, _PERIOD)[np.ix_(rows, columns)]
    exponent = np.full((h, w), 0x3F, np.uint8)
    return np.asarray(
        cv2.merge([place, second, first, exponent]).view("<f4").reshape(h, w), np.float32
    )


def find_nuclei(planes: StainPlanes, calibration: _Constants) -> FoundNuclei:
    """Find the nuclei of one window.

    Parameters
    ----------
    planes : StainPlanes
        The window, any size.
    calibration : Calibration
        Mode and threshold.

    Returns
    -------
    FoundNuclei
        None where there is nothing; those cut by the window's edge too. Connected components with
        one marker are taken as they are, the others are flooded from their markers, which gives
        the same as flooding the whole mask: water does not cross from one to another.
    """
    land = landscape(planes, calibration)
    w = land.mask.shape[1]
    n = len(land.markers)
    owner = land.components.ravel()[land.markers]
    per = np.bincount(owner, minlength=land.n_components)
    number = np.zeros(land.n_components, np.int32)
    number[owner] = np.arange(1, n + 1, dtype=np.int32)
    number[per != 1] = 0
    labels = number[land.components]
    if (per > 1).any():
        _flood(land, per > 1, owner, labels)
    flat = np.flatnonzero(labels)
    values = labels.ravel()[flat]
    area = np.bincount(values, minlength=n + 1)[1:]
    rows, columns = np.divmod(flat, w)
    total_y = np.bincount(values, rows, n + 1)[1:]
    total_x = np.bincount(values, columns, n + 1)[1:]
    centres = np.stack([total_y, total_x], axis=1) / np.maximum(area, 1)[:, None]
    return FoundNuclei(
        labels, centres, area.astype(np.int64), np.stack(np.divmod(land.markers, w), axis=1)
    )


def _flood(
    land: Landscape, clump: BoolMask, owner: NDArray[np.int32], labels: NDArray[np.int32]
) -> None:
    """Divide components with several markers, in place."""
    inside = clump[land.components]
    chosen = clump[owner]
    seeds = np.zeros(land.mask.shape, np.int32)
    seeds.ravel()[land.markers[chosen]] = np.flatnonzero(chosen).astype(np.int32) + 1
    flooded = watershed(-land.height, seeds, mask=inside)  # type: ignore[no-untyped-call]
    np.copyto(labels, flooded, where=inside)
