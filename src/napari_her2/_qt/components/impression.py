"""My impression first: what the reader thinks, before the numbers are shown."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QGridLayout, QWidget

from napari_her2._qt.components.labels import line, named, small_button
from napari_her2._qt.texts import ui

__all__ = ["VERDICTS", "ImpressionPanel"]

VERDICTS = ("pos", "neg", "unsure")


class ImpressionPanel(QWidget):
    """One row a biomarker, three buttons each; a row goes once it is answered.

    Signals
    -------
    given(str, str)
        Model id and verdict.
    """

    given = Signal(str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setColumnStretch(0, 1)
        self._asked: list[tuple[str, str]] = []

    def ask(self, models: Sequence[tuple[str, str]]) -> None:
        """Ask about these (model id, name)."""
        if list(models) == self._asked:
            return
        self._asked = list(models)
        while self._grid.count():
            widget = self._grid.takeAt(0).widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row, (model_id, name) in enumerate(self._asked):
            question = ui("impression_ask", name=name)
            self._grid.addWidget(line(question), row, 0)
            for column, verdict in enumerate(VERDICTS, start=1):
                button = small_button(ui(f"impression_{verdict}"))
                named(button, f"{question} {button.text()}")
                button.clicked.connect(lambda _=False, m=model_id, v=verdict: self.given.emit(m, v))
                self._grid.addWidget(button, row, column)
        self.setVisible(bool(self._asked))
