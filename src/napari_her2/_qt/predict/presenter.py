"""One result on one slide, as the dock and the picture show it: numbers, places, map, cursor."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
from qtpy.QtCore import QObject, Signal

from napari_her2._qt import camera, numbers
from napari_her2._qt.predict.map_layers import MapLayers, MapSettings
from napari_her2._qt.predict.rows import ResultRow, result_rows
from napari_her2._qt.predict.run_state import Place, RunState, SortKey, Tile
from napari_her2._qt.texts import ui
from napari_her2.geometry import Region, world_yx_to_xy
from napari_her2.models.card import ModelCard
from napari_her2.models.protocols import SlideScore
from napari_her2.pipelines.events import Partial

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["ResultPresenter"]

_THUMB_PX = 96

_AROUND = 1.6
"""How much more than the tile the view shows after flying to it."""


class ResultPresenter(QObject):
    """Shows a run and answers for it; knows the viewer only through its session.

    Signals
    -------
    changed()
        Numbers changed.
    current_changed()
        Another biomarker is shown.
    places_changed()
        The ranked list is another one.
    place_visited(int)
        The view went to this place.
    picture_ready(int, ndarray)
        Thumbnail of a place.
    map_changed()
        What is visible changed.
    """

    changed = Signal()
    current_changed = Signal()
    places_changed = Signal()
    place_visited = Signal(int)
    picture_ready = Signal(int, object)
    map_changed = Signal()

    def __init__(
        self, session: Session, entry: OpenSlide, run: RunState, settings: MapSettings
    ) -> None:
        super().__init__()
        self._session = session
        self.entry = entry
        self.run = run
        self.places: list[Place] = []
        self.at: int | None = None
        self._sort: SortKey = "strongest"
        self._bar: tuple[str, float, float] | None = None
        self._flight = camera.Flight(self)
        viewer = session.viewer
        assert viewer is not None
        self.layers = MapLayers(viewer, entry, run, settings)
        self.layers.changed.connect(self.map_changed)

    # scores -------------------------------------------------------------------------------

    def laid_out(self) -> None:
        """The grid of some models is known: make room on the slide."""
        self.layers.add_all()
        if self.current is None and self.run.models:
            self.layers.choose(next(iter(self.run.models)))
        self.current_changed.emit()
        self.changed.emit()

    def add(self, partial: Partial) -> None:
        """New scores came."""
        self.run.add(partial)
        self.layers.refresh()
        self.changed.emit()

    def finish(self) -> None:
        """The run ended."""
        self.layers.finish()
        self.rank()
        self.changed.emit()

    # biomarkers ---------------------------------------------------------------------------

    @property
    def current(self) -> str | None:
        """Id of the model shown."""
        return self.layers.current if self.layers.current in self.run.models else None

    @property
    def card(self) -> ModelCard | None:
        """Card of the model shown."""
        return None if self.current is None else self.run.models[self.current].card

    def choose(self, model_id: str) -> None:
        """Show another biomarker's map, places and numbers."""
        if model_id not in self.run.models:
            return
        self.layers.choose(model_id)
        self._bar = None
        self.current_changed.emit()
        self.rank()

    def choose_next(self) -> None:
        """Show the next biomarker's map."""
        ids = list(self.run.models)
        if ids:
            at = ids.index(self.current) if self.current in ids else -1
            self.layers.settings.visible = True
            self.choose(ids[(at + 1) % len(ids)])

    def unasked(self) -> list[tuple[str, str]]:
        """Models whose number waits for the reader's impression: (id, name)."""
        return [(i, m.name) for i, m in self.run.models.items() if i not in self.run.impressions]

    # slide result -------------------------------------------------------------------------

    def score(self) -> SlideScore | None:
        """Slide result of the biomarker shown, at the t chosen."""
        return None if self.current is None else self.run.slide_score(self.current)

    def made_threshold(self) -> float | None:
        """The t that the model shown was made with."""
        if self.current is None:
            return None
        aggregator = self.run.models[self.current].aggregator
        t = None if aggregator is None else aggregator.describe().get("threshold")
        return float(t) if isinstance(t, int | float) else None

    def set_threshold(self, t: float | None) -> None:
        """Choose a t for the biomarker shown; None or the model's own goes back to it."""
        if self.current is None:
            return
        made = self.made_threshold()
        if t is None or (made is not None and abs(t - made) < 1e-6):
            self.run.thresholds.pop(self.current, None)
        else:
            self.run.thresholds[self.current] = t
        self.changed.emit()

    def rows(self) -> list[ResultRow]:
        """The result card, one row a model; models that failed come last."""
        return result_rows(self.run)

    # places -------------------------------------------------------------------------------

    @property
    def sort(self) -> SortKey:
        """How places are ranked."""
        return self._sort

    def set_sort(self, sort: SortKey) -> None:
        """Rank places another way."""
        self._sort, self._bar = sort, None
        self.rank()

    def look_at_bar(self, kind: str, low: float, high: float) -> None:
        """Make the tiles of a histogram bar the list of places."""
        self._bar = (kind, low, high)
        self.rank()

    def rank(self) -> None:
        """Make the list of places anew and fetch their pictures."""
        self.at = None
        if self.current is None:
            self.places = []
        elif self._bar is not None:
            self.places = self._bar_places(*self._bar)
        else:
            self.places = self.run.places(self.current, self._sort)
        self.places_changed.emit()
        self._fetch_pictures()

    def _bar_places(self, kind: str, low: float, high: float) -> list[Place]:
        assert self.current is not None
        scores = self.run.models[self.current]
        values = scores.positive if kind == "positive" else scores.negative
        with np.errstate(invalid="ignore"):
            inside = (values >= low) & ((values < high) | (high >= 1))
        found = np.argwhere(inside)
        # Evenly over the slide rather than the first twelve rows.
        picked = found[np.linspace(0, len(found) - 1, min(12, len(found))).astype(int)]
        tiles = [self.run.tile(self.current, int(r), int(c)) for r, c in picked]
        return [Place(t) for t in tiles if t is not None]

    def why(self, place: Place) -> str:
        """Why a place is in the list, in a few words."""
        t = place.tile
        p, q = numbers.probability(t.positive), numbers.probability(t.negative)
        if self._bar is not None or self._sort in ("doubtful", "weakest"):
            return ui("why_weakest", p=p, q=q)
        if self._sort == "mixed":
            low, high = numbers.probability(place.low), numbers.probability(place.high)
            return ui("why_mixed", low=low, high=high)
        if self._sort == "random":
            return ui("why_random", p=p)
        return ui("why_strongest", p=p, n=numbers.count(place.neighbours))

    def visit(self, index: int) -> None:
        """Fly to a place and draw a box round its tile."""
        viewer = self._session.viewer
        if viewer is None or not 0 <= index < len(self.places):
            return
        self.at = index
        # What the model saw reaches over the slide's edge; there is nothing to look at there.
        window = self.seen(self.places[index].tile)
        margin = (_AROUND - 1) / 2
        wide = Region(
            window.x - margin * window.width,
            window.y - margin * window.height,
            window.width * _AROUND,
            window.height * _AROUND,
        )
        self._flight.to(viewer, *camera.frame(viewer, self.entry, wide))
        self.layers.mark(window)
        self.place_visited.emit(index)

    def step(self, by: int) -> None:
        """Next (1) or previous (-1) place, round and round."""
        if self.places:
            start = (-1 if by > 0 else 0) if self.at is None else self.at
            self.visit((start + by) % len(self.places))

    def window(self, tile: Tile) -> Region:
        """What the model saw of a tile, level-0 pixels."""
        assert self.current is not None
        return self.run.models[self.current].sheet.grid.window(tile.row, tile.col)

    def seen(self, tile: Tile) -> Region:
        """The part of that which lies on the slide."""
        window = self.window(tile)
        return window.intersect(self.entry.bounds) or window

    def _fetch_pictures(self) -> None:
        queue = self._session.thumbnails
        queue.drop()
        for index, place in enumerate(self.places):
            queue.submit(
                functools.partial(self.entry.read_field, self.seen(place.tile), _THUMB_PX),
                functools.partial(self._deliver_picture, self.places, index),
                _ignore,
            )

    def _deliver_picture(self, places: list[Place], index: int, rgb: np.ndarray | None) -> None:
        if rgb is not None and self.places is places:
            self.picture_ready.emit(index, rgb)

    # cursor -------------------------------------------------------------------------------

    def cell_at(self, place_yx: tuple[float, ...]) -> tuple[int, int] | None:
        """Cell of the map at a world place; None off the map."""
        if self.current is None:
            return None
        grid = self.run.models[self.current].sheet.grid
        x, y = world_yx_to_xy(np.asarray(place_yx[-2:]), *self.entry.world_mpp)
        row = int((y - grid.region.y) // grid.cell_height)
        col = int((x - grid.region.x) // grid.cell_width)
        rows, cols = grid.shape
        return (row, col) if 0 <= row < rows and 0 <= col < cols else None

    def tile_at(self, place_yx: tuple[float, ...]) -> Tile | None:
        """Scored tile at a world place."""
        cell = self.cell_at(place_yx)
        return None if cell is None or self.current is None else self.run.tile(self.current, *cell)

    def describe(self, place_yx: tuple[float, ...]) -> str | None:
        """One line about a world place: its tile, or why there is none; None off the map."""
        cell = self.cell_at(place_yx)
        if cell is None or self.current is None:
            return None
        tile = self.run.tile(self.current, *cell)
        if tile is not None:
            return self.describe_tile(tile)
        sheet = self.run.models[self.current].sheet
        if sheet.failed[cell]:
            return ui("hover_failed")
        covered = bool(np.any((sheet.cells[:, 0] == cell[0]) & (sheet.cells[:, 1] == cell[1])))
        return ui("hover_wait") if covered else ui("hover_none")

    def describe_tile(self, tile: Tile) -> str:
        """A tile's three probabilities and its number."""
        assert self.current is not None
        return ui(
            "hover_tile",
            name=self.run.models[self.current].name,
            p=numbers.probability(tile.positive),
            q=numbers.probability(tile.negative),
            r=numbers.probability(tile.non_tumour),
            i=numbers.count(tile.index),
        )

    def tip(self, tile: Tile) -> str:
        """Tooltip of a thumbnail."""
        assert self.current is not None
        return ui(
            "gallery_tip",
            name=self.run.models[self.current].name,
            p=numbers.probability(tile.positive),
            q=numbers.probability(tile.negative),
            r=numbers.probability(tile.non_tumour),
        )

    def pick(self, place_yx: tuple[float, ...]) -> str | None:
        """Mark the tile at a world place and tell its probabilities."""
        tile = self.tile_at(place_yx)
        if tile is not None:
            self.layers.mark(self.seen(tile))
        return self.describe(place_yx)


def _ignore(_error: Exception) -> None:
    """A picture that can't be read leaves its frame empty; the run has told of the tile."""
