"""The form of the Score dock: where, organ, rule, classifier."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QGridLayout,
    QHBoxLayout,
    QRadioButton,
    QSizePolicy,
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
from napari_her2._qt.components.where_row import WhereRow
from napari_her2._qt.score.request_form import ScoreForm
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import CellMode
from napari_her2.messages import tr
from napari_her2.models.card import ModelCard
from napari_her2.pipelines.cells_request import Organ, Specimen
from napari_her2.scoring.receptors import NuclearMarker
from napari_her2.scoring.rules import RULES, default_rule, rules_for

__all__ = ["ScoreFormPanel"]

_STAINS: tuple[tuple[CellMode, NuclearMarker | None], ...] = (
    ("her2-ihc", None),
    ("nuclear-ihc", "ER"),
    ("nuclear-ihc", "PR"),
    ("nuclear-ihc", "Ki67"),
    ("nuclear-ihc", None),
)


class ScoreFormPanel(QWidget):
    """What to score and how; emits, decides nothing.

    Signals
    -------
    changed()
        The form asks for something else.
    region_requested(), card_requested()
        Draw a region; show what the classifier is.
    """

    changed = Signal()
    region_requested = Signal()
    card_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._cards: dict[str, ModelCard | None] = {}
        self.where = WhereRow()
        self.where.changed.connect(self.changed)
        self.where.region_requested.connect(self.region_requested)
        self._organ_label = line(ui("organ"), bold=True)
        self._organ_row = self._make_organ_row()
        self.rule = _combo(ui("rule"), ui("rule_tip"))
        self._rule_label = line(ui("rule"), bold=True)
        self._rule_label.setBuddy(self.rule)
        self.classifier = _combo(ui("classifier"), ui("classifier_tip"))
        self.info = InfoButton(ui("classifier_card_tip"))
        self.info.clicked.connect(self.card_requested)
        self._classifier_label = line(ui("classifier"), bold=True)
        self._classifier_label.setBuddy(self.classifier)

        self.hint = paragraph(muted=True)
        self.hint.setVisible(False)
        self.run_anyway = named(QCheckBox(ui("run_anyway")), ui("run_anyway"))
        self.run_anyway.setVisible(False)
        self.run_anyway.toggled.connect(self.changed)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        # Each label as wide as its word: a column as wide as “Classifier” would cut “Where”.
        layout.addLayout(_row(line(ui("where"), bold=True), self.where))
        layout.addLayout(_row(self._organ_label, self._organ_row))
        layout.addLayout(_row(self._rule_label, self.rule))
        layout.addLayout(_row(self._classifier_label, self.classifier, self.info))
        layout.addWidget(self.hint)
        layout.addLayout(self._options_head())
        layout.addWidget(self._options)
        layout.addWidget(self.run_anyway)
        self._fill_rules()
        self.rule.currentIndexChanged.connect(self._on_rule_changed)
        self.classifier.currentIndexChanged.connect(self._on_choice_changed)
        self.set_classifiers([("membrane", None)])
        self._show_for_stain()

    # building -----------------------------------------------------------------------------

    def _make_organ_row(self) -> QWidget:
        body = QWidget()
        row = QHBoxLayout()
        row.setSpacing(4)
        self._organs = QButtonGroup(self)
        for i, organ in enumerate(("breast", "gea")):
            radio = QRadioButton(ui(f"organ_{organ}"))
            radio.setMinimumHeight(TARGET_PX)
            named(radio, f"{ui('organ')}: {radio.text()}", ui(f"organ_{organ}_tip"))
            self._organs.addButton(radio, i)
            row.addWidget(radio)
        row.addStretch()
        self._organs.button(0).setChecked(True)
        self._organs.idToggled.connect(self._on_organ_toggled)
        self.specimen = _combo(ui("specimen"), ui("specimen_tip"))
        for specimen in ("biopsy", "resection"):
            self.specimen.addItem(ui(f"specimen_{specimen}"), specimen)
        self.specimen.currentIndexChanged.connect(self._on_specimen_changed)
        self.specimen.setVisible(False)
        layout = QVBoxLayout(body)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self.specimen)
        return body

    def _options_head(self) -> QHBoxLayout:
        fold = fold_button(ui("options"))
        self._summary = ElidedLine(muted=True)
        self._options = QWidget()
        grid = QGridLayout(self._options)
        grid.setContentsMargins(18, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self.stain = _combo(ui("stain_of"), ui("stain_of_tip"))
        for stain, marker in _STAINS:
            name = ui(f"stain_{stain}") if marker is None else ui("stain_marker", marker=marker)
            self.stain.addItem(name, (stain, marker))
        self.stain.currentIndexChanged.connect(self._on_stain_changed)
        label = line(ui("stain_of"))
        label.setBuddy(self.stain)
        grid.addWidget(label, 0, 0)
        grid.addWidget(self.stain, 0, 1)
        self._options.setVisible(False)
        fold.toggled.connect(self._options.setVisible)
        self.fold = fold
        head = QHBoxLayout()
        head.setSpacing(4)
        head.addWidget(fold)
        head.addWidget(self._summary, 1)
        return head

    # setters ------------------------------------------------------------------------------

    def set_classifiers(self, found: Sequence[tuple[str, ModelCard | None]]) -> None:
        """The classifiers there are; None as card = needs no weights."""
        self._cards = dict(found)
        chosen = self.classifier.currentData()
        with QSignalBlocker(self.classifier):
            self.classifier.clear()
            for name, card in found:
                self.classifier.addItem(_classifier_text(name, card), name)
            self.classifier.setCurrentIndex(max(0, self.classifier.findData(chosen)))
        self.changed.emit()

    def choose_classifier(self, name: str) -> None:
        """Choose a classifier by id."""
        self.classifier.setCurrentIndex(max(0, self.classifier.findData(name)))

    def choose_organ(self, organ: Organ, specimen: Specimen = "biopsy") -> None:
        """Choose organ and kind of specimen."""
        self._organs.button(1 if organ == "gea" else 0).setChecked(True)
        self.specimen.setCurrentIndex(max(0, self.specimen.findData(specimen)))

    def choose_stain(self, stain: CellMode, marker: NuclearMarker | None = None) -> None:
        """Choose what is stained."""
        self.stain.setCurrentIndex(_STAINS.index((stain, marker)))

    def offer_run_anyway(self, offered: bool) -> None:
        """Show the box that overrides a stain mismatch, or take it away."""
        self.run_anyway.setVisible(offered)
        if not offered:
            with QSignalBlocker(self.run_anyway):
                self.run_anyway.setChecked(False)

    # getters ------------------------------------------------------------------------------

    @property
    def organ(self) -> Organ:
        """Organ chosen."""
        return "gea" if self._organs.checkedId() == 1 else "breast"

    @property
    def card(self) -> ModelCard | None:
        """Card of the classifier chosen; None for the measurement without weights."""
        return self._cards.get(str(self.classifier.currentData()))

    def form(self) -> ScoreForm:
        """The form as filled in."""
        gea = self.organ == "gea"
        stain, marker = _STAINS[self.stain.currentIndex()]
        return ScoreForm(
            stain=stain,
            marker=marker,
            where=self.where.where,
            region_layer=self.where.region_layer,
            organ=self.organ,
            specimen=self._specimen if gea else "resection",
            rule=self.rule.currentData(),
            classifier=str(self.classifier.currentData()),
            ignore_stain=self.run_anyway.isChecked(),
        )

    # inner --------------------------------------------------------------------------------

    @property
    def _specimen(self) -> Specimen:
        return "resection" if self.specimen.currentData() == "resection" else "biopsy"

    def _fill_rules(self) -> None:
        specimen = self._specimen if self.organ == "gea" else "resection"
        usual = default_rule(self.organ, specimen)
        with QSignalBlocker(self.rule):
            self.rule.clear()
            for rule in rules_for(self.organ, specimen):
                self.rule.addItem(rule.label, rule.id)
                self.rule.setItemData(
                    self.rule.count() - 1, rule.source, Qt.ItemDataRole.ToolTipRole
                )
            self.rule.setCurrentIndex(max(0, self.rule.findData(usual)))

    def _on_organ_toggled(self, _id: int, on: bool) -> None:
        if not on:
            return
        # A rule that was chosen by hand is given up: that is said, not done silently.
        before = self.rule.currentData()
        chosen = before is not None and before != default_rule(RULES[before].organ)
        self.specimen.setVisible(self.organ == "gea")
        self._fill_rules()
        refused = "breast_rule_on_gea" if self.organ == "gea" else "gea_rule_on_breast"
        self._say(tr(refused) if chosen else "")
        self.changed.emit()

    def _on_specimen_changed(self) -> None:
        self._fill_rules()
        self._say("")
        self.changed.emit()

    def _on_rule_changed(self) -> None:
        self._say("")
        self.changed.emit()

    def _on_choice_changed(self) -> None:
        self.changed.emit()

    def _on_stain_changed(self) -> None:
        self._show_for_stain()
        self.changed.emit()

    def _show_for_stain(self) -> None:
        her2 = _STAINS[self.stain.currentIndex()][0] == "her2-ihc"
        for widget in (
            self._organ_label, self._organ_row, self._rule_label, self.rule,
            self._classifier_label, self.classifier, self.info,
        ):  # fmt: skip
            widget.setVisible(her2)
        self._summary.setText(self.stain.currentText())

    def _say(self, text: str) -> None:
        self.hint.setText(text)
        self.hint.setVisible(bool(text))


def _row(label: QWidget, control: QWidget, *more: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(4)
    label.setMinimumHeight(TARGET_PX)
    row.addWidget(label, 0, Qt.AlignmentFlag.AlignTop)
    row.addWidget(control, 1)
    for widget in more:
        row.addWidget(widget)
    return row


def _combo(name: str, tip: str) -> ElidedCombo:
    combo = ElidedCombo(mode=Qt.TextElideMode.ElideRight)
    combo.setMinimumHeight(TARGET_PX)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return named(combo, name, tip)


def _classifier_text(name: str, card: ModelCard | None) -> str:
    if card is None:
        return ui("classifier_membrane") if name == "membrane" else name
    if card.is_demo:
        return ui("classifier_demo", name=card.name, version=card.version)
    return ui("classifier_named", name=card.name, version=card.version)
