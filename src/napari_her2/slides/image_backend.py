"""Plain images: a JPEG or PNG of up to 20,000 px a side, such as a TMA core."""

from __future__ import annotations

import struct
import threading
from pathlib import Path

import numpy as np

from napari_her2.errors import BadRegionError, NotASlideError, SlideTooLargeError
from napari_her2.messages import tr
from napari_her2.settings import LOGGER
from napari_her2.slides.backend import BackendSlide, Facts, SlideSpec, brief, unread, with_holes
from napari_her2.slides.base import Pixels
from napari_her2.slides.mpp import resolve_mpp
from napari_her2.slides.rawfile import RawFile
from napari_her2.types import RgbImage

__all__ = ["ImageSlide", "image_size"]

WARN_SIDE = 20_000
MAX_BYTES = 4 * 2**30
_PNG = b"\x89PNG\r\n\x1a\n"
_STANDALONE = {0x01, *range(0xD0, 0xD9)}
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def image_size(raw: RawFile) -> tuple[str, int, int] | None:
    """Format, width and height as the first bytes say, without decoding.

    Returns
    -------
    tuple or None
        ``("jpeg" or "png", width, height)``; None for anything else.
    """
    head = raw.read(0, 33)
    if head.startswith(_PNG) and head[12:16] == b"IHDR":
        width, height = struct.unpack(">II", head[16:24])
        return "png", width, height
    if not head.startswith(b"\xff\xd8\xff"):
        return None
    at = 2
    while at + 4 <= raw.size:
        mark = raw.read(at, 9)
        if len(mark) < 9 or mark[0] != 0xFF:
            return None
        if mark[1] == 0xFF or mark[1] in _STANDALONE:
            at += 1 if mark[1] == 0xFF else 2
        elif mark[1] in _FRAMES:
            height, width = struct.unpack(">HH", mark[5:9])
            return "jpeg", width, height
        else:
            at += 2 + struct.unpack(">H", mark[2:4])[0]
    return None


class ImageSlide(BackendSlide):
    """A JPEG or PNG; decoded whole at the first read, its size checked long before."""

    def __init__(self, spec: SlideSpec, slide_id: str) -> None:
        super().__init__(spec, slide_id)
        path = Path(spec.path)
        try:
            with RawFile(path) as raw:
                found = image_size(raw)
        except OSError as e:
            raise NotASlideError("not_slide", name=path.name, reason=brief(e)) from None
        if found is None or not (found[1] and found[2]):
            raise NotASlideError(
                "not_slide", name=path.name, reason="its header is not that of an image"
            )
        self._format, width, height = found
        if width * height * 3 > MAX_BYTES:
            raise SlideTooLargeError(
                "too_large", name=path.name, reason=f"{width} x {height} px in one piece"
            )
        warnings = []
        if max(width, height) > WARN_SIDE:
            gib = f"{width * height * 3 / 2**30:.1f}"
            warnings.append(tr("one_piece", width=width, height=height, gib=gib))
        self._lock = threading.Lock()
        self._rgb: RgbImage | None = None
        self._holes: np.ndarray | None = None
        self._failed: str | None = None
        self._settle(
            Facts(
                backend="image",
                vendor=self._format,
                sizes=((width, height),),
                mpp=resolve_mpp(path, spec.mpp, []),
                warnings=tuple(warnings),
            )
        )

    def _read_stored(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        del level
        with self._lock:
            if self._rgb is None and self._failed is None:
                self._decode()
        if self._rgb is None:
            return unread(width, height, self._failed or "it could not be decoded")
        view = (slice(y, y + height), slice(x, x + width))
        if self._holes is None:
            return Pixels(self._rgb[view])
        return with_holes(
            self._rgb[view].copy(), self._holes[view], legitimate=True, reason="transparent"
        )

    def _decode(self) -> None:
        from napari_her2.slides.jpeg_tiles import decode_strictly

        size = self.size
        try:
            data = Path(self.spec.path).read_bytes()
            image = decode_strictly(data) if self._format == "jpeg" else _png(data)
            if image.shape[:2] != (size.height, size.width):
                reason = "it decodes to another size than its header says"
                raise ValueError(reason)
        except Exception as e:  # noqa: BLE001 - decoders raise anything; none may become pixels
            LOGGER.debug("image not decoded", exc_info=True)
            self._failed = brief(e)
            return
        if image.shape[2] == 4:
            self._holes = image[..., 3] == 0
        self._rgb = np.ascontiguousarray(image[..., :3])
        self._rgb.flags.writeable = False

    def associated_image(self, name: str) -> RgbImage:
        """Plain images have none."""
        raise BadRegionError("no_associated", name=self.slide_id, image=name, available="none")

    def close(self) -> None:
        """Forget the pixels."""
        super().close()
        self._rgb = None


def _png(data: bytes) -> RgbImage:
    """Decode a PNG of any colour type to RGB or RGBA, 8 bits."""
    import imagecodecs

    image = np.asarray(imagecodecs.png_decode(data))
    if image.dtype == np.uint16:
        image = (image >> 8).astype(np.uint8)
    if image.dtype != np.uint8:
        image = image.astype(np.uint8) * 255
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] in (1, 2):
        grey = np.repeat(image[..., :1], 3, axis=2)
        image = grey if image.shape[2] == 1 else np.concatenate([grey, image[..., 1:]], axis=2)
    return np.asarray(image, np.uint8)
