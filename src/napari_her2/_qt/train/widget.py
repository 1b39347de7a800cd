"""The Train dock: label set, recipe, run, figures, examples; a view of its controller."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog, QWidget

from napari_her2._qt.components.dock_body import DockBody
from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import paragraph, small_button
from napari_her2._qt.components.run_strip import RunStrip, StripState, StripView
from napari_her2._qt.session import Session, session_of
from napari_her2._qt.texts import ui
from napari_her2._qt.train.estimate import estimate_text
from napari_her2._qt.train.form import TrainFormPanel
from napari_her2._qt.train.plot import LivePlot
from napari_her2._qt.train.recipe_card import RecipePopover
from napari_her2._qt.train.result_card import TrainResultCard
from napari_her2._qt.train.result_shower import TrainResultShower
from napari_her2._qt.train.services import label_sets_folder
from napari_her2._qt.window import adopt_window
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari_her2._qt.run_controller import ErrorView
    from napari_her2._qt.train.controller import TrainController

__all__ = ["TrainWidget"]


class TrainWidget(DockBody):
    """Choose labels and a recipe, train, look at the figures, use the model.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window it is docked in.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-train")
        self.session: Session = session_of(napari_viewer)
        self.controller: TrainController = self.session.train

        self.form = TrainFormPanel()
        self.strip = RunStrip(ui("run_train"), tells_rate=False)
        self.pause_button = small_button(ui("pause"), ui("pause_tip"))
        self.strip.add_counting_button(self.pause_button)
        self.errors = ErrorBar()
        self.empty = paragraph(ui("train_empty"), muted=True)
        self.plot = LivePlot()
        self.plot.setVisible(False)
        self.card = TrainResultCard()
        self.head.addWidget(self.form)
        self.head.addWidget(self.form.amber)
        self.head.addWidget(self.strip)
        self.head.addWidget(self.errors)
        self.body.addWidget(self.empty)
        self.body.addWidget(self.plot)
        self.body.addWidget(self.card)
        self.body.addStretch()
        self.shower = TrainResultShower(self.controller, self.card, self)

        self._connect()
        self.form.set_cards(self.controller.cards())
        self._on_sets_changed()
        self._on_labels_changed()
        self._on_strip_changed(self.controller.strip)
        self._on_error_changed(self.controller.error)
        self._on_epoch_done()
        self.shower.show_result()
        adopt_window(self.session, self)
        self.controller.reload_sets()
        self.controller.look_for_unfinished()
        self.controller.show_latest()

    def _connect(self) -> None:
        controller, form, strip = self.controller, self.form, self.strip
        form.changed.connect(self._on_form_changed)
        form.recipe_info_requested.connect(self._show_recipe)
        form.summary.set_chosen.connect(controller.select)
        form.summary.browse_requested.connect(self._browse)
        form.summary.odd_requested.connect(self.shower.show_odd)
        strip.run_requested.connect(self.run)
        strip.cancel_requested.connect(controller.cancel)
        strip.abandon_requested.connect(controller.stop_at_once)
        strip.resume_requested.connect(lambda: controller.again(resume=True))
        strip.restart_requested.connect(lambda: controller.again(resume=False))
        self.pause_button.clicked.connect(controller.pause)
        self.errors.mend_requested.connect(self._mend)
        controller.strip_changed.connect(self._on_strip_changed)
        controller.error_changed.connect(self._on_error_changed)
        controller.sets_changed.connect(self._on_sets_changed)
        controller.labels_changed.connect(self._on_labels_changed)
        controller.epoch_done.connect(self._on_epoch_done)
        controller.result_changed.connect(self._tell_empty)

    # running ------------------------------------------------------------------------------

    def run(self) -> None:
        """Train (the main button, Ctrl+Enter)."""
        if not self.controller.running:
            self.controller.start(self.form.form())

    def cancel(self) -> None:
        """Stop the training (Ctrl+.)."""
        if self.strip.cancel_button.isVisibleTo(self.strip):
            self.strip.cancel_button.click()

    def take_label_set(self, path: Path) -> None:
        """Fill the form in with a label set that was just made."""
        self.controller.take(Path(path))

    def _mend(self, remedy: str) -> None:
        del remedy
        self.controller.again(resume=True)

    # the form -----------------------------------------------------------------------------

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(
            self, ui("train_browse_tip"), str(label_sets_folder())
        )
        if folder:
            self.controller.take(Path(folder))
        else:
            self._on_sets_changed()

    def _on_sets_changed(self) -> None:
        self.form.summary.set_sets(self.controller.sets, self.controller.chosen)

    def _on_labels_changed(self) -> None:
        self.form.set_labels(self.controller.labels, self.controller.chosen)
        self._on_sets_changed()
        self._tell_empty()

    def _on_form_changed(self) -> None:
        self.strip.form_changed()
        self._tell_empty()

    def _show_recipe(self) -> None:
        self._popover = RecipePopover(self.form.form().recipe, self)
        self._popover.show_below(self.form.info)

    def _tell_empty(self) -> None:
        there = self.controller.labels is not None
        self.strip.set_button_enabled(there)
        text = estimate_text(self.form.form(), self.controller.labels) if there else ""
        shown = text or (ui("train_ready") if there else "")
        if self.strip.state is StripState.IDLE:
            self.strip.set_idle(shown)
        self.strip.set_estimate(shown)
        nothing = self.controller.result is None and not self.controller.history
        self.empty.setText(ui("train_here" if there else "train_empty"))
        self.empty.setVisible(nothing and self.shower.nothing_shown)

    # what goes on -------------------------------------------------------------------------

    def _on_strip_changed(self, view: StripView) -> None:
        self.strip.show_view(view)
        if view.state is StripState.CANCELLED:
            self.strip.resume_button.setVisible(view.can_resume)
        if view.state is StripState.IDLE:
            self._tell_empty()

    def _on_error_changed(self, view: ErrorView | None) -> None:
        if view is None:
            self.errors.clear()
            return
        unexpected = None if isinstance(view.error, Her2Error) else view.error
        mend = view.mend if self.controller.can_repeat else None
        self.errors.show_error(view.sentence, error=unexpected, mend=mend)

    def _on_epoch_done(self) -> None:
        history = self.controller.history
        self.plot.set_history(history)
        self.plot.setVisible(bool(history) or self.controller.running)
        self._tell_empty()

    def open_file(self, path: Path) -> None:
        """Show a file with the program of this computer that is made for it."""
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
