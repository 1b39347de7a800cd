"""QuPath's GeoJSON, read: both dialects.

Up to QuPath 0.3 a file is one Feature or a list of them, the kind of object stands under ``id``,
colours are Java's packed integers, measurements a list of name and value. Since 0.4 it is a
FeatureCollection (a list is taken too), ``id`` is a UUID, the kind stands under ``objectType``,
colours are ``[r, g, b]``, derived classes are a list of names, and an object may hold others.
Coordinates are level-0 pixels from the top-left corner in both.
Source: QuPath's GeoJSON adapters for Gson (``qupath.lib.io``).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation, ObjectType
from napari_her2.annotations.formats.colours import Rgb, from_java, from_list
from napari_her2.annotations.formats.geojson_shapes import build_shapes
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.limits import no_collection

__all__ = ["DESCRIPTION", "KEPT", "METADATA", "OLD_TYPES", "TYPES", "read_qupath"]

DESCRIPTION: Final = "ANNOTATION_DESCRIPTION"
"""Where QuPath keeps the description of an annotation, among its metadata."""

METADATA: Final = ("author", "created", "modified", "propagated_from")
"""Our fields that are kept among QuPath's metadata: QuPath 0.5 and later write them back."""

KEPT: Final = "_qupath"
"""Key of ``Annotation.properties`` for what has no other place and goes back where it was."""

OLD_TYPES: Final[dict[str, ObjectType]] = {
    "PathAnnotationObject": "annotation", "PathDetectionObject": "detection",
    "PathCellObject": "cell", "PathTileObject": "tile", "TMACoreObject": "tmaCore",
}  # fmt: skip
"""Kinds of objects as they stand under ``id`` in old files."""

TYPES: Final[dict[str, ObjectType]] = {
    "annotation": "annotation", "detection": "detection", "cell": "cell", "tile": "tile",
    "tmaCore": "tmaCore", "tma_core": "tmaCore", **OLD_TYPES,
}  # fmt: skip

_ROOTS: Final = ("root", "PathRootObject")
_SHAPES: Final = (
    "Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon",
    "GeometryCollection",
)  # fmt: skip
_FEATURE: Final = {"type", "id", "geometry", "nucleusGeometry", "properties"}
_PROPERTIES: Final = {
    "objectType", "object_type", "name", "color", "colorRGB", "classification", "isLocked",
    "measurements", "metadata", "childObjects", "children",
}  # fmt: skip
_PLAIN: Final = {"name", "color"}
_CLASS: Final = {"name", "names", "color", "colorRGB", "parentClass"}


def read_qupath(document: Any, intake: Intake) -> list[Annotation]:
    """Read a GeoJSON document.

    Parameters
    ----------
    document : object
        A FeatureCollection, a list of Features, one Feature or one geometry, as JSON values.
    intake : Intake
        Counts what is left out or changed.

    Returns
    -------
    list of Annotation
        In the order of the file; an object stands before those that lie inside it.

    Raises
    ------
    BadAnnotationsError
        If it is none of these.
    """
    with no_collection():
        features = list(_features(document, intake))
        tally: Counter[str] = Counter()
        shapes = intake.settle(build_shapes([f.get("geometry") for f in features], tally))
        for message, n in tally.items():
            if n:
                intake.note(message, n=n)
        nuclei = _nuclei(features)
        made: list[Annotation] = []
        for i, (feature, shape) in enumerate(zip(features, shapes, strict=True)):
            if shape is not None:
                made += [
                    _annotation(feature, part, nuclei.get(i), intake)
                    for part in intake.parts(shape)
                ]
    return made


def _features(document: Any, intake: Intake) -> Iterator[dict[str, Any]]:
    if isinstance(document, dict) and document.get("type") == "FeatureCollection":
        more = len(document.keys() - {"type", "features"})
        if more:
            intake.skip("members", more)
        document = document.get("features")
    elif isinstance(document, dict) and document.get("type") in _SHAPES:
        document = [{"type": "Feature", "geometry": document, "properties": {}}]
    elif isinstance(document, dict) and document.get("type") == "Feature":
        document = [document]
    if not isinstance(document, list):
        raise intake.refuse("it holds no list of features")
    # A stack instead of recursion: objects inside objects come right after their parent.
    waiting = list(reversed(document))
    inner = 0
    while waiting:
        feature = waiting.pop()
        if not isinstance(feature, dict):
            intake.skip("not_object")
            continue
        if feature.get("type") == "FeatureCollection":
            waiting += reversed(feature.get("features") or [])
            continue
        properties = feature.get("properties")
        if isinstance(properties, dict):
            for key in ("childObjects", "children"):
                inside = properties.get(key)
                if isinstance(inside, list) and inside:
                    inner += len(inside)
                    waiting += reversed(inside)
            kind = properties.get("objectType", properties.get("object_type"))
            if (kind in _ROOTS or feature.get("id") in _ROOTS) and not feature.get("geometry"):
                continue
        yield feature
    if inner:
        intake.note("note_tree", n=inner)


def _nuclei(features: list[dict[str, Any]]) -> dict[int, BaseGeometry]:
    with_one = [i for i, f in enumerate(features) if f.get("nucleusGeometry") is not None]
    shapes = build_shapes([features[i]["nucleusGeometry"] for i in with_one], Counter())
    return {
        i: s
        for i, s in zip(with_one, shapes, strict=True)
        if isinstance(s, BaseGeometry) and not s.is_empty
    }


