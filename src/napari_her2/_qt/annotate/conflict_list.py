"""Places that regions of different classes claim: listed, and a click away."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QListWidget, QListWidgetItem, QWidget

from napari_her2._qt import camera, numbers
from napari_her2._qt.annotate.words import title_of
from napari_her2._qt.components.labels import named
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error
from napari_her2.geometry import Region
from napari_her2.settings import LOGGER

if TYPE_CHECKING:
    from napari_her2._qt.session import Session
    from napari_her2.annotations.schema import ClassSchema

__all__ = ["ConflictList"]

_HEIGHT: Final = 92
_FIELD_UM: Final = 120.0
"""Width of what is shown round a place."""


class ConflictList(QListWidget):
    """One row a conflict of a label set; choosing one flies there and selects its regions.

    Parameters
    ----------
    session : Session
        The window.
    """

    def __init__(self, session: Session, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._flight = camera.Flight(self)
        named(self, ui("set_conflict_list"), ui("set_conflict_tip"))
        self.setFixedHeight(_HEIGHT)
        self.hide()
        self.itemClicked.connect(self._visit)
        self.itemActivated.connect(self._visit)

    def show_set(self, folder: Path, schema: ClassSchema) -> int:
        """List the conflicts of a label set; how many are listed."""
        from napari_her2.training.label_set import LabelSet

        self.clear()
        try:
            info = LabelSet.read(folder, verify=False).info
        except Her2Error as error:
            LOGGER.warning("%s", error.sentence)
            return 0
        found: list[dict[str, Any]] = list(info["conflicts"]["listed"])
        for c in found:
            names = " / ".join(dict.fromkeys(title_of(n, schema) for n in c["classes"]))
            x, y = numbers.count(round(c["x_px"])), numbers.count(round(c["y_px"]))
            item = QListWidgetItem(ui("set_conflict", classes=names, slide=c["slide"], x=x, y=y))
            item.setData(Qt.ItemDataRole.UserRole, c)
            self.addItem(item)
        self.setVisible(bool(found))
        return len(found)

    def _visit(self, item: QListWidgetItem) -> None:
        c = item.data(Qt.ItemDataRole.UserRole)
        viewer = self._session.viewer
        entry = next((e for e in self._session.slides if e.slide_id == c["slide"]), None)
        if viewer is None or entry is None:
            return
        if entry is not self._session.active:
            self._session.show_only(entry)
        half = _FIELD_UM / entry.world_mpp[0] / 2
        field = Region(c["x_px"] - half, c["y_px"] - half, 2 * half, 2 * half)
        self._flight.to(viewer, *camera.frame(viewer, entry, field))
        labels = entry.extra.get("labels")
        if labels is not None:
            labels.select(c["regions"])
