"""Masks as outlines in QuPath's GeoJSON dialect, level-0 pixels."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

import cv2
import numpy as np
import shapely
from shapely.geometry import LinearRing, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from napari_her2.types import BoolMask

__all__ = ["CLASS_COLOURS", "feature", "outline"]

CLASS_COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "Tissue": (128, 128, 128),
    "Pen": (60, 240, 204),
    "Blur": (255, 255, 63),
    "Fold": (240, 96, 0),
}

_NAMESPACE = uuid.UUID("6f2a1d1e-5b1f-5b0e-9a53-3c1f0e6d7a11")
_SCALE = 2


def outline(mask: BoolMask, downsample: tuple[float, float], size: tuple[int, int]) -> MultiPolygon:
    """Trace a mask along the edges of its pixels.

    Parameters
    ----------
    mask : BoolMask
        Shape (height, width).
    downsample : (float, float)
        Level-0 pixels per mask pixel in x and y.
    size : (int, int)
        Width and height of level 0; nothing reaches beyond.

    Returns
    -------
    MultiPolygon
        With holes, simplified by half a mask pixel; empty for an empty mask.
    """
    # Contours run through pixel centres and lose lines one pixel wide. Doubled, each such line
    # has a width of its own, and half a (doubled) pixel of margin gives the true edge.
    if not mask.any():
        return MultiPolygon()
    big = mask.astype(np.uint8).repeat(_SCALE, axis=0).repeat(_SCALE, axis=1)
    rings, tree = cv2.findContours(big, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    links = np.asarray(tree).reshape(-1, 4)
    parts: list[BaseGeometry] = []
    for n, ring in enumerate(rings):
        if links[n, 3] >= 0 or len(ring) < 3:
            continue
        holes, child = [], int(links[n, 2])
        while child >= 0:
            if len(rings[child]) >= 3:
                holes.append(rings[child].reshape(-1, 2))
            child = int(links[child, 0])
        parts.append(Polygon(ring.reshape(-1, 2), holes))
    grown = [shapely.make_valid(p).buffer(0.5, join_style="mitre") for p in parts]
    shape = shapely.union_all(grown).simplify(_SCALE / 2)
    to_level0 = np.array(downsample) / _SCALE
    shape = shapely.transform(shape, lambda xy: (xy + 0.5) * to_level0)
    shape = shapely.make_valid(shape).intersection(shapely.box(0, 0, *size))
    return MultiPolygon(list(_polygons(shape)))


def _polygons(shape: BaseGeometry) -> Iterable[Polygon]:
    if isinstance(shape, Polygon):
        if not shape.is_empty:
            yield shape
    elif hasattr(shape, "geoms"):
        for part in shape.geoms:
            yield from _polygons(part)


def _ring(ring: LinearRing) -> list[list[float]]:
    return [[round(x, 2), round(y, 2)] for x, y in ring.coords]


def feature(name: str, shape: MultiPolygon) -> dict[str, Any]:
    """One QuPath annotation of a class; the same shape always gets the same id.

    Parameters
    ----------
    name : str
        A key of :data:`CLASS_COLOURS`.
    shape : MultiPolygon
        Level-0 pixels.
    """
    rounded = [[_ring(r) for r in (p.exterior, *p.interiors)] for p in shape.geoms]
    geometry: dict[str, Any] = (
        {"type": "Polygon", "coordinates": rounded[0]}
        if len(rounded) == 1
        else {"type": "MultiPolygon", "coordinates": rounded}
    )
    return {
        "type": "Feature",
        "id": str(uuid.uuid5(_NAMESPACE, name + repr(rounded))),
        "geometry": geometry,
        "properties": {
            "objectType": "annotation",
            "classification": {"name": name, "color": list(CLASS_COLOURS[name])},
            "isLocked": False,
        },
    }
