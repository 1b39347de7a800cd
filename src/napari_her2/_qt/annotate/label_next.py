"""What to label next: places where the model of a stored run is in doubt, one after the other.

With no drawing tool taken a digit labels the place that is looked at and goes on to the next one: a
cell gets a point, a tile a rectangle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal
from qtpy.QtWidgets import QVBoxLayout, QWidget
from shapely.geometry import Point, box

from napari_her2._qt import camera
from napari_her2._qt.annotate.tools import Sketch
from napari_her2._qt.components.labels import small_button
from napari_her2._qt.components.look_at import LookAtList
from napari_her2._qt.session import tell
from napari_her2._qt.texts import ui
from napari_her2.geometry import Region

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController
    from napari_her2._qt.annotate.slide_labels import SlideLabels

__all__ = ["LabelNextRow", "NextPlaces"]

_N: Final = 20
_CELL_UM: Final = 60.0
"""Width of what is shown round a cell."""


class NextPlaces(QObject):
    """The queue of the active slide.

    Parameters
    ----------
    controller : AnnotateController
        Whose labels grow.

    Signals
    -------
    places_changed()
        There is another queue, or none.
    visited(int, str)
        The view is at this place, and why.
    """

    places_changed = Signal()
    visited = Signal(int, str)

    def __init__(self, controller: AnnotateController) -> None:
        super().__init__(controller)
        self._controller = controller
        self._flight = camera.Flight(self)
        self._labels: SlideLabels | None = None
        self.places: list[Any] = []
        self.at: int | None = None

    def ask(self, measure: Any = "margin") -> None:
        """Work a queue out beside the window, from the latest run on the active slide."""
        from napari_her2.pipelines.label_queue import label_queue

        labels = self._controller.labels
        session = self._controller.session
        if labels is None:
            return
        entry = labels.entry
        runs = [*session.score.stored_runs(entry), *session.predict.stored_runs(entry)]
        if not runs:
            show_info(ui("next_no_run"))
            return
        folder, drawn = runs[0].folder, tuple(labels.store)

        def done(queue: Any) -> None:
            if self._controller.labels is labels:
                self.take(labels, list(queue.places))

        self._controller.submit(
            lambda: label_queue(folder, _N, annotations=drawn, measure=measure), done, tell
        )

    def take(self, labels: SlideLabels | None, places: list[Any]) -> None:
        """Walk other places from now on; the keys of places are theirs."""
        for old in (self._labels, labels):
            if old is not None:
                old.entry.extra.pop("annotate", None)
        self._labels, self.places, self.at = labels, places, None
        if labels is not None and places:
            labels.entry.extra["annotate"] = self
        self.places_changed.emit()

    def step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) place, round and round."""
        if self.places:
            start = (-1 if by > 0 else 0) if self.at is None else self.at
            self.visit((start + by) % len(self.places))

    def visit(self, index: int) -> None:
        """Fly to a place and draw a box round it."""
        labels, viewer = self._labels, self._controller.session.viewer
        if labels is None or viewer is None or not 0 <= index < len(self.places):
            return
        place, self.at = self.places[index], index
        field = _CELL_UM / labels.entry.world_mpp[0]
        w, h = place.width_px or field / 3, place.height_px or field / 3
        x, y = place.x_px, place.y_px
        wide = max(field, 2.5 * place.width_px)
        seen = Region(x - wide / 2, y - wide / 2, wide, wide)
        self._flight.to(viewer, *camera.frame(viewer, labels.entry, seen))
        corners = [(x - w / 2, y - h / 2), (x + w / 2, y - h / 2),
                   (x + w / 2, y + h / 2), (x - w / 2, y + h / 2)]  # fmt: skip
        labels.sketch.sketch(Sketch([(corners, True)]), "#FFFFFF")
        self.visited.emit(index, place.why)

    def label(self, name: str) -> bool:
        """Give the place that is looked at a class and go on; False if none is looked at."""
        labels, at = self._labels, self.at
        if labels is None or at is None or labels is not self._controller.labels:
            return False
        place = self.places[at]
        easel = self._controller.easel
        easel.class_name = name
        w, h = place.width_px / 2, place.height_px / 2
        x, y = place.x_px, place.y_px
        shape = box(x - w, y - h, x + w, y + h) if w and h else Point(x, y)
        labels.sketch.sketch(Sketch(), "#FFFFFF")
        easel.add([shape], "Label")
        labels.select([])
        rest = [p for p in self.places if p is not place]
        self.take(labels, rest)
        if rest:
            self.visit(at % len(rest))
        easel.class_changed.emit()
        return True


class LabelNextRow(QWidget):
    """``[Label next]`` and the list that is walked.

    Parameters
    ----------
    places : NextPlaces
        The queue.
    """

    def __init__(self, places: NextPlaces) -> None:
        super().__init__()
        self._places = places
        sorts = [(m, ui(f"next_{m}")) for m in ("margin", "entropy", "least")]
        self.look_at: LookAtList = LookAtList(sorts)
        self.ask = small_button(ui("next_ask"), ui("next_ask_tip"))
        self.ask.clicked.connect(lambda: places.ask(self.look_at.sort))
        self.look_at.place_requested.connect(places.visit)
        self.look_at.sort_requested.connect(lambda m: places.ask(m) if places.places else None)
        self.look_at.hide()
        places.places_changed.connect(self._on_places)
        places.visited.connect(self.look_at.set_at)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addWidget(self.ask)
        layout.addWidget(self.look_at)

    def _on_places(self) -> None:
        n = len(self._places.places)
        self.look_at.set_places(n)
        self.look_at.setVisible(n > 0)
