"""The classes of the schema with what there is of each: key, colour, name, n, area, eye, lock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qtpy.QtCore import QModelIndex, QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QKeyEvent, QPainter, QPainterPath, QPen
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHeaderView,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableWidget,
    QTableWidgetItem,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import named
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui

__all__ = ["ClassRow", "ClassTable"]

_COLUMNS: Final = ("key", "class", "n", "area", "eye", "lock")
_EYE, _LOCK = 4, 5
_STATE: Final = Qt.ItemDataRole.UserRole
_COLOUR: Final = Qt.ItemDataRole.UserRole + 1
_MOST_ROWS: Final = 9


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One row.

    Attributes
    ----------
    name : str or None
        Of the class; None: regions without one.
    title, key, colour : str
        As shown.
    n : int
        Regions.
    area : float
        mm2, or square pixels where the pixel size is unknown.
    shown : bool
        Whether its regions are to be seen.
    locked : int
        0 none of them, 1 some, 2 all.
    """

    name: str | None
    title: str
    key: str
    colour: str
    n: int = 0
    area: float = 0.0
    shown: bool = True
    locked: int = 0


class ClassTable(QTableWidget):
    """A row a class; a click on the eye hides it, on the lock locks its regions.

    Signals
    -------
    chosen(object)
        The class of a row: its name or None.
    shown_toggled(object, bool), lock_toggled(object, bool)
        What is wanted of a class.
    """

    chosen = Signal(object)
    shown_toggled = Signal(object, bool)
    lock_toggled = Signal(object, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(0, len(_COLUMNS), parent)
        self._rows: list[ClassRow] = []
        self._filling = False
        named(self, ui("class_table"))
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(TARGET_PX)
        self.setShowGrid(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setWordWrap(False)
        self.setItemDelegate(_Delegate(self))
        header = self.horizontalHeader()
        header.setMinimumSectionSize(TARGET_PX)
        header.setHighlightSections(False)
        for i in range(len(_COLUMNS)):
            mode = QHeaderView.ResizeMode.Stretch if i == 1 else QHeaderView.ResizeMode.Fixed
            header.setSectionResizeMode(i, mode)
        self.set_rows([], current=None, in_mm2=True)
        self.cellClicked.connect(self._on_clicked)
        self.currentCellChanged.connect(self._on_current)

    def set_rows(self, rows: Sequence[ClassRow], *, current: str | None, in_mm2: bool) -> None:
        """Show these classes; ``current`` is the one of the next region."""
        self._filling = True
        area = ui("col_area" if in_mm2 else "col_area_px")
        heads = [ui("col_key"), ui("col_class"), ui("col_n"), area, ui("col_eye"), ui("col_lock")]
        self.setHorizontalHeaderLabels(heads)
        self._rows = list(rows)
        self.setRowCount(len(rows))
        for r, row in enumerate(rows):
            digits = numbers.area_mm2(row.area) if in_mm2 else numbers.count(round(row.area))
            lock = ("lock_off", "lock_some", "lock_on")[row.locked]
            cells: Sequence[tuple[str, Any, str]] = (
                (row.key, None, row.key),
                (row.title, None, row.title),
                (numbers.count(row.n), None, ""),
                (digits if row.n else "", None, ""),
                ("", int(row.shown), ui("eye_on" if row.shown else "eye_off")),
                ("", row.locked, ui(lock)),
            )
            for c, (text, state, spoken) in enumerate(cells):
                item = QTableWidgetItem(text)
                item.setData(_STATE, state)
                item.setData(_COLOUR, row.colour)
                if spoken:
                    item.setData(Qt.ItemDataRole.AccessibleTextRole, spoken)
                    item.setToolTip(f"{row.title}: {spoken}" if c >= _EYE else row.title)
                if c in (0, 2, 3):
                    side = Qt.AlignmentFlag.AlignHCenter if c == 0 else Qt.AlignmentFlag.AlignRight
                    item.setTextAlignment(side | Qt.AlignmentFlag.AlignVCenter)
                self.setItem(r, c, item)
        at = next((i for i, row in enumerate(rows) if row.name == current), -1)
        if at >= 0:
            self.setCurrentCell(at, 1)
        else:
            self.clearSelection()
        self._fit()
        self._filling = False

    def _fit(self) -> None:
        metrics = self.fontMetrics()

        def wide(text: str) -> int:
            return int(metrics.horizontalAdvance(text)) + 10

        def widest(column: int, least: str) -> int:
            cells = (self.item(row, column) for row in range(len(self._rows)))
            return max([wide(least), *(wide(c.text()) for c in cells if c is not None)])

        for column, width in (
            (0, wide(ui("col_key"))), (2, widest(2, "0,000")), (3, widest(3, "00.00")),
            (4, wide(ui("col_eye"))), (5, wide(ui("col_lock"))),
        ):  # fmt: skip
            self.setColumnWidth(column, max(width, TARGET_PX))
        rows = min(max(len(self._rows), 1), _MOST_ROWS)
        self.setFixedHeight(self.horizontalHeader().sizeHint().height() + rows * TARGET_PX + 4)

    def minimumSizeHint(self) -> QSize:
        """Any width will do: the name is cut."""
        return QSize(120, self.height())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Digits choose a class; Space hides and shows, L locks the class of the row."""
        row = self.currentRow()
        text = event.text()
        if text.isdigit():
            for r in self._rows:
                if r.key == text:
                    self.chosen.emit(r.name)
                    return
        if 0 <= row < len(self._rows):
            if event.key() == Qt.Key.Key_Space:
                self._toggle(row, _EYE)
                return
            if event.key() == Qt.Key.Key_L:
                self._toggle(row, _LOCK)
                return
        super().keyPressEvent(event)

    def _on_clicked(self, row: int, column: int) -> None:
        if column in (_EYE, _LOCK):
            self._toggle(row, column)
        elif 0 <= row < len(self._rows):
            self.chosen.emit(self._rows[row].name)

    def _on_current(self, row: int, column: int, was: int, _column: int) -> None:
        # The mouse is heard in _on_clicked; this is the arrow keys.
        if not self._filling and row != was and self.hasFocus() and column not in (_EYE, _LOCK):
            self.chosen.emit(self._rows[row].name)

    def _toggle(self, row: int, column: int) -> None:
        it = self._rows[row]
        if column == _EYE:
            self.shown_toggled.emit(it.name, not it.shown)
        else:
            self.lock_toggled.emit(it.name, it.locked != 2)


class _Delegate(QStyledItemDelegate):
    """Paints the swatch, the eye and the lock: not every font has such signs."""

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex) -> None:
        """Draw one cell."""
        column = index.column()
        if column == 1:
            option.rect.adjust(20, 0, 0, 0)
            super().paint(painter, option, index)
            option.rect.adjust(-20, 0, 0, 0)
            _swatch(painter, QRectF(option.rect), str(index.data(_COLOUR) or "#808080"))
            return
        super().paint(painter, option, index)
        state = index.data(_STATE)
        if column == _EYE and state is not None:
            _eye(painter, QRectF(option.rect), bool(state))
        elif column == _LOCK and state is not None:
            _lock(painter, QRectF(option.rect), int(state))


def _swatch(painter: QPainter, cell: QRectF, colour: str) -> None:
    box = QRectF(cell.left() + 3, cell.center().y() - 6, 12, 12)
    painter.save()
    painter.setPen(QPen(QColor("#D0D0D0"), 1))
    painter.setBrush(QColor(colour))
    painter.drawRect(box)
    painter.restore()


def _eye(painter: QPainter, cell: QRectF, shown: bool) -> None:
    c, colours = cell.center(), theme_colours()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(colours.text if shown else colours.muted, 1.3))
    lid = QPainterPath()
    lid.moveTo(c.x() - 7, c.y())
    lid.quadTo(c.x(), c.y() - 8, c.x() + 7, c.y())
    lid.quadTo(c.x(), c.y() + 8, c.x() - 7, c.y())
    painter.drawPath(lid)
    if shown:
        painter.setBrush(colours.text)
        painter.drawEllipse(c, 2.2, 2.2)
    else:
        painter.drawLine(int(c.x() - 6), int(c.y() + 6), int(c.x() + 6), int(c.y() - 6))
    painter.restore()


def _lock(painter: QPainter, cell: QRectF, state: int) -> None:
    c, colours = cell.center(), theme_colours()
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    strong = colours.text if state else colours.muted
    painter.setPen(QPen(strong, 1.3))
    body = QRectF(c.x() - 5, c.y() - 1, 10, 7)
    if state == 2:
        painter.setBrush(strong)
    painter.drawRoundedRect(body, 1.5, 1.5)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    lift = 0 if state else 2
    arc = QRectF(c.x() - 3 + (3 if not state else 0), c.y() - 6 - lift / 2, 6, 8)
    painter.drawArc(arc, 0, 180 * 16)
    if state == 1:
        painter.drawLine(int(c.x() - 2), int(c.y() + 2), int(c.x() + 2), int(c.y() + 2))
    painter.restore()


def rows_of(
    classes: Sequence[Any],
    tallies: Mapping[str | None, Any],
    hidden: set[str | None],
    locked: Mapping[str | None, int],
    area_of: Any,
) -> list[ClassRow]:
    """Rows of the table.

    Parameters
    ----------
    classes : sequence of AnnotationClass
        In their order.
    tallies : mapping
        What there is of each class.
    hidden : set
        Classes that are not shown.
    locked : mapping
        How many regions of a class are locked.
    area_of : callable
        Square pixels as the dock tells them.
    """
    rows = []
    names: list[tuple[str | None, str, str, str]] = [
        (c.name, c.title, c.key or "", c.colour) for c in classes
    ]
    if None in tallies:
        names.append((None, ui("no_class"), "", "#E0E0E0"))
    for name, title, key, colour in names:
        tally = tallies.get(name)
        n = 0 if tally is None else tally.n
        shut = locked.get(name, 0)
        rows.append(
            ClassRow(
                name, title, key, colour, n,
                0.0 if tally is None else area_of(tally.area_px),
                name not in hidden,
                0 if not shut else 2 if shut == n else 1,
            )
        )  # fmt: skip
    return rows
