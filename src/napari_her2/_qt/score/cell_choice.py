"""The cell that is looked at: by click, by list, by doubt; its facts, its picture, its ring."""

from __future__ import annotations

import weakref
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_her2._qt import camera
from napari_her2._qt.score.cell_facts import (
    CellFacts,
    cell_facts,
    class_of,
    crop_region,
    hover_line,
    read_crop,
)
from napari_her2.geometry import Region, world_yx_to_xy, xy_to_world_yx
from napari_her2.layers.cells import doubt_of, membrane_paths

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.score.cell_view import CellView
    from napari_her2._qt.score.corrections import CellCorrections
    from napari_her2._qt.session import Session

__all__ = ["CellChoice"]

_REACH_UM: Final = 6.0
_REACH_SCREEN_PX: Final = 8.0
_CELL_ZOOM: Final = 2.0
"""Screen pixels to the micrometre at which a membrane can be judged: 20x."""
_SAME_PX: Final = 0.05


class CellChoice(QObject):
    """Knows which cell of a view is picked.

    Parameters
    ----------
    session : Session
        For the viewer and for reading beside the window.

    Signals
    -------
    picked(CellFacts or None)
        Told twice for a cell, the second time with its picture.
    """

    picked = Signal(object)

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = weakref.ref(session)
        self._view: CellView | None = None
        self._entry: OpenSlide | None = None
        self.edits: CellCorrections | None = None
        self.index: int | None = None
        self._crop: NDArray[np.uint8] | None = None
        self._doubtful: NDArray[np.intp] | None = None
        self._flight = camera.Flight(self)

    def bind(self, view: CellView | None, entry: OpenSlide | None) -> None:
        """Look at the cells of another view; nothing is picked then."""
        self._view, self._entry, self.edits = view, entry, None
        self._doubtful = None
        if self.index is not None:
            self.index = self._crop = None
            self.picked.emit(None)

    # facts --------------------------------------------------------------------------------

    def facts(self, row: int) -> CellFacts | None:
        """What is known of a cell, without its picture."""
        view = self._view
        if view is None or not 0 <= row < len(view.table):
            return None
        given = class_of(view.table, row) if self.edits is None else self.edits.given(row)
        return cell_facts(view.table, row, given)

    def find(self, place_yx: tuple[float, ...]) -> int | None:
        """Row of the cell at a world place, if single cells are to be seen."""
        view, entry, session = self._view, self._entry, self._session()
        if view is None or entry is None or session is None or not view.near:
            return None
        viewer = session.viewer
        if viewer is None or session.active is not entry:
            return None
        mx, my = entry.world_mpp
        x, y = (float(v) for v in world_yx_to_xy(place_yx[-2:], mx, my))
        screen = _REACH_SCREEN_PX / viewer.scene.camera.zoom
        reach = max(_REACH_UM, screen) if entry.mpp is not None else max(24.0, screen)
        return view.nearest(x, y, reach / mx)

    def describe(self, place_yx: tuple[float, ...]) -> str | None:
        """One line about the cell at a world place; None if there is none."""
        row = self.find(place_yx)
        facts = None if row is None else self.facts(row)
        return None if facts is None else hover_line(facts)

    # picking ------------------------------------------------------------------------------

    def pick(self, row: int | None) -> None:
        """Look at a cell: tell its facts, draw its membrane, read its picture."""
        view, entry, session = self._view, self._entry, self._session()
        if view is None or entry is None or session is None:
            return
        self.index, self._crop = row, None
        facts = None if row is None else self.facts(row)
        if row is None or facts is None:
            self.index = None
            view.marks.ring([])
            self.picked.emit(None)
            return
        view.marks.ring(membrane_paths(view.table, row, entry.world_mpp))
        viewer = session.viewer
        if viewer is not None and view.points.layer in viewer.layers:
            # The keys of classes work while this layer is the active one.
            viewer.layers.selection.active = view.points.layer
        self.picked.emit(facts)
        region = crop_region(entry, facts.x_px, facts.y_px)

        def done(crop: Any) -> None:
            if self.index == row and self._view is view and crop is not None:
                self._crop = crop
                self.tell_again()

        session.thumbnails.submit(lambda: read_crop(entry, region), done, lambda _error: None)

    def tell_again(self) -> None:
        """Tell the facts of the picked cell once more: something about it changed."""
        facts = None if self.index is None else self.facts(self.index)
        if facts is not None:
            self.picked.emit(replace(facts, crop=self._crop))

    def follow_table(self, before: tuple[float, float] | None) -> None:
        """The table was replaced: keep the same cell picked, found by its place."""
        self._doubtful = None
        if before is None or self._view is None:
            return
        view = self._view
        self.index = view.index.nearest(*before, _SAME_PX, view.everyone)
        if self.index is None:
            self.pick(None)

    @property
    def place(self) -> tuple[float, float] | None:
        """Centre of the picked cell, level-0 pixels."""
        view = self._view
        if view is None or self.index is None:
            return None
        return float(view.table["x_px"][self.index]), float(view.table["y_px"][self.index])

    # going --------------------------------------------------------------------------------

    def goto(self, row: int) -> None:
        """Fly to a cell, near enough to judge its membrane, and pick it."""
        self._fly_to(row)
        self.pick(row)

    def fly_over(self, region: Region) -> None:
        """Fly to a place of the slide."""
        session, entry = self._session(), self._entry
        if session is not None and session.viewer is not None and entry is not None:
            self._flight.to(session.viewer, *camera.frame(session.viewer, entry, region))

    def next_doubtful(self, step: int) -> int | None:
        """Pick the next cell in view by doubt, the most doubtful first; round and round.

        Returns
        -------
        int or None
            Its row; None if there is no cell in view, or no probabilities.
        """
        rows = self._doubtful_in_view()
        if rows is None or not len(rows):
            return None
        at = np.flatnonzero(rows == self.index)
        start = int(at[0]) if len(at) else (-1 if step > 0 else 0)
        row = int(rows[(start + step) % len(rows)])
        self.pick(row)
        return row

    def forget_view(self) -> None:
        """The view moved: which cells are in it has to be looked up again."""
        self._doubtful = None

    def _doubtful_in_view(self) -> NDArray[np.intp] | None:
        view, entry, session = self._view, self._entry, self._session()
        if view is None or entry is None or session is None or session.viewer is None:
            return None
        if self._doubtful is None:
            seen = camera.region_in_view(session.viewer, entry)
            if seen is None or "probs" not in view.table or not view.near:
                return None
            rows = view.index.within(seen, view.wanted)
            doubt = doubt_of(view.table["probs"][rows])
            self._doubtful = rows[np.argsort(-doubt, kind="stable")]
        return self._doubtful

    def _fly_to(self, row: int) -> None:
        view, entry, session = self._view, self._entry, self._session()
        if view is None or entry is None or session is None or session.viewer is None:
            return
        viewer = session.viewer
        x, y = float(view.table["x_px"][row]), float(view.table["y_px"][row])
        mx, my = entry.world_mpp
        cy, cx = xy_to_world_yx((x, y), mx, my)
        wanted = _CELL_ZOOM if entry.mpp is not None else 1.0
        zoom = max(float(viewer.scene.camera.zoom), wanted)
        self._flight.to(viewer, (float(cy), float(cx)), zoom)
