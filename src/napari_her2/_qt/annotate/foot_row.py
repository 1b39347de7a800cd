"""The last row of the dock: labels in and out, and on to a label set and to training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QHBoxLayout, QWidget

from napari_her2._qt.annotate.files import export_labels
from napari_her2._qt.annotate.import_dialog import import_labels
from napari_her2._qt.annotate.make_set_dialog import MakeSetDialog
from napari_her2._qt.components.labels import small_button
from napari_her2._qt.docks import open_dock
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController
    from napari_her2._qt.session import Session

__all__ = ["FootRow"]


class FootRow(QWidget):
    """``[Import…][Export…]  [Make label set →]``.

    Attributes
    ----------
    dialog : MakeSetDialog or None
        The one shown last.
    """

    def __init__(self, session: Session, controller: AnnotateController) -> None:
        super().__init__()
        self._session = session
        self._controller = controller
        self.dialog: MakeSetDialog | None = None
        self.import_button = small_button(ui("import"), ui("import_tip"))
        self.export_button = small_button(ui("export_labels"), ui("export_labels_tip"))
        self.make_set = small_button(ui("make_set"), ui("make_set_tip"))
        follow_theme(self.make_set, _main_style)
        self.import_button.clicked.connect(lambda: import_labels(controller, self))
        self.export_button.clicked.connect(lambda: export_labels(controller, self))
        self.make_set.clicked.connect(self.ask)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 0, 8, 6)
        row.setSpacing(4)
        row.addWidget(self.import_button)
        row.addWidget(self.export_button)
        row.addStretch()
        row.addWidget(self.make_set)

    def ask(self) -> None:
        """Ask for the rules of a label set; drawing goes on while it is made."""
        if self._controller.labels is None:
            return
        self._controller.easel.leave()
        self.dialog = MakeSetDialog(self._controller, self)
        self.dialog.made.connect(self._train_on)
        self.dialog.show()

    def _train_on(self, folder: Path) -> None:
        dock = open_dock(self._session, "her2-train")
        take = getattr(dock, "take_label_set", None)
        if take is not None:
            take(folder)


def _main_style() -> str:
    c = theme_colours()
    return (
        f"QPushButton {{ background: {c.main.name()}; color: #FFFFFF; padding: 3px 8px; }}"
        f"QPushButton:disabled {{ background: {c.foreground.name()}; color: {c.muted.name()}; }}"
    )
