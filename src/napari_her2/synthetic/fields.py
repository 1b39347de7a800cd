"""Textures and maps in micrometres that any window can be cut from at any pixel size.

Two kinds: :class:`Noise`, which repeats for ever, and :class:`Raster`, a map of one scene. Both
give the same values for the same place whatever the window, so a slide may be drawn piece by piece.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["FloatImage", "Noise", "Raster", "Window", "noise", "streaks"]

FloatImage = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels on a scene: top-left corner in µm, extent in pixels, µm per pixel."""

    x_um: float
    y_um: float
    width: int
    height: int
    mpp: float

    @property
    def right_um(self) -> float:
        """Right edge, µm."""
        return self.x_um + self.width * self.mpp

    @property
    def bottom_um(self) -> float:
        """Lower edge, µm."""
        return self.y_um + self.height * self.mpp


def _cut(source: FloatImage, x0: float, y0: float, step: float, win: Window) -> FloatImage:
    """Sample ``source`` linearly at ``x0 + step * column``, ``y0 + step * row``."""
    matrix = np.array([[step, 0, x0], [0, step, y0]], np.float64)
    return np.asarray(
        cv2.warpAffine(
            source,
            matrix,
            (win.width, win.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        ),
        dtype=np.float32,
    )


class Noise:
    """Zero-mean, unit-variance texture that repeats with the period of its tile.

    Parameters
    ----------
    tile : ndarray of float32
        Shape (n, n); wraps at its borders.
    um : float
        Micrometres per tile pixel.
    shift : (float, float)
        Moves the pattern by x, y micrometres, so that scenes do not look alike.
    """

    def __init__(self, tile: FloatImage, um: float, shift: tuple[float, float] = (0, 0)) -> None:
        self._mips = [tile]
        self._um = um
        self._shift = shift

    def shifted(self, rng: np.random.Generator) -> Noise:
        """The same texture at a random offset."""
        period = self._um * self._mips[0].shape[0]
        other = Noise(self._mips[0], self._um, (rng.uniform(0, period), rng.uniform(0, period)))
        other._mips = self._mips
        return other

    def _mip(self, mpp: float) -> tuple[FloatImage, float]:
        """The tile whose pixels are as large as possible without exceeding ``mpp``."""
        k = 0
        while self._um * 2 ** (k + 1) <= mpp * 1.01 and self._mips[-1].shape[0] > 16:
            k += 1
            if k == len(self._mips):
                last = self._mips[-1]
                half = cv2.resize(last, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
                self._mips.append(np.asarray(half, dtype=np.float32))
        return self._mips[k], self._um * 2**k

    def window(self, win: Window) -> FloatImage:
        """Values of a window, shape (height, width)."""
        tile, um = self._mip(win.mpp)
        n = tile.shape[0]
        x0 = (win.x_um + self._shift[0] + win.mpp / 2) / um - 0.5
        y0 = (win.y_um + self._shift[1] + win.mpp / 2) / um - 0.5
        step = win.mpp / um
        ix, iy = int(np.floor(x0)), int(np.floor(y0))
        cols = np.arange(ix, ix + int(win.width * step) + 3) % n
        rows = np.arange(iy, iy + int(win.height * step) + 3) % n
        return _cut(tile[rows[:, None], cols], x0 - ix, y0 - iy, step, win)

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values at points given in µm."""
        tile = self._mips[0]
        n = tile.shape[0]
        fx = (x + self._shift[0]) / self._um - 0.5
        fy = (y + self._shift[1]) / self._um - 0.5
        ix, iy = np.floor(fx).astype(np.intp), np.floor(fy).astype(np.intp)
        fx, fy = fx - ix, fy - iy
        x0, x1, y0, y1 = ix % n, (ix + 1) % n, iy % n, (iy + 1) % n
        top = tile[y0, x0] * (1 - fx) + tile[y0, x1] * fx
        low = tile[y1, x0] * (1 - fx) + tile[y1, x1] * fx
        return np.asarray(top * (1 - fy) + low * fy, dtype=np.float64)


class Raster:
    """A map of one scene, stored in bytes: value = byte * scale + offset.

    Parameters
    ----------
    values : ndarray of float32
        Shape (rows, columns); pixel (0, 0) covers 0 to ``um`` in x and y.
    um : float
        Micrometres per pixel.
    low, high : float
        Range that is kept; values outside are clipped.
    """

    def __init__(self, values: FloatImage, um: float, low: float, high: float) -> None:
        self.um = um
        self._scale = (high - low) / 255
        self._low = low
        scaled = (np.clip(values, low, high) - low) * np.float32(1 / self._scale)
        self._bytes = np.rint(scaled).astype(np.uint8)

    def window(self, win: Window) -> FloatImage:
        """Values of a window, shape (height, width); edge values go on outside."""
        h, w = self._bytes.shape
        x0 = (win.x_um + win.mpp / 2) / self.um - 0.5
        y0 = (win.y_um + win.mpp / 2) / self.um - 0.5
        step = win.mpp / self.um
        ix, iy = int(np.floor(x0)), int(np.floor(y0))
        cols = np.clip(np.arange(ix, ix + int(win.width * step) + 3), 0, w - 1)
        rows = np.clip(np.arange(iy, iy + int(win.height * step) + 3), 0, h - 1)
        part = self._bytes[rows[:, None], cols]
        if part.min() == part.max():
            value = part.flat[0] * self._scale + self._low
            return np.full((win.height, win.width), value, np.float32)
        cut = _cut(part.astype(np.float32), x0 - ix, y0 - iy, step, win)
        return np.asarray(cut * np.float32(self._scale) + np.float32(self._low))

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of the pixels that hold the points (µm)."""
        h, w = self._bytes.shape
        col = np.clip((x / self.um).astype(np.intp), 0, w - 1)
        row = np.clip((y / self.um).astype(np.intp), 0, h - 1)
        return np.asarray(self._bytes[row, col] * self._scale + self._low, dtype=np.float64)

    def gradient_angle(
        self, x: NDArray[np.float64], y: NDArray[np.float64], reach_um: float = 6
    ) -> NDArray[np.float64]:
        """Direction (radians) in which the map rises at the points."""
        dx = self.at(x + reach_um, y) - self.at(x - reach_um, y)
        dy = self.at(x, y + reach_um) - self.at(x, y - reach_um)
        return np.arctan2(dy, dx)


def _spectral(n: int, sigma_x: float, sigma_y: float, seed: int) -> FloatImage:
    rng = np.random.default_rng([19, seed, n])
    f = np.fft.rfft2(rng.standard_normal((n, n)))
    fy = np.fft.fftfreq(n)[:, None]
    fx = np.fft.rfftfreq(n)[None]
    f *= np.exp(-2 * np.pi**2 * ((sigma_x * fx) ** 2 + (sigma_y * fy) ** 2))
    f[0, 0] = 0
    out = np.fft.irfft2(f, (n, n))
    return np.asarray(out / out.std(), dtype=np.float32)


@lru_cache(maxsize=32)
def noise(um: float, grain_um: float, n: int = 1024, seed: int = 0) -> Noise:
    """Make (once) an isotropic texture.

    Parameters
    ----------
    um : float
        Micrometres per tile pixel.
    grain_um : float
        Standard deviation of the Gaussian that smooths it, micrometres.
    n : int
        Side of the tile, pixels.
    """
    s = grain_um / um
    return Noise(_spectral(n, s, s, seed), um)


@lru_cache(maxsize=4)
def streaks(seed: int = 0) -> FloatImage:
    """Fibres along x: shape (1024, 1024), 4 µm a column and 0.5 µm a row, values about 0 to 1.

    Bundles of about 8 µm, fibres of about 3 µm and fibrils of about 1 µm, squashed so that bundles
    look flat and the gaps between them narrow.
    """
    bundles = _spectral(1024, 11, 6.0, seed + 101)
    fibres = _spectral(1024, 6, 2.4, seed + 102)
    fibrils = _spectral(1024, 4, 0.9, seed + 103)
    both = 0.75 * bundles + 0.55 * fibres + 0.3 * fibrils
    return np.asarray(1 / (1 + np.exp(-1.8 * both)), dtype=np.float32)
