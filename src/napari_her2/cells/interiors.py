"""Cells seen by their membrane alone, and clumps of DAB.

Where HER2 is stained strongly a nucleus may be invisible: what is seen is a pale place with a
brown wall all round. And precipitated DAB makes solid brown clumps, which are found as objects so
that they can be told from cells later.
"""

from __future__ import annotations

from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.types import BoolMask, RgbImage

__all__ = ["add_brown_objects"]

WALL_REACH_UM: Final = 9.0
"""A wall is looked for this far from the middle of a cell."""

WALL_RISE_OD: Final = 0.10
"""A wall is so much denser (green light) than the middle."""

WALL_BROWN_OD: Final = 0.15
"""And has so much DAB: blue density less what haematoxylin takes of it."""

NEAREST_WALL_UM: Final = 2.0
"""A gap narrower than twice this between two membranes is no cell."""

RAYS: Final = 16
WALLED_RAYS: Final = 14
"""Of so many directions, so many have to meet a wall."""

GLASS_OD: Final = 0.06
"""Paler than this in green light is a lumen or a hole, not a cell."""

NUCLEUS_SHARE: Final = 0.6
LARGEST_RADIUS_UM: Final = 4.5
"""The unseen nucleus is drawn as a disc of this share of the median distance to the wall, and no
larger than the second."""

CLUMP_OD: Final = 0.25
CLUMP_LOCAL_UM: Final = 25.0
"""DAB of a clump above the mean of a square of this side: where all is brown nothing is a clump."""

CLUMP_WIDTH_UM: Final = 3.5
"""Membranes are thinner than clumps."""

_GREY_PER_OD = 160
_HAEMATOXYLIN_BLUE = 0.45
"""Blue density of haematoxylin over its red density (Ruifrok and Johnston 2001: 0.44)."""


class _Window(Protocol):
    @property
    def rgb(self) -> RgbImage: ...
    @property
    def mpp_x(self) -> float: ...
    @property
    def mpp_y(self) -> float: ...
    @property
    def origin_x(self) -> int: ...
    @property
    def origin_y(self) -> int: ...


def add_brown_objects(
    mask: NDArray[np.uint8], window: _Window, background: tuple[float, float, float]
) -> NDArray[np.uint8]:
    """Add clumps of DAB, and a disc where a cell without a visible nucleus is walled in.

    Looks no further than 16 µm from a place, at half the resolution (pairs of pixels count from
    the slide's corner), and costs next to nothing where nothing is brown.

    Parameters
    ----------
    mask : ndarray of uint8
        Shape (height, width): 255 on nuclei found so far.
    window : StainPlanes
        Pixels at working resolution.
    background : (float, float, float)
        Colour of bare glass.

    Returns
    -------
    ndarray of uint8
        Shape (height, width): 255 on all objects.
    """
    x, y = window.origin_x % 2, window.origin_y % 2
    h, w = (mask.shape[0] - y) // 2, (mask.shape[1] - x) // 2
    if min(h, w) < 4:
        return mask
    view = np.s_[y : y + 2 * h, x : x + 2 * w]
    rgb = np.asarray(cv2.resize(window.rgb[view], (w, h), interpolation=cv2.INTER_AREA), np.uint8)
    um = 2 * float((window.mpp_x * window.mpp_y) ** 0.5)
    brown = np.asarray(
        cv2.subtract(
            _density(rgb, 2, background, 1.0), _density(rgb, 0, background, _HAEMATOXYLIN_BLUE)
        ),
        np.uint8,
    )
    _, strong = cv2.threshold(brown, WALL_BROWN_OD * _GREY_PER_OD, 255, cv2.THRESH_BINARY)
    if not cv2.countNonZero(strong):
        return mask
    taken = cv2.resize(mask[view], (w, h), interpolation=cv2.INTER_AREA)
    _, half = cv2.threshold(taken, 127, 255, cv2.THRESH_BINARY)
    added = _clumps(brown, um)
    green = np.asarray(_density(rgb, 1, background, 1.0), np.uint8)
    green = np.asarray(cv2.GaussianBlur(green, (0, 0), 0.6 / um), np.uint8)
    covered = np.asarray(cv2.bitwise_or(half, added), np.uint8)
    rows, columns = _pale_places(green, np.asarray(strong, np.uint8), covered, um)
    rows, columns, radius = _walled_in(rows, columns, green, brown, covered, um)
    _paint(added, rows, columns, radius)
    out = mask.copy()
    full = cv2.resize(added, (2 * w, 2 * h), interpolation=cv2.INTER_LINEAR)
    _, solid = cv2.threshold(full, 127, 255, cv2.THRESH_BINARY)
    out[view] |= np.asarray(solid, np.uint8)
    return out


def _density(
    rgb: RgbImage, channel: int, background: tuple[float, float, float], factor: float
) -> NDArray[np.uint8]:
    density = np.log10(max(background[channel], 1.0) / np.maximum(np.arange(256), 1))
    table = np.rint(np.clip(density * factor * _GREY_PER_OD, 0, 255)).astype(np.uint8)
    return np.asarray(cv2.LUT(cv2.extractChannel(rgb, channel), table[None]), np.uint8)


