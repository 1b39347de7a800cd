"""Sorts drawn annotations into regions and marks that label something, and those that can't."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.geometry_edits import repair
from napari_her2.annotations.schema import ClassSchema
from napari_her2.training.label_rules import LabelRules

__all__ = ["LabelMark", "LabelRegion", "Labelling", "annotations_digest", "sort_annotations"]

_MARKS: Final = frozenset({"cell", "detection"})
"""Outlines of single cells, as other programs write them: they label the cell in their middle."""


@dataclass(frozen=True, slots=True)
class LabelRegion:
    """An area whose cells or tiles are of one class.

    Attributes
    ----------
    id : str
        Of the annotation.
    geometry : shapely geometry
        Polygon or MultiPolygon, valid, level-0 pixels.
    label : int
        Index of its class.
    author : str
        Who drew it.
    propagated : bool
        Whether it was carried over from another section.
    """

    id: str
    geometry: BaseGeometry
    label: int
    author: str
    propagated: bool


@dataclass(frozen=True, slots=True)
class LabelMark:
    """A place that labels the nearest cell.

    Attributes
    ----------
    id : str
        Of the annotation; for corrections the place.
    x_px, y_px : float
        Level-0 pixels.
    label : int
        Index of its class.
    author : str
        Who set it.
    propagated : bool
        Whether it was carried over from another section.
    rank : int
        Marks of a higher rank win over lower ones: 1 a point, 2 a correction of that very cell.
    """

    id: str
    x_px: float
    y_px: float
    label: int
    author: str = ""
    propagated: bool = False
    rank: int = 1


@dataclass
class Labelling:
    """What the annotations of one slide label.

    Attributes
    ----------
    regions, marks : list
        What counts.
    unknown : Counter
        Annotations by the name of a class that the schema does not have.
    skipped : Counter
        Annotations that label nothing, by reason.
    """

    regions: list[LabelRegion] = field(default_factory=list)
    marks: list[LabelMark] = field(default_factory=list)
    unknown: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    def __bool__(self) -> bool:
        return bool(self.regions or self.marks)


def sort_annotations(
    annotations: Iterable[Annotation],
    schema: ClassSchema,
    classes: Sequence[str],
    rules: LabelRules,
) -> Labelling:
    """Decide what each annotation labels.

    Locked ones count like others: a lock keeps tools away, not learning. What the eye of a class
    hides counts too; to leave a class out, switch it off in the rules.

    Parameters
    ----------
    annotations : iterable of Annotation
        Of one slide.
    schema : ClassSchema
        Knows our and QuPath's names.
    classes : sequence of str
        Names of the classes of the label set.
    rules : LabelRules
        What is left out.
    """
    out = Labelling()
    number = {name: k for k, name in enumerate(classes)}
    for a in sorted(annotations, key=lambda a: a.id):
        if a.id in rules.left_out:
            out.skipped["left out by choice"] += 1
            continue
        if not a.class_name:
            out.skipped["no class"] += 1
            continue
        known = schema.find(a.class_name)
        name = known.name if known is not None else a.class_name
        if name not in number:
            if known is None:
                out.unknown[name] += 1
            else:
                out.skipped[f"class switched off: {name}"] += 1
            continue
        propagated = bool(a.propagated_from)
        if propagated and rules.propagated == "leave_out":
            out.skipped["carried over from another section"] += 1
            continue
        _sort_one(out, a, number[name], propagated)
    return out


def _sort_one(out: Labelling, a: Annotation, label: int, propagated: bool) -> None:
    shape = a.geometry
    if not np.isfinite(shapely.get_coordinates(shape)).all():
        out.skipped["coordinates that are no numbers"] += 1
    elif a.object_type in _MARKS and a.is_area:
        at = shape.centroid
        out.marks.append(LabelMark(a.id, at.x, at.y, label, a.author, propagated))
    elif a.is_area:
        area = repair(shape).geometry
        if area is None:
            out.skipped["outline without an area"] += 1
        else:
            out.regions.append(LabelRegion(a.id, area, label, a.author, propagated))
    elif shape.geom_type in ("Point", "MultiPoint"):
        for x, y in shapely.get_coordinates(shape):
            out.marks.append(LabelMark(a.id, float(x), float(y), label, a.author, propagated))
    else:
        out.skipped["a line labels nothing"] += 1


def annotations_digest(annotations: Iterable[Annotation]) -> str:
    """SHA-256 of what decides labels: ids, classes, outlines and where they were carried from."""
    digest = hashlib.sha256()
    for a in sorted(annotations, key=lambda a: a.id):
        facts: list[Any] = [a.id, a.class_name, a.object_type, a.author, a.propagated_from]
        digest.update(json.dumps(facts).encode())
        digest.update(shapely.to_wkb(a.geometry, byte_order=1))
    return digest.hexdigest()
