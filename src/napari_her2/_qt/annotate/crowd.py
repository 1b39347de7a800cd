"""Imported cells: too many for shapes, shown as points near in and as density far out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import shapely

from napari_her2._qt.score.cell_view import CellView
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import ClassSchema
from napari_her2.cells.table import CellTable

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["CROWD_TYPES", "Crowd", "crowd_table"]

CROWD_TYPES: Final = frozenset({"cell", "detection"})
"""Objects that programs find by the thousand: shown as cells, never as shapes."""
_NOTHING = np.empty(0, np.intp)


def crowd_table(annotations: Sequence[Annotation], schema: ClassSchema) -> CellTable:
    """Cells among annotations as the table that cells are drawn from.

    Parameters
    ----------
    annotations : sequence of Annotation
        Outlines or points of cells.
    schema : ClassSchema
        Names of other programs become ours where it knows them.
    """
    centres = shapely.centroid([a.geometry for a in annotations])
    xy = shapely.get_coordinates(centres).reshape(-1, 2)
    names: dict[str, int] = {}
    kind = np.zeros(len(annotations), np.uint8)
    known: dict[str | None, str] = {}
    for i, a in enumerate(annotations):
        if a.class_name not in known:
            found = schema.find(a.class_name)
            known[a.class_name] = found.name if found is not None else a.class_name or "nucleus"
        # A table holds 256 classes at most; the last one takes the rest.
        kind[i] = min(names.setdefault(known[a.class_name], len(names)), 255)
    columns = {"x_px": xy[:, 0].copy(), "y_px": xy[:, 1].copy(), "class": kind}
    return CellTable(columns, tuple(names)[:256])


class _NoKeys:
    """Imported cells are not corrected with the keys of scored ones."""

    def correct_by_key(self, number: int) -> None:
        """Nothing."""

    def next_doubtful(self, step: int = 1) -> None:
        """Nothing."""

    def undo(self) -> None:
        """Nothing."""

    def redo(self) -> None:
        """Nothing."""


class Crowd:
    """Shows the cells among the labels of one slide; makes no layer while there are none.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    entry : OpenSlide
        The slide below.
    """

    def __init__(self, viewer: ViewerModel, entry: OpenSlide) -> None:
        self._viewer, self._entry = viewer, entry
        self._keys = _NoKeys()
        self.view: CellView | None = None
        self.n = 0

    def fill(
        self, annotations: Sequence[Annotation], schema: ClassSchema, hidden: set[str | None]
    ) -> None:
        """Show these cells, without those of hidden classes."""
        self.n = len(annotations)
        if self.view is None:
            if not annotations:
                return
            self.view = CellView(self._viewer, self._entry, self._keys, {"from": "labels"})
        table = crowd_table(annotations, schema)
        self.view.set_table(table)
        self.view.show(
            visible=True,
            classes=[n for n in table.classes if n not in hidden],
            colouring="class",
            corrected=_NOTHING,
        )

    def follow(self) -> None:
        """The camera moved."""
        if self.view is not None:
            self.view.follow()

    @property
    def layers(self) -> list[Any]:
        """Its layers."""
        if self.view is None:
            return []
        found = (self.view.points.layer, self.view.picture.layer, self.view.marks.layer)
        return [layer for layer in found if layer is not None]

    def end(self) -> None:
        """Take them away."""
        if self.view is not None:
            self.view.remove()
            self.view.deleteLater()
            self.view = None
