"""The Predict ER/PR/HER2 dock: a form, a run strip and a result; a view of its controller."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QWidget

from napari_her2._qt.components.dock_body import DockBody
from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import paragraph
from napari_her2._qt.components.model_card import CardPopover
from napari_her2._qt.components.run_strip import RunStrip, StripState, StripView
from napari_her2._qt.predict.estimate import estimate_text
from napari_her2._qt.predict.form import PredictFormPanel
from napari_her2._qt.predict.impressions import note_impression
from napari_her2._qt.predict.introduction import introduce
from napari_her2._qt.predict.presenter import ResultPresenter
from napari_her2._qt.predict.result_card import ResultCard
from napari_her2._qt.rates import known_rate
from napari_her2._qt.regions import region_layers, start_region
from napari_her2._qt.session import Session, session_of, tell
from napari_her2._qt.texts import ui
from napari_her2._qt.window import adopt_window
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari_her2._qt.predict.controller import PredictController
    from napari_her2._qt.run_controller import ErrorView

__all__ = ["PredictWidget"]


class PredictWidget(DockBody):
    """Choose models and where, run, look at the result.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window it is docked in.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-predict")
        self.session: Session = session_of(napari_viewer)
        self.controller: PredictController = self.session.predict
        self._bound: ResultPresenter | None = None

        self.form = PredictFormPanel()
        self.strip = RunStrip(ui("run_predict"))
        self.errors = ErrorBar()
        self.head.addWidget(self.form)
        self.head.addWidget(self.strip)
        self.head.addWidget(self.errors)
        self.empty = paragraph(ui("results_here"), muted=True)
        self.card = ResultCard()
        self.body.addWidget(self.empty)
        self.body.addWidget(self.card)
        self.body.addStretch()

        self._connect_form()
        self._connect_card()
        self._connect_session()
        self.reload_models()
        self._refill_regions()
        self.strip.show_view(self.controller.strip)
        self._on_error_changed(self.controller.error)
        self._on_presenter_changed()
        self._on_facts_changed()
        adopt_window(self.session, self)

    # wiring -------------------------------------------------------------------------------

    def _connect_form(self) -> None:
        self.form.changed.connect(self._on_form_changed)
        self.form.models_requested.connect(self._show_models)
        self.form.card_requested.connect(self._show_cards)
        self.form.region_requested.connect(self._draw_region)
        self.form.impression_toggled.connect(lambda _: self._show_numbers())
        self.card.impression.given.connect(self._on_impression_given)
        self.strip.run_requested.connect(self.run)
        self.strip.cancel_requested.connect(self.controller.cancel)
        self.strip.abandon_requested.connect(self.controller.stop_at_once)
        self.strip.resume_requested.connect(lambda: self.controller.again(resume=True))
        self.strip.restart_requested.connect(self._start_over)
        self.errors.mend_requested.connect(self._mend)

    def _connect_card(self) -> None:
        card = self.card
        card.biomarker_chosen.connect(self._with_presenter("choose"))
        card.look_at.place_requested.connect(self._with_presenter("visit"))
        card.look_at.sort_requested.connect(self._with_presenter("set_sort"))
        card.gallery.tile_requested.connect(self._with_presenter("visit"))
        card.why.threshold_previewed.connect(self._with_presenter("set_threshold"))
        card.why.threshold_chosen.connect(self._with_presenter("set_threshold"))
        card.why.threshold_reset.connect(lambda: self._with_presenter("set_threshold")(None))
        card.why.bar_clicked.connect(self._with_presenter("look_at_bar"))
        card.why.fold.toggled.connect(lambda _: self._show_why())
        card.map_row.changed.connect(self._on_map_row_changed)
        card.folder_requested.connect(self._open_folder)
        card.report_requested.connect(self._open_report)
        card.map_row.show_settings(self.controller.map)

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

    def _with_presenter(self, method: str) -> Any:
        def call(*args: Any) -> None:
            if self._bound is not None:
                getattr(self._bound, method)(*args)

        return call

    # running ------------------------------------------------------------------------------

    def run(self) -> None:
        """Start what the form asks for (the main button, Ctrl+Enter)."""
        if self.controller.running:
            return
        form = self.form.form()
        if self.session.active is not None and not introduce(self.form.ticked(), self):
            return
        self.controller.start(form)

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
        if remedy == "open":
            self._slide_dock_call("choose_file")
        elif remedy == "mpp":
            from napari_her2._qt.slide.mpp_dialog import ask_mpp

            if self.session.active is not None and ask_mpp(self.session, self.session.active, self):
                self.controller.again()
        elif remedy == "stain":
            self.form.offer_run_anyway(True)
            self.form.run_anyway.setChecked(True)
            self.controller.again(ignore_stain=True)
        elif remedy == "trust":
            self.controller.trust_and_run()
        elif remedy == "models":
            self._show_models()
        elif remedy == "tissue":
            self._slide_dock_call("show_tissue")
        else:
            self.controller.again()

    def _slide_dock_call(self, name: str) -> None:
        from napari_her2._qt.slide import actions

        try:
            getattr(actions, name)(self.session, self)
        except Her2Error as error:
            tell(error)

    # the form -----------------------------------------------------------------------------

    def reload_models(self) -> None:
        """Look again which models are installed."""
        self.form.set_cards(self.controller.cards())

    def _on_form_changed(self) -> None:
        self.strip.form_changed()
        self._estimate()

    def _on_layers_changed(self, _event: Any = None) -> None:
        self._refill_regions()

    def _refill_regions(self) -> None:
        viewer = self.session.viewer
        if viewer is None:
            return
        self.form.set_regions(region_layers(viewer))

    def _draw_region(self) -> None:
        name = start_region(self.session)
        if name is not None:
            self.form.choose_region(name)

    def _show_cards(self) -> None:
        cards = self.form.ticked()
        if cards:
            self._popover = CardPopover(cards, self)
            self._popover.show_below(self.form.info)

    def _show_models(self) -> None:
        from napari_her2._qt.predict.models_dialog import ModelsDialog

        ModelsDialog(self.controller.services.registry(), self).exec()
        self.reload_models()

    def _on_facts_changed(self) -> None:
        entry = self.session.active
        if entry is None:
            self.form.offer_run_anyway(False)
        self._estimate()

    def _estimate(self) -> None:
        """Tell what a run would do: tiles, models, time."""
        if self.controller.running:
            return
        entry = self.session.active
        text = ui("no_slide")
        if entry is not None:
            rate = known_rate()
            form = self.form.form()
            text = estimate_text(self.session, self.form.ticked(), form, rate) or ui("ready")
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
        if presenter is not self._bound:
            self._unbind()
            self._bound = presenter
            if presenter is not None:
                presenter.changed.connect(self._show_numbers)
                presenter.current_changed.connect(self._show_current)
                presenter.places_changed.connect(self._show_places)
                presenter.place_visited.connect(self._show_visit)
                presenter.picture_ready.connect(self.card.gallery.set_picture)
                presenter.map_changed.connect(self._show_map)
        self.empty.setVisible(presenter is None)
        self.card.setVisible(presenter is not None)
        if presenter is None:
            return
        self._show_current()
        self._show_places()
        self._show_map()

    def _unbind(self) -> None:
        old, self._bound = self._bound, None
        if old is None:
            return
        for signal, slot in (
            (old.changed, self._show_numbers),
            (old.current_changed, self._show_current),
            (old.places_changed, self._show_places),
            (old.place_visited, self._show_visit),
            (old.picture_ready, self.card.gallery.set_picture),
            (old.map_changed, self._show_map),
        ):
            signal.disconnect(slot)

    def _show_numbers(self) -> None:
        presenter = self._bound
        if presenter is None:
            return
        run = presenter.run
        cards = [m.card for m in run.models.values()]
        self.card.set_rows(
            presenter.rows(),
            presenter.current,
            demo=any(c.is_demo for c in cards),
            her2_from_he=any(c.biomarker == "HER2" and c.stain == "H&E" for c in cards),
            hidden=[model_id for model_id, _ in self._waiting()],
        )
        self.card.impression.ask(self._waiting())
        self.card.set_warnings([str(w) for w in run.document.get("warnings", ())])
        percent = int(100 * run.n_done / run.n_total) if run.n_total else 0
        self.card.set_frame(partial=not run.complete, percent=percent)
        stored = run.run_dir is not None and run.complete
        self.card.folder.setVisible(run.run_dir is not None)
        self.card.report.setVisible(stored)
        self._show_why()

    def _waiting(self) -> list[tuple[str, str]]:
        """Models whose number waits for the reader's impression."""
        if self._bound is None or not self.form.impression.isChecked():
            return []
        return self._bound.unasked()

    def _on_impression_given(self, model_id: str, verdict: str) -> None:
        presenter = self._bound
        if presenter is None:
            return
        try:
            note_impression(presenter.run.slide_id, presenter.run.run_id, model_id, verdict)
        except Her2Error as error:
            tell(error)
        presenter.run.impressions[model_id] = verdict
        self._show_numbers()

    def _show_current(self) -> None:
        self._show_numbers()
        presenter = self._bound
        if presenter is not None:
            self.card.look_at.set_sort(presenter.sort)

    def _show_why(self) -> None:
        presenter = self._bound
        if presenter is None or presenter.current is None:
            return
        positive: np.ndarray | None = None
        negative: np.ndarray | None = None
        if self.card.why.fold.isChecked():
            scores = presenter.run.models[presenter.current]
            positive, negative = scores.positive, scores.negative
        # The counts and the slider would tell the number as well.
        self.card.why.setVisible(presenter.current not in [m for m, _ in self._waiting()])
        self.card.why.show_score(presenter.score(), presenter.made_threshold(), positive, negative)

    def _show_places(self) -> None:
        presenter = self._bound
        if presenter is None:
            return
        self.card.look_at.set_places(len(presenter.places))
        self.card.gallery.set_tips([presenter.tip(p.tile) for p in presenter.places])

    def _show_visit(self, index: int) -> None:
        presenter = self._bound
        if presenter is not None and index < len(presenter.places):
            place = presenter.places[index]
            self.card.look_at.set_at(index, presenter.why(place))
            self.card.gallery.set_current(index)
            self.card.set_cursor(presenter.describe_tile(place.tile))

    def _show_map(self) -> None:
        self.card.map_row.show_settings(self.controller.map)

    def _on_map_row_changed(self) -> None:
        self.card.map_row.read_into(self.controller.map)
        if self._bound is not None:
            self._bound.layers.apply()

    def _open_folder(self) -> None:
        if self._bound is not None and self._bound.run.run_dir is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._bound.run.run_dir)))

    def _open_report(self) -> None:
        from napari_her2.reporting.report import write_report

        if self._bound is None or self._bound.run.run_dir is None:
            return
        try:
            path = write_report(self._bound.run.document, self._bound.run.run_dir)
        except Her2Error as error:
            tell(error)
            return
        QDesktopServices.openUrl(QUrl.fromLocalFile(str(path)))
