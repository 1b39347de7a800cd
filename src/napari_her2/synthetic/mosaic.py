"""Large slides: a few scenes laid out in eight orientations under a tissue outline.

Drawing every cell of a 60,000-pixel slide would take tens of minutes; a mosaic takes a few. Each
block is drawn once and kept; its truth is turned along with its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.layout import smooth_field
from napari_her2.types import RgbImage

__all__ = ["BlockScene", "Mosaic", "Placement", "turn_image", "turn_points"]

_MASK_PX = 64


class BlockScene(Protocol):
    """A scene that fills one block of the mosaic."""

    def pixels(self, mpp: float, left: int, top: int, width: int, height: int) -> RgbImage:
        """A window in pixels of ``mpp``."""
        ...


@dataclass(frozen=True, slots=True)
class Placement:
    """One block: which scene, in which of eight orientations, where (level-0 pixels)."""

    scene: int
    variant: int
    left: int
    top: int


def turn_image(image: RgbImage, variant: int) -> RgbImage:
    """Rotate by quarter turns (variant 0 to 3), mirrored for 4 to 7."""
    turned = np.rot90(image, variant & 3)
    return turned[:, ::-1] if variant & 4 else turned


def turn_points(xy: NDArray[np.float64], side: float, variant: int) -> NDArray[np.float64]:
    """The same for points (n, 2), x then y from the corner of a square block of that side."""
    x, y = xy[:, 0], xy[:, 1]
    for _ in range(variant & 3):
        x, y = y, side - x
    if variant & 4:
        x = side - x
    return np.stack([x, y], 1)


class Mosaic:
    """Pixels and truth of a slide made of repeated blocks.

    Parameters
    ----------
    seed : int
        Draws the outline, the order and the orientations.
    scenes : list of BlockScene
        What the blocks show.
    block_px : int
        Side of a block, level-0 pixels.
    mpp : float
        Micrometres per pixel.
    width, height : int
        Extent of the slide, pixels.
    glass : (float, float, float)
        Grey levels of clear glass.
    """

    def __init__(
        self,
        seed: int,
        scenes: Sequence[BlockScene],
        block_px: int,
        mpp: float,
        width: int,
        height: int,
        glass: tuple[float, float, float],
    ) -> None:
        rng = np.random.default_rng([105, seed])
        self.block_px, self._mpp = block_px, mpp
        self._width, self._height = width, height
        self._scenes = scenes
        self._glass = np.array(glass, np.float32)
        rows, cols = -(-height // block_px), -(-width // block_px)
        self.placements = [
            Placement(
                int(rng.integers(len(scenes))), int(rng.integers(8)), c * block_px, r * block_px
            )
            for r in range(rows)
            for c in range(cols)
        ]
        self._columns = cols
        self._images: dict[int, RgbImage] = {}
        shape = (height // _MASK_PX + 3, width // _MASK_PX + 3)
        field = smooth_field(rng, shape, min(shape) / 10, 1.0)
        edge = np.minimum(
            np.minimum(np.arange(shape[0]), shape[0] - 1 - np.arange(shape[0]))[:, None],
            np.minimum(np.arange(shape[1]), shape[1] - 1 - np.arange(shape[1]))[None],
        )
        field = field - 4 * np.exp(-(edge / min(shape)) / 0.04)
        self._mask = (field > np.quantile(field, 0.5)).astype(np.float32)

    def _image(self, scene: int) -> RgbImage:
        if scene not in self._images:
            n = self.block_px
            self._images[scene] = self._scenes[scene].pixels(self._mpp, 0, 0, n, n)
        return self._images[scene]

    def inside(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Whether points (level-0 pixels) lie in tissue and on the slide."""
        x, y = xy[:, 0], xy[:, 1]
        ok = (x >= 0) & (y >= 0) & (x < self._width) & (y < self._height)
        col = np.clip(np.rint(x / _MASK_PX).astype(np.intp), 0, self._mask.shape[1] - 1)
        row = np.clip(np.rint(y / _MASK_PX).astype(np.intp), 0, self._mask.shape[0] - 1)
        return np.asarray(ok & (self._mask[row, col] > 0.5))

    def pixels(self, left: int, top: int, width: int, height: int) -> RgbImage:
        """A window in level-0 pixels."""
        out = np.empty((height, width, 3), np.uint8)
        n = self.block_px
        for r in range(top // n, (top + height - 1) // n + 1):
            for c in range(left // n, (left + width - 1) // n + 1):
                place = self.placements[r * self._columns + c]
                block = turn_image(self._image(place.scene), place.variant)
                x0, x1 = max(left, c * n), min(left + width, (c + 1) * n)
                y0, y1 = max(top, r * n), min(top + height, (r + 1) * n)
                out[y0 - top : y1 - top, x0 - left : x1 - left] = block[
                    y0 - r * n : y1 - r * n, x0 - c * n : x1 - c * n
                ]
        for x in range(0, width, 1024):  # piecewise, so that wide strips need little memory
            part = out[:, x : x + 1024]
            self._cover(part, left + x, top)
        return out

    def _cover(self, part: RgbImage, left: int, top: int) -> None:
        """Lay glass over what is outside the tissue outline."""
        h, w = part.shape[:2]
        step = 1 / _MASK_PX
        matrix = np.array([[step, 0, left * step], [0, step, top * step]], np.float64)
        r0, c0 = top // _MASK_PX, left // _MASK_PX
        sub = self._mask[r0 : (top + h) // _MASK_PX + 3, c0 : (left + w) // _MASK_PX + 3]
        if sub.min() == 1:
            return
        if sub.max() == 0:
            part[:] = np.rint(self._glass).astype(np.uint8)
            return
        matrix[:, 2] -= (c0, r0)
        soft = cv2.warpAffine(
            sub, matrix, (w, h), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
        alpha = np.clip((soft - 0.5) * 12 + 0.5, 0, 1)[..., None].astype(np.float32)
        part[:] = np.rint(part * alpha + self._glass * (1 - alpha)).astype(np.uint8)

    def each(self) -> Iterator[Placement]:
        """Placements in row-major order."""
        return iter(self.placements)
