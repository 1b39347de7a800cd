"""Tiles as the model sees them, read from the level that suits, never invented.

One rule of resampling, which depends on the geometry alone: where a tile pixel is a whole number of
level pixels and the window starts on a level pixel, plain area averages (OpenCV ``INTER_AREA``);
everywhere else Pillow's Hamming filter with the window's true, fractional edges. Both weigh level
pixels by the area around each tile pixel, so a marker stays where it is to a fraction of a pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_her2.errors import Her2Error, UnknownMppError, WrongMppError
from napari_her2.geometry import Region
from napari_her2.slides.base import Level, Pixels, PixelSize, Slide
from napari_her2.tiles.batches import TileBatch, iter_batches
from napari_her2.tiles.blocks import BlockCache
from napari_her2.tiles.spec import TileSpec
from napari_her2.types import RgbImage

__all__ = [
    "LevelChoice",
    "TileBatch",
    "TilePixels",
    "TileReader",
    "choose_level",
    "iter_batches",
]

MPP_TOLERANCE = 0.02
"""A level this much coarser than the tile still counts as fine enough."""

UPSAMPLE_LIMIT = 0.10
"""A slide this much coarser than the model needs is enlarged, and the result says so."""

MAX_MISSING = 0.01
"""A tile with a larger share of unreadable pixels is failed. Below it (a seam of one pixel), they
take the mean colour of the rest."""

CACHE_BYTES = 96 * 2**20
_ALIGNED = 1 / 64
"""A window starts on a level pixel if it is off by less than this."""


@dataclass(frozen=True, slots=True)
class LevelChoice:
    """The level that tiles are read from.

    Attributes
    ----------
    level : Level
        The level.
    mpp_x, mpp_y : float
        Its micrometres per pixel.
    scale_x, scale_y : float
        Level pixels per tile pixel.
    enlarged : bool
        Whether the slide is a little coarser than the model needs: to be recorded.
    """

    level: Level
    mpp_x: float
    mpp_y: float
    scale_x: float
    scale_y: float

    @property
    def enlarged(self) -> bool:
        """Whether detail is missing beyond the tolerance of the choice."""
        return min(self.scale_x, self.scale_y) < 1 / (1 + MPP_TOLERANCE)


@dataclass(frozen=True, slots=True)
class TilePixels:
    """One tile.

    Attributes
    ----------
    rgb : RgbImage
        Shape (tile_px, tile_px, 3); mid-grey where ``failed``.
    failed : bool
        Whether it could not be read: not to be scored.
    reason : str or None
        Why, for the error record.
    """

    rgb: RgbImage
    failed: bool = False
    reason: str | None = None


def choose_level(slide: Slide, tile_mpp: float, *, model: str = "This model") -> LevelChoice:
    """Find the coarsest level that is fine enough for a tile.

    Parameters
    ----------
    slide : Slide
        The slide.
    tile_mpp : float
        Micrometres per pixel of the tile.
    model : str
        Name for the error sentence.

    Returns
    -------
    LevelChoice
        The level; level 0 enlarged by up to 10 % where nothing finer exists.

    Raises
    ------
    UnknownMppError
        If the slide states no pixel size: it is never guessed.
    WrongMppError
        If level 0 is coarser than that.
    """
    mpp = slide.mpp
    if mpp is None:
        raise UnknownMppError("no_mpp")
    choices = [_choice(level, mpp, tile_mpp) for level in slide.levels]
    fine = [c for c in choices if max(c.mpp_x, c.mpp_y) <= tile_mpp * (1 + MPP_TOLERANCE)]
    if fine:
        return max(fine, key=lambda c: c.level.downsample)
    best = min(choices, key=lambda c: c.level.downsample)
    offered = max(best.mpp_x, best.mpp_y)
    if offered > tile_mpp * (1 + UPSAMPLE_LIMIT):
        needed = f"{tile_mpp:g}"
        raise WrongMppError("wrong_mpp", model=model, needed=needed, offered=f"{offered:.3g}")
    return best


def _choice(level: Level, mpp: PixelSize, tile_mpp: float) -> LevelChoice:
    x, y = mpp.x * level.downsample_x, mpp.y * level.downsample_y
    return LevelChoice(level, x, y, tile_mpp / x, tile_mpp / y)


class TileReader:
    """Reads tiles of one size from one slide. Thread-safe.

    Parameters
    ----------
    slide : Slide
        The slide; not closed by the reader.
    spec : TileSpec
        Size of a tile.
    cache_bytes : int
        Most memory for decoded blocks; neighbouring tiles overlap and share them.
    model : str
        Name for error sentences.

    Raises
    ------
    UnknownMppError, WrongMppError
        See :func:`choose_level`.
    """

    def __init__(
        self,
        slide: Slide,
        spec: TileSpec,
        *,
        cache_bytes: int = CACHE_BYTES,
        model: str = "This model",
    ) -> None:
        self.slide = slide
        self.spec = spec
        self.choice = choose_level(slide, spec.tile_mpp, model=model)
        self._blocks = BlockCache(slide, self.choice.level.index, cache_bytes)

    def slide_changed(self) -> bool:
        """Whether the file changed since the reader was made; asks the file, not every tile."""
        return self.slide.changed()

    def failed_tile(self, reason: str) -> TilePixels:
        """A tile that could not be read: mid-grey, never white."""
        n = self.spec.tile_px
        return TilePixels(np.full((n, n, 3), 128, np.uint8), True, reason)

    def read(self, window: Region) -> TilePixels:
        """Read the field the model sees.

        Parameters
        ----------
        window : Region
            Level-0 pixels, fractions allowed. What reaches beyond the slide is mirrored.

        Returns
        -------
        TilePixels
            Failed, with a reason, where too much of it could not be read.
        """
        level = self.choice.level
        w = window.scaled(1 / level.downsample_x, 1 / level.downsample_y)
        if w.right <= 0 or w.bottom <= 0 or w.x >= level.width or w.y >= level.height:
            return self.failed_tile("it lies beside the slide")
        whole = self._whole_factors(w)
        # Hamming reaches one tile pixel beyond the window; the same margin always, so that the
        # result does not depend on how the crop was cut.
        margin_x = 0 if whole else math.ceil(max(1.0, self.choice.scale_x)) + 1
        margin_y = 0 if whole else math.ceil(max(1.0, self.choice.scale_y)) + 1
        x0, x1 = _span(w.x, w.width, margin_x, aligned=whole is not None)
        y0, y1 = _span(w.y, w.height, margin_y, aligned=whole is not None)
        try:
            got = self._read_mirrored(x0, y0, x1 - x0, y1 - y0)
        except (Her2Error, OSError) as e:
            return self.failed_tile(str(e))
        rgb = got.rgb
        if got.missing is not None:
            share = float(got.missing.mean())
            if share > MAX_MISSING:
                return self.failed_tile(got.reason or f"{share:.0%} of it is missing in the file")
            if share:
                rgb = rgb.copy()
                rgb[got.missing] = np.rint(rgb[~got.missing].mean(axis=0)).astype(np.uint8)
        return TilePixels(self._resample(rgb, w, x0, y0, whole))

    def _whole_factors(self, w: Region) -> tuple[int, int] | None:
        """Level pixels per tile pixel where both are whole and the window starts on a pixel."""
        n = self.spec.tile_px
        fx, fy = round(w.width / n), round(w.height / n)
        starts = abs(w.x - round(w.x)), abs(w.y - round(w.y))
        off = max(abs(w.width - fx * n), abs(w.height - fy * n), *starts)
        return (fx, fy) if fx >= 1 and fy >= 1 and off < _ALIGNED else None

    def _resample(
        self, rgb: RgbImage, w: Region, x0: int, y0: int, whole: tuple[int, int] | None
    ) -> RgbImage:
        n = self.spec.tile_px
        if whole == (1, 1):
            return np.ascontiguousarray(rgb)
        if whole is not None:
            return np.asarray(cv2.resize(rgb, (n, n), interpolation=cv2.INTER_AREA), np.uint8)
        box = (w.x - x0, w.y - y0, w.right - x0, w.bottom - y0)
        image = Image.fromarray(np.ascontiguousarray(rgb))
        return np.asarray(image.resize((n, n), Image.Resampling.HAMMING, box=box), np.uint8)

    def _read_mirrored(self, x: int, y: int, width: int, height: int) -> Pixels:
        level = self.choice.level
        if x >= 0 and y >= 0 and x + width <= level.width and y + height <= level.height:
            return self._blocks.read(x, y, width, height)
        xs, ys = _mirror(x, width, level.width), _mirror(y, height, level.height)
        left, top = int(xs.min()), int(ys.min())
        got = self._blocks.read(left, top, int(xs.max()) - left + 1, int(ys.max()) - top + 1)
        ys, xs = ys - top, xs - left
        missing = None if got.missing is None else got.missing[np.ix_(ys, xs)]
        # Twice along one axis: seven times faster than picking both at once.
        return Pixels(got.rgb.take(ys, 0).take(xs, 1), missing, got.reason)


def _span(start: float, length: float, margin: int, *, aligned: bool) -> tuple[int, int]:
    if aligned:
        return round(start), round(start) + round(length)
    return math.floor(start) - margin, math.ceil(start + length) + margin


def _mirror(start: int, length: int, size: int) -> NDArray[np.intp]:
    """Indices that run on beyond both ends as in a mirror, the edge pixel twice."""
    index = np.arange(start, start + length) % (2 * size)
    return np.asarray(np.where(index < size, index, 2 * size - 1 - index), np.intp)
