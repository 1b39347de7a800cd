"""Keeps the result card in step with one presenter and with the cells on the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_her2._qt.score.facts import class_short
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES

if TYPE_CHECKING:
    from napari_her2._qt.score.controller import ScoreController
    from napari_her2._qt.score.presenter import ScorePresenter
    from napari_her2._qt.score.result_card import ScoreResultCard

__all__ = ["ResultShower", "map_text"]


def map_text(name: str) -> str:
    """Words for something that the cells can be coloured by."""
    if name.startswith("density "):
        return ui("map_density", name=class_short(name.removeprefix("density ")))
    return ui(f"map_{name}")


class ResultShower(QObject):
    """Wires the card; the card knows no presenter, the presenter knows no card.

    Parameters
    ----------
    controller : ScoreController
        Whose cells are shown.
    card : ScoreResultCard
        Where.
    """

    def __init__(self, controller: ScoreController, card: ScoreResultCard) -> None:
        super().__init__(card)
        self._controller = controller
        self._card = card
        self._bound: ScorePresenter | None = None
        self._listening = False
        card.class_clicked.connect(self._call("show_only"))
        card.toggles.changed.connect(self._call("set_visible"))
        card.map_chosen.connect(self._call("choose_map"))
        card.look_at.place_requested.connect(self._call("visit"))
        card.look_at.sort_requested.connect(self._call("set_sort"))
        card.cell.class_chosen.connect(lambda name: controller.cells.correct(name))
        card.corrected.undo_requested.connect(lambda: controller.cells.undo())
        card.corrected.rescore_requested.connect(controller.rescore)

    def _call(self, method: str) -> Any:
        def call(*args: Any) -> None:
            if self._bound is not None:
                getattr(self._bound, method)(*args)

        return call

    def bind(self, presenter: ScorePresenter | None) -> None:
        """Show this result from now on."""
        if presenter is not self._bound:
            old, self._bound = self._bound, presenter
            if old is not None:
                old.changed.disconnect(self._show)
                old.places_changed.disconnect(self._show_places)
                old.place_visited.disconnect(self._show_visit)
            if presenter is not None:
                presenter.changed.connect(self._show)
                presenter.places_changed.connect(self._show_places)
                presenter.place_visited.connect(self._show_visit)
                self._card.cell.set_classes(NUCLEAR_CLASSES if presenter.nuclear else CELL_CLASSES)
                self._card.cell.show_cell(None)
        if presenter is None:
            return
        self._listen()
        self._show()
        self._show_places()

    def _listen(self) -> None:
        """The layers of cells are made with the first result, not with the dock."""
        if self._listening:
            return
        self._listening = True
        cells = self._controller.cells
        cells.picked.connect(self._card.cell.show_cell)
        cells.corrected.connect(lambda _: self._show_corrected())
        cells.changed.connect(self._show_layers)
        cells.zoom_hint.connect(self._card.set_zoom_hint)
        cells.cursor_changed.connect(self._card.set_cursor)

    def _show(self) -> None:
        presenter = self._bound
        if presenter is None:
            return
        run = presenter.run
        percent = None if run.complete else int(100 * run.share_done)
        self._card.show_facts(presenter.facts(), percent=percent, demo=run.is_demo)
        self._card.set_mend(presenter.mend())
        self._card.set_origin(presenter.origin())
        stored = run.run_dir is not None
        self._card.folder.setVisible(stored)
        self._card.report.setVisible(stored and run.complete)
        self._card.corrected.setVisible(run.complete)
        self._show_corrected()
        self._show_layers()

    def _show_corrected(self) -> None:
        presenter = self._bound
        if presenter is None:
            return
        cells = presenter.cells
        self._card.corrected.show_count(
            cells.n_corrected, can_undo=cells.can_undo, can_rescore=presenter.can_rescore
        )
        self._card.corrected.show_change(presenter.change)

    def _show_layers(self) -> None:
        presenter = self._bound
        if presenter is None or not presenter.shown:
            return
        cells = presenter.cells
        self._card.toggles.set_classes(
            NUCLEAR_CLASSES if presenter.nuclear else CELL_CLASSES, cells.visible_classes
        )
        names = [(name, map_text(name)) for name in cells.map_names()]
        self._card.set_maps(names, cells.colouring)

    def _show_places(self) -> None:
        presenter = self._bound
        if presenter is not None:
            self._card.look_at.set_sort(presenter.sort)
            self._card.look_at.set_places(presenter.n_places)

    def _show_visit(self, index: int) -> None:
        presenter = self._bound
        if presenter is not None and index < presenter.n_places:
            self._card.look_at.set_at(index, presenter.why(index))
