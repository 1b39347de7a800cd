"""An indexed mask as a tiled, pyramidal OME-TIFF; each level is drawn, not shrunk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_her2.annotations.formats.mask_plan import MaskPlan

__all__ = ["TILE", "write_mask_tiff"]

TILE: Final = 512

_BIG: Final = 2**31
"""Above so many bytes the file gets 64-bit offsets, compressed or not."""


def write_mask_tiff(
    f: BinaryIO, plans: Sequence[MaskPlan], mpp: tuple[float, float] | None = None
) -> None:
    """Write a mask and its smaller levels into an open file.

    Parameters
    ----------
    f : binary file
        Gets the TIFF; can be sought in.
    plans : sequence of MaskPlan
        The mask, then smaller ones.
    mpp : (float, float), optional
        Micrometres per pixel of the first.
    """
    size = plans[0].width * plans[0].height * plans[0].dtype.itemsize
    metadata: dict[str, Any] = {"axes": "YX", "Name": "classes"}
    if mpp is not None:
        metadata |= {
            "PhysicalSizeX": mpp[0], "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": mpp[1], "PhysicalSizeYUnit": "µm",
        }  # fmt: skip
    with tifffile.TiffWriter(f, bigtiff=size > _BIG, ome=True) as tif:
        for level, plan in enumerate(plans):
            tif.write(
                _tiles(plan, count=level == 0),
                shape=(plan.height, plan.width),
                dtype=plan.dtype,
                tile=(TILE, TILE),
                photometric="minisblack",
                compression="zlib",
                subifds=len(plans) - 1 if level == 0 else None,
                subfiletype=0 if level == 0 else 1,
                metadata=metadata if level == 0 else None,
            )


def _tiles(plan: MaskPlan, *, count: bool) -> Iterator[NDArray[Any]]:
    for (_, _, width, height), tile in plan.tiles(TILE, count=count):
        yield np.pad(tile, ((0, TILE - height), (0, TILE - width)))
