"""One grey image in which nuclei are bright: a mixture of colours, and its local contrast."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.detection_settings import DetectionSettings

__all__ = ["NEUTRAL", "Combined", "combined_image"]

NEUTRAL: Final = 96
"""Grey level of the contrast image where a pixel equals what is taken off it."""


class _Window(Protocol):
    @property
    def channels(self) -> tuple[NDArray[np.uint8], ...]: ...
    @property
    def mpp_x(self) -> float: ...
    @property
    def mpp_y(self) -> float: ...


@dataclass(frozen=True)
class Combined:
    """The combined image of a window; nuclei are bright.

    Attributes
    ----------
    intensity : ndarray of uint8
        Shape (height, width); ``grey_per_od`` levels per optical density, smoothed for markers.
    contrast : ndarray of uint8
        Smoothed for the mask, minus a share of its local mean, plus :data:`NEUTRAL`.
    """

    intensity: NDArray[np.uint8]
    contrast: NDArray[np.uint8]


def combined_image(
    window: _Window, background: tuple[float, float, float], settings: DetectionSettings
) -> Combined:
    """Mix the colours of a window, smooth, and take the local mean off.

    Everything is counted in whole numbers (look-up tables, OpenCV's fixed-point filters): a pixel
    comes out the same in each window that holds its surroundings.

    Parameters
    ----------
    window : StainPlanes
        Pixels at working resolution.
    background : (float, float, float)
        Colour of bare glass.
    settings : DetectionSettings
        Constants of the mode.
    """
    mixed: NDArray[np.uint8] | None = None
    for channel in sorted(range(3), key=lambda c: -settings.weights[c]):
        weight = settings.weights[channel]
        if not weight:
            continue
        density = np.log10(max(background[channel], 1.0) / np.maximum(np.arange(256), 1))
        part = np.clip(density, 0, settings.largest_od) * abs(weight)
        if weight < 0:
            part = np.maximum(part - settings.spared_od, 0)
        part *= settings.grey_per_od
        table = np.rint(np.minimum(part, 255)).astype(np.uint8)
        plane = np.asarray(cv2.LUT(window.channels[channel], table[None]), np.uint8)
        if mixed is None:
            mixed = plane
        else:
            mixed = np.asarray((cv2.add if weight > 0 else cv2.subtract)(mixed, plane), np.uint8)
    if mixed is None:
        msg = "a combined image needs a channel"
        raise ValueError(msg)
    smooth = _smooth(mixed, settings.smooth_um, window)
    intensity = smooth
    if settings.marker_um != settings.smooth_um:
        intensity = _smooth(mixed, settings.marker_um, window)
    side = (_odd(settings.local_um / window.mpp_x), _odd(settings.local_um / window.mpp_y))
    mean = cv2.blur(smooth, side) if settings.local_share else smooth
    contrast = cv2.addWeighted(smooth, 1.0, mean, -settings.local_share, NEUTRAL)
    return Combined(intensity, np.asarray(contrast, np.uint8))


def _smooth(grey: NDArray[np.uint8], um: float, window: _Window) -> NDArray[np.uint8]:
    blurred = cv2.GaussianBlur(grey, (0, 0), um / window.mpp_x, sigmaY=um / window.mpp_y)
    return np.asarray(blurred, np.uint8)


def _odd(pixels: float) -> int:
    return 2 * max(1, round(pixels / 2)) + 1
