"""What people drew, as shapes, points or a raster: pure functions that know no viewer.

napari's Shapes have no interior rings. A region without holes is one polygon. A region with holes
is cut, for its face only, into pieces without holes, which are drawn without an edge; each of its
rings is then drawn as a closed path. The geometry itself stays with the annotation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry import Polygon, box
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import ClassSchema
from napari_her2.geometry import Point, Region, ScaleTranslate, grid_transform
from napari_her2.layers.colours import border_of, hex_to_rgb
from napari_her2.layers.placing import LayerData, common

__all__ = [
    "FACE_ALPHA",
    "NO_CLASS",
    "Outline",
    "colour_of",
    "dots_layer",
    "dots_of",
    "face_pieces",
    "labels_layer",
    "outlines_of",
    "points_yx",
    "raster_layer",
]

NO_CLASS: Final = "#E0E0E0"
"""Colour of what has no class, or one that neither schema nor file gives a colour."""
FACE_ALPHA: Final = 0.15
DOT_PX: Final = 11.0
"""Diameter of a point on the screen."""
_MOST_CUTS: Final = 400
"""A sieve with more holes than that shows its rings only."""

Kind = Literal["polygon", "path"]


@dataclass(frozen=True, slots=True)
class Outline:
    """One napari shape.

    Attributes
    ----------
    data : ndarray of float64
        Shape (m, 2), pixel indices of level 0, y then x: the centre of the first pixel is 0, 0.
    kind : {"polygon", "path"}
        Which shape it is.
    face, edge : bool
        Whether its inside and its line are drawn.
    """

    data: NDArray[np.float64]
    kind: Kind
    face: bool
    edge: bool


def points_yx(xy: Any) -> NDArray[np.float64]:
    """Corners (m, 2) or more columns, x then y from the corner, as napari's pixel indices."""
    return np.asarray(np.asarray(xy, np.float64)[:, 1::-1] - 0.5)


def outlines_of(geometry: BaseGeometry, tolerance_px: float = 0.0) -> list[Outline]:
    """The shapes that draw one geometry; points give none.

    Parameters
    ----------
    geometry : shapely geometry
        Level-0 pixels, x then y.
    tolerance_px : float
        Corners nearer than this to the line between their neighbours are left out.
    """
    if tolerance_px > 0:
        simple = shapely.simplify(geometry, tolerance_px, preserve_topology=True)
        geometry = geometry if simple.is_empty else simple
    found: list[Outline] = []
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon":
            found += _polygon(part)
        elif part.geom_type in ("LineString", "LinearRing"):
            found.append(Outline(points_yx(part.coords), "path", face=False, edge=True))
        elif part.geom_type.startswith(("Multi", "Geometry")):
            found += outlines_of(part)
    return found


def _polygon(polygon: Polygon) -> list[Outline]:
    ring = points_yx(polygon.exterior.coords)
    if not polygon.interiors:
        return [Outline(ring[:-1], "polygon", face=True, edge=True)]
    faces = [
        Outline(points_yx(p.exterior.coords)[:-1], "polygon", face=True, edge=False)
        for p in face_pieces(polygon)
    ]
    rings = [ring, *(points_yx(hole.coords) for hole in polygon.interiors)]
    return [*faces, *(Outline(r, "path", face=False, edge=True) for r in rings)]


