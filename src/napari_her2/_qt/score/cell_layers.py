"""The cells of one result on the picture: points near in, density far out, the one picked."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2._qt.score.cell_choice import CellChoice
from napari_her2._qt.score.cell_correcting import CellCorrecting
from napari_her2._qt.score.cell_facts import CellFacts
from napari_her2._qt.score.cell_view import CellView
from napari_her2._qt.score.picking import CellPicker
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import CELL_CLASSES, TUMOUR_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.layers.cell_density import DensePlace
from napari_her2.layers.cells import DENSITY, available_colourings

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["CellFacts", "CellLayers"]

_REFILL_S = 0.5
"""While a run goes on, cells are laid out anew at most this often, and a tenth of the time."""
_LOOK_MS = 80
"""While the camera moves the cells follow at this pace; the layer itself moves with every frame."""


class CellLayers(QObject):
    """Shows one result's cells at a time, and keeps what a reader does to them.

    Parameters
    ----------
    session : Session
        Whose viewer they are shown in.

    Signals
    -------
    picked(CellFacts or None)
        A cell was picked; told twice, the second time with its picture.
    corrected(int)
        So many cells are of another class than the run gave them.
    changed()
        What is shown changed: visible classes, colouring, the eye.
    zoom_hint(str)
        Why there are no single cells to be seen; empty when there are.
    cursor_changed(str)
        The cell under the cursor.
    refused(str)
        Why a correction was not made, or those on the disk not shown.
    """

    picked = Signal(object)
    corrected = Signal(int)
    changed = Signal()
    zoom_hint = Signal(str)
    cursor_changed = Signal(str)
    refused = Signal(str)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._entry: OpenSlide | None = None
        self._run: tuple[Any, ...] | None = None
        self._view: CellView | None = None
        self._meta: dict[str, str | None] = {}
        self._pending: CellTable | None = None
        self._given = _no_cells()
        self._wanted: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._colouring = "class"
        self._shown = True
        self._partial = False
        self._choice = CellChoice(session)
        self._choice.picked.connect(self.picked)
        self._correcting = CellCorrecting(self)
        self._correcting.changed.connect(self._on_corrected)
        self._correcting.refused.connect(self.refused)
        self._refill = self._timer(self._take_pending)
        self._look = self._timer(self._on_view_moved)
        viewer = session.viewer
        if viewer is not None:
            self._picker = CellPicker(viewer, self, self)
            viewer.scene.camera.events.zoom.connect(self._on_camera_moved)
            viewer.scene.camera.events.center.connect(self._on_camera_moved)
            viewer.canvas.events.size.connect(self._on_camera_moved)
            session.facts_changed.connect(self._on_facts_changed)

    def _timer(self, call: Callable[[], None]) -> QTimer:
        timer = QTimer(self)
        timer.setSingleShot(True)
        timer.timeout.connect(call)
        return timer

    # the result ---------------------------------------------------------------------------

    @property
    def table(self) -> CellTable | None:
        """The cells on the picture, with their classes as corrected."""
        return None if self._view is None else self._view.table

    def show(
        self,
        entry: OpenSlide,
        table: CellTable,
        run_dir: Path | None = None,
        *,
        run_id: str | None = None,
        model_id: str | None = None,
        model_status: str | None = None,
        partial: bool = False,
    ) -> None:
        """Show cells of a slide in the place of what was shown.

        Parameters
        ----------
        entry : OpenSlide
            Their slide.
        table : CellTable
            All cells there are so far.
        run_dir : Path, optional
            Folder of the run: corrections are kept there.
        run_id, model_id, model_status : str, optional
            For the layers' metadata.
        partial : bool
            More will come: cells are laid out at leisure, and can't be corrected yet.
        """
        viewer = self._session.viewer
        if viewer is None or entry.layer not in viewer.layers:
            return
        run = (entry, run_dir, run_id, entry.world_mpp)
        if run != self._run:
            self.clear()
            self._run, self._entry = run, entry
            self._meta = {"run_id": run_id, "model_id": model_id, "model_status": model_status}
            self._view = CellView(viewer, entry, self, dict(self._meta))
            self._view.shown_by_hand.connect(self._on_shown_by_hand)
            self._view.hint_changed.connect(self.zoom_hint)
            self._view.prepare()
            self._choice.bind(self._view, entry)
            self._correcting.bind(self._view)
        self._partial = partial
        self._pending = self._given = table
        if partial and self._refill.isActive():
            return
        self._take_pending()
        if not partial and run_dir is not None:
            self._correcting.load(run_dir, entry.slide_id)
            self._choice.edits = self._correcting.edits
        self.changed.emit()

    def clear(self) -> None:
        """Take the result off the picture. Corrections stay on the disk."""
        self._pending = None
        self._refill.stop()
        if self._view is not None:
            self._view.remove()
            self._view.deleteLater()
        self._view = self._run = self._entry = None
        self._given = _no_cells()
        self._choice.bind(None, None)
        self._correcting.bind(None)

    def _take_pending(self) -> None:
        table, self._pending = self._pending, None
        if table is None or self._view is None:
            return
        start = time.monotonic()
        before = self._choice.place
        # Corrections are of the rows of a table: with another one they are read again.
        self._choice.edits = None
        self._correcting.forget()
        self._view.set_table(table)
        self._choice.follow_table(before)
        self._apply()
        if self._partial:
            spent = time.monotonic() - start
            self._refill.start(int(1000 * max(_REFILL_S, 9 * spent)))

    # what is seen -------------------------------------------------------------------------

    @property
    def shown(self) -> bool:
        """Whether cells are to be seen."""
        return self._shown and self._view is not None

    def set_shown(self, shown: bool) -> None:
        """Show or hide the cells (H)."""
        self._shown = shown
        self._apply()
        self.changed.emit()

    @property
    def visible_classes(self) -> tuple[str, ...]:
        """Classes that are shown, in the table's order; of a new result all tumour cells."""
        names = () if self._view is None else self._view.table.classes
        if names in self._wanted:
            return self._wanted[names]
        if names == CELL_CLASSES or not names:
            return TUMOUR_CLASSES
        return tuple(n for n in names if n != "artefact")

    def set_visible_classes(self, names: Collection[str]) -> None:
        """Show the cells of these classes and no others."""
        there = () if self._view is None else self._view.table.classes
        self._wanted[there] = tuple(n for n in (there or names) if n in names)
        self._choice.forget_view()
        self._apply()
        self.changed.emit()

    @property
    def colouring(self) -> str:
        """What the colour tells: one of :data:`COLOURINGS`, or ``density <class>``."""
        return self._colouring if self._colouring in self.map_names() else "class"

    def map_names(self) -> tuple[str, ...]:
        """What this result can be coloured by."""
        if self._view is None:
            return ("class",)
        table = self._view.table
        graded = [n for n in table.classes if n in TUMOUR_CLASSES] or list(table.classes)
        return (*available_colourings(table), *(f"{DENSITY}{name}" for name in graded))

    def set_colouring(self, name: str) -> None:
        """Colour cells by something else, or show how dense a class lies."""
        self._colouring = name
        self._apply()
        self.changed.emit()

    @property
    def _density_of(self) -> str | None:
        name = self.colouring
        return name.removeprefix(DENSITY) if name.startswith(DENSITY) else None

    def _apply(self) -> None:
        if self._view is None:
            return
        self._view.show(
            visible=self._shown,
            classes=self.visible_classes,
            colouring=self.colouring,
            corrected=self._correcting.rows,
        )

    def _on_camera_moved(self) -> None:
        if self._view is not None and not self._look.isActive():
            self._look.start(_LOOK_MS)

    def _on_view_moved(self) -> None:
        if self._view is not None:
            self._choice.forget_view()
            self._view.follow()

    def _on_facts_changed(self) -> None:
        """The slide may have got another pixel size: its cells move with it."""
        entry, run = self._entry, self._run
        if entry is not None and run is not None and run[-1] != entry.world_mpp:
            self.show(entry, self._given, run[1], partial=self._partial, **self._meta)

    def _on_shown_by_hand(self, shown: bool) -> None:
        self._shown = shown
        self.changed.emit()

    # places -------------------------------------------------------------------------------

    @property
    def places(self) -> tuple[DensePlace, ...]:
        """Where cells lie dense, the densest first: of the class whose density is shown, else of
        the highest grade that is shown and there.
        """
        if self._view is None or not len(self._view.table):
            return ()
        dense = self._density_of
        for name in [dense] if dense else reversed(self.visible_classes):
            found = self._view.density.places(name)
            if found:
                return found
        return ()

    def goto_place(self, number: int) -> None:
        """Fly to one of :attr:`places` and box it."""
        places = self.places
        if self._view is None or not 0 <= number < len(places):
            return
        r = places[number].region
        self._view.marks.box(r)
        w, h = r.width / 2, r.height / 2
        self._choice.fly_over(Region(r.x - w, r.y - h, 4 * w, 4 * h))

    # the cell looked at -------------------------------------------------------------------

    def pick(self, index: int | None) -> None:
        """Look at a cell; None looks at none."""
        self._choice.pick(index)

    def pick_at(self, place_yx: tuple[float, ...]) -> bool:
        """Pick the cell at a world place; False if there is none."""
        row = self._choice.find(place_yx)
        if row is not None:
            self._choice.pick(row)
        return row is not None

    def goto(self, index: int) -> None:
        """Fly to a cell and pick it."""
        self._choice.goto(index)

    def next_doubtful(self, step: int = 1) -> None:
        """Pick the next (1) or previous (-1) cell in view by doubt."""
        if self._choice.next_doubtful(step) is None and self._view is not None:
            show_info(ui("no_doubtful" if self._view.near else "zoom_to_cells"))

    def describe_at(self, place_yx: tuple[float, ...]) -> str | None:
        """One line about the cell at a world place; None if there is none."""
        return self._choice.describe(place_yx)

    def tell(self, text: str) -> None:
        """Show a line about the cell under the cursor."""
        viewer = self._session.viewer
        if viewer is not None:
            viewer.help = text
        self.cursor_changed.emit(text)

    # corrections --------------------------------------------------------------------------

    @property
    def n_corrected(self) -> int:
        """Cells that are of another class than the run gave them."""
        return self._correcting.n

    @property
    def corrections_version(self) -> int:
        """Counts up with every correction; 0 = there was none."""
        return self._correcting.version

    @property
    def can_undo(self) -> bool:
        """Whether there is a correction to take back."""
        return self._correcting.edits is not None and self._correcting.edits.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether a correction was taken back last."""
        return self._correcting.edits is not None and self._correcting.edits.can_redo

    @property
    def corrections_file(self) -> Path | None:
        """Where the corrections are kept, as labels for training; None without any."""
        edits = self._correcting.edits
        return edits.path if edits is not None and len(edits) else None

    def corrected_table(self) -> CellTable:
        """All cells, with their classes as corrected."""
        table = self.table
        return _no_cells() if table is None else table

    def correct(self, class_name: str, index: int | None = None) -> None:
        """Say that a cell is of another class; on return it is on the disk.

        Parameters
        ----------
        class_name : str
            One of the table's classes.
        index : int, optional
            Which cell; the picked one if left out.
        """
        self._correcting.correct(class_name, self._choice.index if index is None else index)

    def correct_by_key(self, number: int) -> None:
        """Give the picked cell the class of a digit."""
        self._correcting.by_key(number, self._choice.index)

    def undo(self) -> None:
        """Take the last correction back."""
        self._correcting.undo()

    def redo(self) -> None:
        """Make the correction taken back last again."""
        self._correcting.redo()

    def _on_corrected(self, row: int) -> None:
        self._choice.edits = self._correcting.edits
        self._choice.forget_view()
        self._apply()
        if row in (-1, self._choice.index):
            self._choice.tell_again()
        self.corrected.emit(self.n_corrected)


def _no_cells() -> CellTable:
    nothing = np.empty(0, np.float64)
    return CellTable({"x_px": nothing, "y_px": nothing})
