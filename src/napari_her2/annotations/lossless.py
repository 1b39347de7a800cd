"""Annotations written down and read again without losing a bit: for our own files only.

Geometry is well-known binary, so that every coordinate comes back as it was; whatever has its
default value is left out. There are two ways: JSON values, one for each annotation, with geometry
in base64; and bytes, with what many annotations share written once, which is five times as fast.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, Final, cast

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import OBJECT_TYPES, Annotation, ObjectType
from napari_her2.annotations.well_known import geometries_from_wkb

__all__ = [
    "annotations_from_bytes",
    "annotations_from_json",
    "annotations_to_bytes",
    "annotations_to_json",
]

_COLOURS: Final = ("colour", "class_colour")
_SHARED: Final = (
    "class_name", "object_type", "class_colour", "author", "created", "modified", "locked",
    "propagated_from",
)  # fmt: skip
_shared: Final = attrgetter(*_SHARED)
_HEAD: Final = struct.Struct("<QQ")


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
        geometries = geometries_from_wkb([base64.b64decode(r["wkb"]) for r in rows])
        return tuple(_annotation(r, g) for r, g in zip(rows, geometries, strict=True))
    except (KeyError, TypeError, AttributeError, ValueError, ShapelyError) as e:
        msg = f"not annotations as they are kept here: {e}"
        raise ValueError(msg) from None


def annotations_to_bytes(annotations: Sequence[Annotation]) -> bytes:
    """Turn annotations into bytes.

    ``u64`` length of the head, ``u64`` number of annotations n, the head (JSON: ``ids``, ``kinds``
    = the different values of what is often shared, ``rows`` = whatever else one has, by its
    place), then little-endian ``u4[n]`` which of the kinds, ``u4[n]`` length of each geometry, and
    the geometries.
    """
    outlines = shapely.to_wkb(_array(a.geometry for a in annotations)).tolist()
    kinds: dict[tuple[Any, ...], int] = {}
    which = [kinds.setdefault(_shared(a), len(kinds)) for a in annotations]
    rows = {str(i): row for i, a in enumerate(annotations) if (row := _own(a))}
    # Measurements computed with numpy are numbers too.
    head = json.dumps(
        {"ids": [a.id for a in annotations], "kinds": list(kinds), "rows": rows}, default=_plain
    )
    return b"".join(
        (
            _HEAD.pack(len(head), len(which)),
            head.encode("ascii"),
            np.array(which, "<u4").tobytes(),
            np.array([len(o) for o in outlines], "<u4").tobytes(),
            *outlines,
        )
    )


def annotations_from_bytes(data: bytes) -> tuple[Annotation, ...]:
    """Turn bytes of :func:`annotations_to_bytes` into the same annotations.

    Raises
    ------
    ValueError
        If they are not what that function makes.
    """
    try:
        length, n = _HEAD.unpack_from(data)
        at = _HEAD.size + length
        head = json.loads(data[_HEAD.size : at])
        which, lengths = np.frombuffer(data, "<u4", 2 * n, at).reshape(2, n).tolist()
        at += 8 * n
        outlines = []
        for size in lengths:
            outlines.append(data[at : at + size])
            at += size
        kinds = [_kind(k) for k in head["kinds"]]
        rows = {int(i): _rest(r) for i, r in head["rows"].items()}
        none: dict[str, Any] = {}
        return tuple(
            Annotation(geometry=g, id=i, **kinds[k], **rows.get(at, none))
            for at, (g, i, k) in enumerate(
                zip(geometries_from_wkb(outlines), head["ids"], which, strict=True)
            )
        )
    except (
        KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError, struct.error,
        ShapelyError,
    ) as e:  # fmt: skip
        msg = f"not annotations as they are kept here: {e}"
        raise ValueError(msg) from None


def _kind(values: list[Any]) -> dict[str, Any]:
    kind = dict(zip(_SHARED, values, strict=True))
    if kind["class_colour"] is not None:
        red, green, blue = kind["class_colour"]
        kind["class_colour"] = (red, green, blue)
    if kind["object_type"] not in OBJECT_TYPES:
        msg = f"no such type of object: {kind['object_type']}"
        raise ValueError(msg)
    return kind


def _own(a: Annotation) -> dict[str, Any]:
    """What is hardly ever the same for two annotations."""
    row: dict[str, Any] = {}
    if a.name:
        row["name"] = a.name
    if a.note:
        row["note"] = a.note
    if a.colour is not None:
        row["colour"] = list(a.colour)
    if a.nucleus is not None:
        row["nucleus"] = base64.b64encode(shapely.to_wkb(a.nucleus)).decode("ascii")
    if a.measurements:
        row["measurements"] = dict(a.measurements)
    if a.properties:
        row["properties"] = dict(a.properties)
    return row


def _rest(row: dict[str, Any]) -> dict[str, Any]:
    more: dict[str, Any] = {key: row[key] for key in ("name", "note") if key in row}
    for key in _COLOURS:
        if key in row:
            red, green, blue = row[key]
            more[key] = (red, green, blue)
    if "nucleus" in row:
        (more["nucleus"],) = geometries_from_wkb([base64.b64decode(row["nucleus"])])
    for key in ("measurements", "properties"):
        if key in row:
            more[key] = dict(row[key])
    return more


def _row(a: Annotation, outline: bytes) -> dict[str, Any]:
    row: dict[str, Any] = {"id": a.id, "wkb": base64.b64encode(outline).decode("ascii")}
    if a.class_name is not None:
        row["class"] = a.class_name
    if a.object_type != "annotation":
        row["type"] = a.object_type
    for key in ("author", "created", "modified"):
        if value := getattr(a, key):
            row[key] = value
    if a.propagated_from is not None:
        row["propagated_from"] = a.propagated_from
    if a.locked:
        row["locked"] = True
    if a.class_colour is not None:
        row["class_colour"] = list(a.class_colour)
    return row | _own(a)


def _annotation(row: dict[str, Any], geometry: BaseGeometry) -> Annotation:
    kind = row.get("type", "annotation")
    if kind not in OBJECT_TYPES:
        msg = f"no such type of object: {kind}"
        raise ValueError(msg)
    return Annotation(
        geometry=geometry,
        class_name=row.get("class"),
        id=row["id"],
        object_type=cast("ObjectType", kind),
        author=row.get("author", ""),
        created=row.get("created", ""),
        modified=row.get("modified", ""),
        locked=bool(row.get("locked", False)),
        propagated_from=row.get("propagated_from"),
        **_rest(row),
    )


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    msg = f"not a JSON value: {type(value).__name__}"
    raise TypeError(msg)


def _array(geometries: Iterable[BaseGeometry]) -> Any:
    found = list(geometries)
    out = np.empty(len(found), dtype=object)
    # Element by element: numpy would otherwise look for a sequence in a multi-part geometry.
    for i, g in enumerate(found):
        out[i] = g
    return out
