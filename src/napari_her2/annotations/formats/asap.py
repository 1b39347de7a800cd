"""ASAP's XML, read: polygons, rectangles, splines, dots and point sets, in groups.

``PartOfGroup`` is the class, ``None`` means none. Camelyon's files use the same format: there
``Tumor``, ``_0`` and ``_1`` are tumour, ``Exclusion`` and ``_2`` are areas to leave out (Camelyon16
readme); the names stay as they are. A spline is taken by its control points.
Source: ASAP (computationalpathologygroup/ASAP), ``annotation/XmlRepository``.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.colours import Rgb, from_hex
from napari_her2.annotations.formats.drafts import Draft, annotations_of, outline
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.xml_reading import elements

__all__ = ["read_asap"]

_NO_GROUP: Final = {"", "None"}


def read_asap(data: bytes, intake: Intake) -> list[Annotation]:
    """Read ASAP's XML.

    Parameters
    ----------
    data : bytes
        The file.
    intake : Intake
        Counts what is left out or changed.

    Returns
    -------
    list of Annotation
        In the order of the file. Names of groups are classes, their colours class colours.

    Raises
    ------
    BadAnnotationsError
        If it is no readable XML.
    """
    drafts: list[Draft] = []
    colours: dict[str, Rgb] = {}
    splines = 0
    for element, _ in elements(data, {"Annotation", "Group"}, intake):
        if element.tag == "Group":
            colour = from_hex(element.get("Color"))
            if colour is not None:
                colours[element.get("Name", "")] = colour
            continue
        splines += element.get("Type") == "Spline"
        drafts.append(_draft(element))
    if splines:
        intake.note("note_splines", n=splines)
    made = annotations_of(drafts, intake)
    return [
        replace(a, class_colour=colours.get(a.properties.get("asap", {}).get("group", "")))
        for a in made
    ]


def _draft(element: Element) -> Draft:
    group = element.get("PartOfGroup", "")
    kind = element.get("Type", "")
    kept: dict[str, Any] = {"type": kind}
    if group not in _NO_GROUP:
        kept["group"] = group
    more = {
        k: v for k, v in element.attrib.items() if k not in {"Name", "Type", "PartOfGroup", "Color"}
    }
    if more:
        kept["attributes"] = more
    return Draft(
        _shape(kind, element),
        class_name=None if group in _NO_GROUP else group,
        name=element.get("Name", ""),
        colour=from_hex(element.get("Color")),
        properties={"asap": kept},
    )


def _shape(kind: str, element: Element) -> BaseGeometry | str | None:
    try:
        points = _points(element)
    except (ValueError, TypeError, OverflowError):
        return "bad_shape"
    if not len(points):
        return None
    if not np.isfinite(points).all():
        return "not_finite"
    if kind == "Dot" and len(points) == 1:
        return shapely.Point(points[0])
    if kind in {"Dot", "PointSet"}:
        return shapely.MultiPoint(points)
    if kind == "Rectangle" and len(points) == 2:
        return shapely.box(*points.min(0), *points.max(0))
    if kind in {"Measurement", "Line"} and len(points) >= 2:
        return shapely.LineString(points)
    return outline(points)


def _points(element: Element) -> NDArray[np.float64]:
    """Shape (n, 2), in the order that the file gives."""
    found = [
        (float(c.get("Order") or i), float(c.get("X", "")), float(c.get("Y", "")))
        for i, c in enumerate(element.iter("Coordinate"))
    ]
    if any(a[0] > b[0] for a, b in pairwise(found)):
        found.sort(key=lambda c: c[0])
    return np.array([c[1:] for c in found], np.float64).reshape(-1, 2)
