"""From regions to a label set: rules, split, progress, what came of it, and on to training."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QCloseEvent
from qtpy.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QSpinBox,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.annotate.conflict_list import ConflictList
from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import named, paragraph, small_button
from napari_her2._qt.task_runner import TaskEnd, TaskRunner
from napari_her2._qt.telling import sentence_of
from napari_her2._qt.texts import ui
from napari_her2._qt.train.services import label_sets_folder
from napari_her2.errors import Her2Error
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.tiles.spec import TileSpec
from napari_her2.types import BIOMARKERS

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController

__all__ = ["MakeSetDialog"]

_WIDTH: Final = 460
_SPLITS: Final = ("slide", "patient", "tile")
_SIDES: Final = ("n", "train", "tune", "test")
_TILES: Final = (512, 256, 128, 64)


class MakeSetDialog(QDialog):
    """Asks for the rules of a label set, makes it beside the window, and tells what is in it.

    Parameters
    ----------
    controller : AnnotateController
        Whose labels; those of all slides in the window can take part.

    Signals
    -------
    made(Path)
        A label set was made and shall be trained on.
    """

    made = Signal(object)

    def __init__(self, controller: AnnotateController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("set_title"))
        self.setFixedWidth(_WIDTH)
        self._controller = controller
        self._runner = TaskRunner(self)
        self._runner.received.connect(self._on_events)
        self._runner.finished.connect(self._on_finished)
        self._outcome: Outcome | None = None
        self.folder: Path | None = None
        self._build()
        self._fill()

    def _build(self) -> None:
        schema = self._controller.schema
        self.name = named(QLineEdit(), ui("set_name"))
        self.sources = named(QListWidget(), ui("set_sources"))
        self.sources.setFixedHeight(76)
        self.kind = named(QComboBox(), ui("set_kind"))
        for name in ("cells", "tiles"):
            self.kind.addItem(ui(f"set_kind_{name}"), name)
        self.kind.setCurrentIndex(1 if schema.kind == "tiles" else 0)
        self.biomarker = named(QComboBox(), ui("set_biomarker"))
        self.tile_px = named(QComboBox(), ui("set_tile"))
        for side in _TILES:
            self.tile_px.addItem(ui("set_tile_px", n=side), side)
        self.tile_mpp = named(QDoubleSpinBox(), ui("set_tile_mpp"))
        self.tile_mpp.setRange(0.1, 8.0)
        self.tile_mpp.setSingleStep(0.25)
        self.tile_mpp.setValue(2.0)
        self.tile_mpp.setSuffix(" µm/px")
        self.tile = QWidget()
        tile = QHBoxLayout(self.tile)
        tile.setContentsMargins(0, 0, 0, 0)
        tile.addWidget(self.tile_px)
        tile.addWidget(self.tile_mpp)
        self.inside = named(QSpinBox(), ui("set_inside"))
        self.inside.setRange(10, 100)
        self.inside.setSingleStep(5)
        self.inside.setValue(50)
        self.inside.setSuffix(" %")
        self.cap = named(QSpinBox(), ui("set_balance"))
        self.cap.setRange(0, 1_000_000)
        self.cap.setSingleStep(500)
        self.cap.setSpecialValueText(ui("set_no_limit"))
        self.split = named(QComboBox(), ui("set_split"))
        for name in _SPLITS:
            self.split.addItem(ui(f"set_split_{name}"), name)
        self.test = named(QDoubleSpinBox(), ui("set_test"))
        self.test.setRange(0.05, 0.5)
        self.test.setSingleStep(0.05)
        self.test.setValue(0.25)
        self.seed = named(QSpinBox(), ui("set_seed"))
        self.seed.setRange(0, 99_999)
        self.seed.setValue(1)
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        for text, part in (
            ("set_name", self.name), ("set_sources", self.sources), ("set_kind", self.kind),
            ("set_biomarker", self.biomarker), ("set_tile", self.tile),
            ("set_inside", self.inside), ("set_balance", self.cap), ("set_split", self.split),
            ("set_test", self.test), ("set_seed", self.seed),
        ):  # fmt: skip
            form.addRow(ui(text), part)
        self._rows = form
        self.form = QWidget()
        self.form.setLayout(form)
        self.status = paragraph("", muted=True)
        self.errors = ErrorBar()
        self.result = QTableWidget(0, 5)
        self.result.hide()
        self.conflicts = ConflictList(self._controller.session)
        self.notes = paragraph("")
        self.notes.hide()
        self.go = small_button(ui("set_go"))
        self.go.setDefault(True)
        self.go.clicked.connect(self.start)
        self.train = small_button(ui("set_train"))
        self.train.clicked.connect(self._train)
        self.train.hide()
        self.stop = small_button(ui("cancel"))
        self.stop.clicked.connect(self._on_stop)
        buttons = QHBoxLayout()
        buttons.addStretch()
        for button in (self.go, self.train, self.stop):
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        for part in (
            self.form,
            self.errors,
            self.status,
            self.result,
            self.conflicts,
            self.notes,
        ):
            layout.addWidget(part)
        layout.addLayout(buttons)
        self.kind.currentIndexChanged.connect(self._on_kind)
        self._on_kind()

    def _fill(self) -> None:
        c = self._controller
        for labels in c.sources.labels():
            n = len(labels.store)
            cells = len(c.sources.corrected(labels.entry))
            if not n and not cells:
                continue
            text = "set_source_cells" if cells else "set_source"
            item = QListWidgetItem(
                ui(text, slide=labels.entry.slide_id, n=numbers.count(n),
                   cells=numbers.count(cells))
            )  # fmt: skip
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            item.setCheckState(Qt.CheckState.Checked)
            item.setData(Qt.ItemDataRole.UserRole, labels.entry.slide_id)
            self.sources.addItem(item)
        self._offer_biomarkers()
        self.name.setText(_slug(c.schema.id))
        several = self.sources.count() > 1
        self.split.setCurrentIndex(_SPLITS.index("slide" if several else "tile"))
        if not self.sources.count():
            self.errors.show_error(ui("set_empty"))
            self.go.setEnabled(False)

    def _offer_biomarkers(self) -> None:
        """One model for each biomarker: those whose positive and negative regions are drawn."""
        from napari_her2.training.label_rules import biomarker_classes

        drawn: set[str | None] = set()
        for labels in self._controller.sources.labels():
            drawn |= set(labels.tallies())
        schema = set(self._controller.schema.names)
        for name in BIOMARKERS:
            classes = biomarker_classes(name)
            if schema.issuperset(classes) and drawn & set(classes[:2]):
                self.biomarker.addItem(name, name)
        if self.biomarker.count():
            self.biomarker.addItem(ui("set_all_classes"), None)
        self._on_kind()

    @property
    def _biomarker(self) -> Any:
        return self.biomarker.currentData() if self.kind.currentData() == "tiles" else None

    def _on_kind(self) -> None:
        cells = self.kind.currentData() == "cells"
        # A cell goes by its centre: only tiles can lie half inside a region.
        for part in (self.inside, self.tile):
            self._rows.setRowVisible(part, not cells)
        self._rows.setRowVisible(self.biomarker, not cells and self.biomarker.count() > 0)
        self.status.setText(ui("set_found_cells") if cells else "")

    # making -------------------------------------------------------------------------------

    @property
    def running(self) -> bool:
        """Whether a set is being made."""
        return self._runner.running

    def request(self) -> Any:
        """What the form asks for.

        Raises
        ------
        Her2Error
            If it makes no sense.
        """
        from napari_her2.pipelines.label_set import (
            LabelRules,
            LabelSetRequest,
            LabelSource,
            SplitRule,
        )

        c = self._controller
        wanted = set()
        for i in range(self.sources.count()):
            item = self.sources.item(i)
            if item.checkState() == Qt.CheckState.Checked:
                wanted.add(item.data(Qt.ItemDataRole.UserRole))
        sources = tuple(
            LabelSource(
                labels.entry.path,
                tuple(labels.store),
                c.sources.runs(labels.entry),
                labels.entry.given_mpp,
            )
            for labels in c.sources.labels()
            if labels.entry.slide_id in wanted
        )
        return LabelSetRequest(
            sources=sources,
            schema=c.schema,
            out=label_sets_folder() / _slug(self.name.text()),
            kind=self.kind.currentData(),
            rules=LabelRules(
                inside=self.inside.value() / 100,
                max_per_class=self.cap.value() or None,
                switched_off=self._empty_classes(wanted),
            ),
            split=SplitRule(by=self.split.currentData(), test=self.test.value()),
            seed=self.seed.value(),
            tile=self._tile(),
            biomarker=self._biomarker,
        )

    def _tile(self) -> TileSpec | None:
        if self.kind.currentData() != "tiles":
            return None
        side, mpp = int(self.tile_px.currentData()), self.tile_mpp.value()
        return TileSpec(side, mpp, side * mpp)

    def _empty_classes(self, wanted: set[str]) -> tuple[str, ...]:
        """Classes of the schema that nobody drew: they are left out, and the result says so."""
        from napari_her2.training.label_rules import biomarker_classes

        c = self._controller
        marker = self._biomarker
        names = c.schema.names if marker is None else biomarker_classes(marker)
        drawn: set[str] = set()
        for labels in c.sources.labels():
            if labels.entry.slide_id in wanted:
                for name in labels.store.tallies():
                    known = c.schema.find(name)
                    drawn |= {known.name} if known is not None else set()
                drawn |= c.sources.corrected_classes(labels.entry)
        return tuple(n for n in names if n not in drawn) if drawn else ()

    def start(self) -> None:
        """Make the set."""
        if self.running:
            return
        self.errors.clear()
        self.result.hide()
        self.notes.hide()
        self.conflicts.hide()
        self.train.hide()
        try:
            request = self.request()
        except Her2Error as error:
            self.errors.show_error(error.sentence)
            return
        self._outcome = None
        self.form.setEnabled(False)
        self.go.setEnabled(False)
        self.status.setText(ui("set_making", stage=""))
        services = self._controller.services
        self._runner.start(lambda cancel: services.make_label_set(request, cancel))

    def _on_events(self, events: list[Any]) -> None:
        for event in events:
            if isinstance(event, Progress):
                part = f"{event.done} / {event.total}" if event.total else event.message
                self.status.setText(ui("set_making", stage=part or ""))
            elif isinstance(event, Outcome):
                self._outcome = event

    def _on_finished(self, end: TaskEnd) -> None:
        self.form.setEnabled(True)
        self.go.setEnabled(True)
        outcome = self._outcome or end.outcome
        error = end.error or (outcome.error if outcome is not None else None)
        self.status.setText("")
        if error is not None:
            unexpected = None if isinstance(error, Her2Error) else error
            self.errors.show_error(sentence_of(error), error=unexpected)
        elif outcome is not None and outcome.status == "completed":
            self._show(outcome.document)

    def _show(self, document: Mapping[str, Any]) -> None:
        self.folder = Path(str(document["label_set"]))
        counts: Mapping[str, Mapping[str, int]] = document.get("counts") or {}
        heads = [ui("import_class"), ui("col_n"), ui("set_train_n"), ui("set_tune_n"),
                 ui("set_test_n")]  # fmt: skip
        table = self.result
        table.setHorizontalHeaderLabels(heads)
        table.setRowCount(len(counts))
        table.verticalHeader().setVisible(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.horizontalHeader().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        table.horizontalHeader().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for row, (name, row_counts) in enumerate(counts.items()):
            known = self._controller.schema.find(name)
            table.setItem(row, 0, QTableWidgetItem(known.title if known is not None else name))
            for column, side in enumerate(_SIDES, start=1):
                item = QTableWidgetItem(numbers.count(int(row_counts.get(side, 0))))
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
                table.setItem(row, column, item)
        height = table.verticalHeader().defaultSectionSize()
        table.setFixedHeight(
            table.horizontalHeader().sizeHint().height() + len(counts) * height + 4
        )
        table.show()
        n = int(document.get("n", 0))
        self.status.setText(ui("set_done", n=numbers.count(n), file=self.folder.name))
        lines = [str(w.get("sentence", "")) for w in document.get("warnings", ())]
        self.conflicts.show_set(self.folder, self._controller.schema)
        self.notes.setText("\n".join(x for x in lines if x))
        self.notes.setVisible(bool(lines))
        self.train.show()
        self.train.setFocus()
        self.stop.setText(ui("close"))

    def _train(self) -> None:
        if self.folder is not None:
            self.accept()
            self.made.emit(self.folder)

    def _on_stop(self) -> None:
        if self.running:
            self._runner.cancel()
        else:
            self.reject()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing the dialog stops what it makes: nothing is left behind."""
        self._runner.stop(timeout=2.0)
        super().closeEvent(event)


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "-", text.strip()).strip("-.") or "labels"
