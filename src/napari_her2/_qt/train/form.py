"""The form of the Train dock: recipe, start, test, seed, options. Emits, decides nothing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QRadioButton,
    QSizePolicy,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.elided_combo import ElidedCombo
from napari_her2._qt.components.labels import (
    ElidedLine,
    InfoButton,
    fold_button,
    line,
    named,
    paragraph,
)
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme
from napari_her2._qt.train.label_summary import LabelSummary
from napari_her2._qt.train.request_form import TrainForm, recipes_for
from napari_her2.models.card import ModelCard
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS

__all__ = ["TrainFormPanel"]

_TESTS: Final = ("slide", "tile", "patient")


class TrainFormPanel(QWidget):
    """What to learn from and how.

    Signals
    -------
    changed()
        The form asks for something else.
    recipe_info_requested()
        Show what the recipe is.

    The dock lays out :attr:`amber` beside the form: text that wraps is measured rightly only there.
    """

    changed = Signal()
    recipe_info_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: list[ModelCard] = []
        self._labels: Any = None
        self._wanted: Path | None = None
        self.summary = LabelSummary()
        self.recipe = _combo("recipe")
        self.info = InfoButton(ui("recipe_info"))
        self.info.clicked.connect(self.recipe_info_requested)
        self.start = _combo("start_from")
        self.seed = QSpinBox()
        self.seed.setRange(0, 999_999)
        self.seed.setValue(1)
        self.seed.setMinimumHeight(TARGET_PX)
        self.seed.setButtonSymbols(QSpinBox.ButtonSymbols.NoButtons)
        self.seed.setPrefix(f"{ui('seed')} ")
        self.seed.setFixedWidth(72)
        named(self.seed, ui("seed"), ui("seed_tip"))
        self._tests = QButtonGroup(self)
        self.amber = paragraph(ui("tile_test"))
        follow_theme(self.amber, _amber_style)
        self.amber.setVisible(False)

        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.addWidget(line(ui("recipe"), bold=True), 0, 0)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self.recipe, 3)
        row.addWidget(self.info)
        grid.addLayout(row, 0, 1)
        self._start_label = line(ui("start_from"), bold=True)
        grid.addWidget(self._start_label, 1, 0)
        grid.addWidget(self.start, 1, 1)
        grid.addLayout(self._test_row(), 2, 0, 1, 2)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        layout.addWidget(self.summary)
        layout.addLayout(grid)
        layout.addLayout(self._options_head())
        layout.addWidget(self._options)
        self.recipe.currentIndexChanged.connect(self._on_recipe_changed)
        self.start.currentIndexChanged.connect(self.changed)
        self.seed.valueChanged.connect(self.changed)
        self._fill_recipes("cells")

    # building -----------------------------------------------------------------------------

    def _test_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(3)
        row.addWidget(line(ui("test_by"), bold=True))
        row.addSpacing(4)
        for i, by in enumerate(_TESTS):
            button = QRadioButton(ui(f"test_by_{by}"))
            button.setMinimumHeight(TARGET_PX)
            named(button, f"{ui('test_by')} {ui(f'test_by_{by}')}", ui(f"test_by_{by}_tip"))
            self._tests.addButton(button, i)
            row.addWidget(button)
        self._tests.button(0).setChecked(True)
        self._tests.idToggled.connect(self._on_test_changed)
        row.addStretch()
        row.addWidget(self.seed)
        return row

    def _options_head(self) -> QHBoxLayout:
        self.fold = fold_button(ui("options"))
        self._told = ElidedLine(muted=True)
        self._options = self._options_body()
        self._options.setVisible(False)
        self.fold.toggled.connect(self._options.setVisible)
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(self.fold)
        head.addWidget(self._told, 1)
        return head

    def _options_body(self) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(8, 0, 0, 0)
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        self.name = named(QLineEdit(), ui("train_name"), ui("train_name_tip"))
        self.name.setMaxLength(58)
        self.name.setMinimumHeight(TARGET_PX)
        self.mode = _combo("train_mode")
        for mode in ("quick", "paper"):
            self.mode.addItem(ui(f"train_mode_{mode}"), mode)
        self.epochs = QSpinBox()
        self.epochs.setRange(0, 1000)
        self.epochs.setSpecialValueText(ui("train_epochs_auto"))
        self.epochs.setMinimumHeight(TARGET_PX)
        named(self.epochs, ui("train_epochs"), ui("train_epochs_tip"))
        self.membrane = _check("train_membrane")
        self.stain = _check("train_stain")
        self._mode_label = line(ui("train_mode"))
        self._epochs_label = line(ui("train_epochs"))
        for i, (label, control) in enumerate(
            ((line(ui("train_name")), self.name), (self._mode_label, self.mode),
             (self._epochs_label, self.epochs))
        ):  # fmt: skip
            grid.addWidget(label, i, 0)
            grid.addWidget(control, i, 1)
        grid.addWidget(self.membrane, 3, 0, 1, 2)
        grid.addWidget(self.stain, 4, 0, 1, 2)
        self.name.textChanged.connect(self._on_option_changed)
        self.mode.currentIndexChanged.connect(self._on_option_changed)
        self.epochs.valueChanged.connect(self._on_option_changed)
        self.membrane.toggled.connect(self._on_option_changed)
        self.stain.toggled.connect(self._on_option_changed)
        return body

    # setters ------------------------------------------------------------------------------

    def set_labels(self, labels: Any, path: Path | None) -> None:
        """Learn from this set."""
        self._labels, self._wanted = labels, path if labels is not None else None
        self.summary.set_labels(labels)
        if labels is not None:
            self._fill_recipes(labels.kind)
            known = int(labels.info.get("patients") or 0) > 0
            patient = self._tests.button(2)
            patient.setEnabled(known)
            patient.setToolTip(ui("test_by_patient_tip" if known else "test_by_patient_off"))
            by = labels.split_by if labels.split_by != "patient" or known else "slide"
            self._tests.button(_TESTS.index(by)).setChecked(True)
            if not known and patient.isChecked():
                self._tests.button(0).setChecked(True)
        self._tell()
        self.changed.emit()

    def set_cards(self, cards: Sequence[ModelCard]) -> None:
        """Models to start from."""
        self._cards = list(cards)
        self._fill_starts()

    # getters ------------------------------------------------------------------------------

    def form(self) -> TrainForm:
        """The form as filled in."""
        return TrainForm(
            label_set=self._wanted,
            recipe=self.recipe.currentData(),
            name=self.name.text().strip(),
            start_from=self.start.currentData(),
            test_by=_TESTS[self._tests.checkedId()],
            seed=self.seed.value(),
            mode=self.mode.currentData(),
            epochs=self.epochs.value() or None,
            membrane=self.membrane.isChecked(),
            stain_normalise=self.stain.isChecked(),
        )

    @property
    def labels(self) -> Any:
        """The set that is learned from."""
        return self._labels

    def choose_recipe(self, recipe: str) -> None:
        """Choose a recipe by its id."""
        self.recipe.setCurrentIndex(max(0, self.recipe.findData(recipe)))

    def choose_test(self, by: str) -> None:
        """Choose what is kept apart."""
        self._tests.button(_TESTS.index(by)).setChecked(True)

    # inner --------------------------------------------------------------------------------

    def _fill_recipes(self, kind: str) -> None:
        wanted = recipes_for(kind)
        if [self.recipe.itemData(i) for i in range(self.recipe.count())] == list(wanted):
            return
        with QSignalBlocker(self.recipe):
            self.recipe.clear()
            for recipe in wanted:
                self.recipe.addItem(ui(f"recipe_{recipe}"), recipe)
        self._on_recipe_changed()

    def _on_recipe_changed(self) -> None:
        recipe = self.recipe.currentData()
        network = recipe in ("cells-convnet", "stage1")
        convnet = recipe == "cells-convnet"
        for widget in (self._mode_label, self.mode, self.membrane):
            widget.setVisible(convnet)
        for widget in (self._epochs_label, self.epochs):
            widget.setVisible(network)
        self.stain.setVisible(recipe == "stage1")
        self._fill_starts()
        self._on_option_changed()

    def _fill_starts(self) -> None:
        recipe = self.recipe.currentData()
        chosen = self.start.currentData()
        with QSignalBlocker(self.start):
            self.start.clear()
            self.start.addItem(ui("start_new"), None)
            for card in self._cards:
                if _can_start(recipe, card):
                    self.start.addItem(f"{card.name} {card.version}", card.id)
            self.start.setCurrentIndex(max(0, self.start.findData(chosen)))
        # Where there is nothing to start from, the row would only take room.
        for widget in (self._start_label, self.start):
            widget.setVisible(self.start.count() > 1)

    def _on_test_changed(self, _id: int, on: bool) -> None:
        if on:
            # Room for both of its lines at the narrowest, or Qt takes that from the columns above.
            self.amber.setMinimumHeight(2 * self.fontMetrics().lineSpacing() + 4)
            self.amber.setVisible(self._tests.checkedId() == _TESTS.index("tile"))
            self.changed.emit()

    def _on_option_changed(self) -> None:
        self._tell()
        self.changed.emit()

    def _tell(self) -> None:
        name = self.name.text().strip()
        if not name:
            whose = "" if self._labels is None else self._labels.name
            name = ui("train_name_auto", name=whose) if whose else ui("train_name")
        convnet = self.recipe.currentData() == "cells-convnet"
        mode = self.mode.currentText() if convnet else self.recipe.currentText()
        self._told.setText(ui("train_options", name=name, mode=mode))


def _can_start(recipe: Any, card: ModelCard) -> bool:
    if recipe == "cells-convnet":
        return card.is_cell_model and card.architecture in CELL_NETWORKS
    if recipe == "stage1":
        scripted = card.tile_model.get("kind") == "torchscript"
        return not card.is_cell_model and not scripted and "inception" in card.architecture.lower()
    return False


def _combo(name: str) -> ElidedCombo:
    combo = ElidedCombo(mode=Qt.TextElideMode.ElideRight)
    combo.setMinimumHeight(TARGET_PX)
    combo.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    return named(combo, ui(name), ui(f"{name}_tip"))


def _check(name: str) -> QCheckBox:
    box = QCheckBox(ui(name))
    box.setMinimumHeight(TARGET_PX)
    return named(box, ui(name), ui(f"{name}_tip"))


def _amber_style() -> str:
    return f"color: {theme_colours().warning.name()};"
