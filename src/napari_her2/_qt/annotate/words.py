"""How regions are told in the dock: names, areas, who drew them and when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import shapely

from napari_her2._qt import numbers
from napari_her2._qt.annotate.region_list import when_drawn
from napari_her2._qt.open_slide import OpenSlide
from napari_her2._qt.texts import ui
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.areas import area_mm2
from napari_her2.annotations.schema import AnnotationClass, ClassSchema
from napari_her2.layers.annotations import NO_CLASS

if TYPE_CHECKING:
    from napari_her2._qt.annotate.slide_labels import SlideLabels

__all__ = ["all_classes", "area_value", "hover_words", "selected_words", "size_words", "title_of"]


def all_classes(schema: ClassSchema, labels: SlideLabels | None) -> list[AnnotationClass]:
    """The classes of a schema, then those that labels have and the schema has not."""
    rows = list(schema.classes)
    for name in () if labels is None else labels.store.tallies():
        if labels is not None and name is not None and schema.find(name) is None:
            sample = next(iter(labels.of_class(name)), None)
            given = None if sample is None else sample.class_colour or sample.colour
            colour = NO_CLASS if given is None else "#{:02X}{:02X}{:02X}".format(*given)
            rows.append(AnnotationClass(name=name, colour=colour))
    return rows


def title_of(name: str | None, schema: ClassSchema) -> str:
    """What the dock calls a class."""
    known = schema.find(name)
    return known.title if known is not None else name or ui("no_class")


def area_value(area_px: float, entry: OpenSlide) -> float:
    """Square pixels as mm2; as they are where the pixel size is unknown."""
    mpp = entry.mpp
    found = area_mm2(area_px, None if mpp is None else (mpp.x, mpp.y))
    return area_px if found is None else found


def _area(area_px: float, entry: OpenSlide) -> str:
    value = area_value(area_px, entry)
    return numbers.count(round(value)) if entry.mpp is None else numbers.area_mm2(value)


def size_words(a: Annotation, entry: OpenSlide, *, unit: bool = False) -> str:
    """Area, length or number of points of a region, for a column or a line."""
    if a.is_area:
        number = _area(a.area_px, entry)
        if not unit:
            return number
        return ui("selected_area_px" if entry.mpp is None else "selected_area", area=number)
    if a.geometry.geom_type in ("Point", "MultiPoint"):
        return numbers.count(len(shapely.get_coordinates(a.geometry))) if unit else ""
    mx, my = entry.world_mpp
    length = numbers.count(round(a.geometry.length * (mx + my) / 2))
    if not unit:
        return ""
    return ui("selected_length_px" if entry.mpp is None else "selected_length", n=length)


def _who(a: Annotation) -> str:
    return f"{a.author} {when_drawn(a)}".strip()


def selected_words(chosen: Sequence[Annotation], entry: OpenSlide, schema: ClassSchema) -> str:
    """The line of what is selected."""
    if not chosen:
        return ui("selected_none")
    if len(chosen) > 1:
        total = _area(sum(a.area_px for a in chosen), entry)
        unit = ui("selected_area_px" if entry.mpp is None else "selected_area", area=total)
        return ui("selected_many", n=numbers.count(len(chosen)), area=unit)
    a = chosen[0]
    name = a.name or title_of(a.class_name, schema)
    if a.geometry.geom_type in ("Point", "MultiPoint"):
        n = size_words(a, entry, unit=True)
        return ui("selected_dots", name=name, n=n, who=_who(a)).removesuffix(" · ")
    words = ui("selected_one", name=name, area=size_words(a, entry, unit=True), who=_who(a))
    return words.removesuffix(" · ")


def hover_words(a: Annotation, entry: OpenSlide, schema: ClassSchema) -> str:
    """The line for a region under the cursor."""
    name = a.name or title_of(a.class_name, schema)
    words = ui("hover_region", name=name, area=size_words(a, entry, unit=True), who=_who(a))
    return words.removesuffix(" · ")
