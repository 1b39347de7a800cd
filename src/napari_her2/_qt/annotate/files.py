"""Labels to and from files: saving elsewhere, export, and the dialogs that ask which."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari.utils.notifications import show_info
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QRadioButton,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import fit_height, line, named
from napari_her2._qt.telling import tell
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2._qt.annotate.controller import AnnotateController
    from napari_her2._qt.annotate.slide_labels import SlideLabels
    from napari_her2.annotations.annotation import Annotation

__all__ = ["FORMATS", "ExportDialog", "export_labels", "save_elsewhere", "write_labels"]

FORMATS: Final[tuple[tuple[str, str], ...]] = (
    ("geojson", ".geojson"),
    ("csv", ".csv"),
    ("parquet", ".parquet"),
    ("coco", ".json"),
    ("mask", ".ome.tif"),
    ("tiles", ""),
)
"""What labels can be written as, with the ending of the file; none: a folder."""

_WIDTH: Final = 420


def save_elsewhere(labels: SlideLabels, parent: QWidget) -> bool:
    """Keep the labels of a slide in another folder from now on; False if it was not done."""
    name = QFileDialog.getExistingDirectory(parent, ui("save_elsewhere"))
    if not name:
        return False
    try:
        labels.book.save_elsewhere(Path(name) / f"{labels.book.folder.name}.labels")
    except Her2Error as error:
        tell(error)
        return False
    return True


class ExportDialog(QDialog):
    """Which labels, and in which format.

    Parameters
    ----------
    labels : SlideLabels
        Of one slide.
    """

    def __init__(self, labels: SlideLabels, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("export_title", slide=labels.entry.slide_id))
        self._labels = labels
        self.format = named(QComboBox(), ui("export_to"))
        for name, _ in FORMATS:
            self.format.addItem(ui(f"export_as_{name}"), name)
        n, chosen = len(labels.store), len(labels.selection)
        self.everything = QRadioButton(ui("export_all", n=numbers.count(n)))
        self.selected = QRadioButton(ui("export_selected", n=numbers.count(chosen)))
        self.everything.setChecked(True)
        self.selected.setEnabled(chosen > 0)
        group = QButtonGroup(self)
        group.addButton(self.everything)
        group.addButton(self.selected)
        box = QDialogButtonBox()
        self.go = box.addButton(ui("export_go"), QDialogButtonBox.ButtonRole.AcceptRole)
        box.addButton(ui("cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        row = QHBoxLayout()
        buddy = line(ui("export_to"))
        buddy.setBuddy(self.format)
        row.addWidget(buddy)
        row.addWidget(self.format, 1)
        layout = QVBoxLayout(self)
        layout.addLayout(row)
        for part in (self.everything, self.selected, box):
            layout.addWidget(part)
        fit_height(self, _WIDTH)

    @property
    def chosen_format(self) -> tuple[str, str]:
        """Name of the format and the ending of its files."""
        return FORMATS[self.format.currentIndex()]

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """What shall be written."""
        if self.selected.isChecked():
            return tuple(self._labels.selected)
        return tuple(self._labels.store)


def write_labels(
    controller: AnnotateController, path: Path, annotations: Sequence[Annotation], to: str
) -> None:
    """Write labels beside the window and tell what became of it."""
    labels = controller.labels
    if labels is None:
        return
    entry, schema = labels.entry, controller.schema

    def done(result: Any) -> None:
        lines = [ui("export_done", n=numbers.count(result.objects), file=path.name)]
        lines += [ui("export_left", n=numbers.count(s.n), reason=s.reason) for s in result.skipped]
        show_info("\n".join(lines))

    controller.submit(
        lambda: controller.services.write(path, tuple(annotations), to, entry, schema), done, tell
    )


def export_labels(controller: AnnotateController, parent: QWidget) -> None:
    """Ask which labels shall be written where, and write them."""
    labels = controller.labels
    if labels is None or not len(labels.store):
        show_info(ui("set_empty"))
        return
    dialog = ExportDialog(labels, parent)
    if dialog.exec() != QDialog.DialogCode.Accepted:
        return
    to, ending = dialog.chosen_format
    start = str(labels.entry.path.with_name(f"{labels.entry.slide_id}{ending}"))
    if ending:
        name, _ = QFileDialog.getSaveFileName(
            parent, ui("export_labels"), start, f"{ui(f'export_as_{to}')} (*{ending})"
        )
        if name and not name.endswith(ending):
            name += ending
    else:
        name = QFileDialog.getExistingDirectory(parent, ui("export_labels"))
        name = str(Path(name) / f"{labels.entry.slide_id}-tiles") if name else ""
    if name:
        write_labels(controller, Path(name), dialog.annotations, to)
