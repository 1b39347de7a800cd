"""The course of collagen: one direction field that texture, cords and fibroblasts follow."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.fields import FloatImage, Window, noise, streaks

__all__ = ["FibreField"]

Floats = NDArray[np.float64]


class FibreField:
    """Fibres are the level lines of a height map: a tilted plane bent by smooth noise.

    Parameters
    ----------
    rng : Generator
        Draws the main direction and the offsets.
    swirl : float
        How far the course bends away from the main direction; about 0.8.
    """

    def __init__(self, rng: np.random.Generator, swirl: float = 0.85) -> None:
        theta = rng.uniform(0, np.pi)
        self._nx, self._ny = float(np.cos(theta)), float(np.sin(theta))
        self._bend = noise(16.0, 330.0, 512, 11).shifted(rng)
        self._wave = noise(2.0, 17.0, 1024, 12).shifted(rng)
        self._ripple = noise(1.0, 6.5, 1024, 13).shifted(rng)
        self._bend_um = 330.0 * swirl
        self._wave_um = 4.5
        self._ripple_um = 1.1
        self._tile = streaks()
        # One extra row and column: linear sampling at the seam of the repeating tile.
        self._padded = np.pad(self._tile, ((0, 1), (0, 1)), mode="wrap")
        self._origin = rng.uniform(0, 4096, 2)

    def course(self, win: Window) -> tuple[FloatImage, FloatImage]:
        """Coordinates along and across the fibres (µm) for every pixel of a window."""
        xs = (win.x_um + (np.arange(win.width) + 0.5) * win.mpp).astype(np.float32)
        ys = (win.y_um + (np.arange(win.height) + 0.5) * win.mpp).astype(np.float32)[:, None]
        nx, ny = np.float32(self._nx), np.float32(self._ny)
        across = xs * nx + ys * ny
        across += self._bend.window(win) * np.float32(self._bend_um)
        across += self._wave.window(win) * np.float32(self._wave_um)
        across += self._ripple.window(win) * np.float32(self._ripple_um)
        along = ys * nx - xs * ny
        return along, across

    def sample(
        self, along: FloatImage, across: FloatImage, wide: float = 1.0, long: float = 1.0
    ) -> FloatImage:
        """Fibre texture, about 0 (gap) to 1 (fibre).

        Parameters
        ----------
        wide, long : float
            Stretch the texture across and along the fibres.
        """
        n = self._tile.shape[0]
        u = (along + np.float32(self._origin[0])) * np.float32(1 / (4.0 * long * n))
        v = (across + np.float32(self._origin[1])) * np.float32(1 / (0.5 * wide * n))
        u -= np.floor(u)
        v -= np.floor(v)
        u *= np.float32(n)
        v *= np.float32(n)
        return np.asarray(cv2.remap(self._padded, u, v, cv2.INTER_LINEAR), dtype=np.float32)

    def angle_at(self, x: Floats, y: Floats) -> Floats:
        """Direction of the fibres (radians) at points in µm."""
        e = 6.0

        def height(px: Floats, py: Floats) -> Floats:
            plane = px * self._nx + py * self._ny
            bend = self._bend.at(px, py) * self._bend_um
            return np.asarray(plane + bend + self._wave.at(px, py) * self._wave_um)

        gx = height(x + e, y) - height(x - e, y)
        gy = height(x, y + e) - height(x, y - e)
        return np.asarray(np.arctan2(gy, gx) + np.pi / 2)
