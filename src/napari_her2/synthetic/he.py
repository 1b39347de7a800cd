"""H&E: receptor status shows in form only, never in colour."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.draw import FINE_UM, draw_holes, draw_nuclei
from napari_her2.synthetic.equalise import Amounts, Balance, balance_colours
from napari_her2.synthetic.fields import FloatImage, Window, noise
from napari_her2.synthetic.morphology import Statuses
from napari_her2.synthetic.stain import StainSet, he_stains
from napari_her2.synthetic.tissue import Tissue, make_tissue
from napari_her2.types import Biomarker, RgbImage

__all__ = ["HeScene"]

_BLOCK = 512
_PAD = 4
_KEPT_BLOCKS = 12
_DARKEST = np.float32(2.1)
"""Haematoxylin amount of byte 255 in the plane of nuclei."""

_PALE = 0.42


@lru_cache(maxsize=1)
def grain_tile() -> NDArray[np.float32]:
    """Scanner noise of unit variance, shape (1024, 1024, 3): mostly brightness, a little colour."""
    rng = np.random.default_rng(7)
    grey = rng.standard_normal((1024, 1024, 1), dtype=np.float32)
    colour = rng.standard_normal((1024, 1024, 3), dtype=np.float32)
    return np.asarray(0.9 * grey + 0.45 * colour, dtype=np.float32)


def add_grain(rgb: FloatImage, amount: float, key: tuple[int, ...]) -> RgbImage:
    """Add scanner noise that depends on the key only, and round to bytes."""
    tile = grain_tile()
    dy, dx = np.random.default_rng(list(key)).integers(0, 1024 - max(rgb.shape[:2]), 2)
    h, w = rgb.shape[:2]
    out = cv2.addWeighted(rgb, 1.0, tile[dy : dy + h, dx : dx + w], amount, 0)
    return np.asarray(np.clip(np.rint(out), 0, 255), dtype=np.uint8)


def _step(values: FloatImage, width: float) -> FloatImage:
    """0 below, 1 above zero, straight over ``width``."""
    out = values * np.float32(1 / width)
    out += np.float32(0.5)
    return np.asarray(np.clip(out, 0, 1, out=out))


class HeScene:
    """A piece of H&E-stained breast tissue with tumour of known receptor status.

    Parameters
    ----------
    seed : int
        Same seed, same scene.
    size_um : float or (float, float)
        Side, or width and height, µm.
    statuses : mapping, optional
        Status of the main tumour, e.g. ``{"ER": True, "PR": False, "HER2": False}``; drawn where
        not given.
    heterogeneous : bool, optional
        Whether part of the tumour has another status; by default one scene in six.
    tissue : Tissue, optional
        Use this tissue instead of drawing one.
    stains : StainSet, optional
        Colours; drawn where not given.

    Attributes
    ----------
    slide_statuses : dict
        Positive where the majority of the tumour area is.
    tissue : Tissue
        Everything that was drawn, in µm.
    """

    def __init__(
        self,
        seed: int,
        size_um: float | tuple[float, float],
        statuses: Mapping[Biomarker, bool] | None = None,
        *,
        heterogeneous: bool | None = None,
        tumour_share: float = 0.55,
        full: bool = False,
        tissue: Tissue | None = None,
        stains: StainSet | None = None,
    ) -> None:
        width, height = (size_um, size_um) if isinstance(size_um, int | float) else size_um
        self.seed = seed
        self.tissue = tissue or make_tissue(
            seed, float(width), float(height), statuses, heterogeneous, tumour_share, full
        )
        rng = np.random.default_rng([104, seed])
        self.stains = stains or he_stains(rng)
        self._fine = noise(0.25, 0.45, 1024, 41).shifted(rng)
        self._chromatin = noise(0.25, 0.75, 1024, 42).shifted(rng)
        self._mottle = noise(1.0, 4.5, 1024, 43).shifted(rng)
        self._cloud = noise(8.0, 55.0, 512, 44).shifted(rng)
        self._blocks: OrderedDict[tuple[int, int, int], RgbImage] = OrderedDict()
        self._balance: Balance | None = None

    @property
    def width_um(self) -> float:
        """Width of the scene."""
        return self.tissue.width_um

    @property
    def height_um(self) -> float:
        """Height of the scene."""
        return self.tissue.height_um

    @property
    def slide_statuses(self) -> Statuses:
        """Status per biomarker: that of the majority of the tumour area."""
        return self.tissue.slide_statuses

    def label_map(self, um_per_px: float) -> dict[Biomarker, NDArray[np.int8]]:
        """Truth per biomarker: 0 positive tumour, 1 negative tumour, 2 other tissue, -1 glass.

        Parameters
        ----------
        um_per_px : float
            Pixel of the returned maps, µm.

        Returns
        -------
        dict of ndarray of int8
            Shape (ceil(height / um_per_px), ceil(width / um_per_px)).
        """
        return self.tissue.label_map(um_per_px)

    def render(
        self, mpp: float, region_um: tuple[float, float, float, float] | None = None
    ) -> RgbImage:
        """Draw the scene or a part of it.

        Parameters
        ----------
        mpp : float
            Micrometres per pixel. Coarser than 1 is drawn at 1 µm or finer and averaged.
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
        for by in range(top // _BLOCK, (top + height - 1) // _BLOCK + 1):
            for bx in range(left // _BLOCK, (left + width - 1) // _BLOCK + 1):
                block = self._block(mpp, bx, by)
                x0, y0 = max(left, bx * _BLOCK), max(top, by * _BLOCK)
                x1 = min(left + width, (bx + 1) * _BLOCK)
                y1 = min(top + height, (by + 1) * _BLOCK)
                out[y0 - top : y1 - top, x0 - left : x1 - left] = block[
                    y0 - by * _BLOCK : y1 - by * _BLOCK, x0 - bx * _BLOCK : x1 - bx * _BLOCK
                ]
        return out

    def _block(self, mpp: float, bx: int, by: int) -> RgbImage:
        key = (round(mpp * 1e6), bx, by)
        if key not in self._blocks:
            self._blocks[key] = self._draw_block(mpp, bx, by, key)
            if len(self._blocks) > _KEPT_BLOCKS:
                self._blocks.popitem(last=False)
        self._blocks.move_to_end(key)
        return self._blocks[key]

    def _draw_block(self, mpp: float, bx: int, by: int, key: tuple[int, ...]) -> RgbImage:
        over = int(np.ceil(mpp / 1.0 - 1e-6))
        fine = mpp / over
        side = (_BLOCK + 2 * _PAD) * over
        win = Window((bx * _BLOCK - _PAD) * mpp, (by * _BLOCK - _PAD) * mpp, side, side, fine)
        if self._balance is None:
            self._balance = balance_colours(
                self.seed, self.width_um, self.height_um, self.stains, self.amounts,
                self.tissue.outline,
            )  # fmt: skip
        rgb = self.stains.to_rgb(*self._balance.apply(self.amounts(win), win))
        blur = 0.3 / fine
        if blur > 0.35:
            rgb = cv2.GaussianBlur(rgb, (0, 0), blur)
        if over > 1:
            rgb = cv2.resize(rgb, None, fx=1 / over, fy=1 / over, interpolation=cv2.INTER_AREA)
        inner = np.ascontiguousarray(rgb[_PAD:-_PAD, _PAD:-_PAD])
        return add_grain(inner, self.stains.noise, (self.seed, *(abs(k) for k in key)))

    def amounts(self, win: Window) -> Amounts:
        """Haematoxylin and eosin of a window before colours are balanced."""
        tissue = self.tissue
        shape = (win.height, win.width)
        outline = _step(tissue.outline.window(win) + 0.05 * self._mottle.window(win), 0.06)
        if not outline.any():
            none = np.zeros(shape, np.float32)
            return Amounts(none, none, none)
        fine, mottle = self._fine.window(win), self._mottle.window(win)
        cloud = self._cloud.window(win)
        first, second = self._stroma(win, fine, cloud)

        epithelium = tissue.epithelium.window(win)
        e = _step(epithelium + 0.9 * mottle, 2.2)
        cytoplasm = 0.40 + 0.07 * mottle + 0.05 * fine + 0.05 * cloud
        second += e * (cytoplasm - second)
        first += e * (0.20 + 0.04 * mottle + 0.03 * cloud - first)

        dead = _step(tissue.necrosis.window(win) + 1.5 * mottle, 4.0)
        second += dead * (0.62 + 0.22 * fine + 0.14 * mottle - second)
        first += dead * (0.12 + 0.05 * mottle - first)

        clear = _step(tissue.lumen.window(win) + 0.7 * mottle, 1.6)
        holes = np.zeros(shape, np.uint8)
        draw_holes(holes, tissue.holes, win)
        clear = np.maximum(clear, holes * np.float32(1 / 255))
        body = outline * (1 - 0.97 * clear)
        first *= body
        second *= body

        plane = np.zeros(shape, np.uint8)
        draw_nuclei(plane, tissue.nuclei, win, _PALE)
        nuclear = plane.astype(np.float32) * (_DARKEST / np.float32(255))
        cover = np.clip(nuclear * np.float32(2.2), 0, 1)
        if win.mpp <= FINE_UM:
            nuclear *= 1 + np.float32(0.2) * self._chromatin.window(win)
        first += cover * (nuclear - first)
        second *= 1 - np.float32(0.45) * cover
        np.maximum(first, 0, out=first)
        np.maximum(second, 0, out=second)
        return Amounts(first, second, np.maximum(body, cover))

    def _stroma(
        self, win: Window, fine: FloatImage, cloud: FloatImage
    ) -> tuple[FloatImage, FloatImage]:
        """Collagen and ground substance."""
        tissue = self.tissue
        along, across = tissue.fibres.course(win)
        thin = tissue.fibres.sample(along, across, 1.0, 0.8)
        thick = tissue.fibres.sample(along, across, 2.6, 1.3)
        dense = tissue.desmoplasia.window(win)
        bundle = np.clip((thick - np.float32(0.30)) * np.float32(3.2), 0, 1)
        loose = 0.20 + 0.26 * thin + 0.05 * fine + 0.06 * cloud
        reactive = 0.10 + bundle * (0.50 + 0.24 * thin + 0.05 * fine)
        second = loose + dense * (reactive - loose)
        first = 0.07 + 0.04 * thin + 0.02 * cloud
        mucin = _step(tissue.mucin.window(win), 8.0)
        if mucin.any():
            second += mucin * (0.03 + 0.07 * thick - second)
            first += mucin * (0.12 + 0.10 * thick - first)
        return first, second
