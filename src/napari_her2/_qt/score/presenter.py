"""One scored case on one slide, as the dock and the picture show it: numbers, places, cells."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Literal

import numpy as np
from napari.layers import Layer
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_her2._qt import numbers
from napari_her2._qt.layer_order import add_in_order
from napari_her2._qt.safe_layers import remove_layers_safely
from napari_her2._qt.score.facts import ScoreFacts, chosen_score, class_short, facts_of
from napari_her2._qt.score.run_state import ScoreRun, most_doubtful
from napari_her2._qt.session import tell
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import NUCLEAR_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.layers import unreadable_regions_layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.score.cell_layers import CellLayers
    from napari_her2._qt.session import Session

__all__ = ["PlaceSort", "ScorePresenter"]

PlaceSort = Literal["dense", "doubtful"]

_RANKED_AT_ONCE = 100_000
"""More cells are ranked beside the window, which would stand still meanwhile."""


class ScorePresenter(QObject):
    """Shows a run and answers for it. The layers belong to the window: one case at a time.

    Signals
    -------
    changed()
        Numbers changed.
    places_changed()
        The ranked list is another one.
    place_visited(int)
        The view went to this place.
    """

    changed = Signal()
    places_changed = Signal()
    place_visited = Signal(int)

    def __init__(
        self, session: Session, entry: OpenSlide, run: ScoreRun, cells: CellLayers
    ) -> None:
        super().__init__()
        self._session = session
        self.entry = entry
        self.run = run
        self.cells = cells
        self.at: int | None = None
        self.change = ""
        self._sort: PlaceSort = "doubtful"
        self._doubtful: NDArray[np.intp] = np.empty(0, np.intp)
        self._stale = True
        self._visible: tuple[str, ...] | None = None
        self._map: str | None = None
        self._hatch: Layer | None = None

    # what is said -------------------------------------------------------------------------

    @property
    def nuclear(self) -> bool:
        """Whether nuclei are graded instead of membranes."""
        classes = self.run.table.classes
        return classes == NUCLEAR_CLASSES if classes else self.run.stain == "nuclear-ihc"

    def facts(self) -> ScoreFacts:
        """The card in words."""
        run = self.run
        area = run.document.get("area_mm2") if run.complete else run.done_mm2
        return facts_of(run.said, complete=run.complete, area_mm2=area, nuclear=self.nuclear)

    def origin(self) -> str:
        """What told the classes apart."""
        classifier = self.run.classifier
        if self.nuclear:
            return ui("origin_nuclear")
        if classifier.get("id", "membrane") == "membrane":
            return ui("origin_membrane")
        if self.run.is_demo:
            return ui("origin_demo", **_named(classifier))
        return ui("origin_named", **_named(classifier))

    def mend(self) -> tuple[str, str] | None:
        """The button that helps where there is no score; None where there is one."""
        facts = self.facts()
        if not facts.reason:
            return None
        chosen = chosen_score(self.run.said) or {}
        if chosen.get("reason") == "few_tumour" and self.run.partly:
            return "whole", ui("score_whole")
        return "tissue", ui("show_tissue")

    # the run ------------------------------------------------------------------------------

    def refresh(self) -> None:
        """More cells came."""
        self._stale = True
        if self.shown:
            self._show(partial=True)
        self.changed.emit()

    def finish(self) -> None:
        """The run ended."""
        self._stale = True
        if self.shown:
            self._show(partial=not self.run.complete)
        self.rank()
        self.changed.emit()

    # on the slide -------------------------------------------------------------------------

    @property
    def shown(self) -> bool:
        """Whether this case is the one on the picture."""
        return self._session.active is self.entry

    def show(self) -> None:
        """Put the cells on the picture, as they were left."""
        self._show(partial=not self.run.complete)
        if self._map is not None:
            self.cells.set_colouring(self._map)
        if self._visible is not None:
            self.cells.set_visible_classes(self._visible)
        self.rank()

    def leave(self) -> None:
        """Another slide takes the picture: remember what was chosen."""
        self._visible = tuple(self.cells.visible_classes)
        self._map = self.cells.colouring
        self.cells.clear()
        viewer = self._session.viewer
        if viewer is not None and self._hatch is not None:
            remove_layers_safely(viewer, [self._hatch])
        self._hatch = None

    def _show(self, *, partial: bool) -> None:
        classifier = self.run.classifier
        self.cells.show(
            self.entry,
            self.run.table,
            self.run.run_dir,
            run_id=self.run.run_id,
            model_id=classifier.get("id"),
            model_status=classifier.get("status"),
            partial=partial,
        )
        self._show_hatch()

    def _show_hatch(self) -> None:
        """A hatch over what could not be read: another look than "no cells"."""
        viewer, unread = self._session.viewer, self.run.unread
        if viewer is None or not unread or self.entry.layer not in viewer.layers:
            return
        if self._hatch is None:
            data = unreadable_regions_layer(unread, self.entry.slide)
            self._hatch = add_in_order(viewer, Layer.create(*data))

    def show_only(self, name: str) -> None:
        """Show one class; a second time, all that were shown before."""
        classes = self.run.table.classes
        if set(self.cells.visible_classes) == {name}:
            tumour = NUCLEAR_CLASSES[:4] if self.nuclear else classes[:4]
            self.set_visible(self._visible or tumour)
            return
        self._visible = tuple(self.cells.visible_classes)
        self.cells.set_visible_classes((name,))
        if str(self.cells.colouring).startswith("density"):
            self.choose_map(f"density {name}")
        self.changed.emit()

    def set_visible(self, names: Sequence[str]) -> None:
        """Show these classes."""
        self.cells.set_visible_classes(names)
        self._visible = tuple(names)
        self.changed.emit()

    def choose_map(self, name: str) -> None:
        """Colour cells by something else, or show where a class is dense."""
        self.cells.set_colouring(name)
        if self._sort == "dense":
            self.rank()

    # places -------------------------------------------------------------------------------

    @property
    def sort(self) -> PlaceSort:
        """How places are ranked."""
        return self._sort

    def set_sort(self, sort: str) -> None:
        """Rank places another way."""
        self._sort = "dense" if sort == "dense" else "doubtful"
        self.rank()

    @property
    def n_places(self) -> int:
        """How many places there are to look at."""
        if self._sort == "dense":
            return len(self.cells.places) if self.shown else 0
        return len(self._doubtful)

    @property
    def doubtful(self) -> NDArray[np.intp]:
        """Rows of the most doubtful cells, the most doubtful first."""
        return self._doubtful

    def rank(self) -> None:
        """Make the list of places anew."""
        self.at = None
        if self._sort == "doubtful" and self._stale:
            self._stale = False
            table = self.run.table
            if len(table) <= _RANKED_AT_ONCE:
                self._doubtful = most_doubtful(table)
            else:
                self._doubtful = np.empty(0, np.intp)
                call = functools.partial(most_doubtful, table)
                self._session.background.submit(call, self._take_doubtful, tell)
        self.places_changed.emit()

    def _take_doubtful(self, found: NDArray[np.intp]) -> None:
        self._doubtful = found
        self.places_changed.emit()

    def why(self, index: int) -> str:
        """Why a place is in the list, in a few words."""
        if self._sort == "dense":
            place = self.cells.places[index]
            n, name = numbers.count(place.n_cells), class_short(place.class_name)
            if place.density_mm2 is None:
                return ui("why_many", n=n, name=name)
            density = numbers.count(round(place.density_mm2))
            return ui("why_dense", n=n, name=name, density=density)
        table = self.run.table
        probs = np.asarray(table["probs"][self._doubtful[index]])
        first, second = np.argsort(-probs, kind="stable")[:2]
        return ui(
            "why_doubtful_cell",
            a=class_short(table.classes[first]),
            p=numbers.probability(float(probs[first])),
            b=class_short(table.classes[second]),
            q=numbers.probability(float(probs[second])),
        )

    def visit(self, index: int) -> None:
        """Fly to a place."""
        if not 0 <= index < self.n_places:
            return
        self.at = index
        if self._sort == "dense":
            self.cells.goto_place(index)
        else:
            self.cells.goto(int(self._doubtful[index]))
        self.place_visited.emit(index)

    def step(self, by: int) -> None:
        """Next (1) or previous (-1) place, round and round."""
        n = self.n_places
        if n:
            start = (-1 if by > 0 else 0) if self.at is None else self.at
            self.visit((start + by) % n)

    # corrections --------------------------------------------------------------------------

    def outcome_words(self) -> str:
        """Shortest name of the score that is shown."""
        chosen = chosen_score(self.run.said)
        if chosen is not None and chosen.get("assessable", True):
            return str(chosen.get("ihc") or chosen.get("status"))
        if self.nuclear and self.run.said.get("positive_fraction") is not None:
            value = numbers.fixed(100 * float(self.run.said["positive_fraction"]), 1)
            return ui("percent", value=value)
        return ui("not_assessable")

    @property
    def can_rescore(self) -> bool:
        """Whether the corrections are other ones than those in the score."""
        return self.run.complete and self.cells.corrections_version != self.run.rescored_version

    def corrected(self) -> CellTable:
        """Cells as corrected by the reader."""
        return self.cells.corrected_table()


def _named(classifier: object) -> dict[str, object]:
    found = classifier if isinstance(classifier, dict) else {}
    return {"name": found.get("name") or found.get("id"), "version": found.get("version") or ""}