def _annotation(
    feature: dict[str, Any], shape: BaseGeometry, nucleus: BaseGeometry | None, intake: Intake
) -> Annotation:
    properties = feature.get("properties")
    kept: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    if isinstance(properties, dict):
        rest = {k: v for k, v in properties.items() if k not in _PROPERTIES}
    else:
        properties = {}
    fields = _metadata(properties, rest) if "metadata" in properties else {}
    given = feature.get("id")
    kind = _object_type(properties, given, kept)
    if not isinstance(given, str) or given in OLD_TYPES:
        if isinstance(given, (int, float)):
            kept["id"] = given
            given = str(given)
        else:
            given = None
    class_name, class_colour = _classification(properties.get("classification"), kept)
    name = properties.get("name")
    if name is not None and not isinstance(name, str):
        kept["name"] = name
        name = str(name)
    measurements = properties.get("measurements")
    if measurements:
        measurements = _measurements(measurements, kept)
    if feature.keys() - _FEATURE:
        kept["feature"] = {k: v for k, v in feature.items() if k not in _FEATURE}
    for key, where in (("geometry", "geometry"), ("nucleusGeometry", "nucleus")):
        geometry = feature.get(key)
        if isinstance(geometry, dict) and len(geometry) > 2:
            kept[where] = {k: v for k, v in geometry.items() if k not in {"type", "coordinates"}}
    if nucleus is None and feature.get("nucleusGeometry") is not None:
        kept.setdefault("feature", {})["nucleusGeometry"] = feature["nucleusGeometry"]
    if kept:
        rest[KEPT] = kept
    return Annotation(
        geometry=shape,
        class_name=intake.class_name(class_name),
        id=intake.own_id(given),
        object_type=kind,
        name=name or "",
        locked=properties.get("isLocked") is True,
        colour=_colour(properties, kept),
        class_colour=class_colour,
        nucleus=nucleus,
        measurements=measurements or {},
        properties=rest,
        **fields,
    )


def _object_type(properties: dict[str, Any], given: Any, kept: dict[str, Any]) -> ObjectType:
    kind = properties.get("objectType", properties.get("object_type"))
    if kind is None:
        kind = given if isinstance(given, str) and given in OLD_TYPES else properties.get("type")
        return TYPES.get(kind, "annotation") if isinstance(kind, str) else "annotation"
    if not isinstance(kind, str) or kind not in TYPES:
        kept["objectType"] = kind
        return "annotation"
    return TYPES[kind]


def _colour(properties: dict[str, Any], kept: dict[str, Any]) -> Rgb | None:
    given = properties.get("color", properties.get("colorRGB"))
    if given is None:
        return None
    colour = from_list(given) or from_java(given)
    if colour is None:
        kept["color"] = given
    return colour


def _classification(given: Any, kept: dict[str, Any]) -> tuple[str | None, Rgb | None]:
    if type(given) is dict and given.keys() == _PLAIN and type(given["name"]) is str:
        # What nearly all of 100,000 cells have.
        colour = given["color"]
        if type(colour) is list and len(colour) == 3:
            return given["name"], from_list(colour)
    if isinstance(given, str):
        return given, None
    if not isinstance(given, dict):
        if given is not None:
            kept["classification"] = given
        return None, None
    more = {k: v for k, v in given.items() if k not in _CLASS}
    colour = given.get("color", given.get("colorRGB"))
    if isinstance(colour, list) and len(colour) == 4:
        more["alpha"] = colour[3]
    names = given.get("names")
    name = given.get("name")
    parent = given.get("parentClass")
    if isinstance(names, list) and names and all(isinstance(n, str) for n in names):
        more["names"] = names
        name = ": ".join(names)
    elif isinstance(parent, dict):
        # Old files keep a derived class as a chain of parents.
        name = ": ".join(n for n in (_classification(parent, {})[0], name) if isinstance(n, str))
    if name is not None and not isinstance(name, str):
        name = str(name)
    if more:
        kept["classification"] = more
    return name, from_list(colour) or from_java(colour)


def _metadata(properties: dict[str, Any], rest: dict[str, Any]) -> dict[str, Any]:
    """Our own fields from QuPath's metadata; what else there is stays in ``rest``."""
    metadata = properties["metadata"]
    if not isinstance(metadata, dict):
        rest["metadata"] = metadata
        return {}
    fields = {k: v for k, v in metadata.items() if k in METADATA and isinstance(v, str)}
    note = metadata.get(DESCRIPTION)
    more = {k: v for k, v in metadata.items() if k not in fields}
    if isinstance(note, str):
        fields["note"] = note
        del more[DESCRIPTION]
    if more:
        rest["metadata"] = more
    return fields


def _measurements(given: Any, kept: dict[str, Any]) -> Mapping[str, float]:
    """Numbers by name, from a mapping or a list of name and value; anything else is kept aside."""
    if type(given) is dict:
        pairs = given
        if all(type(v) is float for v in given.values()):
            return given
    elif isinstance(given, list):
        pairs = {}
        for entry in given:
            name = entry.get("name") if isinstance(entry, dict) else None
            if not isinstance(name, str) or name in pairs:
                kept.setdefault("measurement_list", []).append(entry)
            else:
                pairs[name] = entry.get("value")
    else:
        kept["measurements"] = given
        return {}
    numbers: dict[str, float] = {}
    for name, value in pairs.items():
        try:
            numbers[name] = _number(value)
        except (TypeError, ValueError, OverflowError):
            kept.setdefault("measurements", {})[name] = value
    return numbers


def _number(value: Any) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str) and value not in {"NaN", "Infinity", "-Infinity"}:
        raise TypeError
    return float(value)
