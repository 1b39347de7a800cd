"""What each nucleus looks like: colour, texture and shape, for all nuclei of a window at once."""

from __future__ import annotations

from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.polar import ray_angles

__all__ = ["colour_and_texture", "outline_shape"]

Floats = NDArray[np.float32]


class _Planes(Protocol):
    @property
    def haematoxylin(self) -> NDArray[np.float32]: ...
    @property
    def second(self) -> NDArray[np.float32]: ...


def colour_and_texture(
    planes: _Planes, labels: NDArray[np.int32], n: int, mpp: float
) -> dict[str, Floats]:
    """Means and standard deviations of the stains inside each nucleus.

    Parameters
    ----------
    planes : StainPlanes
        Haematoxylin and DAB, optical density.
    labels : ndarray of int32
        Shape (height, width): nucleus ``i`` has label ``i + 1``.
    n : int
        Number of nuclei.
    mpp : float
        Micrometres per working pixel.

    Returns
    -------
    dict of str to ndarray of float32
        ``nucleus_haematoxylin``, ``nucleus_haematoxylin_sd``, ``nucleus_dab``, ``nucleus_dab_sd``
        (optical density) and ``nucleus_gradient`` (optical density per µm), shape (n,) each.
    """
    inside = np.flatnonzero(labels != 0)
    # Wide numbers once: each of the sums below would otherwise convert them anew.
    which = labels.ravel()[inside].astype(np.intp)
    pixels = np.maximum(np.bincount(which, minlength=n + 1)[1 : n + 1], 1)

    def mean(values: NDArray[Any]) -> NDArray[np.float64]:
        total = np.bincount(which, weights=values.astype(np.float64), minlength=n + 1)
        return np.asarray(total[1 : n + 1] / pixels)

    out: dict[str, Floats] = {}
    for name, plane in (("haematoxylin", planes.haematoxylin), ("dab", planes.second)):
        values = plane.ravel()[inside]
        middle = mean(values)
        spread = np.sqrt(np.maximum(mean(values * values) - middle**2, 0))
        out[f"nucleus_{name}"] = middle.astype(np.float32)
        out[f"nucleus_{name}_sd"] = spread.astype(np.float32)
    blue = np.ascontiguousarray(planes.haematoxylin, np.float32)
    # Sobel's weights add up to 8 pixels of distance.
    slopes = (cv2.Sobel(blue, cv2.CV_32F, *way, scale=1 / 8) for way in ((1, 0), (0, 1)))
    dx, dy = (slope.ravel()[inside] for slope in slopes)
    # Not cv2.magnitude, whose last bits depend on where an array lies in memory.
    out["nucleus_gradient"] = (mean(np.sqrt(dx * dx + dy * dy)) / mpp).astype(np.float32)
    return out


def outline_shape(radii_um: NDArray[Any]) -> dict[str, Floats]:
    """Shape of nuclei given by their radii along the rays.

    Parameters
    ----------
    radii_um : ndarray
        Shape (n, 32): from the centre to the outline, µm.

    Returns
    -------
    dict of str to ndarray of float32
        ``nucleus_perimeter_um``; ``nucleus_circularity``, 4 pi area / perimeter^2, 1 for a circle;
        ``nucleus_elongation``, long to short axis of the ellipse of equal second moments;
        ``nucleus_irregularity``, standard deviation of the radii about that ellipse, divided by
        their mean.
    """
    r = np.maximum(np.asarray(radii_um, np.float32), np.float32(0.05))
    angle = ray_angles().astype(np.float32)
    cos, sin = np.cos(angle), np.sin(angle)
    x, y = r * cos, r * sin
    step_x, step_y = np.roll(x, -1, 1) - x, np.roll(y, -1, 1) - y
    perimeter = np.hypot(step_x, step_y).sum(1)
    area = 0.5 * np.abs(x * step_y - y * step_x).sum(1)
    # Second moments of the sectors: a sector of radius r has r^4 / 4 times its angle.
    fourth = r**4
    xx, yy = (fourth * cos * cos).sum(1), (fourth * sin * sin).sum(1)
    xy = (fourth * cos * sin).sum(1)
    half = np.hypot((xx - yy) / 2, xy)
    long, short = (xx + yy) / 2 + half, np.maximum((xx + yy) / 2 - half, 1e-9)
    elongation = np.sqrt(long / short)
    turn = 0.5 * np.arctan2(2 * xy, xx - yy)[:, None]
    a = np.sqrt(area / np.pi * elongation)[:, None]
    b = np.sqrt(area / np.pi / elongation)[:, None]
    ellipse = a * b / np.maximum(np.hypot(b * np.cos(angle - turn), a * np.sin(angle - turn)), 1e-6)
    return {
        "nucleus_perimeter_um": perimeter.astype(np.float32),
        "nucleus_circularity": (4 * np.pi * area / np.maximum(perimeter, 1e-6) ** 2).astype(
            np.float32
        ),
        "nucleus_elongation": elongation.astype(np.float32),
        "nucleus_irregularity": ((r - ellipse).std(1) / r.mean(1)).astype(np.float32),
    }
