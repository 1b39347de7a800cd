"""What a file of annotations holds, before it is taken: classes, what is left out and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.annotate.crowd import CROWD_TYPES
from napari_her2._qt.components.labels import heading, named, paragraph
from napari_her2._qt.telling import tell
from napari_her2._qt.texts import ui
from napari_her2.annotations.edits import add

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController

__all__ = ["ImportDialog", "import_labels", "read_labels", "take_labels"]

_PATTERNS: Final = "*.geojson *.json *.xml *.csv *.parquet *.gz *.zip *.tif *.tiff *.png"
_WIDTH: Final = 420
_MOST_ROWS: Final = 12


class ImportDialog(QDialog):
    """A preview: counts of each class, what is left out with its reasons, notes.

    Parameters
    ----------
    found : Imported
        What a file held.
    slide : str
        Where it would go.
    """

    def __init__(self, found: Any, slide: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("import_title", slide=slide))
        self.setFixedWidth(_WIDTH)
        n = len(found.annotations)
        layout = QVBoxLayout(self)
        if n:
            words = ui("import_found", n=numbers.count(n), format=found.format)
        else:
            words = ui("import_none")
        layout.addWidget(heading(words))
        self.classes = _table(found.classes)
        if n:
            layout.addWidget(self.classes)
        self.lines = [
            ui("import_skipped", n=numbers.count(s.n), reason=s.reason) for s in found.skipped
        ]
        if found.repaired and not found.notes:
            self.lines.append(ui("import_repaired", n=numbers.count(found.repaired)))
        self.lines += [str(note) for note in found.notes]
        crowd = sum(a.object_type in CROWD_TYPES for a in found.annotations)
        if crowd:
            self.lines.append(ui("import_crowd", n=numbers.count(crowd)))
        for text in self.lines:
            layout.addWidget(paragraph(text))
        box = QDialogButtonBox()
        self.go = box.addButton(
            ui("import_go", n=numbers.count(n)), QDialogButtonBox.ButtonRole.AcceptRole
        )
        self.go.setEnabled(n > 0)
        box.addButton(ui("cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        layout.addWidget(box)


def _table(classes: dict[str, int]) -> QTableWidget:
    table = named(QTableWidget(len(classes), 2), ui("import_class"))
    table.setHorizontalHeaderLabels([ui("import_class"), ui("col_n")])
    table.verticalHeader().setVisible(False)
    table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
    table.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
    table.setShowGrid(False)
    table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for row, (name, n) in enumerate(classes.items()):
        table.setItem(row, 0, QTableWidgetItem(name))
        number = QTableWidgetItem(numbers.count(n))
        number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        table.setItem(row, 1, number)
    rows = min(len(classes), _MOST_ROWS)
    height = table.horizontalHeader().sizeHint().height()
    table.setFixedHeight(height + rows * table.verticalHeader().defaultSectionSize() + 4)
    return table


def import_labels(controller: AnnotateController, parent: QWidget) -> None:
    """Let the user choose a file, show what it holds, and take it if it is wanted."""
    labels = controller.labels
    if labels is None:
        return
    name, _ = QFileDialog.getOpenFileName(
        parent, ui("import"), str(labels.entry.path.parent),
        f"{ui('import_files')} ({_PATTERNS});;* (*)",
    )  # fmt: skip
    if name:
        read_labels(controller, Path(name), parent)


def read_labels(controller: AnnotateController, path: Path, parent: QWidget | None) -> None:
    """Read a file beside the window, then show what it holds."""
    labels = controller.labels
    if labels is None:
        return
    entry, schema = labels.entry, controller.schema

    def done(found: Any) -> None:
        if controller.labels is not labels:
            return
        dialog = ImportDialog(found, entry.slide_id, parent)
        if dialog.exec() == QDialog.DialogCode.Accepted:
            take_labels(controller, found)

    controller.submit(lambda: controller.services.read(path, entry, schema), done, tell)


def take_labels(controller: AnnotateController, found: Any) -> int:
    """Put what a file held among the labels, in one edit; how many there are more."""
    labels = controller.labels
    if labels is None:
        return 0
    fresh = [a for a in found.annotations if a.id not in labels.store]
    return len(fresh) if controller.apply(add(fresh, "Import")) else 0
