"""Read the metadata of an OME-Zarr image, version 0.4 or 0.5, without opening an array."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from napari_her2.slides.base import PixelSize
from napari_her2.slides.mpp import stated
from napari_her2.slides.ome_xml import to_microns

__all__ = ["Multiscales", "read_multiscales"]

_MAX_BYTES = 16 * 2**20


@dataclass(frozen=True, slots=True)
class Multiscales:
    """The first multiscale image of a group.

    Attributes
    ----------
    axes : tuple of str
        Names of the axes, lower case, in storage order.
    paths : tuple of str
        Folder of each level below the group, finest first.
    mpp : PixelSize or None
        From the scale of level 0, where its unit is one of length.
    """

    version: str
    axes: tuple[str, ...]
    paths: tuple[str, ...]
    mpp: PixelSize | None


def read_multiscales(folder: Path) -> Multiscales | None:
    """Read the multiscales metadata; None where there is none that makes sense."""
    attributes = _attributes(folder)
    found = attributes.get("multiscales")
    if not isinstance(found, Sequence) or not found or not isinstance(found[0], Mapping):
        return None
    image = found[0]
    axes = tuple(_axis_name(a) for a in image.get("axes", ()))
    levels = [d for d in image.get("datasets", ()) if isinstance(d, Mapping)]
    paths = tuple(str(d.get("path", "")) for d in levels)
    if not paths or not axes or not all(_inside(p) for p in paths):
        return None
    version = str(attributes.get("version") or image.get("version") or "0.4")
    scales = [_scale(levels[0], len(axes)), _scale(image, len(axes))]
    scale = [a * b for a, b in zip(*scales, strict=True)]
    return Multiscales(version, axes, paths, _mpp(image.get("axes", ()), axes, scale))


def _attributes(folder: Path) -> Mapping[str, Any]:
    v3 = _json(folder / "zarr.json").get("attributes")
    if isinstance(v3, Mapping):
        ome = v3.get("ome")
        return ome if isinstance(ome, Mapping) else v3
    return _json(folder / ".zattrs")


def _json(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _MAX_BYTES:
            return {}
        document = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, Mapping) else {}


def _inside(path: str) -> bool:
    """A level must lie below its group, whatever the metadata says."""
    pure = PurePosixPath(path)
    return bool(path) and not pure.is_absolute() and ".." not in pure.parts and "\\" not in path


def _axis_name(axis: object) -> str:
    name = axis.get("name", "") if isinstance(axis, Mapping) else axis
    return str(name).lower()


def _scale(holder: Mapping[str, Any], n: int) -> list[float]:
    for transform in holder.get("coordinateTransformations", ()) or ():
        if isinstance(transform, Mapping) and transform.get("type") == "scale":
            values = transform.get("scale")
            if isinstance(values, Sequence) and len(values) == n:
                try:
                    return [float(v) for v in values]
                except (TypeError, ValueError):
                    break
    return [1.0] * n


def _mpp(raw: Sequence[Any], axes: tuple[str, ...], scale: list[float]) -> PixelSize | None:
    """Only with a unit: a scale of 1 without one means that nobody stated the size."""
    if "x" not in axes or "y" not in axes:
        return None
    sizes = []
    for name in "xy":
        axis = raw[axes.index(name)]
        unit = axis.get("unit") if isinstance(axis, Mapping) else None
        sizes.append(to_microns(scale[axes.index(name)], unit) if unit else None)
    x, y = sizes
    return None if x is None or y is None else stated(x, y, "ome-zarr")
