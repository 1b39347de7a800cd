"""Carries a result onto its card and the wishes of the card to whom they concern."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_her2._qt.components.model_card import CardPopover
from napari_her2._qt.docks import open_dock
from napari_her2._qt.session import tell
from napari_her2._qt.texts import ui
from napari_her2._qt.train.example_list import (
    ExampleList,
    examples_of_cell,
    odd_examples,
    worst_examples,
)
from napari_her2._qt.train.exporting import export_figure
from napari_her2._qt.train.guide import Guide, class_keys
from napari_her2._qt.train.record_dialog import RecordDialog
from napari_her2._qt.train.result_card import TrainResultCard
from napari_her2.errors import Her2Error
from napari_her2.reporting.model_figures import estimate_text

if TYPE_CHECKING:
    from napari_her2._qt.train.controller import TrainController

__all__ = ["TrainResultShower"]


class TrainResultShower(QObject):
    """One for a dock.

    Parameters
    ----------
    controller : TrainController
        Whose result is shown.
    card : TrainResultCard
        Where.
    parent : QWidget
        The dock: dialogs stand over it.
    """

    def __init__(self, controller: TrainController, card: TrainResultCard, parent: QWidget) -> None:
        super().__init__(parent)
        self._controller = controller
        self._session = controller.session
        self._card = card
        self._dock = parent
        self._labels: Any = None
        self._of_cell = False
        self.guide = Guide(self._session)
        self.guide.told.connect(card.examples.say)
        controller.result_changed.connect(self.show_result)
        card.use_requested.connect(self.use)
        card.card_requested.connect(self._show_card)
        card.record_requested.connect(self._record)
        card.page_requested.connect(self._open_page)
        card.export_requested.connect(self._export)
        card.cell_requested.connect(self._show_cell)
        card.view_changed.connect(self._on_view_changed)
        card.examples.example_requested.connect(self._go)
        card.examples.class_requested.connect(self._relabel)

    @property
    def nothing_shown(self) -> bool:
        """Whether there is neither a result nor a list of examples."""
        return bool(self._card.isHidden())

    # the result ---------------------------------------------------------------------------

    def show_result(self) -> None:
        """Show the model that the controller has now."""
        result = self._controller.result
        self._card.setVisible(result is not None)
        if result is None:
            return
        self._of_cell = False
        self._card.set_result(result, self._controller.warnings)
        self._fill_worst()

    def _fill_worst(self) -> None:
        result = self._controller.result
        shown = None
        if result is not None and result.predictions is not None:
            shown = worst_examples(result.predictions)
        self._show_examples(shown, self._controller.labels_of_result)

    def _on_view_changed(self, name: str) -> None:
        # The worst ones come back once another picture was looked at.
        if name != "examples" and self._of_cell:
            self._of_cell = False
            self._fill_worst()

    def _show_cell(self, truth: int, called: int) -> None:
        result = self._controller.result
        if result is None or result.predictions is None:
            return
        shown = examples_of_cell(result.predictions, truth, called)
        self._show_examples(shown, self._controller.labels_of_result)
        self._card.show_view("examples")
        self._of_cell = True

    def _show_examples(self, shown: ExampleList | None, labels: Any) -> None:
        panel = self._card.examples
        self._labels = labels
        result = self._controller.result
        classes = labels.classes if labels is not None else (
            () if result is None else result.card.class_names
        )  # fmt: skip
        schema = "" if labels is None else str((labels.info.get("schema_used") or {}).get("id", ""))
        panel.set_keys(class_keys(tuple(classes), schema) if classes else {})
        panel.set_examples(shown)
        if shown is None or labels is None or not shown.examples:
            return
        rows = [e.row for e in shown.examples]
        pictures = self._controller.services.pictures

        def done(found: Any) -> None:
            if panel.examples is shown:
                panel.set_pictures(found)

        self._session.thumbnails.submit(lambda: pictures(labels)(rows), done, lambda _e: None)

    def _go(self, index: int) -> None:
        panel = self._card.examples
        if panel.examples is None or not 0 <= index < len(panel.examples.examples):
            return
        result = self._controller.result
        name = "" if result is None else result.card.id
        self.guide.go(panel.examples.examples[index], self._labels, name)
        panel.setFocus()

    def _relabel(self, name: str) -> None:
        self.guide.relabel(name)

    # odd labels ---------------------------------------------------------------------------

    def show_odd(self) -> None:
        """Show the labels of the chosen set that look out of place, in a window of their own."""
        from napari_her2._qt.train.odd_window import OddWindow

        labels = self._controller.labels
        if labels is None:
            return
        pictures = self._controller.services.pictures
        shown = odd_examples(labels)
        window = self._odd_window = OddWindow(shown, labels, self._session, self._dock)
        rows = [e.row for e in shown.examples]

        def done(found: Any) -> None:
            window.panel.set_pictures(found)

        self._session.thumbnails.submit(lambda: pictures(labels)(rows), done, lambda _e: None)
        window.show()

    # using --------------------------------------------------------------------------------

    def use(self) -> None:
        """Choose the model in the dock that runs it, and bring that to the front."""
        result = self._controller.result
        name = self._controller.use_model()
        if result is None or name is None:
            return
        dock = open_dock(self._session, name)
        card = result.card
        if dock is not None and name == "her2-score":
            dock.reload_classifiers()
            dock.form.choose_classifier(card.id)
        elif dock is not None:
            dock.reload_models()
            if card.biomarker is not None:
                dock.form.tick(card.biomarker)
        where = ui("dock_score" if name == "her2-score" else "dock_predict")
        self._card.say(ui("use_done", name=card.name, dock=where))

    def _show_card(self) -> None:
        result = self._controller.result
        if result is not None:
            self._popover = CardPopover([result.card], self._dock)
            self._popover.show_below(self._card.card_button)

    def _record(self) -> None:
        result = self._controller.result
        if result is None:
            return
        dialog = RecordDialog(result.card, self._controller.record, self._dock)
        if dialog.exec():
            self.tell_recorded()

    def tell_recorded(self) -> None:
        """Say which validation stands on the card now."""
        result = self._controller.result
        if result is not None and result.card.validation:
            v = result.card.validation[-1]
            value = estimate_text(v.value, v.ci95)
            self._card.say(
                ui("record_done", name=result.card.name, metric=v.metric, value=value, n=v.n)
            )

    def _open_page(self) -> None:
        path = self._controller.write_page()
        if path is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))

    def _export(self, figure: str, form: str) -> None:
        result = self._controller.result
        if result is None:
            return
        name = f"{result.card.id}-{figure}.{form}"
        chosen, _ = QFileDialog.getSaveFileName(self._dock, ui("export_tip"), name)
        if chosen:
            self.write_picture(Path(chosen), figure)

    def write_picture(self, path: Path, figure: str) -> None:
        """Write a picture or its numbers, by the ending of the file."""
        result = self._controller.result
        if result is None:
            return
        _, widget = self._card.picture()
        shown = self._card.examples if figure == "examples" else widget
        try:
            export_figure(path, result, figure, shown)
        except Her2Error as error:
            tell(error)
