"""Slides read by OpenSlide: all its vendors and DICOM. The only module that imports it."""

from __future__ import annotations

import threading
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import openslide

from napari_her2.errors import BadRegionError, NotASlideError
from napari_her2.geometry import Region, Size
from napari_her2.messages import tr
from napari_her2.settings import LOGGER
from napari_her2.slides.backend import BackendSlide, Facts, SlideSpec, brief, unread, with_holes
from napari_her2.slides.base import Pixels
from napari_her2.slides.header import TiffDirectory, TiffStructure
from napari_her2.slides.jpeg_tiles import JpegTiles
from napari_her2.slides.mpp import conflict_with_power, objective_power, resolve_mpp, stated
from napari_her2.slides.rawfile import RawFile
from napari_her2.slides.sources import window_of
from napari_her2.types import BoolMask, RgbImage

__all__ = ["OpenSlideSlide", "vendor_of"]

_CACHE_BYTES = 32 * 2**20
"""OpenSlide's own tile cache, one for all slides; its usual size."""

_SPARSE_VENDORS = {"mirax", "ventana", "leica", "philips", "hamamatsu", "dicom", "zeiss", "argos"}
"""Formats that leave out what was not scanned; elsewhere a transparent pixel is a fault."""

_OPAQUE = 0xFF000000

_SALVAGE = 256
"""Side of the blocks a failed window is read again in, so that one bad tile costs only itself."""


def vendor_of(path: Path) -> str | None:
    """What OpenSlide takes a file for, or None."""
    try:
        vendor = openslide.OpenSlide.detect_format(str(path))
    except (openslide.OpenSlideError, OSError, ValueError):
        return None
    return None if vendor is None else str(vendor)


@lru_cache(maxsize=1)
def _shared_cache() -> openslide.OpenSlideCache:
    return openslide.OpenSlideCache(_CACHE_BYTES)


