"""The Score HER2 IHC dock: a form, a run strip and a result; a view of its controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_her2._qt import numbers
from napari_her2._qt.components.dock_body import DockBody
from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import paragraph
from napari_her2._qt.components.model_card import CardPopover
from napari_her2._qt.components.run_strip import RunStrip, StripState, StripView
from napari_her2._qt.docks import open_dock
from napari_her2._qt.predict.introduction import introduce
from napari_her2._qt.regions import region_layers, start_region
from napari_her2._qt.score.estimate import estimate_text
from napari_her2._qt.score.form import ScoreFormPanel
from napari_her2._qt.score.membrane_card import MembranePopover
from napari_her2._qt.score.presenter import ScorePresenter
from napari_her2._qt.score.result_card import ScoreResultCard
from napari_her2._qt.score.rules_table import RulesDialog
from napari_her2._qt.score.showing import ResultShower
from napari_her2._qt.session import Session, session_of, tell
from napari_her2._qt.texts import ui
from napari_her2._qt.window import adopt_window
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari_her2._qt.run_controller import ErrorView
    from napari_her2._qt.score.controller import ScoreController

__all__ = ["ScoreWidget"]


class ScoreWidget(DockBody):
    """Choose where, organ, rule and classifier, run, look at cells, correct, rescore.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window it is docked in.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-score")
        self.session: Session = session_of(napari_viewer)
        self.controller: ScoreController = self.session.score

        self.form = ScoreFormPanel()
        self.strip = RunStrip(ui("run_score"), tells_rate=False)
        self.errors = ErrorBar()
        self.head.addWidget(self.form)
        self.head.addWidget(self.strip)
        self.head.addWidget(self.errors)
        self.empty = paragraph(ui("score_empty"), muted=True)
        self.card = ScoreResultCard()
        self.body.addWidget(self.empty)
        self.body.addWidget(self.card)
        self.body.addStretch()
        self.shower = ResultShower(self.controller, self.card)

        self._connect_form()
        self._connect_card()
        self._connect_session()
        self.reload_classifiers()
        self._refill_regions()
        self.strip.show_view(self.controller.strip)
        self._on_error_changed(self.controller.error)
        self._on_presenter_changed()
        self._estimate()
        adopt_window(self.session, self)

    # wiring -------------------------------------------------------------------------------

    def _connect_form(self) -> None:
        self.form.changed.connect(self._on_form_changed)
        self.form.card_requested.connect(self._show_card)
        self.form.region_requested.connect(self._draw_region)
        self.strip.run_requested.connect(self.run)
        self.strip.cancel_requested.connect(self.controller.cancel)
        self.strip.abandon_requested.connect(self.controller.stop_at_once)
        self.strip.resume_requested.connect(lambda: self.controller.again(resume=True))
        self.strip.restart_requested.connect(self._start_over)
        self.errors.mend_requested.connect(self._mend)

    def _connect_card(self) -> None:
        self.card.rules_requested.connect(self._show_rules)
        self.card.mend_requested.connect(self._mend)
        self.card.folder_requested.connect(self._open_folder)
        self.card.report_requested.connect(self._open_report)
        self.card.corrected.labels_requested.connect(self._tell_labels)

    def _connect_session(self) -> None:
        controller = self.controller
        controller.strip_changed.connect(self._on_strip_changed)
        controller.error_changed.connect(self._on_error_changed)
        controller.presenter_changed.connect(self._on_presenter_changed)
        controller.cursor_changed.connect(self.card.set_cursor)
        self.session.active_changed.connect(self._on_facts_changed)
        self.session.facts_changed.connect(self._on_facts_changed)
        viewer = self.session.viewer
        if viewer is not None:
            viewer.layers.events.inserted.connect(self._on_layers_changed)
            viewer.layers.events.removed.connect(self._on_layers_changed)

    # running ------------------------------------------------------------------------------

    def run(self) -> None:
        """Start what the form asks for (the main button, Ctrl+Enter)."""
        if self.controller.running:
            return
        card = self.form.card
        if self.session.active is not None and card is not None and not introduce([card], self):
            return
        self.controller.start(self.form.form())

    def cancel(self) -> None:
        """Stop the run (Ctrl+.)."""
        if self.strip.cancel_button.isVisibleTo(self.strip):
            self.strip.cancel_button.click()

    def _start_over(self) -> None:
        if self.controller.can_repeat:
            self.controller.again(resume=False)
        else:
            self.run()

    def _mend(self, remedy: str) -> None:
        from napari_her2._qt.slide import actions

        if remedy == "open":
            self._try(lambda: actions.choose_file(self.session, self))
        elif remedy == "mpp":
            from napari_her2._qt.slide.mpp_dialog import ask_mpp

            if self.session.active is not None and ask_mpp(self.session, self.session.active, self):
                self.controller.again()
        elif remedy == "stain":
            self.form.offer_run_anyway(True)
            self.form.run_anyway.setChecked(True)
            self.controller.again(ignore_stain=True)
        elif remedy == "tissue":
            self._try(lambda: actions.show_tissue(self.session, self))
        elif remedy == "whole":
            self.form.where.choose("whole")
            self.run()
        elif remedy == "resume":
            self.controller.again(resume=True)
        else:
            self.controller.again()

    def _try(self, call: Any) -> None:
        try:
            call()
        except Her2Error as error:
            tell(error)

    # the form -----------------------------------------------------------------------------

    def reload_classifiers(self) -> None:
        """Look again which classifiers are installed."""
        self.form.set_classifiers(self.controller.classifiers())

    def _on_form_changed(self) -> None:
        self.strip.form_changed()
        self._estimate()

    def _on_layers_changed(self, _event: Any = None) -> None:
        self._refill_regions()

    def _refill_regions(self) -> None:
        viewer = self.session.viewer
        if viewer is not None:
            self.form.where.set_regions(region_layers(viewer))

    def _draw_region(self) -> None:
        name = start_region(self.session)
        if name is not None:
            self.form.where.choose_region(name)

    def _show_card(self) -> None:
        card = self.form.card
        self._popover = MembranePopover(self) if card is None else CardPopover([card], self)
        self._popover.show_below(self.form.info)

    def _on_facts_changed(self) -> None:
        if self.session.active is None:
            self.form.offer_run_anyway(False)
        self._estimate()

    def _estimate(self) -> None:
        """Tell what a run would do: area and time."""
        if self.controller.running:
            return
        entry, viewer = self.session.active, self.session.viewer
        text = ui("no_slide")
        if entry is not None and viewer is not None:
            text = estimate_text(self.form.form(), entry, viewer) or ui("ready_score")
        self.empty.setText(ui("score_empty" if entry is None else "score_here"))
        if self.strip.state is StripState.IDLE:
            self.strip.set_idle(text)
        self.strip.set_estimate(text)

    # the result ---------------------------------------------------------------------------

    def _on_strip_changed(self, view: StripView) -> None:
        self.strip.show_view(view)
        if view.state is StripState.IDLE:
            self._estimate()

    def _on_error_changed(self, view: ErrorView | None) -> None:
        if view is None:
            self.errors.clear()
            return
        unexpected = None if isinstance(view.error, Her2Error) else view.error
        self.errors.show_error(view.sentence, error=unexpected, mend=view.mend)
        if view.mend is not None and view.mend[0] == "stain":
            self.form.offer_run_anyway(True)

    def _on_presenter_changed(self) -> None:
        presenter = self.controller.presenter
        self.shower.bind(presenter)
        self.empty.setVisible(presenter is None)
        self.card.setVisible(presenter is not None)

    @property
    def _presenter(self) -> ScorePresenter | None:
        return self.controller.presenter

    def _show_rules(self) -> None:
        if self._presenter is not None:
            facts = self._presenter.facts()
            RulesDialog(facts.rules, facts.title, self).exec()

    def _tell_labels(self) -> None:
        cells = self.controller.cells
        if cells.corrections_file is not None and self._presenter is not None:
            name, n = cells.corrections_file.name, cells.n_corrected
            text = "labels_kept_one" if n == 1 else "labels_kept"
            self._presenter.change = ui(text, n=numbers.count(n), file=name)
            self._presenter.changed.emit()
            # They go into the label set that is made there.
            open_dock(self.session, "her2-annotate")

    def _open_folder(self) -> None:
        if self._presenter is not None and self._presenter.run.run_dir is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._presenter.run.run_dir)))

    def _open_report(self) -> None:
        from napari_her2._qt.score.services import write_cells_report

        presenter = self._presenter
        if presenter is None or presenter.run.run_dir is None:
            return
        try:
            path = write_cells_report(presenter.run.document, presenter.run.run_dir)
        except Her2Error as error:
            tell(error)
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