def face_pieces(polygon: Polygon) -> list[Polygon]:
    """A polygon with holes cut into polygons without, along upright lines through the holes."""
    done: list[Polygon] = []
    todo = [polygon]
    for _ in range(_MOST_CUTS):
        if not todo:
            return done
        piece = todo.pop()
        if not piece.interiors:
            done.append(piece)
            continue
        x0, y0, x1, y1 = piece.bounds
        left, _, right, _ = Polygon(piece.interiors[len(piece.interiors) // 2]).bounds
        at = (left + right) / 2
        for half in (box(x0, y0, at, y1), box(at, y0, x1, y1)):
            todo += [
                p
                for p in shapely.get_parts(piece.intersection(half))
                if p.geom_type == "Polygon" and p.area > 0
            ]
    return done


def colour_of(annotation: Annotation, schema: ClassSchema) -> str:
    """Hex colour of an annotation: of its class in the schema, else as its file gave it."""
    known = schema.find(annotation.class_name)
    if known is not None:
        return known.colour
    given = annotation.class_colour or annotation.colour
    return NO_CLASS if given is None else "#{:02X}{:02X}{:02X}".format(*given)


def labels_layer(
    annotations: Iterable[Annotation],
    schema: ClassSchema,
    slide_id: str,
    mpp: tuple[float, float] | None,
    *,
    edge_px: float = 3.0,
    tolerance_px: float = 0.0,
    kind: str = "labels",
    label: str = "Labels",
    **metadata: Any,
) -> LayerData:
    """Regions and lines as a layer of shapes.

    Parameters
    ----------
    annotations : iterable of Annotation
        Points among them are left out; see :func:`dots_layer`.
    schema : ClassSchema
        Gives the colours.
    slide_id : str
        Whose they are.
    mpp : (float, float) or None
        Micrometres per level-0 pixel in x and y; None where unknown.
    edge_px : float
        Width of the lines, level-0 pixels.
    tolerance_px : float
        As for :func:`outlines_of`.
    kind, label : str
        For the layer's metadata and name.
    **metadata
        More for ``metadata["her2"]``.

    Returns
    -------
    LayerData
        Shapes in level-0 pixel indices; the layer's scale makes them micrometres.
        ``metadata["her2"]["ids"]`` tells of each shape which annotation it belongs to.
    """
    shapes: list[Outline] = []
    colours: list[str] = []
    ids: list[str] = []
    for a in annotations:
        parts = outlines_of(a.geometry, tolerance_px)
        shapes += parts
        colours += [colour_of(a, schema)] * len(parts)
        ids += [a.id] * len(parts)
    kwargs = _common(kind, label, slide_id, mpp, ids=ids, **metadata) | {"opacity": 1.0}
    if shapes:
        face, edge = rgba_of(shapes, colours)
        kwargs |= {
            "shape_type": [s.kind for s in shapes],
            "face_color": face,
            "edge_color": edge,
            "edge_width": [edge_px if s.edge else 0.0 for s in shapes],
        }
    return [s.data for s in shapes], kwargs, "shapes"


def rgba_of(
    shapes: Sequence[Outline], colours: Sequence[str]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Colours of faces and edges, each of shape (n, 4): what is not drawn is clear."""
    rgb = np.array([hex_to_rgb(c) for c in colours], np.float32).reshape(-1, 3)
    face = np.array([FACE_ALPHA if s.face else 0.0 for s in shapes], np.float32)
    edge = np.array([1.0 if s.edge else 0.0 for s in shapes], np.float32)
    return np.column_stack([rgb, face]), np.column_stack([rgb, edge])


def dots_of(
    annotations: Iterable[Annotation], schema: ClassSchema
) -> tuple[NDArray[np.float64], list[str], list[str]]:
    """Places, colours and ids of all points among annotations.

    Returns
    -------
    ndarray of float64, list of str, list of str
        Shape (m, 2) pixel indices, y then x; hex colour and annotation's id of each.
    """
    places: list[NDArray[np.float64]] = []
    colours: list[str] = []
    ids: list[str] = []
    for a in annotations:
        if a.geometry.geom_type not in ("Point", "MultiPoint"):
            continue
        xy = shapely.get_coordinates(a.geometry)
        places.append(points_yx(xy))
        colours += [colour_of(a, schema)] * len(xy)
        ids += [a.id] * len(xy)
    return (np.concatenate(places) if places else np.empty((0, 2))), colours, ids


def dots_layer(
    annotations: Iterable[Annotation],
    schema: ClassSchema,
    slide_id: str,
    mpp: tuple[float, float] | None,
    *,
    screen_px: float = 1.0,
    **metadata: Any,
) -> LayerData:
    """Points that people set, as a layer of points.

    Parameters
    ----------
    screen_px : float
        Level-0 pixels to one pixel of the screen.
    annotations, schema, slide_id, mpp, **metadata
        As for :func:`labels_layer`; regions among the annotations are left out.
    """
    places, colours, ids = dots_of(annotations, schema)
    kwargs = _common("dots", "Dots", slide_id, mpp, ids=ids, **metadata)
    kwargs |= {"border_width_is_relative": True, "canvas_size_limits": (6, 16)}
    if len(places):
        kwargs |= {
            "face_color": np.array([[*hex_to_rgb(c), 1.0] for c in colours], np.float32),
            "border_color": np.array([[*hex_to_rgb(border_of(c)), 1.0] for c in colours]),
            "size": DOT_PX * screen_px,
            "border_width": 1.5 / DOT_PX,
            "symbol": "disc",
        }
    return places, kwargs, "points"


def raster_layer(
    annotations: Iterable[Annotation],
    schema: ClassSchema,
    slide_id: str,
    mpp: tuple[float, float] | None,
    region: Region,
    longest_px: int = 2048,
    **metadata: Any,
) -> LayerData:
    """Very many outlines as one picture of labels: one number for each class.

    Parameters
    ----------
    region : Region
        What of the slide it covers, level-0 pixels.
    longest_px : int
        Its longer side in pixels.
    annotations, schema, slide_id, mpp, **metadata
        As for :func:`labels_layer`.

    Returns
    -------
    LayerData
        Labels: 0 nothing, n the n-th class of the schema, one more for all others.
    """
    step = max(region.width, region.height) / longest_px
    shape = (max(1, round(region.height / step)), max(1, round(region.width / step)))
    picture = np.zeros(shape, np.uint8)
    number = {c.name: i for i, c in enumerate(schema.classes, start=1)}
    other = len(number) + 1
    for a in annotations:
        known = schema.find(a.class_name)
        value = other if known is None else number[known.name]
        for part in shapely.get_parts(a.geometry):
            if part.geom_type == "Polygon":
                rings = [_pixels(r, region, step) for r in (part.exterior, *part.interiors)]
                cv2.fillPoly(picture, rings, value)
    mx, my = (1.0, 1.0) if mpp is None else mpp
    place = grid_transform(Point(region.x, region.y), step, step, mx, my)
    colours: Mapping[int | None, str] = {
        0: "transparent",
        None: "transparent",
        **{number[c.name]: c.colour for c in schema.classes},
        other: NO_CLASS,
    }
    kwargs = common("cells", "Cells", slide_id, place, has_mpp=mpp is not None, **metadata)
    return picture, {**kwargs, "colormap": dict(colours), "opacity": 0.7}, "labels"


def _pixels(ring: Any, region: Region, step: float) -> NDArray[np.int32]:
    xy = (np.asarray(ring.coords)[:, :2] - (region.x, region.y)) / step
    return np.asarray(np.floor(xy), np.int32)


def _common(
    kind: str, label: str, slide_id: str, mpp: tuple[float, float] | None, **metadata: Any
) -> dict[str, Any]:
    mx, my = (1.0, 1.0) if mpp is None else mpp
    place = ScaleTranslate((my, mx), (0.0, 0.0))
    return common(kind, label, slide_id, place, has_mpp=mpp is not None, **metadata)
