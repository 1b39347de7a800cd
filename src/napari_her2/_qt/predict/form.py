"""The form of the Predict dock: models, where, options."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.labels import (
    ElidedLine,
    InfoButton,
    fold_button,
    line,
    named,
    small_button,
)
from napari_her2._qt.components.model_card import shared_summary
from napari_her2._qt.components.where_row import WhereRow
from napari_her2._qt.predict.request_form import PredictForm
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2.messages import HER2_FROM_HE
from napari_her2.models.card import ModelCard

__all__ = ["PredictFormPanel"]

_STEPS_PX = (512, 256, 128, 64, 8)


class PredictFormPanel(QWidget):
    """What to run, where and how; emits, decides nothing.

    Signals
    -------
    changed()
        The form asks for something else.
    models_requested(), card_requested(), region_requested()
        Buttons beside the form: installed models, cards of those ticked, draw a region.
    impression_toggled(bool)
        Numbers wait until the reader said what they think.
    """

    changed = Signal()
    models_requested = Signal()
    card_requested = Signal()
    region_requested = Signal()
    impression_toggled = Signal(bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: dict[str, ModelCard | None] = {}
        self._boxes: dict[str, QCheckBox] = {}
        self._resume = True

        grid = QGridLayout()
        grid.setHorizontalSpacing(6)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(1, 1)
        grid.addWidget(line(ui("models"), bold=True), 0, 0)
        grid.addLayout(self._models_row(), 0, 1)
        self._card_line = ElidedLine(muted=True)
        grid.addWidget(self._card_line, 1, 0, 1, 2)
        grid.addWidget(line(ui("where"), bold=True), 2, 0, Qt.AlignmentFlag.AlignTop)
        self.where = WhereRow()
        self.where.changed.connect(self.changed)
        self.where.region_requested.connect(self.region_requested)
        grid.addWidget(self.where, 2, 1)

        self._fold = fold_button(ui("options"))
        self._summary = ElidedLine(muted=True)
        options_head = QHBoxLayout()
        options_head.setSpacing(4)
        options_head.addWidget(self._fold)
        options_head.addWidget(self._summary, 1)
        self._options = self._options_body()
        self._options.setVisible(False)
        self._fold.toggled.connect(self._options.setVisible)

        self.run_anyway = QCheckBox(ui("run_anyway"))
        named(self.run_anyway, ui("run_anyway"))
        self.run_anyway.setVisible(False)
        self.run_anyway.toggled.connect(self.changed)

        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(grid)
        layout.addLayout(options_head)
        layout.addWidget(self._options)
        layout.addWidget(self.run_anyway)
        self._summarise()

    # building -----------------------------------------------------------------------------

    def _models_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(4)
        for biomarker in ("ER", "PR", "HER2"):
            box = QCheckBox(biomarker)
            box.setChecked(True)
            box.setMinimumHeight(TARGET_PX)
            named(box, biomarker, HER2_FROM_HE if biomarker == "HER2" else None)
            box.toggled.connect(self._on_models_toggled)
            self._boxes[biomarker] = box
            row.addWidget(box)
        row.addStretch()
        button = small_button(ui("models_button"), ui("models_button_tip"))
        button.clicked.connect(self.models_requested)
        row.addWidget(button)
        self.info = InfoButton(ui("card_tip"))
        self.info.clicked.connect(self.card_requested)
        row.addWidget(self.info)
        return row

    def _options_body(self) -> QWidget:
        body = QWidget()
        grid = QGridLayout(body)
        grid.setContentsMargins(18, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self._step = QComboBox()
        self._step.setMinimumHeight(TARGET_PX)
        named(self._step, ui("step"), ui("step_tip"))
        self._step.currentIndexChanged.connect(self._on_option_changed)
        self._device = QComboBox()
        self._device.setMinimumHeight(TARGET_PX)
        for key in ("auto", "cpu", "cuda"):
            self._device.addItem(ui(f"device_{key}"), key)
        named(self._device, ui("device"))
        self._device.currentIndexChanged.connect(self._on_option_changed)
        for row, (text, control) in enumerate(
            ((ui("step"), self._step), (ui("device"), self._device))
        ):
            label = line(text)
            label.setBuddy(control)
            grid.addWidget(label, row, 0)
            grid.addWidget(control, row, 1)
        self.impression = QCheckBox(ui("impression"))
        named(self.impression, ui("impression"), ui("impression_tip"))
        self.impression.toggled.connect(self.impression_toggled)
        grid.addWidget(self.impression, 2, 0, 1, 2)
        self._fill_steps()
        return body

    # setters ------------------------------------------------------------------------------

    def set_cards(self, cards: dict[str, ModelCard | None]) -> None:
        """The models that ER, PR and HER2 mean; None = none installed."""
        self._cards = cards
        for biomarker, box in self._boxes.items():
            there = cards.get(biomarker) is not None
            box.setEnabled(there)
            if not there:
                with QSignalBlocker(box):
                    box.setChecked(False)
                box.setToolTip(ui("model_missing"))
        self._fill_steps()
        self._summarise()

    def set_regions(self, names: list[str]) -> None:
        """The Shapes layers that a region can be taken from."""
        self.where.set_regions(names)

    def choose_region(self, name: str) -> None:
        """Take the region from this layer."""
        self.where.choose_region(name)

    def offer_run_anyway(self, offered: bool) -> None:
        """Show the box that overrides a stain mismatch, or take it away."""
        self.run_anyway.setVisible(offered)
        if not offered:
            with QSignalBlocker(self.run_anyway):
                self.run_anyway.setChecked(False)

    # getters ------------------------------------------------------------------------------

    def ticked(self) -> list[ModelCard]:
        """Cards of the models that will run."""
        return [c for b, c in self._cards.items() if c is not None and self._boxes[b].isChecked()]

    def tick(self, *biomarkers: str) -> None:
        """Tick these biomarkers and no others."""
        for name, box in self._boxes.items():
            box.setChecked(name in biomarkers and box.isEnabled())

    def choose_step(self, px: int | None) -> None:
        """Choose a step in model pixels; None = as the model has it."""
        self._step.setCurrentIndex(max(0, self._step.findData(px)))

    def form(self) -> PredictForm:
        """The form as filled in."""
        return PredictForm(
            model_ids=tuple(c.id for c in self.ticked()),
            where=self.where.where,
            region_layer=self.where.region_layer,
            stride_um=self._stride_um(),
            device=str(self._device.currentData()),
            ignore_stain=self.run_anyway.isChecked(),
        )

    # inner --------------------------------------------------------------------------------

    def _stride_um(self) -> float | None:
        px = self._step.currentData()
        cards = self.ticked()
        if px is None or not cards:
            return None
        return float(px) * cards[0].spacing_um_px

    def _fill_steps(self) -> None:
        cards = self.ticked()
        usual = cards[0].patch_size_pixels // 2 if cards else 256
        chosen = self._step.currentData()
        with QSignalBlocker(self._step):
            self._step.clear()
            self._step.addItem(ui("step_default", px=usual), None)
            for px in _STEPS_PX:
                if px != usual:
                    dense = px == 8
                    self._step.addItem(ui("step_dense" if dense else "step_px", px=px), px)
            self._step.setCurrentIndex(max(0, self._step.findData(chosen)))

    def _on_models_toggled(self) -> None:
        self._fill_steps()
        self._summarise()
        self.changed.emit()

    def _on_option_changed(self) -> None:
        self._summarise()
        self.changed.emit()

    def _summarise(self) -> None:
        cards = self.ticked()
        self.info.setEnabled(bool(cards))
        if not self._cards or any(c is not None for c in self._cards.values()):
            self._card_line.setText(shared_summary(cards) if cards else ui("no_model_ticked"))
        else:
            self._card_line.setText(ui("model_missing"))
        usual = cards[0].patch_size_pixels // 2 if cards else 256
        px = self._step.currentData() or usual
        self._summary.setText(ui("options_line", step=px, device=self._device.currentText()))
