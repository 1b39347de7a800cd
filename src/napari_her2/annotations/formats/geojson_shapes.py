"""Shapes of GeoJSON to shapely, thousands at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

__all__ = ["build_shapes"]

_AT_ONCE: Final = 4_000


class BadShapeError(ValueError):
    """Not a shape; the text is a key of ``REASONS``."""


def build_shapes(geometries: Sequence[Any], tally: Counter[str]) -> list[BaseGeometry | str | None]:
    """Make shapely geometries of GeoJSON ones.

    Parameters
    ----------
    geometries : sequence
        What stands under ``geometry``; anything at all.
    tally : Counter
        Gets how many shapes had an open ring (``note_closed``) or more than two coordinates
        (``note_depth``).

    Returns
    -------
    list of shapely geometry, str or None
        As many, in the same order: the shape (two coordinates, finite), what is wrong with it
        (a key of ``REASONS``), or None where there is none. Open rings are closed.
    """
    made: list[BaseGeometry | str | None] = [None] * len(geometries)
    simple = [
        i
        for i, g in enumerate(geometries)
        if type(g) is dict and g.get("type") == "Polygon" and type(g.get("coordinates")) is list
        and len(g["coordinates"]) == 1
    ]  # fmt: skip
    for start in range(0, len(simple), _AT_ONCE):
        rows = simple[start : start + _AT_ONCE]
        try:
            polygons, n = _polygons([geometries[i]["coordinates"][0] for i in rows])
        except (ValueError, TypeError, OverflowError):
            continue
        tally["note_closed"] += n
        for i, polygon in zip(rows, polygons, strict=True):
            made[i] = polygon
    for i, geometry in enumerate(geometries):
        if made[i] is None and geometry is not None:
            try:
                seen: set[str] = set()
                made[i] = _one(geometry, seen)
                tally.update(seen)
            except BadShapeError as e:
                made[i] = str(e)
    return made


def _polygons(rings: list[list[list[float]]]) -> tuple[list[BaseGeometry], int]:
    """Polygons without holes, all at once; raises where one of them is odd."""
    lengths = np.fromiter(map(len, rings), np.intp, len(rings))
    points = list(chain.from_iterable(rings))
    if lengths.min(initial=4) < 4 or set(map(len, points)) - {2}:
        msg = "not all alike"
        raise ValueError(msg)
    flat = np.fromiter(chain.from_iterable(points), np.float64, 2 * len(points)).reshape(-1, 2)
    ends = np.cumsum(lengths)
    if not np.isfinite(flat).all():
        msg = "not all finite"
        raise ValueError(msg)
    opened = int((flat[ends - 1] != flat[ends - lengths]).any(1).sum())
    closed = shapely.linearrings(flat, indices=np.repeat(np.arange(len(rings)), lengths))
    return shapely.polygons(closed).tolist(), opened


def _one(geometry: Any, seen: set[str]) -> BaseGeometry | None:
    if not isinstance(geometry, dict):
        raise BadShapeError("bad_shape")
    kind, coordinates = geometry.get("type"), geometry.get("coordinates")
    if kind == "GeometryCollection":
        found = [_one(g, seen) for g in _list(geometry.get("geometries"))]
        shapes = [g for g in found if g is not None]
        return shapely.GeometryCollection(shapes) if shapes else None
    make = _MAKERS.get(kind) if isinstance(kind, str) else None
    if make is None or not isinstance(coordinates, list):
        raise BadShapeError("bad_shape")
    return make(coordinates, seen) if coordinates else None


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise BadShapeError("bad_shape")
    return value


def _line(coordinates: Any, seen: set[str]) -> BaseGeometry:
    points = _points(coordinates, seen)
    if len(points) < 2:
        raise BadShapeError("few_points")
    return shapely.LineString(points)


def _polygon(coordinates: Any, seen: set[str]) -> BaseGeometry:
    rings: list[NDArray[np.float64]] = []
    for ring in _list(coordinates):
        points = _points(ring, seen)
        if (points[0] != points[-1]).any():
            seen.add("note_closed")
        if len(np.unique(points, axis=0)) < 3:
            if not rings:
                raise BadShapeError("few_points")
            continue
        rings.append(points)
    if not rings:
        raise BadShapeError("few_points")
    return shapely.Polygon(rings[0], rings[1:])


def _points(coordinates: Any, seen: set[str]) -> NDArray[np.float64]:
    """Shape (n, 2), n > 0, finite."""
    try:
        if any(len(p) > 2 for p in _list(coordinates)):
            seen.add("note_depth")
        points = np.asarray([[p[0], p[1]] for p in coordinates], np.float64)
    except (TypeError, OverflowError, KeyError, IndexError):
        raise BadShapeError("bad_shape") from None
    except ValueError as e:
        raise BadShapeError("bad_shape") from e
    if points.ndim != 2 or not len(points):
        raise BadShapeError("bad_shape")
    if not np.isfinite(points).all():
        raise BadShapeError("not_finite")
    return points


_MAKERS: Final[dict[str, Callable[[list[Any], set[str]], BaseGeometry]]] = {
    "Point": lambda c, seen: shapely.Point(_points([c], seen)[0]),
    "MultiPoint": lambda c, seen: shapely.MultiPoint(_points(c, seen)),
    "LineString": _line,
    "MultiLineString": lambda c, seen: shapely.MultiLineString([_line(x, seen) for x in c]),
    "Polygon": _polygon,
    "MultiPolygon": lambda c, seen: shapely.MultiPolygon([_polygon(x, seen) for x in c]),
}
