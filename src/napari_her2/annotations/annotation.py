"""One thing that somebody drew on a slide."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal, get_args

from shapely.geometry.base import BaseGeometry

__all__ = ["AREAS", "OBJECT_TYPES", "Annotation", "ObjectType", "new_id"]

ObjectType = Literal["annotation", "detection", "cell", "tile", "tmaCore"]
"""Kinds of objects as QuPath calls them; what people draw here is an ``annotation``."""

OBJECT_TYPES: Final[tuple[str, ...]] = get_args(ObjectType)

AREAS: Final = ("Polygon", "MultiPolygon")
"""Types of geometry that have an area."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


def _nothing() -> Mapping[str, Any]:
    return _NOTHING


def new_id() -> str:
    """A fresh id: a UUID, as QuPath writes them."""
    return str(uuid.uuid4())


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A region, a line or points with a class. Never changed: an edit puts another in its place.

    Attributes
    ----------
    geometry : shapely geometry
        Polygon or MultiPolygon with their holes, LineString, Point or MultiPoint (never empty), in
        level-0 pixels, x then y, from the slide's top-left corner.
    class_name : str or None
        Name of its class as written in files and in the schema; None while it has none. A class
        unknown to the schema keeps its name.
    id : str
        Stays the same over edits, exports and imports.
    object_type : str
        See :data:`ObjectType`.
    name, note : str
        What a reader wrote.
    author : str
        Who drew it.
    created, modified : str
        ISO 8601 with offset from UTC; empty where a file does not say.
    locked : bool
        Whether tools leave it alone.
    colour : tuple of int or None
        Red, green, blue from 0 to 255: the object's own colour where a file gives one; the class's
        colour counts otherwise.
    class_colour : tuple of int or None
        Colour that a file gave to its class.
    nucleus : shapely geometry or None
        Outline of the nucleus of a cell.
    measurements : mapping of str to float
        In the order of the file; NaN where a file says so.
    propagated_from : str or None
        Slide it was carried over from by registration (Gamble 2021, stage 1): such labels are for
        training only.
    properties : mapping
        Whatever else a file holds, as JSON values: written back when exported to the same format.
    """

    geometry: BaseGeometry
    class_name: str | None = None
    id: str = field(default_factory=new_id)
    object_type: ObjectType = "annotation"
    name: str = ""
    note: str = ""
    author: str = ""
    created: str = ""
    modified: str = ""
    locked: bool = False
    colour: tuple[int, int, int] | None = None
    class_colour: tuple[int, int, int] | None = None
    nucleus: BaseGeometry | None = None
    measurements: Mapping[str, float] = field(default_factory=_nothing)
    propagated_from: str | None = None
    properties: Mapping[str, Any] = field(default_factory=_nothing)

    def __post_init__(self) -> None:
        if self.geometry.is_empty:
            msg = "an annotation without geometry"
            raise ValueError(msg)

    @property
    def is_area(self) -> bool:
        """Whether it has an area: polygons do, points and lines do not."""
        return self.geometry.geom_type in AREAS

    @property
    def area_px(self) -> float:
        """Area in square level-0 pixels; holes are not counted."""
        return float(self.geometry.area)
