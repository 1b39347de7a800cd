"""What tools do to outlines: split, merge, cut, extend, repair, simplify; a stroke of the brush.

Everything is in level-0 pixels, x then y. Results are areas that GEOS calls valid: rings that
cross neither themselves nor each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import shapely
from numpy.typing import ArrayLike
from shapely.geometry import LinearRing, LineString, MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import AREAS

__all__ = [
    "Area",
    "Repaired",
    "brush_stroke",
    "cut_out",
    "extend",
    "fill_holes",
    "merge",
    "polygons_in",
    "repair",
    "simplify_for_drawing",
    "split",
    "subtract",
]

Area: TypeAlias = Polygon | MultiPolygon
"""One piece or several, each with its holes."""

# Eight corners to a quarter circle keep the outline of a stroke within 0.5 % of its radius.
_QUARTER: Final = 8
# Trembling by less than this share of the radius makes no difference to anybody.
_SHAKE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Repaired:
    """What came of an outline that crossed itself.

    Attributes
    ----------
    geometry : shapely geometry or None
        A valid one; None if it had no area at all.
    parts : int
        Pieces of it that don't touch along a line: 1 for an outline that was all right.
    changed : bool
        Whether there was something to repair.
    """

    geometry: BaseGeometry | None
    parts: int
    changed: bool


def polygons_in(geometry: BaseGeometry) -> tuple[Polygon, ...]:
    """The polygons with an area that a geometry is made of; lines and points are left out."""
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return tuple(p for p in parts if p.geom_type == "Polygon" and p.area > 0)


def repair(geometry: BaseGeometry) -> Repaired:
    """Make an outline valid that crosses itself.

    Each ring encloses whatever it goes round, however often: both halves of a figure of eight, the
    middle of a pentagram too. By the even-odd rule a loop drawn by hand whose end runs over its
    start would get a hole there, which nobody meant. Then the holes are taken away. Points and
    lines come back as they are.

    Returns
    -------
    Repaired
        How many parts it makes, and these.
    """
    if geometry.geom_type not in AREAS:
        return Repaired(geometry, int(shapely.get_num_geometries(geometry)), False)
    if geometry.is_valid and geometry.area > 0:
        return Repaired(geometry, len(polygons_in(geometry)), False)
    pieces = [p for p in _finite_parts(geometry) if p is not None]
    found = _joined(q for p in pieces for q in polygons_in(_made_valid(p)))
    return Repaired(found, len(polygons_in(found)) if found is not None else 0, True)


def split(area: Area, line: LineString) -> tuple[Polygon, ...]:
    """Cut an area along a line.

    Parameters
    ----------
    area : Polygon or MultiPolygon
        May have holes.
    line : LineString
        Cuts where it goes all the way through a part; where it ends inside, it does nothing.

    Returns
    -------
    tuple of Polygon
        All parts, those not cut exactly as they were. Together they cover what there was; the
        line itself takes nothing away. One part alone if nothing was cut.
    """
    out: list[Polygon] = []
    for part in _polygons(area):
        if not part.intersects(line):
            out.append(part)
            continue
        edges = shapely.union_all([part.boundary, line])
        faces = shapely.get_parts(shapely.polygonize([edges]))
        inside = shapely.contains(part, shapely.point_on_surface(faces))
        pieces = [f for f, kept in zip(faces, inside, strict=True) if kept]
        out += pieces if len(pieces) > 1 else [part]
    return tuple(out)


def merge(areas: Iterable[Area]) -> Area | None:
    """Join areas: those that touch along a line or overlap become one piece.

    Returns
    -------
    Polygon or MultiPolygon or None
        Several pieces where they don't touch; None if there was nothing to join.
    """
    return _joined(p for a in areas for p in _polygons(a))


def extend(area: Area, more: Area) -> Area:
    """Add what a stroke or another area covers."""
    joined = merge((area, more))
    return area if joined is None else joined


def subtract(area: Area, other: BaseGeometry) -> Area | None:
    """Take away what another area covers; None if nothing is left."""
    mine = _sound(area)
    if mine is None:
        return None
    taken = _joined(p for p in _polygons(other))
    return mine if taken is None else _area_of(shapely.difference(mine, taken))


def cut_out(area: Area, hole: BaseGeometry) -> Area | None:
    """Cut a hole: what lies in ``hole`` belongs to the area no more.

    The same as :func:`subtract`: a cut that reaches the edge makes a bay instead of a hole, one
    that goes right through makes two parts, one that covers all leaves nothing (None).
    """
    return subtract(area, hole)


def fill_holes(area: Area, smaller_than: float = np.inf) -> Area:
    """Close holes.

    Parameters
    ----------
    area : Polygon or MultiPolygon
        The area.
    smaller_than : float
        Only holes of less than so many square level-0 pixels.
    """
    filled = []
    for part in _polygons(area):
        holes = [h for h in part.interiors if Polygon(h).area >= smaller_than]
        filled.append(Polygon(part.exterior, holes))
    # A part that lay in a hole of another one now lies in that other one.
    joined = _joined(filled)
    return area if joined is None else joined


def simplify_for_drawing(geometry: BaseGeometry, tolerance: float) -> BaseGeometry:
    """A geometry with fewer corners, to be shown or to be drawn on with the mouse.

    Parameters
    ----------
    geometry : shapely geometry
        Never changed itself: keep it for measuring and export.
    tolerance : float
        No point of the outline moves further than this, in level-0 pixels; half a pixel of the
        screen goes unnoticed.

    Returns
    -------
    shapely geometry
        Of the same type, with the same parts; the original where there is nothing to gain.
    """
    if tolerance <= 0:
        return geometry
    simple = shapely.simplify(geometry, tolerance, preserve_topology=True)
    ok = not simple.is_empty and simple.geom_type == geometry.geom_type
    return simple if ok and (simple.is_valid or not geometry.is_valid) else geometry


def brush_stroke(points: ArrayLike, radius: float) -> Area:
    """The area that a round brush covers on its way.

    Parameters
    ----------
    points : array_like
        Shape (n, 2), n >= 1: where the brush was, x and y in level-0 pixels.
    radius : float
        Of the brush, in level-0 pixels. Drawn with 32 corners around a point, which lie on the
        circle: the area is smaller than that of a true circle by 0.6 %. The path may be changed by
        one percent of it.

    Returns
    -------
    Polygon or MultiPolygon
        A stroke that closes on itself has a hole.

    Raises
    ------
    ValueError
        If there is no point, one is not finite, or the radius is not positive.
    """
    xy = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(xy) or not np.isfinite(xy).all() or not (np.isfinite(radius) and radius > 0):
        msg = "a stroke needs points and a radius"
        raise ValueError(msg)
    path = shapely.simplify(LineString(np.repeat(xy, 2, axis=0)), radius * _SHAKE)
    corners = shapely.get_coordinates(path)
    pieces = shapely.linestrings(np.stack([corners[:-1], corners[1:]], axis=1))
    # One by one: the buffer of a path that trembles by much less than the radius may lack a part.
    area = _area_of(shapely.union_all(shapely.buffer(pieces, radius, quad_segs=_QUARTER)))
    assert area is not None
    return area


def _polygons(geometry: BaseGeometry) -> tuple[Polygon, ...]:
    """Its polygons, each of them valid."""
    sound = repair(geometry).geometry if geometry.geom_type in AREAS else geometry
    return polygons_in(sound) if sound is not None else ()


def _made_valid(polygon: Polygon) -> BaseGeometry:
    whole = _enclosed(polygon.exterior)
    holes = [_enclosed(r) for r in polygon.interiors]
    return shapely.difference(whole, shapely.union_all(holes)) if holes else whole


def _enclosed(ring: LinearRing) -> BaseGeometry:
    """What a ring goes round. Where it goes back on itself, windings cancel out: odd counts too."""
    flat = Polygon(ring)
    wound = shapely.make_valid(flat, method="structure", keep_collapsed=False)
    odd = shapely.make_valid(flat)
    return shapely.union_all([*polygons_in(wound), *polygons_in(odd)])


def _sound(area: Area) -> Area | None:
    if area.is_valid:
        return area if area.area > 0 else None
    return _joined(_polygons(area))


def _joined(polygons: Iterable[Polygon]) -> Area | None:
    found = list(polygons)
    if len(found) == 1:
        return found[0]
    return _area_of(shapely.union_all(found)) if found else None


def _area_of(geometry: BaseGeometry) -> Area | None:
    """What has an area, as one geometry."""
    parts = polygons_in(geometry)
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)


def _finite_parts(geometry: BaseGeometry) -> list[Polygon | None]:
    """Each polygon without the rings that can't be repaired: points that are not numbers."""
    out: list[Polygon | None] = []
    for part in shapely.get_parts(geometry):
        rings = [r for r in part.interiors if np.isfinite(shapely.get_coordinates(r)).all()]
        whole = np.isfinite(shapely.get_coordinates(part.exterior)).all()
        out.append(Polygon(part.exterior, rings) if whole else None)
    return out
