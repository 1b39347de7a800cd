"""A slide that lies in memory: for tests, for pixels from other programs, and for napari layers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.errors import BadRegionError, NotASlideError
from napari_her2.slides.backend import BackendSlide, Facts, SlideSpec
from napari_her2.slides.base import Pixels, PixelSize
from napari_her2.types import RgbImage

__all__ = ["ArraySlide"]


class ArraySlide(BackendSlide):
    """RGB pixels in memory, one array or a pyramid of them.

    Parameters
    ----------
    levels : sequence of array_like
        uint8, shape (height, width, 3 or 4) or (height, width); finest first. Not copied.
    mpp : tuple of float or None
        Micrometres per level-0 pixel, x and y.
    slide_id : str
        Name of the slide.
    """

    def __init__(
        self, levels: Sequence[ArrayLike], mpp: tuple[float, float] | None, slide_id: str
    ) -> None:
        super().__init__(SlideSpec(slide_id, mpp), slide_id)
        self._opened = ()
        self._arrays = [_rgb(np.asarray(level), slide_id) for level in levels]
        self._settle(
            Facts(
                backend="array",
                vendor="memory",
                sizes=tuple((a.shape[1], a.shape[0]) for a in self._arrays),
                mpp=None if mpp is None else PixelSize(*mpp, "user"),
            )
        )

    def _read_stored(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        return Pixels(self._arrays[level][y : y + height, x : x + width])

    def associated_image(self, name: str) -> RgbImage:
        """Arrays have none."""
        raise BadRegionError("no_associated", name=self.slide_id, image=name, available="none")

    def content_key(self) -> str:
        """Digest of all pixels of the finest level."""
        if self._key is None:
            a = np.ascontiguousarray(self._arrays[0])
            self._key = hashlib.sha256(repr(a.shape).encode() + a.tobytes()).hexdigest()
        return self._key

    def changed(self) -> bool:
        """Memory is not watched."""
        return False

    def __reduce__(self) -> tuple[type[ArraySlide], tuple[object, ...]]:  # type: ignore[override]
        return ArraySlide, (self._arrays, self.spec.mpp, self.slide_id)


def _rgb(array: NDArray[np.generic], name: str) -> RgbImage:
    if array.dtype != np.uint8:
        raise NotASlideError("not_slide", name=Path(name).name, reason=f"{array.dtype} pixels")
    if array.ndim == 2:
        array = np.repeat(array[..., None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4) or 0 in array.shape:
        raise NotASlideError(
            "not_slide", name=Path(name).name, reason=f"an array of shape {array.shape}"
        )
    view = np.asarray(array[..., :3], np.uint8)
    view.flags.writeable = False
    return view
