"""Draws any window of a scene from fixed blocks, so that the same place has the same pixels."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import OrderedDict
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.fields import FloatImage, Window
from napari_her2.synthetic.stain import StainSet
from napari_her2.synthetic.tissue import Tissue
from napari_her2.types import RgbImage

__all__ = ["Scene", "step"]

_BLOCK = 512
_PAD = 4
_KEPT_BLOCKS = 12
_SCANNER_BLUR_UM = 0.3


@lru_cache(maxsize=1)
def _grain_tile() -> NDArray[np.float32]:
    """Scanner noise of unit variance, shape (1024, 1024, 3): mostly brightness, a little colour."""
    rng = np.random.default_rng(7)
    grey = rng.standard_normal((1024, 1024, 1), dtype=np.float32)
    colour = rng.standard_normal((1024, 1024, 3), dtype=np.float32)
    return np.asarray(0.9 * grey + 0.45 * colour, dtype=np.float32)


def _add_grain(rgb: FloatImage, amount: float, key: tuple[int, ...]) -> RgbImage:
    """Add scanner noise that depends on the key only, and round to bytes."""
    tile = _grain_tile()
    h, w = rgb.shape[:2]
    dy, dx = np.random.default_rng(list(key)).integers(0, 1024 - max(h, w), 2)
    out = cv2.addWeighted(rgb, 1.0, tile[dy : dy + h, dx : dx + w], amount, 0)
    return np.asarray(np.clip(np.rint(out), 0, 255), dtype=np.uint8)


def step(values: FloatImage, width: float) -> FloatImage:
    """0 below, 1 above zero, straight over ``width``."""
    out = values * np.float32(1 / width)
    out += np.float32(0.5)
    return np.asarray(np.clip(out, 0, 1, out=out))


class Scene(ABC):
    """A stained scene.

    Parameters
    ----------
    seed : int
        Names the noise.
    tissue : Tissue
        What is drawn.
    stains : StainSet
        In which colours.
    coarsest_um : float
        Coarser pixels are drawn at most this large and averaged.

    Attributes
    ----------
    kept_blocks : int
        Drawn blocks of 512 px (0.75 MiB each) that are kept for the next window.
    """

    def __init__(self, seed: int, tissue: Tissue, stains: StainSet, coarsest_um: float) -> None:
        self.seed = seed
        self.tissue = tissue
        self.stains = stains
        self._coarsest_um = coarsest_um
        self.kept_blocks = _KEPT_BLOCKS
        self._blocks: OrderedDict[tuple[int, int, int], RgbImage] = OrderedDict()

    @abstractmethod
    def amounts_drawn(self, win: Window) -> tuple[FloatImage, FloatImage]:
        """Final amounts of the first and second stain in a window."""

    @property
    def width_um(self) -> float:
        """Width of the scene."""
        return self.tissue.width_um

    @property
    def height_um(self) -> float:
        """Height of the scene."""
        return self.tissue.height_um

    def render(
        self, mpp: float, region_um: tuple[float, float, float, float] | None = None
    ) -> RgbImage:
        """Draw the scene or a part of it.

        Parameters
        ----------
        mpp : float
            Micrometres per pixel.
        region_um : (float, float, float, float), optional
            x, y, width, height in µm; its corner is moved to the next whole pixel.

        Returns
        -------
        RgbImage
            Shape (round(height / mpp), round(width / mpp), 3). The same place gives the same
            pixels whatever the region.
        """
        x, y, w, h = region_um or (0.0, 0.0, self.width_um, self.height_um)
        left, top = round(x / mpp), round(y / mpp)
        cols, rows = max(1, round(w / mpp)), max(1, round(h / mpp))
        return self.pixels(mpp, left, top, cols, rows)

    def pixels(self, mpp: float, left: int, top: int, width: int, height: int) -> RgbImage:
        """Draw a window given in pixels of ``mpp`` from the scene's top-left corner."""
        out = np.empty((height, width, 3), np.uint8)
        n = self._block_side(mpp)
        for by in range(top // n, (top + height - 1) // n + 1):
            for bx in range(left // n, (left + width - 1) // n + 1):
                block = self._block(mpp, bx, by)
                x0, y0 = max(left, bx * n), max(top, by * n)
                x1, y1 = min(left + width, (bx + 1) * n), min(top + height, (by + 1) * n)
                out[y0 - top : y1 - top, x0 - left : x1 - left] = block[
                    y0 - by * n : y1 - by * n, x0 - bx * n : x1 - bx * n
                ]
        return out

    def _oversampling(self, mpp: float) -> int:
        """Pixels drawn per pixel wanted, along one side."""
        return int(np.ceil(mpp / self._coarsest_um - 1e-6))

    def _block_side(self, mpp: float) -> int:
        """Side of a block in pixels; smaller for coarse pixels, so that memory stays bounded."""
        over = self._oversampling(mpp)
        return _BLOCK if over <= 2 else max(8, 2 * _BLOCK // over)

    def _block(self, mpp: float, bx: int, by: int) -> RgbImage:
        key = (round(mpp * 1e6), bx, by)
        if key not in self._blocks:
            self._blocks[key] = self._draw_block(mpp, bx, by, key)
            if len(self._blocks) > self.kept_blocks:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _draw_block(self, mpp: float, bx: int, by: int, key: tuple[int, ...]) -> RgbImage:
        over, n = self._oversampling(mpp), self._block_side(mpp)
        fine = mpp / over
        side = (n + 2 * _PAD) * over
        win = Window((bx * n - _PAD) * mpp, (by * n - _PAD) * mpp, side, side, fine)
        rgb = self.stains.to_rgb(*self.amounts_drawn(win))
        blur = _SCANNER_BLUR_UM / fine
        if blur > 0.35:
            rgb = np.asarray(cv2.GaussianBlur(rgb, (0, 0), blur), np.float32)
        if over > 1:
            small = cv2.resize(rgb, None, fx=1 / over, fy=1 / over, interpolation=cv2.INTER_AREA)
            rgb = np.asarray(small, np.float32)
        inner = np.ascontiguousarray(rgb[_PAD:-_PAD, _PAD:-_PAD])
        return _add_grain(inner, self.stains.noise, (self.seed, *(abs(k) for k in key)))
