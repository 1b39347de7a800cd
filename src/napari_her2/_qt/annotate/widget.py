"""The Annotate dock: schema, tools, classes, regions; a view of its controller."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import shapely
from napari.utils.notifications import show_info
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QWidget

from napari_her2._qt import camera, numbers
from napari_her2._qt.annotate.class_table import ClassTable, rows_of
from napari_her2._qt.annotate.foot_row import FootRow
from napari_her2._qt.annotate.label_next import LabelNextRow
from napari_her2._qt.annotate.region_list import RegionList
from napari_her2._qt.annotate.selected_line import SelectedLine
from napari_her2._qt.annotate.status_parts import AskBar, SavedDot
from napari_her2._qt.annotate.toolbox import Toolbox
from napari_her2._qt.annotate.words import (
    all_classes,
    area_value,
    selected_words,
    size_words,
    title_of,
)
from napari_her2._qt.components.dock_body import DockBody
from napari_her2._qt.components.elided_combo import ElidedCombo
from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import fold_button, line, named, paragraph, small_button
from napari_her2._qt.session import Session, sentence_of, session_of
from napari_her2._qt.texts import ui
from napari_her2._qt.window import adopt_window
from napari_her2.errors import Her2Error
from napari_her2.geometry import Region
from napari_her2.layers.annotations import colour_of

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController
    from napari_her2._qt.annotate.slide_labels import SlideLabels

__all__ = ["AnnotateWidget"]

_REFRESH_MS = 60
"""The dock follows a burst of edits at this pace."""


class AnnotateWidget(DockBody):
    """Draw regions of the classes of a schema.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window it is docked in.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-annotate")
        self.session: Session = session_of(napari_viewer)
        self.controller: AnnotateController = self.session.annotate
        self._flight = camera.Flight(self)
        self._saved_at, self._seen = "", -1
        self._refresh = QTimer(self)
        self._refresh.setSingleShot(True)
        self._refresh.timeout.connect(self._show_labels)
        self._build()
        self._connect()
        self._fill_schemas()
        self._on_labels_changed()
        adopt_window(self.session, self)
        self.controller.open()

    # parts --------------------------------------------------------------------------------

    def _build(self) -> None:
        self.saved = SavedDot()
        self.head.addWidget(self.saved)
        self.errors = ErrorBar()
        self.recovery = AskBar(
            (("keep", "keep", "keep_tip"), ("discard", "discard", "discard_tip"))
        )
        self.locked = AskBar()
        self.crossing = AskBar((("repair", "repair", "repair_tip"),))
        for bar in (self.errors, self.recovery, self.locked, self.crossing):
            self.head.addWidget(bar)
        self.schema: QComboBox = named(ElidedCombo(), ui("schema"), ui("schema_tip"))
        self.edit_schema = small_button(ui("schema_edit"), ui("schema_edit_tip"))
        row = QHBoxLayout()
        buddy = line(ui("schema"))
        buddy.setBuddy(self.schema)
        row.addWidget(buddy)
        row.addWidget(self.schema, 1)
        row.addWidget(self.edit_schema)
        self.head.addLayout(row)
        self.toolbox = Toolbox(self.session, self.controller)
        self.head.addWidget(self.toolbox.bar)
        self.empty = paragraph(ui("annotate_empty"), muted=True)
        self.table = ClassTable()
        self.selected = SelectedLine()
        self.undo = small_button(ui("undo"))
        self.redo = small_button(ui("redo"))
        self.subtract = small_button(ui("subtract"), ui("subtract_tip"))
        self.subtract.setCheckable(True)
        edits = QHBoxLayout()
        edits.setSpacing(4)
        for button in (self.undo, self.redo, self.subtract):
            edits.addWidget(button)
        edits.addStretch()
        self.next = LabelNextRow(self.controller.next)
        self.fold = fold_button("")
        self.regions = RegionList()
        self.regions.hide()
        for part in (
            self.empty,
            self.table,
            self.toolbox.brush,
            self.toolbox.actions,
            self.selected,
        ):
            self.body.addWidget(part)
        self.body.addLayout(edits)
        self.body.addWidget(self.next)
        self.body.addWidget(self.fold)
        self.body.addWidget(self.regions)
        self.body.addStretch()
        self.foot = FootRow(self.session, self.controller)
        self.layout().addWidget(self.foot)

    def _connect(self) -> None:
        c, easel = self.controller, self.controller.easel
        c.labels_changed.connect(self._on_labels_changed)
        c.edited.connect(self._on_edited)
        c.selection_changed.connect(self._show_selected)
        c.saving_changed.connect(self._show_saving)
        c.schema_changed.connect(self._fill_schemas)
        c.failed.connect(self._on_failed)
        easel.class_changed.connect(self._show_classes)
        easel.crossing.connect(self._on_crossing)
        easel.hint.connect(self._tell)
        self.session.facts_changed.connect(self._later)
        self.schema.activated.connect(self._on_schema_chosen)
        self.edit_schema.clicked.connect(self._edit_schema)
        self.table.chosen.connect(easel.choose_class)
        self.table.shown_toggled.connect(c.set_class_shown)
        self.table.lock_toggled.connect(c.lock_class)
        self.selected.note_written.connect(c.write_note)
        self.selected.lock_toggled.connect(c.lock_selected)
        self.selected.visit_requested.connect(self.visit)
        self.undo.clicked.connect(easel.undo)
        self.redo.clicked.connect(easel.redo)
        self.subtract.clicked.connect(easel.toggle_subtracting)
        self.session.predict.presenter_changed.connect(self._later)
        self.fold.toggled.connect(self._on_folded)
        self.regions.selected.connect(easel.select)
        self.regions.visited.connect(self._visit_region)
        self.saved.elsewhere_requested.connect(self._save_elsewhere)
        self.recovery.answered.connect(self._on_recovery)
        self.crossing.answered.connect(lambda _: easel.settle())

    @property
    def _labels(self) -> SlideLabels | None:
        return self.controller.labels

    # what is shown ------------------------------------------------------------------------

    def _on_labels_changed(self) -> None:
        labels = self._labels
        self.errors.clear()
        self.crossing.ask("")
        self._saved_at, self._seen = "", -1
        for part in (
            self.toolbox.bar,
            self.toolbox.actions,
            self.selected,
            self.subtract,
            self.foot,
        ):
            part.setEnabled(labels is not None)
        if labels is None:
            waiting = self.session.active is not None
            self.empty.setText(ui("annotate_opening" if waiting else "no_slide"))
        else:
            self.regions.describe(
                lambda a: title_of(a.class_name, self.controller.schema),
                lambda a: colour_of(a, self.controller.schema),
                lambda a: size_words(a, labels.entry),
            )
            for note in dict.fromkeys(labels.book.notes):
                show_info(str(note))
            if self.isVisible():
                self.came_to_front()
        self._show_asks()
        self._show_labels()
        self._show_saving()

    def _show_asks(self) -> None:
        labels = self._labels
        book = None if labels is None else labels.book
        self.locked.ask("" if book is None or not book.read_only else str(book.read_only))
        recovered = None if book is None else book.recovered
        self.recovery.ask("" if recovered is None else recovered.sentence)

    def _on_edited(self, _edit: Any) -> None:
        self._show_asks()
        self._later()

    def _later(self) -> None:
        if not self._refresh.isActive():
            self._refresh.start(_REFRESH_MS)

    def _show_labels(self) -> None:
        self._show_classes()
        self._show_selected()
        self._show_history()
        self.toolbox.show_map()
        labels = self._labels
        n = 0 if labels is None else len(labels.store)
        self.fold.setText(ui("regions", n=numbers.count(n)))
        if labels is not None:
            self.empty.setText(ui("annotate_empty"))
            self.empty.setVisible(n == 0)
        self._list_regions()

    def _show_classes(self) -> None:
        c, labels = self.controller, self._labels
        self.subtract.setChecked(c.easel.subtracting)
        if labels is None:
            rows = rows_of(c.schema.classes, {}, set(), {}, float)
            self.table.set_rows(rows, current=c.easel.class_name, in_mm2=True)
            return
        locked: dict[str | None, int] = {}
        for a in labels.store:
            if a.locked:
                name = labels.class_of(a.class_name)
                locked[name] = locked.get(name, 0) + 1
        rows = rows_of(
            all_classes(c.schema, labels),
            labels.tallies(),
            labels.hidden,
            locked,
            lambda px: area_value(px, labels.entry),
        )
        in_mm2 = labels.entry.mpp is not None
        self.table.set_rows(rows, current=c.easel.class_name, in_mm2=in_mm2)

    def _show_selected(self) -> None:
        labels = self._labels
        chosen = [] if labels is None else labels.selected
        if labels is None or not chosen:
            self.selected.show_none()
        else:
            self.selected.show_selected(
                selected_words(chosen, labels.entry, self.controller.schema),
                note=chosen[0].note if len(chosen) == 1 else "",
                locked=all(a.locked for a in chosen),
                n=len(chosen),
            )
        if labels is not None and self.regions.isVisible():
            self.regions.show_selected(labels.selection)

    def _show_history(self) -> None:
        labels = self._labels
        store = None if labels is None else labels.store
        undo = "" if store is None else store.undo_label
        redo = "" if store is None else store.redo_label
        self.undo.setEnabled(store is not None and store.can_undo)
        self.redo.setEnabled(store is not None and store.can_redo)
        self.undo.setToolTip(
            ui("undo_edit_tip", what=undo.lower()) if undo else ui("undo_none_tip")
        )
        self.redo.setToolTip(
            ui("redo_edit_tip", what=redo.lower()) if redo else ui("redo_none_tip")
        )

    def _list_regions(self) -> None:
        labels = self._labels
        if self.fold.isChecked():
            rows = [] if labels is None else list(labels.store)[::-1]
            self.regions.show_regions(rows, () if labels is None else labels.selection)

    def _on_folded(self, shown: bool) -> None:
        self.regions.setVisible(shown)
        self._list_regions()

    def _show_saving(self) -> None:
        labels = self._labels
        if labels is not None and labels.state == "saved" and labels.store.revision != self._seen:
            self._saved_at = f"{dt.datetime.now().astimezone():%H:%M}" if self._seen >= 0 else ""
            self._seen = labels.store.revision
        self.saved.show_state("saved" if labels is None else labels.state, self._saved_at)

    # orders -------------------------------------------------------------------------------

    def _on_crossing(self, parts: int) -> None:
        self.crossing.ask(ui("crosses_itself", n=parts) if parts else "")

    def _tell(self, text_id: str) -> None:
        show_info(ui(text_id))

    def _on_failed(self, error: Exception) -> None:
        unexpected = None if isinstance(error, Her2Error) else error
        self.errors.show_error(sentence_of(error), error=unexpected)

    def _on_recovery(self, answer: str) -> None:
        labels = self._labels
        recovered = None if labels is None else labels.book.recovered
        if labels is None or recovered is None:
            return
        try:
            recovered.keep() if answer == "keep" else recovered.discard()
        except Her2Error as error:
            self._on_failed(error)
            return
        if answer == "discard":
            labels.follow(None)
        self._show_asks()
        self._later()

    def _save_elsewhere(self) -> None:
        from napari_her2._qt.annotate.files import save_elsewhere

        if self._labels is not None:
            save_elsewhere(self._labels, self)
            self._show_saving()

    def came_to_front(self) -> None:
        """The dock is the one in front: digits and letters of tools work at once."""
        labels, viewer = self._labels, self.session.viewer
        if labels is None or viewer is None:
            return
        layer = labels.prepare()
        if layer is not None:
            viewer.layers.selection.active = layer

    def run(self) -> None:
        """Make a label set of the labels (the main button, Ctrl+Enter)."""
        self.foot.ask()

    # schema -------------------------------------------------------------------------------

    def _fill_schemas(self) -> None:
        c = self.controller
        self.schema.clear()
        for schema in c.schemas:
            self.schema.addItem(schema.name, schema.id)
        at = self.schema.findData(c.schema.id)
        if at < 0:
            self.schema.addItem(c.schema.name, c.schema.id)
            at = self.schema.count() - 1
        self.schema.setCurrentIndex(at)
        self._later()

    def _on_schema_chosen(self, index: int) -> None:
        wanted = self.schema.itemData(index)
        found = next((s for s in self.controller.schemas if s.id == wanted), None)
        if found is not None:
            self.controller.set_schema(found)

    def _edit_schema(self) -> None:
        from napari_her2._qt.annotate.schema_dialog import edit_schema

        edit_schema(self.controller, self)

    # going there --------------------------------------------------------------------------

    def visit(self) -> None:
        """Fly to what is selected."""
        labels = self._labels
        if labels is not None and labels.selection:
            self._visit_region(labels.selection[0])

    def _visit_region(self, region_id: str) -> None:
        labels, viewer = self._labels, self.session.viewer
        a = None if labels is None else labels.store.find(region_id)
        if labels is None or viewer is None or a is None:
            return
        x0, y0, x1, y1 = shapely.bounds(a.geometry)
        # With room round it; a point is shown at about 20x.
        pad = max(x1 - x0, y1 - y0, 100 / labels.entry.world_mpp[0]) * 0.35
        region = Region(x0 - pad, y0 - pad, x1 - x0 + 2 * pad, y1 - y0 + 2 * pad)
        centre, zoom = camera.frame(viewer, labels.entry, region)
        self._flight.to(viewer, centre, zoom)
        labels.select([region_id])
