"""An indexed mask as PNG: one byte a pixel, a palette of the class colours, written in bands.

Source: the PNG specification (W3C, third edition): chunks IHDR, PLTE, pHYs, IDAT, IEND.
"""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO, Final

import numpy as np

from napari_her2.annotations.formats.mask_plan import MAX_CLASSES_8_BIT, MaskPlan
from napari_her2.errors import UsageError

__all__ = ["write_mask_png"]

_BAND: Final = 512
_BAND_PIXELS: Final = 16_000_000


def write_mask_png(f: BinaryIO, plan: MaskPlan, mpp: tuple[float, float] | None = None) -> None:
    """Write a mask into an open file.

    Parameters
    ----------
    f : binary file
        Gets the PNG.
    plan : MaskPlan
        What is drawn.
    mpp : (float, float), optional
        Micrometres per pixel of the mask.

    Raises
    ------
    UsageError
        For more than 255 classes.
    """
    if len(plan.index.names) > MAX_CLASSES_8_BIT:
        raise UsageError("mask_classes", n=len(plan.index.names))
    f.write(b"\x89PNG\r\n\x1a\n")
    _chunk(f, b"IHDR", struct.pack(">IIBBBBB", plan.width, plan.height, 8, 3, 0, 0, 0))
    _chunk(f, b"PLTE", bytes(v for rgb in ((0, 0, 0), *plan.index.colours) for v in rgb))
    if mpp is not None:
        per_metre = (round(1e6 / m) for m in mpp)
        _chunk(f, b"pHYs", struct.pack(">IIB", *per_metre, 1))
    packer = zlib.compressobj(6)
    rows = max(1, min(_BAND, _BAND_PIXELS // plan.width))
    for y in range(0, plan.height, rows):
        band = plan.render((0, y, plan.width, min(rows, plan.height - y)), count=True)
        # Each row begins with the number of its filter: 0, none.
        packed = packer.compress(np.pad(band, ((0, 0), (1, 0))).tobytes())
        if packed:
            _chunk(f, b"IDAT", packed)
    _chunk(f, b"IDAT", packer.flush())
    _chunk(f, b"IEND", b"")


def _chunk(f: BinaryIO, name: bytes, content: bytes) -> None:
    f.write(struct.pack(">I", len(content)) + name + content)
    f.write(struct.pack(">I", zlib.crc32(name + content)))
