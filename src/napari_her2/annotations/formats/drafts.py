"""What readers of small formats hand over: a shape or why there is none, and what belongs to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation, ObjectType
from napari_her2.annotations.formats.colours import Rgb
from napari_her2.annotations.formats.intake import Intake

__all__ = ["Draft", "annotations_of", "outline"]


@dataclass(slots=True)
class Draft:
    """An object of a file before its shape is checked; fields as in ``Annotation``."""

    shape: BaseGeometry | str | None
    class_name: str | None = None
    id: str | None = None
    object_type: ObjectType = "annotation"
    name: str = ""
    note: str = ""
    author: str = ""
    created: str = ""
    modified: str = ""
    locked: bool = False
    colour: Rgb | None = None
    class_colour: Rgb | None = None
    nucleus: BaseGeometry | None = None
    measurements: Mapping[str, float] = field(default_factory=dict)
    propagated_from: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)


def annotations_of(drafts: Sequence[Draft], intake: Intake) -> list[Annotation]:
    """Annotations of the drafts whose shapes are fit to keep, in the same order."""
    shapes = intake.settle([d.shape for d in drafts])
    return [
        Annotation(
            geometry=part,
            class_name=intake.class_name(d.class_name),
            id=intake.own_id(d.id),
            object_type=d.object_type,
            name=d.name,
            note=d.note,
            author=d.author,
            created=d.created,
            modified=d.modified,
            locked=d.locked,
            colour=d.colour,
            class_colour=d.class_colour,
            nucleus=d.nucleus,
            measurements=d.measurements,
            propagated_from=d.propagated_from,
            properties=d.properties,
        )
        for d, shape in zip(drafts, shapes, strict=True)
        if shape is not None
        for part in intake.parts(shape)
    ]


def outline(points: NDArray[np.float64]) -> BaseGeometry | str:
    """A polygon of a ring of points, closed or not; a key of ``REASONS`` if they are too few."""
    if len(np.unique(points, axis=0)) < 3:
        return "few_points"
    return shapely.Polygon(points)
