"""OME-Zarr images (0.4 and 0.5) in 8-bit RGB, axes any of (t)(c)(z)yx or yxc."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_her2.errors import BadRegionError, NotASlideError, SlideTooLargeError
from napari_her2.geometry import Size
from napari_her2.messages import tr
from napari_her2.settings import LOGGER
from napari_her2.slides.backend import BackendSlide, Facts, SlideSpec, brief
from napari_her2.slides.base import Pixels
from napari_her2.slides.header import MAX_SIDE, MAX_TILE_AREA
from napari_her2.slides.mpp import resolve_mpp
from napari_her2.slides.sources import GREY
from napari_her2.slides.zarr_metadata import Multiscales, read_multiscales
from napari_her2.types import BoolMask, RgbImage

__all__ = ["ZarrSlide"]


class ZarrSlide(BackendSlide):
    """An OME-Zarr image, sliced without dask; missing chunks are missing, not black.

    Parameters
    ----------
    spec : SlideSpec
        The group's folder.
    slide_id : str
        Its name.
    """

    def __init__(self, spec: SlideSpec, slide_id: str) -> None:
        super().__init__(spec, slide_id)
        path = Path(spec.path)
        found = read_multiscales(path)
        if found is None:
            raise NotASlideError("not_slide", name=path.name, reason="it holds no OME-Zarr image")
        self._axes = found.axes
        try:
            self._arrays = [zarr.open_array(path / p, mode="r") for p in found.paths]
        except Exception as e:  # noqa: BLE001 - zarr raises anything; the user gets a sentence
            raise NotASlideError("damaged_slide", name=path.name, reason=brief(e)) from None
        for array in self._arrays:
            self._check(array, path.name)
        self._settle(self._facts(found))

    def _check(self, array: Any, name: str) -> None:
        axes = self._axes
        if len(array.shape) != len(axes) or "x" not in axes or "y" not in axes:
            raise NotASlideError(
                "not_slide", name=name, reason=f"its axes {''.join(axes)} do not fit its arrays"
            )
        if (
            set(axes) - set("tczyx")
            or array.dtype != np.uint8
            or self._colours(array) not in (1, 3, 4)
        ):
            reason = f"it is not 8-bit RGB but {''.join(axes)} {array.shape} {array.dtype}"
            raise NotASlideError("not_slide", name=name, reason=reason)
        if not all(0 < array.shape[axes.index(a)] < MAX_SIDE for a in "xy"):
            raise NotASlideError(
                "damaged_slide", name=name, reason=f"it claims a shape of {array.shape}"
            )
        if int(np.prod(array.chunks)) > 4 * MAX_TILE_AREA:
            raise SlideTooLargeError(
                "too_large", name=name, reason=f"chunks of {array.chunks} pixels"
            )

    def _colours(self, array: Any) -> int:
        return int(array.shape[self._axes.index("c")]) if "c" in self._axes else 1

    def _facts(self, found: Multiscales) -> Facts:
        path = Path(self.spec.path)
        first = self._arrays[0]
        several = any(n > 1 for a, n in zip(self._axes, first.shape, strict=True) if a in "tz")
        return Facts(
            backend="zarr",
            vendor=f"ome-zarr {found.version}",
            sizes=tuple(
                (int(a.shape[self._axes.index("x")]), int(a.shape[self._axes.index("y")]))
                for a in self._arrays
            ),
            mpp=resolve_mpp(path, self.spec.mpp, [found.mpp]),
            warnings=(tr("first_plane", name=self._slide_id),) if several else (),
        )

    def _read_stored(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        array = self._arrays[level]
        window = {"x": slice(x, x + width), "y": slice(y, y + height), "c": slice(0, 3)}
        rgb = self._colour_last(array[tuple(window.get(a, 0) for a in self._axes)])
        missing = self._absent(array, x, y, width, height)
        if missing is None:
            return Pixels(rgb)
        rgb[missing] = GREY
        return Pixels(rgb, missing, "the file holds nothing for this chunk")

    def _colour_last(self, block: Any) -> RgbImage:
        """Put the axes that are left into the order y, x, colour."""
        left = [a for a in self._axes if a in "yxc"]
        data = np.asarray(block, np.uint8)
        if "c" not in left:
            left, data = [*left, "c"], data[..., None]
        data = np.moveaxis(data, [left.index(a) for a in "yxc"], [0, 1, 2])
        if data.shape[2] == 1:
            data = np.repeat(data, 3, axis=2)
        return np.array(data[..., :3], np.uint8, order="C")

    def _absent(self, array: Any, x: int, y: int, width: int, height: int) -> BoolMask | None:
        """Where chunks have no file: zarr would fill them in without a word."""
        root = Path(self.spec.path) / array.path if array.path else None
        folder = root if root is not None and root.is_dir() else _folder_of(array)
        if folder is None:
            return None
        side = getattr(array, "shards", None) or array.chunks
        by = {a: int(n) for a, n in zip(self._axes, side, strict=True)}
        missing: BoolMask | None = None
        for row in range(y // by["y"], -(-(y + height) // by["y"])):
            for col in range(x // by["x"], -(-(x + width) // by["x"])):
                if self._present(array, folder, row, col):
                    continue
                if missing is None:
                    missing = np.zeros((height, width), bool)
                top, left = row * by["y"] - y, col * by["x"] - x
                missing[max(top, 0) : top + by["y"], max(left, 0) : left + by["x"]] = True
        return missing

    def _present(self, array: Any, folder: Path, row: int, col: int) -> bool:
        depth = 1
        if "c" in self._axes:
            side = getattr(array, "shards", None) or array.chunks
            depth = -(-min(self._colours(array), 3) // int(side[self._axes.index("c")]))
        for c in range(depth):
            index = tuple({"y": row, "x": col, "c": c}.get(a, 0) for a in self._axes)
            if not (folder / array.metadata.encode_chunk_key(index)).exists():
                return False
        return True

    def tile_size(self, level: int) -> Size:
        """Extent of the chunks."""
        if level < self.stored_levels:
            chunks = self._arrays[self._stored[level]].chunks
            return Size(int(chunks[self._axes.index("x")]), int(chunks[self._axes.index("y")]))
        return super().tile_size(level)

    def associated_image(self, name: str) -> RgbImage:
        """OME-Zarr has none."""
        raise BadRegionError("no_associated", name=self.slide_id, image=name, available="none")


def _folder_of(array: Any) -> Path | None:
    """The folder a zarr array lies in; None where it lies in no folder."""
    root = getattr(array.store, "root", None)
    if root is None:
        LOGGER.debug("chunks of this store can't be checked for presence")
        return None
    return Path(str(root)) / str(array.path)
