"""QuPath's GeoJSON, written: both dialects (see :mod:`~napari_her2.annotations.formats.qupath`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, Literal

import numpy as np
import shapely
from pydantic_core import to_json
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.colours import colour_of_class, to_java
from napari_her2.annotations.formats.qupath import DESCRIPTION, KEPT, METADATA, OLD_TYPES
from napari_her2.annotations.schema import ClassSchema

__all__ = ["Dialect", "feature", "write_qupath"]

Dialect = Literal["current", "old"]
"""``current`` is read by QuPath 0.4 and later, ``old`` by 0.2 and 0.3 (and by later ones)."""

_AT_ONCE: Final = 2_000
_OLD_NAMES: Final = {ours: theirs for theirs, ours in OLD_TYPES.items()}
_ELLIPSE_TOLERANCE: Final = 0.02


def write_qupath(
    f: BinaryIO,
    annotations: Sequence[Annotation],
    *,
    schema: ClassSchema | None = None,
    dialect: Dialect = "current",
) -> None:
    """Write annotations into an open file, some thousands at a time.

    Parameters
    ----------
    f : binary file
        UTF-8 is written to it.
    annotations : sequence of Annotation
        Objects without loss; ``properties`` go back verbatim.
    schema : ClassSchema, optional
        Gives QuPath's names and the colours of classes without one.
    dialect : {"current", "old"}
        ``current``: a FeatureCollection with UUIDs; ``old``: a list of Features.
    """
    start, end = (b'{"type":"FeatureCollection","features":[', b"\n]}\n")
    if dialect == "old":
        start, end = b"[", b"\n]\n"
    f.write(start)
    for at in range(0, len(annotations), _AT_ONCE):
        lines = _lines(annotations[at : at + _AT_ONCE], schema, dialect)
        f.write((b",\n" if at else b"\n") + b",\n".join(lines))
    f.write(end)


def feature(
    annotation: Annotation, *, schema: ClassSchema | None = None, dialect: Dialect = "current"
) -> bytes:
    """One Feature as JSON."""
    return next(_lines([annotation], schema, dialect))


def _lines(
    annotations: Sequence[Annotation], schema: ClassSchema | None, dialect: Dialect
) -> Iterator[bytes]:
    texts = shapely.to_geojson(np.array([a.geometry for a in annotations], dtype=object))
    for a, text in zip(annotations, texts, strict=True):
        kept = _dict(a.properties.get(KEPT))
        given: Any = kept.get("id")
        if dialect == "old":
            given = _OLD_NAMES[a.object_type]
        elif str(given) != a.id:
            given = a.id
        parts = [
            b'{"type":"Feature","id":', _json(given),
            b',"geometry":', _geometry(text, a.geometry, kept.get("geometry")),
        ]  # fmt: skip
        if a.nucleus is not None:
            nucleus = _geometry(shapely.to_geojson(a.nucleus), a.nucleus, kept.get("nucleus"))
            parts += [b',"nucleusGeometry":', nucleus]
        parts += [b',"properties":', _json(_properties(a, kept, schema, dialect))]
        for key, value in _dict(kept.get("feature")).items():
            parts += [b",", _json(str(key)), b":", _json(value)]
        yield b"".join([*parts, b"}"])


def _dict(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _json(value: Any) -> bytes:
    # QuPath writes measurements that are no numbers as bare NaN, and reads nothing else for them.
    return to_json(value, inf_nan_mode="constants")


def _geometry(text: str, shape: BaseGeometry, more: Any) -> bytes:
    extra = _dict(more)
    if extra.get("isEllipse") and not _is_ellipse(shape):
        # QuPath would draw the ellipse in its bounding box instead of the edited outline.
        del extra["isEllipse"]
    if not extra:
        return text.encode()
    return text[:-1].encode() + b"," + _json(extra)[1:]


def _is_ellipse(shape: BaseGeometry) -> bool:
    x0, y0, x1, y1 = shape.bounds
    if shape.geom_type != "Polygon" or shape.interiors or x1 <= x0 or y1 <= y0:
        return False
    unit = (shapely.get_coordinates(shape) - [(x0 + x1) / 2, (y0 + y1) / 2]) / [
        (x1 - x0) / 2, (y1 - y0) / 2
    ]  # fmt: skip
    return bool(np.abs(np.hypot(*unit.T) - 1).max() < _ELLIPSE_TOLERANCE)


def _properties(
    a: Annotation, kept: dict[str, Any], schema: ClassSchema | None, dialect: Dialect
) -> dict[str, Any]:
    old = dialect == "old"
    p: dict[str, Any] = {} if old else {"objectType": kept.get("objectType", a.object_type)}
    if a.name:
        same = str(kept["name"]) == a.name if "name" in kept else False
        p["name"] = kept["name"] if same else a.name
    if a.colour is not None:
        p["colorRGB" if old else "color"] = to_java(a.colour) if old else list(a.colour)
    elif "color" in kept:
        p["color"] = kept["color"]
    if a.class_name is not None:
        p["classification"] = _class(a, kept.get("classification"), schema, old)
    elif kept.get("classification") is not None:
        p["classification"] = kept["classification"]
    if a.locked or old:
        p["isLocked"] = a.locked
    odd = kept.get("measurements")
    measurements: dict[str, Any] = {**a.measurements, **_dict(odd)}
    if old:
        listed = [{"name": k, "value": v} for k, v in measurements.items()]
        more = kept.get("measurement_list")
        p["measurements"] = [*listed, *(more if isinstance(more, list) else [])]
    elif measurements or odd is not None:
        p["measurements"] = measurements or odd
    rest = {k: v for k, v in a.properties.items() if k not in {KEPT, "metadata"}}
    metadata = {k: v for k in METADATA if (v := getattr(a, k))}
    if a.note:
        metadata[DESCRIPTION] = a.note
    given = a.properties.get("metadata")
    if isinstance(given, dict):
        metadata = {**given, **metadata}
    elif given is not None and not metadata:
        p["metadata"] = given
    if metadata:
        p["metadata"] = metadata
    return {**p, **rest}


def _class(a: Annotation, more: Any, schema: ClassSchema | None, old: bool) -> dict[str, Any]:
    assert a.class_name is not None
    known = schema.find(a.class_name) if schema is not None else None
    name = (known.qupath_name if known is not None else None) or a.class_name
    rgb = colour_of_class(a.class_name, a.class_colour, schema)
    extra = _dict(more)
    names, alpha = extra.pop("names", None), extra.pop("alpha", None)
    if old:
        return {"name": name, "colorRGB": to_java(rgb), **extra}
    # An object that got another class since has lost the colour of the old one.
    with_alpha = alpha is not None and a.class_colour is not None
    colour = [*rgb, alpha] if with_alpha else list(rgb)
    if isinstance(names, list) and ": ".join(map(str, names)) == name:
        return {"names": names, "color": colour, **extra}
    return {"name": name, "color": colour, **extra}