class OpenSlideSlide(BackendSlide):
    """A slide that OpenSlide opens, with its JPEG tiles read directly where that is the same.

    Parameters
    ----------
    spec : SlideSpec
        The slide as the user named it: a file, or a DICOM folder.
    slide_id : str
        Its name.
    file : Path
        What OpenSlide is given: for a folder one of its files.
    structure : TiffStructure or None
        The checked header, if the file is a TIFF.
    """

    def __init__(
        self, spec: SlideSpec, slide_id: str, file: Path, structure: TiffStructure | None
    ) -> None:
        super().__init__(spec, slide_id)
        self._file = file
        self._handle_lock = threading.Lock()
        self._generation = 0
        self._raw: RawFile | None = None
        self._direct: dict[int, JpegTiles] = {}
        self._empty: dict[int, TiffDirectory] = {}
        try:
            self._osr = self._open()
            facts = self._facts()
        except Exception as e:  # noqa: BLE001 - whatever the library raises, the user gets a sentence
            raise NotASlideError(
                "damaged_slide", name=Path(spec.path).name, reason=brief(e)
            ) from None
        self._sparse = facts.vendor in _SPARSE_VENDORS
        self._settle(facts)
        if structure is not None and not structure.is_ndpi:
            self._find_direct(structure)

    def _open(self) -> openslide.OpenSlide:
        osr = openslide.OpenSlide(str(self._file))
        osr.set_cache(_shared_cache())
        return osr

    def _facts(self) -> Facts:
        osr = self._osr
        properties = {str(k): str(v) for k, v in osr.properties.items()}
        vendor = properties.get("openslide.vendor", "unknown")
        states = stated(
            properties.get("openslide.mpp-x"),
            properties.get("openslide.mpp-y"),
            "dicom" if vendor == "dicom" else "properties",
        )
        mpp = resolve_mpp(Path(self.spec.path), self.spec.mpp, [states])
        power = objective_power(properties)
        warnings = [w for w in [conflict_with_power(mpp, power)] if w]
        if mislabelled_colours(properties, self._file):
            warnings.append(tr("false_colours"))
        sizes = tuple((int(w), int(h)) for w, h in osr.level_dimensions)
        return Facts(
            backend="openslide",
            vendor=vendor,
            sizes=sizes,
            mpp=mpp,
            objective_power=power,
            properties=properties,
            associated_images=tuple(sorted(osr.associated_images)),
            bounds=_bounds(properties, sizes[0]),
            has_icc_profile="openslide.icc-size" in properties,
            warnings=tuple(warnings),
        )

    # direct tiles -----------------------------------------------------------------------

    def _find_direct(self, structure: TiffStructure) -> None:
        """Use direct tiles for each level where they equal OpenSlide's pixels."""
        raw = RawFile(self._file)
        for level in range(self.stored_levels):
            size = self.levels[level].size
            matching = [
                d
                for d in structure.directories
                if d.tiled and (d.width, d.height) == (size.width, size.height)
            ]
            # Two directories of one size (focus planes, say) leave open which one is the level.
            if len(matching) != 1:
                continue
            stored = self._stored[level]
            self._empty[stored] = matching[0]
            if JpegTiles.suits(matching[0]):
                tiles = JpegTiles(raw, matching[0])
                if self._equal(stored, tiles, matching[0]):
                    self._direct[stored] = tiles
                else:
                    LOGGER.info("level %d: direct tiles differ from OpenSlide, not used", stored)
        if self._direct:
            self._raw = raw
            self.info = replace(self.info, backend="openslide+direct")
        else:
            raw.close()

    def _equal(self, stored: int, tiles: JpegTiles, d: TiffDirectory) -> bool:
        """Compare tiles with what OpenSlide gives, at the start and where tiles hold most."""
        if not len(d.counts) or not d.counts.any():
            return False
        held = np.flatnonzero(d.counts)
        for i in {int(held[0]), int(held[np.argmax(d.counts[held])])}:
            row, col = divmod(i, d.columns)
            x, y = col * d.tile_width, row * d.tile_height
            w, h = min(d.tile_width, d.width - x), min(d.tile_height, d.height - y)
            try:
                mine = tiles.tile(row, col)[:h, :w]
                rgba, exact = self._region(stored, x, y, w, h)
            except (ValueError, OSError, openslide.OpenSlideError):
                return False
            # Between the pixels of level 0 OpenSlide interpolates; then only "close" can be asked.
            off = np.abs(mine.astype(np.int16) - rgba[..., :3]).max(axis=2)
            if (exact and off.any()) or (not exact and np.median(off) > 24):
                return False
        return True

    # reading ----------------------------------------------------------------------------

    def _read_stored(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        direct = self._direct.get(level)
        if direct is not None:
            return direct.read(x, y, width, height)
        generation = self._generation
        try:
            pixels = self._convert(self._region(level, x, y, width, height)[0])
        except openslide.OpenSlideError:
            # The handle refuses everything after an error; one bad tile must not cost the rest.
            self._renew(generation)
            pixels = self._salvage(level, x, y, width, height)
        return self._without_empty(pixels, level, x, y)

    def _region(
        self, level: int, x: int, y: int, width: int, height: int
    ) -> tuple[np.ndarray, bool]:
        """RGBA of a window and whether it lies exactly on OpenSlide's pixels."""
        osr = self._osr
        factor = osr.level_downsamples[level]
        # read_region takes level-0 pixels; the nearest ones differ by a part of a level pixel.
        x0, y0 = round(x * factor), round(y * factor)
        exact = abs(x0 / factor - x) < 1 / 512 and abs(y0 / factor - y) < 1 / 512
        return np.asarray(osr.read_region((x0, y0), level, (width, height))), exact

    def _convert(self, rgba: np.ndarray) -> Pixels:
        rgb = np.asarray(cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB), np.uint8)
        # Alpha is the highest byte of a little-endian word: four times faster than striding.
        if rgba.view("<u4").min() >= _OPAQUE:
            return Pixels(rgb)
        reason = "the file holds nothing here"
        return with_holes(rgb, rgba[..., 3] == 0, legitimate=self._sparse, reason=reason)

    def _salvage(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a failed window again in blocks; those that fail once more are missing."""
        parts: list[tuple[int, int, Pixels]] = []
        for by in range(y - y % _SALVAGE, y + height, _SALVAGE):
            for bx in range(x - x % _SALVAGE, x + width, _SALVAGE):
                y0, x0 = max(by, y), max(bx, x)
                h, w = min(by + _SALVAGE, y + height) - y0, min(bx + _SALVAGE, x + width) - x0
                generation = self._generation
                try:
                    pixels = self._convert(self._region(level, x0, y0, w, h)[0])
                except openslide.OpenSlideError as e:
                    self._renew(generation)
                    pixels = unread(w, h, brief(e))
                parts.append((y0, x0, pixels))
        return window_of(parts, x, y, width, height)

    def _renew(self, generation: int) -> None:
        """Open the file again, once for all threads that met the same broken handle."""
        with self._handle_lock:
            if self._generation == generation:
                # Not closed: another thread may be reading; the last reference closes it.
                self._osr = self._open()
                self._generation += 1

    def _without_empty(self, pixels: Pixels, level: int, x: int, y: int) -> Pixels:
        """Mark tiles the file holds nothing for: OpenSlide fills some from a coarser level."""
        d = self._empty.get(level)
        if d is None or d.counts.all():
            return pixels
        h, w = pixels.rgb.shape[:2]
        rows = np.arange(y, y + h) // d.tile_height
        cols = np.arange(x, x + w) // d.tile_width
        empty: BoolMask = (d.counts == 0).reshape(-1, d.columns)[np.ix_(rows, cols)]
        if pixels.missing is not None:
            empty = empty | pixels.missing
        if not empty.any():
            return pixels
        reason = pixels.reason or "the file holds nothing for this tile"
        return with_holes(pixels.rgb, empty, legitimate=self._sparse, reason=reason)

    # the rest ---------------------------------------------------------------------------

    def tile_size(self, level: int) -> Size:
        """Extent of the tiles OpenSlide reports for a level."""
        if level < self.stored_levels:
            stored = self._stored[level]
            at = f"openslide.level[{stored}].tile-"
            try:
                w = int(self.info.properties[at + "width"])
                h = int(self.info.properties[at + "height"])
            except (KeyError, ValueError):
                return super().tile_size(level)
            if w > 0 and h > 0:
                return Size(w, h)
        return super().tile_size(level)

    def associated_image(self, name: str) -> RgbImage:
        """Decode the label, macro or thumbnail; see :meth:`Slide.associated_image`."""
        if name not in self.info.associated_images:
            available = ", ".join(self.info.associated_images) or "none"
            raise BadRegionError(
                "no_associated", name=self.slide_id, image=name, available=available
            )
        try:
            image = self._open().associated_images[name].convert("RGB")
        except Exception as e:  # noqa: BLE001 - whatever the library raises, the user gets a sentence
            raise NotASlideError(
                "damaged_slide", name=Path(self.spec.path).name, reason=brief(e)
            ) from None
        return np.asarray(image, np.uint8)

    def icc_profile(self) -> bytes | None:
        """The embedded colour profile."""
        profile = self._osr.color_profile if self.info.has_icc_profile else None
        return None if profile is None else bytes(profile.tobytes())

    def close(self) -> None:
        """Give the file back."""
        if not self._closed:
            super().close()
            if self._raw is not None:
                self._raw.close()
            del self._osr


def _bounds(properties: dict[str, str], size: tuple[int, int]) -> Region | None:
    """The scanned area, level-0 pixels, cut to the slide."""
    try:
        x, y, w, h = (float(properties[f"openslide.bounds-{k}"]) for k in _BOUNDS)
        return Region(x, y, w, h).intersect(Region(0, 0, *size))
    except (KeyError, ValueError):
        return None


_BOUNDS = ("x", "y", "width", "height")


def mislabelled_colours(properties: dict[str, str], file: Path) -> bool:
    """Whether a DICOM file says RGB although its JPEG frames say nothing or YCbCr.

    RGB is never stored with halved colour components, and a JFIF stream is YCbCr by definition:
    a frame that is either contradicts the tag.
    """
    if properties.get("openslide.vendor") != "dicom":
        return False
    if properties.get("dicom.PhotometricInterpretation") != "RGB":
        return False
    if not properties.get("dicom.TransferSyntaxUID", "").startswith("1.2.840.10008.1.2.4.50"):
        return False
    try:
        with RawFile(file) as raw:
            head = raw.read(0, 1 << 18)
    except OSError:
        return False
    start = head.find(b"\xff\xd8\xff")
    scan = head.find(b"\xff\xda", start)
    frame = head.find(b"\xff\xc0", start)
    if start < 0 or not start < frame < scan or b"Adobe" in head[start:scan]:
        return False
    sampling = head[frame + 11 : frame + 20 : 3]
    return head[frame + 9] == 3 and (len(set(sampling)) > 1 or b"JFIF\0" in head[start:frame])
