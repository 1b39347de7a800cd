"""Aperio ImageScope's XML, read; also HALO's ``.annotations``, which are of the same kind.

A layer (``Annotation``) is a class: its name, else the name of its first attribute, else its number
as ImageScope shows it. A region with ``NegativeROA`` is a hole in the region it lies in. Types of
regions: 0 outline, 1 rectangle, 2 ellipse, 3 arrow, 4 ruler; files from elsewhere give outlines of
many corners type 1, so the number of corners counts too. Colours are whole numbers whose highest
byte is blue.
Source: files of ImageScope 12 and of HALO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.colours import from_aperio
from napari_her2.annotations.formats.drafts import Draft, annotations_of, outline
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.xml_reading import elements

__all__ = ["ARROW", "ELLIPSE", "ID", "NO_NAME", "OUTLINE", "RECTANGLE", "RULER", "read_imagescope"]

OUTLINE, RECTANGLE, ELLIPSE, ARROW, RULER = "0", "1", "2", "3", "4"

ID: Final = "napari-her2 id"
"""Attribute of a region: regions with the same one are parts of one object."""

NO_NAME: Final = "napari-her2 unclassified"
"""Attribute of a layer of ours whose objects have no class."""

_KINDS: Final = {
    "Polygon": OUTLINE, "Rectangle": RECTANGLE, "Ellipse": ELLIPSE, "Arrow": ARROW, "Ruler": RULER,
}  # fmt: skip
"""HALO writes words."""

_ELLIPSE_CORNERS: Final = 64
_OWN: Final = {"Id", "Text", "NegativeROA", "InputRegionId"}


@dataclass(slots=True)
class _Region:
    """A region as it stands in the file, before holes are put in their places."""

    layer: int
    draft: Draft
    number: str
    negative: bool
    within: str


def read_imagescope(data: bytes, intake: Intake) -> list[Annotation]:
    """Read ImageScope's XML.

    Parameters
    ----------
    data : bytes
        The file.
    intake : Intake
        Counts what is left out or changed; gets the pixel size that the file states.

    Returns
    -------
    list of Annotation
        One for each region that is no hole, in the order of the file.

    Raises
    ------
    BadAnnotationsError
        If it is no readable XML.
    """
    regions: list[_Region] = []
    layers = 0
    for element, around in elements(data, {"Region", "Annotation"}, intake):
        if around:
            _note_pixel_size(around[0], intake)
        if element.tag == "Annotation":
            layers += 1
        else:
            layer = next((e for e in reversed(around) if e.tag == "Annotation"), None)
            regions.append(_region(element, layer, layers))
    return annotations_of(_with_holes(regions, intake), intake)


def _note_pixel_size(root: Element, intake: Intake) -> None:
    try:
        mpp = float(root.get("MicronsPerPixel", ""))
    except ValueError:
        return
    if 0 < mpp < 100:
        intake.stated_mpp = (mpp, mpp)


def _region(element: Element, layer: Element | None, number: int) -> _Region:
    attributes = [dict(a.attrib) for a in element.iter("Attribute")]
    own = next((a.get("Value") for a in attributes if a.get("Name") == ID), None)
    note = next((a.get("Value", "") for a in attributes if a.get("Name") == "Description"), "")
    kept: dict[str, Any] = {k: v for k, v in element.attrib.items() if k not in _OWN}
    rest = [a for a in attributes if a.get("Name") not in {ID, "Description"}]
    if rest:
        kept["Attributes"] = rest
    # HALO writes words for numbers and yes for 1.
    negative = element.get("NegativeROA", "0").lower() in {"1", "true"}
    draft = Draft(
        _shape(element),
        class_name=_layer_name(layer, number),
        id=own,
        name=element.get("Text", ""),
        note=note,
        class_colour=from_aperio(layer.get("LineColor")) if layer is not None else None,
        properties={"imagescope": kept},
    )
    return _Region(number, draft, element.get("Id", ""), negative, element.get("InputRegionId", ""))


def _layer_name(layer: Element | None, number: int) -> str | None:
    if layer is None:
        return f"Layer {number + 1}"
    if layer.get("Name"):
        return layer.get("Name", "")
    attributes = layer.find("Attributes")
    first = attributes.find("Attribute") if attributes is not None else None
    if first is not None:
        # A heading that every new layer has says nothing; what is written below it does.
        name = first.get("Name", "")
        if name == NO_NAME:
            return None
        found = first.get("Value", "") if name in {"", "Description"} else name
        if found:
            return found
    return f"Layer {layer.get('Id') or number + 1}"


def _shape(element: Element) -> BaseGeometry | str | None:
    try:
        points = np.array(
            [
                (float(v.get("X", "")), float(v.get("Y", "")))
                for v in element.iter()
                if v.tag in {"Vertex", "V"}
            ],
            np.float64,
        ).reshape(-1, 2)
    except ValueError:
        return "bad_shape"
    if not len(points):
        return None
    if not np.isfinite(points).all():
        return "not_finite"
    kind = element.get("Type", OUTLINE)
    kind = _KINDS.get(kind, kind)
    if len(points) == 1:
        return shapely.Point(points[0])
    if kind in {ARROW, RULER}:
        return shapely.LineString(points)
    if kind == ELLIPSE and len(points) <= 4:
        return _ellipse(points)
    if len(points) == 2:
        if kind == RECTANGLE:
            return shapely.box(*points.min(0), *points.max(0))
        return shapely.LineString(points)
    return outline(points)


def _ellipse(points: NDArray[np.float64]) -> BaseGeometry | str:
    centre, half = (points.min(0) + points.max(0)) / 2, np.ptp(points, axis=0) / 2
    if not half.all():
        return "no_area"
    angle = 2 * np.pi * np.arange(_ELLIPSE_CORNERS) / _ELLIPSE_CORNERS
    return shapely.Polygon(centre + half * np.stack([np.cos(angle), np.sin(angle)], 1))


def _with_holes(regions: list[_Region], intake: Intake) -> list[Draft]:
    """Cut negative regions out of the positive ones of the same layer; join parts of one object."""
    positive = [r for r in regions if not r.negative]
    holes = [r for r in regions if r.negative]
    areas = [r for r in positive if _is_area(r.draft.shape)]
    tree = shapely.STRtree([r.draft.shape for r in areas]) if holes else None
    for hole in holes:
        shape = hole.draft.shape
        if not isinstance(shape, BaseGeometry) or shape.geom_type != "Polygon":
            intake.skip(shape if isinstance(shape, str) else "no_shape")
            continue
        near = [areas[i] for i in tree.query(shape)] if tree is not None else []
        cut = _around(hole, shape, [r for r in near if r.layer == hole.layer])
        for r in cut:
            r.draft.shape = _cut(r.draft.shape, shape)
        if not cut:
            intake.skip("lone_hole")
    return _joined(positive)


def _joined(regions: list[_Region]) -> list[Draft]:
    parts: dict[str, list[BaseGeometry]] = {}
    drafts: list[Draft] = []
    for r in regions:
        shape, name = r.draft.shape, r.draft.id
        if name is not None and isinstance(shape, BaseGeometry):
            parts.setdefault(name, []).append(shape)
            if len(parts[name]) > 1:
                continue
        drafts.append(r.draft)
    for d in drafts:
        if d.id is not None and len(parts.get(d.id, ())) > 1:
            d.shape = shapely.GeometryCollection(parts[d.id])
    return drafts


def _around(hole: _Region, shape: BaseGeometry, same: list[_Region]) -> list[_Region]:
    """The region a hole names, or all that it reaches into."""
    named = [r for r in same if r.number == hole.within and hole.within not in {"", "0"}]
    if named:
        return named
    place = shapely.make_valid(shape)
    return [r for r in same if shapely.make_valid(r.draft.shape).intersection(place).area > 0]


def _cut(shape: Any, hole: BaseGeometry) -> BaseGeometry:
    if shape.geom_type == "Polygon":
        bored = shapely.Polygon(shape.exterior, [*shape.interiors, hole.exterior])
        if bored.is_valid or not shape.is_valid:
            return bored
    return shapely.make_valid(shape).difference(shapely.make_valid(hole))


def _is_area(shape: Any) -> bool:
    return isinstance(shape, BaseGeometry) and shape.geom_type in {"Polygon", "MultiPolygon"}
