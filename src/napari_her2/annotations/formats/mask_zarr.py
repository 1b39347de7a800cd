"""An indexed mask as OME-Zarr 0.5 labels; each level is drawn, not shrunk.

``<path>/labels/annotations`` is the label image, with colours and classes under ``image-label``.
Empty chunks are not stored: an absent one is 0, "nothing drawn".
Source: OME-Zarr 0.5 (ngff.openmicroscopy.org/0.5), sections "multiscales" and "labels".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import zarr
from zarr.codecs import BytesCodec, ZstdCodec

from napari_her2.annotations.formats.mask_plan import MaskPlan

__all__ = ["LABELS", "write_mask_zarr"]

LABELS: Final = "annotations"
_VERSION: Final = "0.5"
_CHUNK: Final = 1024


def write_mask_zarr(
    folder: Path, plans: Sequence[MaskPlan], mpp: tuple[float, float] | None = None
) -> None:
    """Write a mask and its smaller levels into a new folder.

    Parameters
    ----------
    folder : Path
        Must not exist.
    plans : sequence of MaskPlan
        The mask, then smaller ones.
    mpp : (float, float), optional
        Micrometres per level-0 pixel; without it one pixel is one unit.
    """
    zarr.create_group(folder, zarr_format=3)
    labels = {"version": _VERSION, "labels": [LABELS]}
    zarr.create_group(folder / "labels", zarr_format=3, attributes={"ome": labels})
    group = zarr.create_group(
        folder / "labels" / LABELS, zarr_format=3, attributes={"ome": _attributes(plans, mpp)}
    )
    for level, plan in enumerate(plans):
        array = group.create_array(
            str(level),
            shape=(plan.height, plan.width),
            chunks=(min(_CHUNK, plan.height), min(_CHUNK, plan.width)),
            dtype=plan.dtype.name,
            fill_value=0,
            serializer=BytesCodec(endian="little"),
            compressors=[ZstdCodec(level=3, checksum=True)],
            dimension_names=("y", "x"),
        )
        for (x, y, width, height), tile in plan.tiles(_CHUNK, count=level == 0):
            if tile.any():
                array[y : y + height, x : x + width] = tile


def _attributes(plans: Sequence[MaskPlan], mpp: tuple[float, float] | None) -> dict[str, Any]:
    unit = {"unit": "micrometer"} if mpp is not None else {}
    x, y = mpp or (1.0, 1.0)
    datasets = []
    for level, plan in enumerate(plans):
        sx, sy = plan.step
        # The middle of the first pixel lies half a step in, less half a level-0 pixel.
        place = [(sy - 1) / 2 * y, (sx - 1) / 2 * x]
        datasets.append(
            {
                "path": str(level),
                "coordinateTransformations": [
                    {"type": "scale", "scale": [sy * y, sx * x]},
                    {"type": "translation", "translation": place},
                ],
            }
        )
    index = plans[0].index
    numbered = list(enumerate(zip(index.names, index.colours, strict=True), start=1))
    return {
        "version": _VERSION,
        "multiscales": [
            {
                "name": LABELS,
                "axes": [{"name": n, "type": "space", **unit} for n in ("y", "x")],
                "datasets": datasets,
            }
        ],
        "image-label": {
            "colors": [{"label-value": i, "rgba": [*rgb, 255]} for i, (_, rgb) in numbered],
            "properties": [{"label-value": i, "class": name} for i, (name, _) in numbered],
        },
    }
