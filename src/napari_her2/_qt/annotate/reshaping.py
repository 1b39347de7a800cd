"""What the buttons do to selected regions: split, merge, fill, accept a map; each one edit."""

from __future__ import annotations

import dataclasses

import numpy as np
import shapely
from qtpy.QtCore import QObject
from shapely.geometry import LineString
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.easel import Easel, stamp
from napari_her2._qt.annotate.looking import SlideLook
from napari_her2._qt.annotate.wand import outline_of
from napari_her2.annotations.annotation import Annotation, new_id
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.geometry_edits import fill_holes, merge, polygons_in, split

__all__ = ["Reshaping"]

_MOST_PARTS = 5000


class Reshaping(QObject):
    """Changes whole regions of the labels that an easel draws on.

    Parameters
    ----------
    easel : Easel
        Gives the labels, the selection and the class; tells why nothing happened.
    look : SlideLook
        Gives the map.
    """

    def __init__(self, easel: Easel, look: SlideLook) -> None:
        super().__init__(easel)
        self._easel = easel
        self._look = look

    def _areas(self) -> list[Annotation]:
        return [a for a in self._easel.selected if a.is_area and not a.locked]

    def split(self, line: BaseGeometry) -> None:
        """Cut the selected regions, or those it crosses, along a line."""
        labels = self._easel.labels
        if labels is None or not isinstance(line, LineString):
            return
        areas = self._areas() or [
            a for a in labels.store.hits(*line.interpolate(0.5, True).coords[0])[:1]
            if a.is_area and not a.locked
        ]  # fmt: skip
        removed: list[Annotation] = []
        added: list[Annotation] = []
        for a in areas:
            parts = split(a.geometry, line)
            if len(parts) > len(polygons_in(a.geometry)):
                removed.append(a)
                # The largest stays the region it was: same id, same note.
                largest = max(range(len(parts)), key=lambda i: parts[i].area)
                added += [
                    dataclasses.replace(
                        a, geometry=p, modified=stamp(), id=a.id if i == largest else new_id()
                    )
                    for i, p in enumerate(parts)
                ]
        if not removed:
            self._easel.hint.emit("annotate_no_split")
            return
        labels.apply(Edit("Split", tuple(removed), tuple(added)))
        labels.select([a.id for a in added])

    def merge(self) -> None:
        """Make one region of the selected ones; it is of the class of the first."""
        labels, areas = self._easel.labels, self._areas()
        if labels is None or len(areas) < 2:
            self._easel.hint.emit("annotate_pick_more")
            return
        whole = merge([a.geometry for a in areas])
        if whole is not None:
            notes = "; ".join(dict.fromkeys(a.note for a in areas if a.note))
            one = dataclasses.replace(areas[0], geometry=whole, note=notes, modified=stamp())
            labels.apply(Edit("Merge", tuple(areas), (one,)))
            labels.select([one.id])

    def fill_holes(self) -> None:
        """Take the holes out of the selected regions."""
        areas = self._areas()
        if not areas:
            self._easel.hint.emit("annotate_pick_area")
        changed = [(a, fill_holes(a.geometry)) for a in areas]
        self._easel.reshape([(a, g) for a, g in changed if g.area > a.geometry.area], "Fill holes")

    def accept_map(self, threshold: float) -> int:
        """Make regions of the chosen class where the map is at least ``threshold``.

        Returns
        -------
        int
            How many; 0 with a hint why.
        """
        grid = self._look.shown_map()
        if grid is None or self._easel.labels is None:
            self._easel.hint.emit("accept_none")
            return 0
        mask = np.nan_to_num(np.asarray(grid.values, np.float64), nan=-1.0) >= threshold
        whole = outline_of(mask, grid, smooth=False)
        size = self._easel.labels.entry.slide.size
        slide = shapely.box(0, 0, size.width, size.height)
        parts = () if whole is None else polygons_in(whole.intersection(slide))[:_MOST_PARTS]
        if not parts:
            self._easel.hint.emit("annotate_wand_none")
            return 0
        self._easel.add(parts, "Accept map")
        return len(parts)
