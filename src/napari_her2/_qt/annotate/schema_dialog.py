"""The classes of a schema: names, colours, keys; kept as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError
from qtpy.QtCore import Qt
from qtpy.QtGui import QBrush, QColor
from qtpy.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import named, small_button
from napari_her2._qt.telling import tell
from napari_her2._qt.texts import ui
from napari_her2.annotations.edits import Edit, reclass
from napari_her2.annotations.schema import (
    AnnotationClass,
    ClassSchema,
    read_schema,
    write_schema,
)
from napari_her2.errors import BadSchemaError, Her2Error
from napari_her2.layers.colours import CELL_CLASSES, border_of

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController

__all__ = ["SchemaDialog", "edit_schema"]

_KEY, _CLASS, _LABEL, _COLOUR, _QUPATH = range(5)
_WAS: Final = Qt.ItemDataRole.UserRole
_KINDS: Final = ("cells", "tiles", "regions")
_HEADS: Final = ("schema_key", "schema_class", "schema_label", "schema_colour", "schema_qupath")
_WIDTH: Final = 520


class SchemaDialog(QDialog):
    """A row a class; what it makes is in :meth:`schema`.

    Parameters
    ----------
    schema : ClassSchema
        To begin with.
    """

    def __init__(self, schema: ClassSchema, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("schema_title", name=schema.name))
        self.resize(_WIDTH, 420)
        self._given = schema
        self.name = named(QLineEdit(schema.name), ui("schema_name"))
        self.kind = named(QComboBox(), ui("schema_kind"))
        for kind in _KINDS:
            self.kind.addItem(ui(f"schema_kind_{kind}"), kind)
        form = QFormLayout()
        form.addRow(ui("schema_name"), self.name)
        form.addRow(ui("schema_kind"), self.kind)
        self.table = named(QTableWidget(0, len(_HEADS)), ui("schema_title", name=schema.name))
        self.table.setHorizontalHeaderLabels([ui(h) for h in _HEADS])
        self.table.verticalHeader().setVisible(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        for column in (_CLASS, _LABEL):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.Stretch)
        self.table.cellDoubleClicked.connect(self._on_double)
        self.errors = ErrorBar()
        self._buttons: dict[str, Any] = {}
        row = QHBoxLayout()
        for name, call in (
            ("schema_add", self.add_class), ("schema_remove", self.remove_class),
            ("schema_up", lambda: self._move(-1)), ("schema_down", lambda: self._move(1)),
            ("schema_open", self._open), ("schema_save", self._save),
        ):  # fmt: skip
            self._buttons[name] = small_button(ui(name))
            self._buttons[name].clicked.connect(call)
            row.addWidget(self._buttons[name])
        row.addStretch()
        box = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        box.accepted.connect(self._on_ok)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.table, 1)
        layout.addLayout(row)
        layout.addWidget(self.errors)
        layout.addWidget(box)
        self._fill(schema)

    def _fill(self, schema: ClassSchema) -> None:
        self.name.setText(schema.name)
        self.kind.setCurrentIndex(_KINDS.index(schema.kind))
        self.table.setRowCount(0)
        for c in schema.classes:
            self._insert(self.table.rowCount(), c, c.name)

    def _insert(self, row: int, c: AnnotationClass, was: str | None) -> None:
        self.table.insertRow(row)
        for column, text in (
            (_KEY, c.key or ""), (_CLASS, c.name), (_LABEL, c.label), (_COLOUR, c.colour),
            (_QUPATH, c.qupath_name or ""),
        ):  # fmt: skip
            item = QTableWidgetItem(text)
            if column == _COLOUR:
                _paint(item, c.colour)
            if column == _CLASS:
                item.setData(_WAS, was)
            self.table.setItem(row, column, item)

    def add_class(self) -> None:
        """One class more, with a free key and a colour that is not taken."""
        n = self.table.rowCount()
        keys = {self._text(r, _KEY) for r in range(n)}
        taken = {self._text(r, _COLOUR).upper() for r in range(n)}
        key = next((str(k) for k in range(1, 10) if str(k) not in keys), None)
        colour = next((c for c in CELL_CLASSES.values() if c.upper() not in taken), "#2E9E5B")
        made = AnnotationClass(name=ui("schema_new_class", n=n + 1), colour=colour, key=key)
        self._insert(n, made, None)
        self.table.setCurrentCell(n, _CLASS)

    def remove_class(self) -> None:
        """Take the current class away; its regions keep its name."""
        row = self.table.currentRow()
        if row >= 0:
            self.table.removeRow(row)

    def _move(self, by: int) -> None:
        row, to = self.table.currentRow(), self.table.currentRow() + by
        if row < 0 or not 0 <= to < self.table.rowCount():
            return
        items = [self.table.takeItem(row, c) for c in range(len(_HEADS))]
        self.table.removeRow(row)
        self.table.insertRow(to)
        for column, item in enumerate(items):
            self.table.setItem(to, column, item)
        self.table.setCurrentCell(to, _CLASS)

    def _on_double(self, row: int, column: int) -> None:
        if column == _COLOUR:
            colour = QColorDialog.getColor(QColor(self._text(row, _COLOUR)), self)
            if colour.isValid():
                item = self.table.item(row, _COLOUR)
                item.setText(colour.name().upper())
                _paint(item, colour.name())

    def _text(self, row: int, column: int) -> str:
        item = self.table.item(row, column)
        return "" if item is None else str(item.text()).strip()

    # what comes of it ---------------------------------------------------------------------

    def schema(self) -> ClassSchema:
        """The schema as the table has it; the same one if nothing changed.

        Raises
        ------
        BadSchemaError
            If two classes share a name or key, or a colour is none.
        """
        try:
            classes = [
                AnnotationClass(
                    name=self._text(r, _CLASS),
                    label=self._text(r, _LABEL),
                    colour=self._text(r, _COLOUR).upper(),
                    key=self._text(r, _KEY) or None,
                    qupath_name=self._text(r, _QUPATH) or None,
                )
                for r in range(self.table.rowCount())
            ]
            made = self._given.with_classes(classes)
            made = ClassSchema(
                id=self._given.id, name=self.name.text().strip() or self._given.name,
                version=made.version, kind=self.kind.currentData(), classes=tuple(classes),
            )  # fmt: skip
        except ValidationError as e:
            first = e.errors()[0]
            where = ".".join(str(p) for p in first["loc"])
            reason = f"{where}: {first['msg']}" if where else str(first["msg"])
            raise BadSchemaError("bad_schema", name=self._given.name, reason=reason) from None
        same = made.model_copy(update={"version": self._given.version})
        return self._given if same == self._given else made

    def renamed(self) -> dict[str, str]:
        """Classes that have another name now: was -> is."""
        found = {}
        for r in range(self.table.rowCount()):
            was, now = self.table.item(r, _CLASS).data(_WAS), self._text(r, _CLASS)
            if was is not None and was != now:
                found[str(was)] = now
        return found

    def _on_ok(self) -> None:
        try:
            self.schema()
        except Her2Error as error:
            self.errors.show_error(error.sentence)
            return
        self.accept()

    def _open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(
            self, ui("schema_open"), "", f"{ui('schema_files')} (*.json)"
        )
        if name:
            try:
                self._given = read_schema(Path(name))
            except Her2Error as error:
                self.errors.show_error(error.sentence)
                return
            self._fill(self._given)

    def _save(self) -> None:
        name, _ = QFileDialog.getSaveFileName(
            self, ui("schema_save"), f"{self._given.id}.json", f"{ui('schema_files')} (*.json)"
        )
        if name:
            try:
                write_schema(Path(name), self.schema())
            except Her2Error as error:
                self.errors.show_error(error.sentence)


def _paint(item: QTableWidgetItem, colour: str) -> None:
    item.setBackground(QBrush(QColor(colour)))
    item.setForeground(QBrush(QColor(border_of(colour))))


def edit_schema(controller: AnnotateController, parent: QWidget) -> None:
    """Let the user edit the schema in use, and keep it."""
    dialog = SchemaDialog(controller.schema, parent)
    if dialog.exec() == QDialog.DialogCode.Accepted:
        take_schema(controller, dialog.schema(), dialog.renamed())


def take_schema(
    controller: AnnotateController, schema: ClassSchema, renamed: dict[str, str]
) -> None:
    """Keep an edited schema and work with it; regions of renamed classes follow, in one edit."""
    if schema == controller.schema:
        return
    try:
        controller.services.keep_schema(schema)
    except Her2Error as error:
        tell(error)
    labels = controller.labels
    if labels is not None and renamed:
        edits = [reclass(labels.of_class(was), now) for was, now in renamed.items()]
        both = Edit(
            "Rename class",
            tuple(a for e in edits for a in e.removed),
            tuple(a for e in edits for a in e.added),
        )
        controller.apply(both)
    controller.schemas = controller.services.schemas()
    controller.set_schema(schema)
