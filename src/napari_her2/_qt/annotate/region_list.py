"""All regions in a list: class, area, author, time, note; thousands cost no more than ten."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from qtpy.QtCore import (
    QAbstractTableModel,
    QItemSelection,
    QItemSelectionModel,
    QModelIndex,
    QSize,
    Qt,
    Signal,
)
from qtpy.QtGui import QColor, QIcon, QPainter, QPixmap
from qtpy.QtWidgets import QAbstractItemView, QHeaderView, QTableView, QWidget

from napari_her2._qt.components.labels import named
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2.annotations.annotation import Annotation

__all__ = ["RegionList", "when_drawn"]

_COLUMNS: Final = ("col_class", "col_area", "col_author", "col_time", "col_note")
_MOST_SELECTED: Final = 500


def when_drawn(a: Annotation) -> str:
    """Clock time of today, else the date, of an annotation's last change."""
    try:
        moment = dt.datetime.fromisoformat(a.modified or a.created).astimezone()
    except ValueError:
        return ""
    today = dt.datetime.now().astimezone().date()
    return f"{moment:%H:%M}" if moment.date() == today else f"{moment.day} {moment:%b %Y}"


class _Model(QAbstractTableModel):
    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.rows: Sequence[Annotation] = ()
        self.title: Callable[[Annotation], str] = lambda a: a.class_name or ""
        self.colour: Callable[[Annotation], str] = lambda _: "#808080"
        self.size: Callable[[Annotation], str] = lambda _: ""
        self._swatches: dict[str, QIcon] = {}

    def take(self, rows: Sequence[Annotation]) -> None:
        """Show other rows."""
        self.beginResetModel()
        self.rows = rows
        self.endResetModel()

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """Regions."""
        return 0 if parent is not None and parent.isValid() else len(self.rows)

    def columnCount(self, _parent: QModelIndex | None = None) -> int:
        """Columns."""
        return len(_COLUMNS)

    def headerData(self, section: int, way: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Names of the columns."""
        if way == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole:
            return ui(_COLUMNS[section])
        return None

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """One cell; asked for those in view only."""
        a = self.rows[index.row()]
        column = index.column()
        if role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
            return (
                a.name or self.title(a), self.size(a), a.author, when_drawn(a), a.note,
            )[column]  # fmt: skip
        if role == Qt.ItemDataRole.DecorationRole and column == 0:
            return self._swatch(self.colour(a))
        if role == Qt.ItemDataRole.TextAlignmentRole and column == 1:
            return Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        return None

    def _swatch(self, colour: str) -> QIcon:
        if colour not in self._swatches:
            pixmap = QPixmap(12, 12)
            pixmap.fill(QColor(colour))
            painter = QPainter(pixmap)
            painter.setPen(QColor("#D0D0D0"))
            painter.drawRect(0, 0, 11, 11)
            painter.end()
            icon = QIcon(pixmap)
            # The same when its row is selected: a tinted swatch would be another class.
            icon.addPixmap(pixmap, QIcon.Mode.Selected)
            self._swatches[colour] = icon
        return self._swatches[colour]


class RegionList(QTableView):
    """A list of regions.

    Signals
    -------
    selected(list of str)
        Ids that were selected here.
    visited(str)
        Fly to this one.
    """

    selected = Signal(list)
    visited = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._model = _Model(self)
        self._filling = False
        self.setModel(self._model)
        named(self, ui("regions_list"), ui("regions_tip"))
        self.verticalHeader().setVisible(False)
        self.verticalHeader().setDefaultSectionSize(TARGET_PX)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(TARGET_PX)
        for i in range(len(_COLUMNS)):
            stretch = i in (0, 4)
            header.setSectionResizeMode(
                i, QHeaderView.ResizeMode.Stretch if stretch else QHeaderView.ResizeMode.Fixed
            )
        metrics = self.fontMetrics()
        for column, sample in ((1, "00.000"), (2, "RRR"), (3, "00:00 p")):
            self.setColumnWidth(column, metrics.horizontalAdvance(sample) + 10)
        self.setFixedHeight(header.sizeHint().height() + 6 * TARGET_PX + 4)
        self.selectionModel().selectionChanged.connect(self._on_selected)
        self.doubleClicked.connect(lambda index: self._visit(index.row()))
        self.activated.connect(lambda index: self._visit(index.row()))

    def minimumSizeHint(self) -> QSize:
        """Any width will do: names and notes are cut."""
        return QSize(120, self.height())

    def describe(
        self,
        title: Callable[[Annotation], str],
        colour: Callable[[Annotation], str],
        size: Callable[[Annotation], str],
    ) -> None:
        """How rows are told."""
        self._model.title, self._model.colour, self._model.size = title, colour, size

    def show_regions(self, rows: Sequence[Annotation], chosen: Sequence[str]) -> None:
        """Show these regions, with some of them selected."""
        self._filling = True
        self._model.take(rows)
        self._filling = False
        self.show_selected(chosen)

    def show_selected(self, chosen: Sequence[str]) -> None:
        """Select rows as they are selected on the slide."""
        wanted = set(chosen[:_MOST_SELECTED])
        rows = [i for i, a in enumerate(self._model.rows) if a.id in wanted] if wanted else []
        self._filling = True
        picked = QItemSelection()
        for i in rows:
            picked.select(self._model.index(i, 0), self._model.index(i, len(_COLUMNS) - 1))
        flag = QItemSelectionModel.SelectionFlag.ClearAndSelect
        self.selectionModel().select(picked, flag)
        if rows:
            self.scrollTo(self._model.index(rows[0], 0))
        self._filling = False

    @property
    def rows(self) -> Sequence[Annotation]:
        """What is listed."""
        return self._model.rows

    def _on_selected(self) -> None:
        if not self._filling:
            rows = self.selectionModel().selectedRows()
            self.selected.emit([self._model.rows[i.row()].id for i in rows])

    def _visit(self, row: int) -> None:
        if 0 <= row < len(self._model.rows):
            self.visited.emit(self._model.rows[row].id)
