"""The list of places worth looking at: where am I, why here, and on to the next."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import QHBoxLayout, QSizePolicy, QToolButton, QVBoxLayout, QWidget

from napari_her2._qt.components.elided_combo import ElidedCombo
from napari_her2._qt.components.labels import ElidedLine, line, named
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui

__all__ = ["LookAtList"]


class LookAtList(QWidget):
    """A ranked list that is walked with two buttons (or ``,`` and ``.``).

    Parameters
    ----------
    sorts : sequence of (key, text)
        The rankings offered.

    Signals
    -------
    place_requested(int)
        Fly to this place.
    sort_requested(str)
        Rank another way.
    """

    place_requested = Signal(int)
    sort_requested = Signal(str)

    def __init__(self, sorts: list[tuple[str, str]], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._n = 0
        self._at: int | None = None
        self._back = self._arrow("‹", ui("previous_tip"))
        self._on = self._arrow("›", ui("next_tip"))
        self._back.clicked.connect(lambda: self.step(-1))
        self._on.clicked.connect(lambda: self.step(1))
        self._position = line(ui("no_places"))
        self._position.setMinimumWidth(
            self._position.fontMetrics().horizontalAdvance(ui("place_of", i=12, n=12)) + 4
        )
        self._sort = ElidedCombo(mode=Qt.TextElideMode.ElideRight)
        self._sort.setMinimumHeight(TARGET_PX)
        self._sort.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for key, text in sorts:
            self._sort.addItem(text, key)
        named(self._sort, ui("look_at"))
        self._sort.currentIndexChanged.connect(
            lambda _: self.sort_requested.emit(str(self._sort.currentData()))
        )
        self._why = ElidedLine(muted=True)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(line(ui("look_at"), bold=True))
        head.addWidget(self._back)
        head.addWidget(self._position)
        head.addWidget(self._on)
        head.addWidget(self._sort, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addWidget(self._why)
        self.set_places(0)

    @staticmethod
    def _arrow(text: str, tip: str) -> QToolButton:
        button = QToolButton()
        button.setText(text)
        button.setFixedSize(TARGET_PX, TARGET_PX)
        return named(button, tip.split(" (")[0], tip)

    @property
    def sort(self) -> str:
        """Key of the ranking chosen."""
        return str(self._sort.currentData())

    @property
    def at(self) -> int | None:
        """Number of the place visited last; None before the first."""
        return self._at

    def set_sort(self, key: str) -> None:
        """Choose a ranking without asking for it again."""
        with QSignalBlocker(self._sort):
            self._sort.setCurrentIndex(max(0, self._sort.findData(key)))

    def set_places(self, n: int) -> None:
        """There are so many places now; none is visited yet."""
        self._n, self._at = n, None
        for button in (self._back, self._on):
            button.setEnabled(n > 0)
        self._position.setText(ui("place_of", i="–", n=n) if n else ui("no_places"))
        self._why.setText("")

    def set_at(self, index: int, why: str) -> None:
        """The view is at this place."""
        self._at = index
        self._position.setText(ui("place_of", i=index + 1, n=self._n))
        self._why.setText(why)

    def step(self, by: int) -> None:
        """Ask for the next (1) or previous (-1) place, round and round."""
        if not self._n:
            return
        start = (-1 if by > 0 else 0) if self._at is None else self._at
        self.place_requested.emit((start + by) % self._n)
