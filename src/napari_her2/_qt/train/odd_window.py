"""A small window with the labels that look out of place: look at each on its slide, mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QDialog, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import fit_height, small_button
from napari_her2._qt.texts import ui
from napari_her2._qt.train.example_list import ExampleList
from napari_her2._qt.train.examples_panel import ExamplesPanel
from napari_her2._qt.train.guide import Guide, class_keys

if TYPE_CHECKING:
    from napari_her2._qt.session import Session

__all__ = ["OddWindow"]


class OddWindow(QDialog):
    """Stays beside the viewer; closing it loses nothing.

    Parameters
    ----------
    shown : ExampleList
        The labels.
    labels : LabelSet
        Where they are from.
    session : Session
        The window that is flown in.
    """

    def __init__(
        self, shown: ExampleList, labels: Any, session: Session, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("train_odd"))
        self.panel = ExamplesPanel()
        self.guide = Guide(session)
        self.guide.told.connect(self.panel.say)
        self.panel.example_requested.connect(lambda i: self.guide.go(shown.examples[i], labels))
        self.panel.class_requested.connect(self.guide.relabel)
        schema = str((labels.info.get("schema_used") or {}).get("id", ""))
        self.panel.set_keys(class_keys(tuple(labels.classes), schema))
        self.panel.set_examples(shown)
        close = small_button(ui("close"))
        close.clicked.connect(self.close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.panel)
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        fit_height(self, 420)
