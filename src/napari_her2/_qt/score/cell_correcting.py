"""A reader's corrections of the cells that are shown: made, undone, and read again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from napari.utils.notifications import show_info
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_her2._qt.score.corrections import CellCorrections
from napari_her2._qt.session import tell
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari_her2._qt.score.cell_view import CellView

__all__ = ["CellCorrecting"]


class CellCorrecting(QObject):
    """Corrects the cells of a view; without a stored run it says why it can't.

    Signals
    -------
    changed(int)
        A cell, by its row, is of another class now; -1: several may be.
    refused(str)
        Why a correction was not made, or those on the disk not shown.
    """

    changed = Signal(int)
    refused = Signal(str)

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._view: CellView | None = None
        self.edits: CellCorrections | None = None
        self.version = 0

    def bind(self, view: CellView | None) -> None:
        """Correct the cells of another view, or none."""
        self._view, self.edits, self.version = view, None, 0

    def forget(self) -> None:
        """The view got other cells: corrections have to be read again."""
        self.edits = None

    @property
    def rows(self) -> NDArray[np.intp]:
        """Rows that are of another class than the run gave them."""
        return np.empty(0, np.intp) if self.edits is None else self.edits.rows

    @property
    def n(self) -> int:
        """How many they are."""
        return 0 if self.edits is None else len(self.edits)

    def load(self, folder: Path, slide_id: str) -> None:
        """Take up the corrections kept in the folder of a run, if they are of these cells."""
        view = self._view
        if view is None or "class" not in view.table or not len(view.table):
            return
        try:
            edits = CellCorrections(view.table, view.index, folder, slide_id)
        except Her2Error as error:
            self._fail(error)
            return
        self.edits = edits
        if edits.can_undo or edits.can_redo:
            view.set_table(view.table.with_columns({"class": edits.classes}))
            self.version += 1
            self.changed.emit(-1)

    def by_key(self, number: int, row: int | None) -> None:
        """Give a cell the class of a digit."""
        classes = () if self._view is None else self._view.table.classes
        if number < len(classes):
            self.correct(classes[number], row)
        else:
            self._refuse(ui("correct_class"))

    def correct(self, name: str, row: int | None) -> None:
        """Say that a cell is of another class; on return it is on the disk."""
        edits = self.edits
        if row is None:
            self._refuse(ui("correct_which"))
        elif edits is None:
            self._refuse(ui("correct_later"))
        else:
            self._try(lambda: row if edits.set(row, name) else None)

    def undo(self) -> None:
        """Take the last correction back."""
        if self.edits is not None:
            self._try(self.edits.undo)

    def redo(self) -> None:
        """Make the correction taken back last again."""
        if self.edits is not None:
            self._try(self.edits.redo)

    def _try(self, step: Callable[[], int | None]) -> None:
        try:
            row = step()
        except Her2Error as error:
            self._fail(error)
            return
        if row is None or self._view is None or self.edits is None:
            return
        self._view.set_class(row, self.edits.classes)
        self.version += 1
        self.changed.emit(row)

    def _fail(self, error: Her2Error) -> None:
        tell(error)
        self.refused.emit(error.sentence)

    def _refuse(self, sentence: str) -> None:
        show_info(sentence)
        self.refused.emit(sentence)
