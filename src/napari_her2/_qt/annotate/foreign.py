"""What napari itself, or other code, does to the shapes of the ``Labels`` layer, as an edit."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import shapely

from napari_her2._qt.annotate.easel import stamp
from napari_her2._qt.regions import corners_of
from napari_her2._qt.score.corrections import reader_name
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.geometry import world_yx_to_xy

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_her2._qt.annotate.slide_labels import SlideLabels

__all__ = ["edit_of"]


def edit_of(
    labels: SlideLabels, layer: Shapes, action: str, which: Any, class_name: str | None
) -> Edit | None:
    """What a change of the shapes by napari or other code comes to."""
    n = len(labels.shapes.ids)
    rows = sorted({int(i) % max(len(layer.data), 1) for i in which}) if which else []
    if action == "added":
        rows = list(range(n, len(layer.data)))
        made = [
            Annotation(geometry=g, class_name=class_name, author=reader_name(),
                       created=stamp(), modified=stamp())
            for g in (_geometry_of(layer, i) for i in rows)
            if g is not None
        ]  # fmt: skip
        return Edit("Draw", added=tuple(made)) if made else None
    owners = dict.fromkeys(labels.shapes.ids[int(i)] for i in which if -n <= int(i) < n)
    old = [labels.store.get(i) for i in owners if i in labels.store]
    if action == "removed":
        return Edit("Delete", removed=tuple(old)) if old else None
    changed = []
    for a in old:
        mine = [i for i in rows if i < n and labels.shapes.ids[i] == a.id]
        if len(mine) == 1 and labels.shapes.ids.count(a.id) == 1:
            geometry = _geometry_of(layer, mine[0])
            if geometry is not None:
                changed.append(dataclasses.replace(a, geometry=geometry, modified=stamp()))
    before = tuple(labels.store.get(a.id) for a in changed)
    return Edit("Change", removed=before, added=tuple(changed)) if changed else None


def _geometry_of(layer: Shapes, i: int) -> Any:
    """A shape of napari's as geometry; None for what is no region."""
    corners = corners_of(layer, i)
    if corners is None or len(corners) < 3:
        return None
    polygon = shapely.Polygon(world_yx_to_xy(corners, 1.0, 1.0))
    whole = polygon if polygon.is_valid else shapely.make_valid(polygon)
    return whole if whole.area > 0 else None
