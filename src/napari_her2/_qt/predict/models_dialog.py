"""Installed models: what is there, add one, remove one, choose which one is meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qtpy.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import line, named, small_button
from napari_her2._qt.components.model_card import CardLines, card_summary
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error

__all__ = ["ModelsDialog"]


class ModelsDialog(QDialog):
    """List and card of the installed models.

    Parameters
    ----------
    registry : Registry
        Where they are.
    """

    def __init__(self, registry: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._registry = registry
        self.setWindowTitle(ui("models"))
        self.resize(520, 420)
        self.list = named(QListWidget(), ui("models"))
        self.list.currentRowChanged.connect(self._show_card)
        self._card_box = QVBoxLayout()
        self.errors = ErrorBar()
        add = small_button(ui("models_add"), ui("models_add_tip"))
        add.clicked.connect(self._add)
        self._use = small_button(ui("models_use"), ui("models_use_tip"))
        self._use.clicked.connect(self._make_default)
        self._remove = small_button(ui("models_remove"))
        self._remove.clicked.connect(self._remove_chosen)
        close = small_button(ui("close"))
        close.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        for button in (add, self._use, self._remove):
            buttons.addWidget(button)
        buttons.addStretch()
        buttons.addWidget(close)
        layout = QVBoxLayout(self)
        layout.addWidget(self.list, 1)
        layout.addLayout(self._card_box)
        layout.addWidget(self.errors)
        layout.addLayout(buttons)
        self._fill()

    def _fill(self) -> None:
        self._models = self._registry.list()
        self.list.clear()
        for model in self._models:
            head = f"{model.card.biomarker or ''}  {card_summary(model.card)}".strip()
            self.list.addItem(QListWidgetItem(head))
        if self._models:
            self.list.setCurrentRow(0)

    def _show_card(self, row: int) -> None:
        while self._card_box.count():
            widget = self._card_box.takeAt(0).widget()
            if widget is not None:
                widget.deleteLater()
        there = 0 <= row < len(self._models)
        # A biomarker's name means a model for tiles; classifiers of cells are chosen by their own.
        self._use.setEnabled(there and not self._models[row].card.is_cell_model)
        self._remove.setEnabled(there and not self._models[row].built_in)
        if there:
            card = self._models[row].card
            self._card_box.addWidget(line(f"{card.name} {card.version}", bold=True))
            self._card_box.addWidget(CardLines(card))

    def _add(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, ui("models_add"))
        if folder:
            self._try(lambda: self._registry.add(Path(folder)))

    def _make_default(self) -> None:
        card = self._models[self.list.currentRow()].card
        self._try(lambda: self._registry.set_default(card.biomarker or "", card.id))

    def _remove_chosen(self) -> None:
        self._try(lambda: self._registry.remove(self._models[self.list.currentRow()].card.id))

    def _try(self, change: Any) -> None:
        self.errors.clear()
        try:
            change()
        except Her2Error as error:
            self.errors.show_error(error.sentence)
        self._fill()
