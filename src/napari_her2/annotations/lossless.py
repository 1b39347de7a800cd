"""Annotations as JSON values and back, without losing a bit: for the journal, not for other tools.

Geometry is well-known binary in base64, so that every coordinate comes back as it was; whatever has
its default value is left out.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import OBJECT_TYPES, Annotation, ObjectType

__all__ = ["annotations_from_json", "annotations_to_json"]

_TEXTS: Final = ("name", "note", "author", "created", "modified")
_COLOURS: Final = ("colour", "class_colour")


def annotations_to_json(annotations: Sequence[Annotation]) -> list[dict[str, Any]]:
    """Turn annotations into JSON values.

    Parameters
    ----------
    annotations : sequence of Annotation
        Any number; all outlines are written in one call, so that 100,000 take about a second.

    Returns
    -------
    list of dict
        One for each, in the same order. Numbers may be NaN or infinite, which :mod:`json` writes
        and reads although strict JSON knows neither.
    """
    outlines = shapely.to_wkb(_array(a.geometry for a in annotations))
    return [_row(a, outline) for a, outline in zip(annotations, outlines, strict=True)]


def annotations_from_json(rows: Sequence[dict[str, Any]]) -> tuple[Annotation, ...]:
    """Turn JSON values of :func:`annotations_to_json` into the same annotations.

    Raises
    ------
    ValueError
        If they are not what that function makes.
    """
    try:
        geometries = shapely.from_wkb([base64.b64decode(r["wkb"]) for r in rows])
        return tuple(_annotation(r, g) for r, g in zip(rows, geometries, strict=True))
    except (KeyError, TypeError, AttributeError, ValueError, ShapelyError) as e:
        msg = f"not annotations as they are kept here: {e}"
        raise ValueError(msg) from None


def _row(a: Annotation, outline: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {"id": a.id, "wkb": base64.b64encode(outline).decode("ascii")}
    if a.class_name is not None:
        row["class"] = a.class_name
    if a.object_type != "annotation":
        row["type"] = a.object_type
    for key in _TEXTS:
        if value := getattr(a, key):
            row[key] = value
    if a.locked:
        row["locked"] = True
    for key in _COLOURS:
        if (colour := getattr(a, key)) is not None:
            row[key] = list(colour)
    if a.nucleus is not None:
        row["nucleus"] = base64.b64encode(shapely.to_wkb(a.nucleus)).decode("ascii")
    if a.measurements:
        row["measurements"] = dict(a.measurements)
    if a.propagated_from is not None:
        row["propagated_from"] = a.propagated_from
    if a.properties:
        row["properties"] = dict(a.properties)
    return row


def _annotation(row: dict[str, Any], geometry: BaseGeometry) -> Annotation:
    more: dict[str, Any] = {key: row[key] for key in _TEXTS if key in row}
    for key in _COLOURS:
        if key in row:
            red, green, blue = row[key]
            more[key] = (red, green, blue)
    if "nucleus" in row:
        more["nucleus"] = shapely.from_wkb(base64.b64decode(row["nucleus"]))
    for key in ("measurements", "properties"):
        if key in row:
            more[key] = dict(row[key])
    kind = row.get("type", "annotation")
    if kind not in OBJECT_TYPES:
        msg = f"no such type of object: {kind}"
        raise ValueError(msg)
    return Annotation(
        geometry=geometry,
        class_name=row.get("class"),
        id=row["id"],
        object_type=cast("ObjectType", kind),
        locked=bool(row.get("locked", False)),
        propagated_from=row.get("propagated_from"),
        **more,
    )


def _array(geometries: Iterable[BaseGeometry]) -> Any:
    found = list(geometries)
    out = np.empty(len(found), dtype=object)
    # Element by element: numpy would otherwise look for a sequence in a multi-part geometry.
    for i, g in enumerate(found):
        out[i] = g
    return out