def _disc(radius: float) -> NDArray[np.uint8]:
    r = max(1, round(radius))
    y, x = np.mgrid[-r : r + 1, -r : r + 1]
    return np.asarray(x * x + y * y <= (r + 0.3) ** 2, np.uint8)


def _clumps(brown: NDArray[np.uint8], um: float) -> NDArray[np.uint8]:
    """Places that are browner than their surroundings over more than the width of a membrane."""
    side = 2 * round(CLUMP_LOCAL_UM / um / 2) + 1
    rise = cv2.subtract(brown, cv2.blur(brown, (side, side)))
    _, solid = cv2.threshold(rise, CLUMP_OD * _GREY_PER_OD, 255, cv2.THRESH_BINARY)
    disc = _disc(CLUMP_WIDTH_UM / 2 / um)
    return np.asarray(cv2.morphologyEx(solid, cv2.MORPH_OPEN, disc), np.uint8)


def _pale_places(
    green: NDArray[np.uint8], strong: NDArray[np.uint8], taken: NDArray[np.uint8], um: float
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pixels farthest from what is dense or a nucleus, among strong staining."""
    reach = 2 * round(WALL_REACH_UM / um) + 1
    near = cv2.dilate(strong, np.ones((reach, reach), np.uint8))
    # Dense relative to its surroundings: the wall stands out however dark the cell between is.
    side = 2 * round(8.0 / um / 2) + 1
    rise = cv2.subtract(green, cv2.blur(green, (side, side)))
    _, dense = cv2.threshold(rise, 4, 255, cv2.THRESH_BINARY)
    free = cv2.bitwise_not(cv2.bitwise_or(dense, taken))
    distance = cv2.distanceTransform(np.asarray(free, np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    steps = cv2.GaussianBlur(cv2.convertScaleAbs(distance, alpha=16), (0, 0), 1.0)
    top = cv2.dilate(steps, _disc(3.0 / um))
    peak = (steps >= top) & (near > 0) & (steps >= 16 * 1.5 / um)
    peak &= green > GLASS_OD * _GREY_PER_OD
    # Of a level top the pixel with none above it and none to its left: seldom more than one.
    level = peak.copy()
    peak[1:] &= ~level[:-1]
    peak[:, 1:] &= ~level[:, :-1]
    # Several times as fast as asking for rows and columns at once.
    y, x = np.divmod(np.flatnonzero(peak), peak.shape[1])
    return y, x


def _walled_in(
    y: NDArray[np.intp],
    x: NDArray[np.intp],
    green: NDArray[np.uint8],
    brown: NDArray[np.uint8],
    taken: NDArray[np.uint8],
    um: float,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """Keep places with a brown wall in nearly all directions and no nucleus before it."""
    h, w = green.shape
    reach = round(WALL_REACH_UM / um)
    angle = 2 * np.pi * np.arange(RAYS) / RAYS
    step = np.arange(1, reach + 1)
    dy = np.rint(np.outer(np.sin(angle), step)).astype(np.intp)
    dx = np.rint(np.outer(np.cos(angle), step)).astype(np.intp)
    inside = (y >= reach) & (x >= reach) & (y < h - reach) & (x < w - reach)
    y, x = y[inside], x[inside]
    at = (y * w + x)[:, None, None] + (dy * w + dx)[None]
    rise = green.ravel()[at] >= green[y, x][:, None, None] + WALL_RISE_OD * _GREY_PER_OD
    rise &= brown.ravel()[at] >= WALL_BROWN_OD * _GREY_PER_OD
    met = rise.any(axis=2)
    first = np.where(met, rise.argmax(axis=2), reach)
    open_way = step[None, None, :] <= first[:, :, None]
    nucleus = ((taken.ravel()[at] > 0) & open_way).any(axis=(1, 2)) | (taken[y, x] > 0)
    middle = np.median(first + 1, axis=1) * um
    keep = (met.sum(axis=1) >= WALLED_RAYS) & ~nucleus & (middle >= NEAREST_WALL_UM)
    radius = np.minimum(NUCLEUS_SHARE * middle[keep], LARGEST_RADIUS_UM) / um
    return y[keep], x[keep], radius


def _paint(
    mask: NDArray[np.uint8],
    y: NDArray[np.intp],
    x: NDArray[np.intp],
    radius: NDArray[np.float64],
) -> None:
    """Draw discs, in place; they lie wholly inside."""
    if not len(y):
        return
    r = int(np.ceil(radius.max()))
    dy, dx = (v.ravel() for v in np.mgrid[-r : r + 1, -r : r + 1])
    on: BoolMask = (dx * dx + dy * dy)[None] <= (radius**2)[:, None]
    at = (y * mask.shape[1] + x)[:, None] + (dy * mask.shape[1] + dx)[None]
    mask.ravel()[at[on]] = 255
