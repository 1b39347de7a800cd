"""The model that was made: its figures, the pictures of its test, and what can be done with it."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import heading, named, paragraph, small_button
from napari_her2._qt.components.result_frame import ResultFrame
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme
from napari_her2._qt.train.examples_panel import ExamplesPanel
from napari_her2._qt.train.figure_views import CalibrationView, CurveView, MatrixView
from napari_her2._qt.train.model_result import ModelResult
from napari_her2.reporting.model_figures import estimate_text

__all__ = ["VIEWS", "TrainResultCard"]

VIEWS: Final = ("matrix", "curves", "calibration", "examples")
CURVES: Final = ("roc", "pr", "mcc_f1")
_STATUS: Final = {
    "synthetic-demo": "train_demo",
    "user-unvalidated": "train_not_validated",
    "user-validated-locally": "train_validated",
}


class TrainResultCard(ResultFrame):
    """Shows a result; emits, decides nothing.

    Signals
    -------
    use_requested(), card_requested(), record_requested(), page_requested()
    export_requested(str, str)
        Which picture, and ``png``, ``svg`` or ``csv``.
    cell_requested(int, int)
        The examples of a cell of the matrix.
    view_changed(str)
        Another picture is shown.
    """

    use_requested = Signal()
    card_requested = Signal()
    record_requested = Signal()
    page_requested = Signal()
    export_requested = Signal(str, str)
    cell_requested = Signal(int, int)
    view_changed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = heading("")
        self.figures = paragraph()
        self.amber = paragraph()
        follow_theme(self.amber, _amber_style)
        self.matrix, self.curves, self.calibration = MatrixView(), CurveView(), CalibrationView()
        self.examples = ExamplesPanel()
        self._pages = {
            "matrix": self.matrix, "curves": self._curves_page(),
            "calibration": self.calibration, "examples": self.examples,
        }  # fmt: skip
        # Not a stack of Qt's: that is as high as its highest page.
        self._stack = QWidget()
        pages = QVBoxLayout(self._stack)
        pages.setContentsMargins(0, 0, 0, 0)
        for name in VIEWS:
            pages.addWidget(self._pages[name])
            self._pages[name].setVisible(name == VIEWS[0])
        self._views = QButtonGroup(self)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 6)
        layout.setSpacing(5)
        layout.addWidget(self.title)
        layout.addWidget(self.figures)
        layout.addWidget(self.amber)
        layout.addLayout(self._view_row())
        layout.addWidget(self._stack)
        layout.addLayout(self._button_row())
        self.said = paragraph(muted=True)
        self.said.setVisible(False)
        layout.addWidget(self.said)
        self.matrix.cell_clicked.connect(self.cell_requested)

    # building -----------------------------------------------------------------------------

    def _view_row(self) -> QHBoxLayout:
        row = QHBoxLayout()
        row.setSpacing(3)
        for i, name in enumerate(VIEWS):
            text = ui(f"view_{name}", kind=ui("train_cells")) if name == "examples" else ui(
                f"view_{name}"
            )  # fmt: skip
            button = QPushButton(text)
            button.setCheckable(True)
            button.setAutoDefault(False)
            button.setMinimumHeight(TARGET_PX)
            button.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
            named(button, text, ui("view_tip"))
            follow_theme(button, _toggle_style)
            self._views.addButton(button, i)
            row.addWidget(button)
        self._views.button(0).setChecked(True)
        self._views.idToggled.connect(self._on_view_toggled)
        return row

    def _curves_page(self) -> QWidget:
        page = QWidget()
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, 0, 0, 0)
        row = QHBoxLayout()
        self._kinds = QButtonGroup(self)
        for i, kind in enumerate(CURVES):
            button = small_button(ui(f"curve_{kind}"))
            button.setCheckable(True)
            follow_theme(button, _toggle_style)
            self._kinds.addButton(button, i)
            row.addWidget(button)
        self._kinds.button(0).setChecked(True)
        self._kinds.idToggled.connect(self._on_kind_toggled)
        row.addStretch()
        layout.addLayout(row)
        layout.addWidget(self.curves)
        return page

    def _button_row(self) -> QVBoxLayout:
        self.use = small_button(ui("use_now"), ui("use_now_tip"))
        self.use.clicked.connect(self.use_requested)
        card = small_button(ui("card_button"), ui("card_button_tip"))
        card.clicked.connect(self.card_requested)
        self.card_button = card
        self.record = small_button(ui("record"), ui("record_tip"))
        self.record.clicked.connect(self.record_requested)
        self.export = small_button(ui("export"), ui("export_tip"))
        menu = QMenu(self.export)
        for form in ("png", "svg", "csv"):
            action = menu.addAction(ui(f"export_{form}"))
            action.triggered.connect(lambda _=False, f=form: self._on_export(f))
        menu.addSeparator()
        menu.addAction(ui("export_page")).triggered.connect(self.page_requested)
        self.export.setMenu(menu)
        first, second = QHBoxLayout(), QHBoxLayout()
        for row, buttons in ((first, (self.use, card)), (second, (self.record, self.export))):
            row.setSpacing(4)
            for button in buttons:
                row.addWidget(button)
            row.addStretch()
        both = QVBoxLayout()
        both.setSpacing(4)
        both.addLayout(first)
        both.addLayout(second)
        return both

    # setters ------------------------------------------------------------------------------

    def set_result(self, result: ModelResult, warnings: tuple[str, ...]) -> None:
        """Show a model."""
        card, e = result.card, result.evaluation
        self.title.setText(ui("train_model", name=card.id, status=ui(_STATUS[card.status])))
        kind = ui(f"train_{result.kind}")
        if e is None:
            self.figures.setText(ui("train_no_figures"))
        else:
            value = estimate_text(e.f1_macro.value, e.f1_macro.ci95)
            slides = ui("train_one_slide") if e.n_groups == 1 else ui(
                "train_slides", n=numbers.count(e.n_groups)
            )  # fmt: skip
            text = "train_macro_train" if result.part == "train" else "train_macro"
            self.figures.setText(
                ui(text, value=value, slides=slides, n=numbers.count(e.n), kind=kind)
            )
        self.amber.setText("\n".join(warnings))
        self.amber.setVisible(bool(warnings))
        for view in (self.matrix, self.curves, self.calibration):
            view.set_evaluation(e)
        for button in self._views.buttons():
            button.setEnabled(e is not None)
        self._views.button(3).setText(ui("view_examples", kind=kind))
        self._stack.setVisible(e is not None)
        self.export.setEnabled(e is not None)
        self.record.setEnabled(not card.is_demo)
        self.record.setToolTip(ui("record_demo" if card.is_demo else "record_tip"))
        self.say("")

    def show_view(self, name: str) -> None:
        """Show one of :data:`VIEWS`."""
        self._views.button(VIEWS.index(name)).setChecked(True)

    @property
    def view(self) -> str:
        """The picture shown."""
        return VIEWS[max(self._views.checkedId(), 0)]

    def say(self, sentence: str) -> None:
        """Tell what became of the last wish."""
        self.said.setText(sentence)
        self.said.setVisible(bool(sentence))

    def picture(self) -> tuple[str, QWidget]:
        """Name of the picture that is exported, and the widget that shows it."""
        if self.view == "curves":
            return CURVES[max(self._kinds.checkedId(), 0)], self.curves
        if self.view == "calibration":
            return "calibration", self.calibration
        return "matrix", self.matrix

    # inner --------------------------------------------------------------------------------

    def _on_view_toggled(self, index: int, on: bool) -> None:
        if on:
            for i, name in enumerate(VIEWS):
                self._pages[name].setVisible(i == index)
            self.view_changed.emit(VIEWS[index])

    def _on_kind_toggled(self, index: int, on: bool) -> None:
        if on:
            self.curves.set_kind(CURVES[index])

    def _on_export(self, form: str) -> None:
        name, _ = self.picture()
        self.export_requested.emit("examples" if self.view == "examples" else name, form)


def _amber_style() -> str:
    return f"color: {theme_colours().warning.name()};"


def _toggle_style() -> str:
    c = theme_colours()
    return (
        f"QPushButton:checked {{ background: {c.main.name()}; color: white; }}"
        f"QPushButton:focus {{ border: 1px solid {c.text.name()}; }}"
    )
