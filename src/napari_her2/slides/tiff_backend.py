"""TIFF files that OpenSlide does not read: OME-TIFF, single-level tiles, plain strips."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_her2.errors import BadRegionError, NotASlideError, SlideTooLargeError
from napari_her2.geometry import Size
from napari_her2.messages import tr
from napari_her2.slides.backend import BackendSlide, Facts, SlideSpec, brief
from napari_her2.slides.base import Pixels, PixelSize
from napari_her2.slides.header import TiffStructure
from napari_her2.slides.mpp import conflict_with_power, from_resolution, resolve_mpp
from napari_her2.slides.ome_xml import ome_pixels
from napari_her2.slides.rawfile import RawFile
from napari_her2.slides.sources import GREY
from napari_her2.slides.tiff_plane import TiffPlane
from napari_her2.types import RgbImage

__all__ = ["TiffSlide"]

_WARN_STRIP_SIDE = 20_000
_MAX_SEGMENT_BYTES = 2**31


class TiffSlide(BackendSlide):
    """A TIFF read segment by segment; tifffile names the levels and decodes, nothing more.

    Parameters
    ----------
    spec : SlideSpec
        The slide.
    slide_id : str
        Its name.
    structure : TiffStructure
        Its checked header.
    """

    def __init__(self, spec: SlideSpec, slide_id: str, structure: TiffStructure) -> None:
        super().__init__(spec, slide_id)
        path = Path(spec.path)
        self._raw = RawFile(path)
        try:
            self._tif = tifffile.TiffFile(path)
            self._planes = self._find_planes(structure)
            facts = self._facts(structure)
        except (NotASlideError, SlideTooLargeError):
            self._raw.close()
            raise
        except Exception as e:  # noqa: BLE001 - tifffile raises anything; the user gets a sentence
            self._raw.close()
            raise NotASlideError("damaged_slide", name=path.name, reason=brief(e)) from None
        self._settle(facts)

    def _find_planes(self, structure: TiffStructure) -> list[list[TiffPlane]]:
        """The pages of each level: one RGB page, or three pages of one colour each."""
        name = Path(self.spec.path).name
        by_offset = {d.offset: d for d in structure.directories}
        colour = [s for s in self._tif.series if _is_rgb(s)]
        if not colour:
            shapes = ", ".join(f"{s.axes} {s.dtype}" for s in self._tif.series[:3])
            raise NotASlideError(
                "not_slide", name=name, reason=f"it is not an 8-bit RGB image but {shapes}"
            )
        series = max(colour, key=lambda s: _extent(s)[0] * _extent(s)[1])
        self._series = series
        levels = []
        for level in series.levels:
            # tifffile calls a page None where it is missing or empty; such a level can't be read.
            pages = [p for p in level.pages[: 3 if _split(level) else 1] if p is not None]
            directories = [by_offset[p.offset] for p in pages]
            if len(pages) != (3 if _split(level) else 1):
                raise NotASlideError("damaged_slide", name=name, reason="a page is missing")
            for d in directories:
                segment = d.tile_width * d.tile_height * (1 if d.planar == 2 else d.samples)
                if segment > _MAX_SEGMENT_BYTES:
                    raise SlideTooLargeError(
                        "too_large",
                        name=name,
                        reason=f"one strip of {d.width} x {d.tile_height} px",
                    )
            levels.append(
                [
                    TiffPlane(self._raw, p.keyframe, d)
                    for p, d in zip(pages, directories, strict=True)
                ]
            )
        return levels

    @property
    def _page(self) -> Any:
        """The first page of level 0."""
        return self._planes[0][0].page

    def _facts(self, structure: TiffStructure) -> Facts:
        path = Path(self.spec.path)
        page, series = self._page, self._series
        candidates: list[PixelSize | None] = []
        power, properties = None, {}
        if self._tif.ome_metadata:
            index = next(i for i, s in enumerate(self._tif.series) if s is self._series)
            ome = ome_pixels(self._tif.ome_metadata, index)
            candidates.append(ome.mpp)
            power = ome.power
            properties.update(ome.properties)
        candidates.append(_resolution(page))
        mpp = resolve_mpp(path, self.spec.mpp, candidates)
        warnings = [w for w in [conflict_with_power(mpp, power)] if w]
        sizes = tuple(_extent(level) for level in self._series.levels)
        if not structure.directories[0].tiled and max(sizes[0]) > _WARN_STRIP_SIDE:
            warnings.append(tr("in_strips", width=sizes[0][0], height=sizes[0][1]))
        if any(n > 1 for a, n in zip(series.axes, series.shape, strict=True) if a not in "CSYX"):
            warnings.append(tr("first_plane", name=self._slide_id))
        return Facts(
            backend="tifffile",
            vendor="ome-tiff" if structure.is_ome else "tiff",
            sizes=sizes,
            mpp=mpp,
            objective_power=power,
            properties=properties,
            associated_images=tuple(self._associated()),
            has_icc_profile=34675 in page.tags,
            warnings=tuple(warnings),
        )

    def _associated(self) -> dict[str, Any]:
        """Other RGB series whose name says what they are."""
        found: dict[str, Any] = {}
        for series in self._tif.series:
            name = str(series.name).lower()
            for known in ("label", "macro", "thumbnail"):
                flat = series.axes in ("YXS", "SYX", "CYX", "YX")
                if series is not self._series and known in name and flat and _is_rgb(series):
                    found.setdefault(known, series)
        return found

    def _read_stored(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        planes = self._planes[level]
        if len(planes) == 1:
            return planes[0].read(x, y, width, height)
        parts = [p.read(x, y, width, height) for p in planes]
        rgb = np.stack([p.rgb[..., 0] for p in parts], axis=2)
        masks = [p.missing for p in parts if p.missing is not None]
        if not masks:
            return Pixels(rgb)
        missing = np.logical_or.reduce(masks)
        rgb[missing] = GREY
        return Pixels(rgb, missing, next(p.reason for p in parts if p.reason))

    def tile_size(self, level: int) -> Size:
        """Extent of the tiles; strips are taken in the default size."""
        if level < self.stored_levels:
            d = self._planes[self._stored[level]][0].directory
            if d.tiled:
                return Size(d.tile_width, d.tile_height)
        return super().tile_size(level)

    def associated_image(self, name: str) -> RgbImage:
        """Decode an image whose series is called label, macro or thumbnail."""
        series = self._associated().get(name)
        if series is None:
            available = ", ".join(self.info.associated_images) or "none"
            raise BadRegionError(
                "no_associated", name=self.slide_id, image=name, available=available
            )
        try:
            image = np.asarray(series.asarray())
        except Exception as e:  # noqa: BLE001 - tifffile raises anything; the user gets a sentence
            raise NotASlideError(
                "damaged_slide", name=Path(self.spec.path).name, reason=brief(e)
            ) from None
        if series.axes in ("SYX", "CYX"):
            image = np.moveaxis(image, 0, 2)
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        return np.asarray(image[..., :3], np.uint8)

    def icc_profile(self) -> bytes | None:
        """The embedded colour profile."""
        tag = self._page.tags.get(34675)
        return None if tag is None else bytes(tag.value)

    def close(self) -> None:
        """Give the file back."""
        if not self._closed:
            super().close()
            self._raw.close()
            self._tif.close()


def _extent(level: Any) -> tuple[int, int]:
    """Width and height of a series or level."""
    axes, shape = level.axes, level.shape
    return int(shape[axes.index("X")]), int(shape[axes.index("Y")])


def _split(level: Any) -> bool:
    """Whether the three colours are three pages."""
    return "S" not in level.axes and "C" in level.axes


def _is_rgb(series: Any) -> bool:
    """Whether a series is one 8-bit colour (or grey) picture; first plane where there are more."""
    axes, shape = series.axes, series.shape
    if series.dtype != np.uint8 or "X" not in axes or "Y" not in axes:
        return False
    if not _true_colours(series.keyframe):
        return False
    if "S" in axes:
        return bool(shape[axes.index("S")] in (3, 4))
    if "C" in axes:
        return bool(shape[axes.index("C")] == 3 and axes == "CYX")
    return bool(series.keyframe.photometric in (0, 1) and len(series.pages) == 1)


def _true_colours(page: Any) -> bool:
    """Whether decoding gives RGB or grey; palettes, CMYK and raw YCbCr would give false colours."""
    if page.photometric == 6:
        return bool(page.compression == 7)
    return bool(page.photometric in (0, 1, 2))


def _resolution(page: Any) -> PixelSize | None:
    """Pixel size from the resolution tags."""
    tags = page.tags
    if 282 not in tags or 283 not in tags:
        return None
    unit = int(tags[296].value) if 296 in tags else 1
    x, y = (_ratio(tags[k].value) for k in (282, 283))
    return from_resolution(x, y, unit)


def _ratio(value: Sequence[int] | float) -> float:
    if isinstance(value, tuple | list):
        return value[0] / value[1] if value[1] else 0.0
    return float(value)  # type: ignore[arg-type]
