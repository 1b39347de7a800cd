"""All rules beside each other: what each yields from the same cells, and where they differ."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.labels import named, paragraph, small_button
from napari_her2._qt.score.facts import RuleLine
from napari_her2._qt.texts import ui
from napari_her2.messages import NOTICE

__all__ = ["RulesDialog"]

_COLUMNS = ("rule", "score", "share", "cut", "margin")


class RulesDialog(QDialog):
    """Rule by score; a rule that says something else than the one chosen is marked.

    Parameters
    ----------
    rules : sequence of RuleLine
        In the order they are shown.
    title : str
        The cells they were worked out from.
    """

    def __init__(
        self, rules: Sequence[RuleLine], title: str, parent: QWidget | None = None
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("rules_title"))
        self.resize(640, 460)
        self._rules = tuple(rules)
        self.table = QTableWidget(len(rules), len(_COLUMNS))
        named(self.table, ui("rules_title"))
        self.table.setHorizontalHeaderLabels([ui(f"rules_{c}") for c in _COLUMNS])
        self.table.verticalHeader().setVisible(False)
        self.table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for row, rule in enumerate(rules):
            self._fill(row, rule)
        self.table.currentCellChanged.connect(lambda row, *_: self._show(row))
        self.words = paragraph()
        self.source = paragraph(muted=True)
        close = small_button(ui("close"))
        close.clicked.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.addWidget(paragraph(title))
        layout.addWidget(self.table, 1)
        layout.addWidget(self.words)
        layout.addWidget(self.source)
        layout.addWidget(paragraph(NOTICE, muted=True))
        layout.addWidget(close, 0, Qt.AlignmentFlag.AlignRight)
        if rules:
            first = next((i for i, r in enumerate(rules) if r.differs), 0)
            self.table.setCurrentCell(first, 0)

    def _fill(self, row: int, rule: RuleLine) -> None:
        mark = "⚠ " if rule.differs else "✓ " if rule.chosen else ""
        texts = (f"{mark}{rule.title}", rule.score, rule.share, rule.cut, rule.margin)
        for column, text in enumerate(texts):
            item = QTableWidgetItem(text)
            if rule.differs or rule.chosen:
                font = item.font()
                font.setBold(True)
                item.setFont(font)
            item.setToolTip(rule.source if column == 0 else text)
            self.table.setItem(row, column, item)

    def _show(self, row: int) -> None:
        if 0 <= row < len(self._rules):
            self.words.setText(self._rules[row].sentence)
            self.source.setText(self._rules[row].source)
