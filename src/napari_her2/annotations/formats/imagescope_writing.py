"""Aperio ImageScope's XML, written (see :mod:`~napari_her2.annotations.formats.imagescope`).

A class is a layer; a hole is a region of its own with ``NegativeROA`` that names the region it lies
in; the parts of a multipolygon are regions that share our id among their attributes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import BinaryIO, Final
from xml.sax.saxutils import quoteattr

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.class_index import class_index
from napari_her2.annotations.formats.colours import to_aperio
from napari_her2.annotations.formats.imagescope import ID, NO_NAME, OUTLINE, RECTANGLE, RULER
from napari_her2.annotations.schema import ClassSchema

__all__ = ["KEEPS", "write_imagescope"]

KEEPS: Final = frozenset({"class", "name", "id"})
"""What the format has a place for; notes become the region's description."""

_UNNAMED: Final = f'<Attributes><Attribute Name="{NO_NAME}" Id="0" Value=""/></Attributes>'
_KEPT: Final = ("Zoom", "Selected", "ImageLocation", "ImageFocus", "Analyze")


def write_imagescope(
    f: BinaryIO,
    annotations: Sequence[Annotation],
    *,
    mpp: tuple[float, float] | None = None,
    schema: ClassSchema | None = None,
) -> None:
    """Write annotations into an open file.

    Parameters
    ----------
    f : binary file
        UTF-8 is written to it.
    annotations : sequence of Annotation
        In level-0 pixels.
    mpp : (float, float), optional
        Micrometres per pixel; without it lengths and areas are given in pixels only.
    schema : ClassSchema, optional
        Order and colours of the classes.
    """
    index = class_index(annotations, schema)
    stated = f' MicronsPerPixel="{mpp[0]:.6f}"' if mpp else ""
    f.write(f'<?xml version="1.0" encoding="UTF-8"?>\n<Annotations{stated}>\n'.encode())
    present = {a.class_name for a in annotations}
    layers = [n for n in (*index.names, None) if n in present]
    for number, name in enumerate(layers, start=1):
        rgb = index.colours[index.number(name) - 1] if name is not None else (255, 255, 0)
        f.write(
            f' <Annotation Id="{number}" Name={_attribute(name or "")} ReadOnly="0" '
            f'NameReadOnly="0" LineColorReadOnly="0" Incremental="0" Type="4" '
            f'LineColor="{to_aperio(rgb)}" Visible="1" Selected="0" MarkupImagePath="" '
            f'MacroName="">\n  {"<Attributes/>" if name else _UNNAMED}\n  <Regions>\n'
            "   <RegionAttributeHeaders/>\n".encode()
        )
        ids = count(1)
        for a in (a for a in annotations if a.class_name == name):
            f.writelines(_regions(a, ids, mpp))
        f.write(b"  </Regions>\n  <Plots/>\n </Annotation>\n")
    f.write(b"</Annotations>\n")


def _regions(a: Annotation, ids: Iterator[int], mpp: tuple[float, float] | None) -> Iterator[bytes]:
    given = a.properties.get("imagescope")
    given = given if isinstance(given, Mapping) else {}
    more = {k: str(given[k]) for k in _KEPT if k in given}
    for part in shapely.get_parts(a.geometry):
        number = next(ids)
        kind = _kind(part, str(given.get("Type", "")))
        outer = part.exterior if part.geom_type == "Polygon" else part
        yield _region(a, outer, part, number, kind, mpp, more, hole_in=0)
        for ring in part.interiors if part.geom_type == "Polygon" else ():
            hole = shapely.Polygon(ring)
            yield _region(a, ring, hole, next(ids), OUTLINE, mpp, more, hole_in=number)


def _kind(part: BaseGeometry, given: str) -> str:
    if part.geom_type != "Polygon":
        return RULER
    # An outline of many corners may have been an ellipse: its type would make ImageScope draw one.
    return RECTANGLE if given == RECTANGLE and part.equals(part.envelope) else OUTLINE


def _region(
    a: Annotation,
    line: BaseGeometry,
    shape: BaseGeometry,
    number: int,
    kind: str,
    mpp: tuple[float, float] | None,
    more: Mapping[str, str],
    *,
    hole_in: int,
) -> bytes:
    x, y = mpp or (0.0, 0.0)
    attributes = {
        "Id": str(number), "Type": kind, "Zoom": "1", "Selected": "0", "ImageLocation": "",
        "ImageFocus": "-1", "Length": f"{shape.length:.1f}", "Area": f"{shape.area:.1f}",
        "LengthMicrons": f"{shape.length * (x + y) / 2:.1f}",
        "AreaMicrons": f"{shape.area * x * y:.1f}", "Text": "" if hole_in else a.name,
        "NegativeROA": "1" if hole_in else "0", "InputRegionId": str(hole_in), "Analyze": "1",
        "DisplayId": str(number), **more,
    }  # fmt: skip
    own = [] if hole_in else [(ID, a.id), ("Description", a.note)]
    inner = "".join(
        f'<Attribute Name={_attribute(n)} Id="{i}" Value={_attribute(v)}/>'
        for i, (n, v) in enumerate(own)
        if v
    )
    corners = shapely.get_coordinates(line)
    if shape.geom_type == "Polygon":
        corners = corners[:-1]
    vertices = "".join(f'<Vertex X="{px!r}" Y="{py!r}" Z="0"/>' for px, py in _floats(corners))
    shown = " ".join(f"{k}={_attribute(v)}" for k, v in attributes.items())
    return (
        f"   <Region {shown}>\n    <Attributes>{inner}</Attributes>\n"
        f"    <Vertices>{vertices}</Vertices>\n   </Region>\n"
    ).encode()


def _floats(corners: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> list[list[float]]:
    return corners.tolist()  # type: ignore[no-any-return]


def _attribute(text: str) -> str:
    """A quoted attribute; characters that XML has no place for become question marks."""
    allowed = "".join(c if c in "\t\n\r" or (c >= " " and _is_char(c)) else "?" for c in text)
    return quoteattr(allowed, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


def _is_char(c: str) -> bool:
    return not ("\ud800" <= c <= "\udfff" or c in "\ufffe\uffff")
