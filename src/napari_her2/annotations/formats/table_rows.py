"""Annotations as rows of a table, for CSV and Parquet: what each column is called and holds."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import OBJECT_TYPES, Annotation
from napari_her2.annotations.formats.colours import from_hex, to_hex
from napari_her2.annotations.formats.drafts import Draft
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.well_known import geometries_from_wkb, geometry_from_wkt

__all__ = ["MEASUREMENT", "columns_of", "drafts_of", "headings_known"]

MEASUREMENT: Final = "measurement: "
"""What the heading of a measurement begins with."""

_TEXTS: Final = ("name", "note", "author", "created", "modified")
_GEOMETRY: Final = ("geometry", "wkt", "geom", "wkt_geometry", "the_geom", "geometry_wkt")
_X: Final = ("x_px", "x", "centroid x px", "centroid_x", "x_coordinate", "px_x")
_Y: Final = ("y_px", "y", "centroid y px", "centroid_y", "y_coordinate", "px_y")
_X_UM: Final = ("centroid x µm", "centroid x um", "x_um", "centroid_x_um")
_Y_UM: Final = ("centroid y µm", "centroid y um", "y_um", "centroid_y_um")
_CLASS: Final = ("class", "classification", "class_name", "label", "class name", "type_name")
_ID: Final = ("id", "object id", "object_id", "uuid")
_DERIVED: Final = ("centroid_x_px", "centroid_y_px", "area_px")
_OURS: Final = {
    *_TEXTS, *_DERIVED, "object_type", "locked", "colour", "class_colour", "propagated_from",
    "nucleus", "properties",
}  # fmt: skip


def columns_of(
    annotations: Sequence[Annotation], shapes: Callable[[Any], Sequence[Any]]
) -> dict[str, list[Any]]:
    """Columns of a table of annotations; nothing is lost.

    Parameters
    ----------
    annotations : sequence of Annotation
        The rows.
    shapes : callable
        Writes an array of geometries, some of them None: well-known text or binary.

    Returns
    -------
    dict of str to list
        Centroid and area are told for people; import takes ``geometry``. Measurements that a row
        does not have are None.
    """
    geometries = np.array([a.geometry for a in annotations], dtype=object)
    centres = shapely.get_coordinates(shapely.centroid(geometries)).reshape(-1, 2)
    columns: dict[str, list[Any]] = {
        "id": [a.id for a in annotations],
        "class": [a.class_name for a in annotations],
        "object_type": [a.object_type for a in annotations],
        "centroid_x_px": centres[:, 0].tolist(),
        "centroid_y_px": centres[:, 1].tolist(),
        "area_px": shapely.area(geometries).tolist(),
        **{t: [getattr(a, t) for a in annotations] for t in _TEXTS},
        "locked": [a.locked for a in annotations],
        "colour": [to_hex(a.colour) if a.colour else None for a in annotations],
        "class_colour": [to_hex(a.class_colour) if a.class_colour else None for a in annotations],
        "propagated_from": [a.propagated_from for a in annotations],
        "geometry": list(shapes(geometries)),
        "nucleus": list(shapes(np.array([a.nucleus for a in annotations], dtype=object))),
        "properties": [
            json.dumps(dict(a.properties), ensure_ascii=False) if a.properties else None
            for a in annotations
        ],
    }
    names = dict.fromkeys(name for a in annotations for name in a.measurements)
    for name in names:
        columns[MEASUREMENT + name] = [a.measurements.get(name) for a in annotations]
    return columns


def headings_known(headings: Sequence[str]) -> bool:
    """Whether a table with these headings holds places: a geometry, or x and y."""
    low = {h.strip().lower() for h in headings}
    return bool(
        low & set(_GEOMETRY)
        or (low & set(_X) and low & set(_Y))
        or (low & set(_X_UM) and low & set(_Y_UM))
    )


def drafts_of(columns: Mapping[str, Sequence[Any]], intake: Intake) -> list[Draft]:
    """Rows of a table, ours or another one's.

    Columns that are not known become measurements where they hold numbers, properties otherwise.

    Parameters
    ----------
    columns : mapping of str to sequence
        All of one length; None or an empty text where a cell is empty.
    intake : Intake
        Its ``mpp`` places tables in micrometres.

    Raises
    ------
    BadAnnotationsError
        If there is neither a geometry nor x and y; or micrometres without a pixel size.
    """
    by_name = {h.strip().lower(): h for h in columns}
    shapes, used = _shapes(columns, by_name, intake)
    id_column = _first(by_name, _ID)
    class_column = _first(by_name, _CLASS)
    ours = {h for low, h in by_name.items() if low in _OURS}
    used |= ours | {h for h in (id_column, class_column) if h is not None}
    cells = {low: columns[h] for low, h in by_name.items() if h in ours}
    more = {h: v for h, v in columns.items() if h not in used}
    nuclei = _read_shapes(cells["nucleus"]) if "nucleus" in cells else [None] * len(shapes)
    drafts = []
    for i, shape in enumerate(shapes):
        measurements, rest = _others(more, i)
        nucleus = nuclei[i]
        kind = _text(cells, "object_type", i)
        drafts.append(
            Draft(
                shape,
                class_name=_string(columns[class_column][i]) if class_column else None,
                id=_string(columns[id_column][i]) if id_column else None,
                object_type=kind if kind in OBJECT_TYPES else "annotation",  # type: ignore[arg-type]
                **{t: _text(cells, t, i) for t in _TEXTS},
                locked=_text(cells, "locked", i).lower() in {"true", "1"},
                colour=from_hex(_text(cells, "colour", i)),
                class_colour=from_hex(_text(cells, "class_colour", i)),
                propagated_from=_text(cells, "propagated_from", i) or None,
                nucleus=nucleus if isinstance(nucleus, BaseGeometry) else None,
                measurements=measurements,
                properties={**_properties(_text(cells, "properties", i)), **rest},
            )
        )
    return drafts


def _shapes(
    columns: Mapping[str, Sequence[Any]], by_name: Mapping[str, str], intake: Intake
) -> tuple[list[BaseGeometry | str | None], set[str]]:
    geometry = _first(by_name, _GEOMETRY)
    if geometry is not None:
        return _read_shapes(columns[geometry]), {geometry}
    for names_x, names_y, scaled in ((_X, _Y, False), (_X_UM, _Y_UM, True)):
        x, y = _first(by_name, names_x), _first(by_name, names_y)
        if x is None or y is None:
            continue
        scale = (1.0, 1.0)
        if scaled:
            if intake.mpp is None:
                raise intake.refuse("it is in micrometres and the slide's pixel size is unknown")
            scale = (1 / intake.mpp[0], 1 / intake.mpp[1])
        pairs = zip(columns[x], columns[y], strict=True)
        return [_point(px, py, scale) for px, py in pairs], {x, y}
    raise intake.refuse("it has neither a column “geometry” nor columns “x_px” and “y_px”")


def _first(by_name: Mapping[str, str], names: Sequence[str]) -> str | None:
    return next((by_name[n] for n in names if n in by_name), None)


def _point(x: Any, y: Any, scale: tuple[float, float]) -> BaseGeometry | str | None:
    if any(v is None or v == "" for v in (x, y)):
        return None
    try:
        place = float(x) * scale[0], float(y) * scale[1]
    except (ValueError, TypeError, OverflowError):
        return "bad_shape"
    return shapely.Point(place) if all(map(math.isfinite, place)) else "not_finite"


def _read_shapes(cells: Sequence[Any]) -> list[BaseGeometry | str | None]:
    """Well-known text or binary."""
    found: list[BaseGeometry | str | None] = []
    for cell in cells:
        if cell is None or cell == "" or cell == b"":
            found.append(None)
            continue
        try:
            shape = (
                geometries_from_wkb([cell])[0]
                if isinstance(cell, bytes)
                else geometry_from_wkt(cell)
            )
        except (ValueError, TypeError):
            found.append("bad_shape")
            continue
        found.append(None if shape is None else shapely.force_2d(shape))
    return found


def _others(
    columns: Mapping[str, Sequence[Any]], i: int
) -> tuple[dict[str, float], dict[str, Any]]:
    numbers: dict[str, float] = {}
    rest: dict[str, Any] = {}
    for heading, cells in columns.items():
        cell = cells[i]
        if cell is None or cell == "":
            continue
        name = heading.removeprefix(MEASUREMENT)
        try:
            numbers[name] = float(cell)
        except (ValueError, TypeError, OverflowError):
            rest[name] = cell if isinstance(cell, (str, bool)) else str(cell)
    return numbers, ({"table": rest} if rest else {})


def _text(cells: Mapping[str, Sequence[Any]], name: str, i: int) -> str:
    return (_string(cells[name][i]) or "") if name in cells else ""


def _string(cell: Any) -> str | None:
    if cell is None or cell == "":
        return None
    return cell if isinstance(cell, str) else str(cell)


def _properties(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {"properties": text}
    return found if isinstance(found, dict) else {"properties": found}
