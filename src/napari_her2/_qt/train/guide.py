"""Brings the view to an example on its slide, and labels it anew there."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, Signal
from shapely.geometry import Point, box
from shapely.geometry.base import BaseGeometry

from napari_her2._qt import camera
from napari_her2._qt.components.notice_dialog import reader_initials
from napari_her2._qt.score.cell_marks import CellMarks
from napari_her2._qt.slide.actions import open_paths
from napari_her2._qt.texts import ui
from napari_her2._qt.train.example_list import Example
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.geometry_edits import cut_out
from napari_her2.geometry import Region
from napari_her2.provenance import now

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["Guide", "class_keys", "relabelling"]

_AROUND: Final = 5.0
"""How much more than a cell the view shows after flying to it; for a tile a third of that."""


class Guide(QObject):
    """Knows the slides of the window; one guide for a dock.

    Signals
    -------
    told(str)
        What became of a wish, in a sentence.
    """

    told = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._flight = camera.Flight(self)
        self._marks: dict[str, CellMarks] = {}
        self._at: tuple[Example, Any, str] | None = None
        self._wish = ""

    # flying -------------------------------------------------------------------------------

    def go(self, example: Example, labels: Any, model: str = "") -> bool:
        """Show an example on its slide, which is opened if it is not.

        Parameters
        ----------
        example : Example
            Where to.
        labels : LabelSet or None
            Knows where slides lie and how large an example is.
        model : str
            Whose answer is looked at; kept in the note of a new label.
        """
        self._at = None
        if not example.has_place:
            self.told.emit(ui("example_no_place"))
            return False
        entry = self._entry_of(example, labels)
        viewer = self._session.viewer
        if entry is None or viewer is None:
            self.told.emit(ui("example_no_slide", slide=example.slide))
            return False
        self._at = (example, labels, model)
        if self._session.active is not entry:
            self._session.show_only(entry)
        region = extent_of(example, labels, entry)
        more = _AROUND if _is_cells(labels) else _AROUND / 3
        w, h = region.width * more, region.height * more
        seen = Region(example.x_px - w / 2, example.y_px - h / 2, w, h)
        centre, zoom = camera.frame(viewer, entry, seen)
        self._flight.to(viewer, centre, zoom)
        self._mark(entry, region)
        self.told.emit("")
        return True

    def _entry_of(self, example: Example, labels: Any) -> OpenSlide | None:
        def there() -> OpenSlide | None:
            return next((e for e in self._session.slides if e.slide_id == example.slide), None)

        found = there()
        path = None if labels is None else labels.slide_path(example.slide)
        if found is None and path is not None:
            open_paths(self._session, [path])
            found = there()
        return found

    def _mark(self, entry: OpenSlide, region: Region) -> None:
        viewer = self._session.viewer
        for slide_id, other in self._marks.items():
            if slide_id != entry.slide_id:
                other.box(None)
        if viewer is None:
            return
        marks = self._marks.get(entry.slide_id)
        if marks is None or (marks.layer is not None and marks.layer not in viewer.layers):
            marks = self._marks[entry.slide_id] = CellMarks(viewer, entry, {"of": "train"})
        marks.box(region)

    # labelling ----------------------------------------------------------------------------

    def relabel(self, name: str) -> bool:
        """Label the example that is looked at anew; False where that can't be (yet)."""
        if self._at is None:
            self.told.emit(ui("example_look_first"))
            return False
        entry = next((e for e in self._session.slides if e.slide_id == self._at[0].slide), None)
        annotate = self._session.annotate
        if entry is None:
            self.told.emit(ui("example_no_slide", slide=self._at[0].slide))
            return False
        annotate.open()
        if entry.extra.get("labels") is None:
            # Its labels are being opened beside the window: the wish is kept until they are there.
            if not self._wish:
                annotate.labels_changed.connect(self._on_labels_opened)
            self._wish = name
            self.told.emit(ui("example_wait", slide=entry.slide_id))
            return True
        return self._write(name, entry)

    def _on_labels_opened(self) -> None:
        name = self._wish
        entry = self._session.active
        if name and entry is not None and entry.extra.get("labels") is not None:
            self._wish = ""
            self._session.annotate.labels_changed.disconnect(self._on_labels_opened)
            if self._at is not None and self._at[0].slide == entry.slide_id:
                self._write(name, entry)

    def _write(self, name: str, entry: OpenSlide) -> bool:
        assert self._at is not None
        example, labels, model = self._at
        book = entry.extra["labels"]
        edit = relabelling(
            example, name, list(book.store),
            None if _is_cells(labels) else extent_of(example, labels, entry),
            author=reader_initials(), model=model,
        )  # fmt: skip
        if not book.apply(edit):
            return False
        book.prepare()
        self.told.emit(ui("example_relabelled", name=name, slide=entry.short))
        return True


def extent_of(example: Example, labels: Any, entry: OpenSlide) -> Region:
    """The crop or tile of an example on its slide, level-0 pixels."""
    side_um = 21.6 if labels is None else labels.tile_px * labels.tile_mpp
    mx, my = entry.world_mpp
    if entry.mpp is None:
        mx = my = 0.5
    w, h = side_um / mx, side_um / my
    return Region(example.x_px - w / 2, example.y_px - h / 2, w, h)


def relabelling(
    example: Example,
    name: str,
    drawn: list[Annotation],
    tile: Region | None,
    *,
    author: str = "",
    model: str = "",
) -> Edit:
    """The edit that labels an example anew.

    Parameters
    ----------
    example : Example
        A cell becomes a point, which wins over the region it lies in; a tile a region of its own.
    name : str
        Its class from now on.
    drawn : list of Annotation
        What is drawn on the slide.
    tile : Region or None
        Extent of a tile: regions of other classes lose it, else it would lie in two classes. Locked
        ones stay.
    author, model : str
        For the label and its note.
    """
    moment = now()
    note = "" if not example.called else ui(
        "example_note", was=example.truth, called=example.called, model=model or "?"
    )  # fmt: skip
    shape: BaseGeometry = Point(example.x_px, example.y_px)
    removed, added = [], []
    if tile is not None:
        shape = box(tile.x, tile.y, tile.right, tile.bottom)
        for old in drawn:
            if old.is_area and old.class_name != name and not old.locked:
                rest = cut_out(old.geometry, shape) if old.geometry.intersects(shape) else None
                if old.geometry.intersects(shape):
                    removed.append(old)
                    if rest is not None:
                        added.append(replace(old, geometry=rest, modified=moment))
    else:
        # A second thought about the same cell takes the place of the first.
        removed = [
            a for a in drawn
            if not a.locked and isinstance(a.geometry, Point)
            and math.hypot(a.geometry.x - example.x_px, a.geometry.y - example.y_px) < 1.0
        ]  # fmt: skip
    added.append(Annotation(geometry=shape, class_name=name, author=author, note=note,
                            created=moment, modified=moment))  # fmt: skip
    return Edit("Label anew", tuple(removed), tuple(added))


def class_keys(classes: tuple[str, ...], schema_id: str = "") -> dict[str, str]:
    """The key of each class: those of its schema, else its place in the list."""
    from napari_her2._qt.annotate.services import known_schemas

    schemas = known_schemas()
    fitting = [s for s in schemas if s.id == schema_id] + [
        s for s in schemas if set(classes) <= set(s.names)
    ]
    for schema in fitting:
        found = {c.key: c.name for c in schema.classes if c.key and c.name in classes}
        if found:
            return found
    return {str(i): name for i, name in enumerate(classes[:10])}


def _is_cells(labels: Any) -> bool:
    return labels is None or labels.kind == "cells"
