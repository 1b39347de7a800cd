"""A slide as the window knows it: the slide, its layer, and what was found out about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._qt.layer_order import her2, kind_of
from napari_her2.geometry import Region
from napari_her2.layers.placing import short_name
from napari_her2.slides.base import PixelSize, Slide

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_her2.stains.guess import StainGuess
    from napari_her2.tiles.tissue import TissueMask

__all__ = ["OpenSlide", "Survey", "slide_of"]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a first look at low resolution found."""

    tissue: TissueMask
    stain: StainGuess


@dataclass(eq=False, slots=True)
class OpenSlide:
    """One slide in one window.

    Attributes
    ----------
    slide : Slide
        Its pixels.
    layer : napari Layer
        The image that shows it.
    survey : Survey or None
        None until the first look is done.
    survey_error : Exception or None
        Why there will be none.
    given_mpp : (float, float) or None
        Pixel size entered in this window; goes into requests, as the command's ``--mpp`` does.
    stain : str or None
        Stain set by the user; None = as guessed.
    hidden : list of Layer
        Layers that were visible when another slide took their place.
    """

    slide: Slide
    layer: Layer
    survey: Survey | None = None
    survey_error: Exception | None = None
    given_mpp: tuple[float, float] | None = None
    stain: str | None = None
    hidden: list[Layer] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)
    _held: list[Slide] = field(default_factory=list)

    @property
    def slide_id(self) -> str:
        """Id of the slide."""
        return self.slide.slide_id

    @property
    def short(self) -> str:
        """Its name in the layer list."""
        return short_name(self.slide_id)

    @property
    def path(self) -> Path:
        """File or folder of the slide."""
        return self.slide.path

    @property
    def mpp(self) -> PixelSize | None:
        """Pixel size: as entered here, else as the slide states it."""
        if self.given_mpp is not None:
            return PixelSize(*self.given_mpp, source="user")
        return self.slide.mpp

    @property
    def world_mpp(self) -> tuple[float, float]:
        """Micrometres per pixel in x and y; 1 and 1 where the world is in pixels."""
        mpp = self.mpp
        return (1.0, 1.0) if mpp is None else (mpp.x, mpp.y)

    @property
    def bounds(self) -> Region:
        """The whole slide, level-0 pixels."""
        size = self.slide.size
        return Region(0, 0, size.width, size.height)

    def reopen(self, mpp: tuple[float, float]) -> None:
        """Open the slide once more with a pixel size; the picture keeps the handle it has."""
        from napari_her2.errors import Her2Error
        from napari_her2.slides import open_slide

        try:
            again = open_slide(self.path, mpp=mpp)
        except Her2Error:
            # A slide in memory has no file: the size entered here counts all the same.
            return
        self._held.append(self.slide)
        self.slide = again

    def close(self) -> None:
        """Give the files back."""
        for slide in (*self._held, self.slide):
            slide.close()

    def contains(self, x: float, y: float) -> bool:
        """Whether a level-0 place lies on the slide."""
        return 0 <= x < self.slide.size.width and 0 <= y < self.slide.size.height

    def read_field(self, region: Region, max_px: int) -> np.ndarray | None:
        """Read an area of the slide as a small picture.

        Parameters
        ----------
        region : Region
            Level-0 pixels; may reach over the edge.
        max_px : int
            Longest side of the picture, at most twice that is read.

        Returns
        -------
        ndarray of uint8 or None
            Shape (h, w, 3); None where nothing could be read.
        """
        want = max(region.width, region.height) / max_px
        fitting = [lv for lv in self.slide.levels if lv.downsample <= max(want, 1)]
        level = max(fitting, key=lambda lv: lv.downsample, default=self.slide.levels[0])
        w = max(1, round(region.width / level.downsample_x))
        h = max(1, round(region.height / level.downsample_y))
        pixels = self.slide.read(
            level.index,
            round(region.x / level.downsample_x),
            round(region.y / level.downsample_y),
            w,
            h,
        )
        if pixels.missing is not None and bool(pixels.missing.all()):
            return None
        step = max(1, round(max(w, h) / max_px))
        return np.ascontiguousarray(pixels.rgb[::step, ::step])


def slide_of(layer: Layer) -> Slide | None:
    """The slide that a layer of our reader shows; None for other layers."""
    if kind_of(layer) != "slide":
        return None
    found = her2(layer).get("slide")
    return found if isinstance(found, Slide) else None
