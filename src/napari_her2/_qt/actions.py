"""What the keys of the viewer do. Bound once for each viewer, to whatever is shown then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject, Signal

from napari_her2._qt import camera
from napari_her2._qt.key_bindings import bind_viewer_keys
from napari_her2._qt.layer_order import kind_of
from napari_her2._qt.predict.picking import MapPicker

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_her2._qt.session import Session

__all__ = ["ViewerActions"]

_POWERS = {"zoom_1.25": 1.25, "zoom_5": 5.0, "zoom_10": 10.0, "zoom_20": 20.0, "zoom_40": 40.0}


class ViewerActions(QObject):
    """The actions of one window.

    Signals
    -------
    docks_toggled()
        Show or hide our docks.
    """

    docks_toggled = Signal()

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self._hidden: list[Layer] = []
        self._flight = camera.Flight(self)
        self.picker = MapPicker(session, session.predict)
        viewer = session.viewer
        if viewer is not None:
            actions: dict[str, Any] = {
                name: getattr(self, name)
                for name in (
                    "toggle_map", "next_biomarker", "toggle_doubt", "previous_place",
                    "next_place", "whole_slide", "pick_tile", "toggle_docks", "toggle_cells",
                    "toggle_labels",
                )
            }  # fmt: skip
            for name, power in _POWERS.items():
                setattr(self, name, _Zoom(self, power))
                actions[name] = getattr(self, name).run
            bind_viewer_keys(viewer, actions, {"bare_tissue": self.bare_tissue})

    def toggle_map(self) -> None:
        """Show or hide the map."""
        predict = self._session.predict
        predict.map.visible = not predict.map.visible
        self._apply()

    def toggle_doubt(self) -> None:
        """Show or hide the veil of doubt."""
        predict = self._session.predict
        predict.map.doubt = not predict.map.doubt
        self._apply()

    def _apply(self) -> None:
        presenter = self._session.predict.presenter
        if presenter is not None:
            presenter.layers.apply()

    def next_biomarker(self) -> None:
        """Show the next biomarker's map."""
        presenter = self._session.predict.presenter
        if presenter is not None:
            presenter.choose_next()

    def previous_place(self) -> None:
        """Fly to the previous place of the list."""
        self._step(-1)

    def next_place(self) -> None:
        """Fly to the next place of the list."""
        self._step(1)

    def _step(self, by: int) -> None:
        presenter = self._session.front_presenter
        if presenter is not None:
            presenter.step(by)

    def pick_tile(self) -> None:
        """Tell the probabilities of the tile under the cursor."""
        self.picker.pick_under_cursor()

    def toggle_docks(self) -> None:
        """Show or hide our docks."""
        self.docks_toggled.emit()

    def toggle_cells(self) -> None:
        """Show or hide the cells."""
        cells = self._session.score.cells
        cells.set_shown(not cells.shown)

    def toggle_labels(self) -> None:
        """Show or hide what was drawn."""
        viewer, entry = self._session.viewer, self._session.active
        if viewer is None or entry is None:
            return
        ours = [
            x
            for x in viewer.layers
            if kind_of(x) in ("labels", "dots", "drawing", "carried")
            and self._session.entry_of(x) is entry
        ]
        shown = any(x.visible for x in ours)
        for layer in ours:
            layer.visible = not shown

    def whole_slide(self) -> None:
        """Show the whole slide."""
        entry, viewer = self._session.active, self._session.viewer
        if entry is not None and viewer is not None:
            centre, zoom = camera.frame(viewer, entry, entry.bounds)
            self._flight.to(viewer, centre, zoom * 0.95)

    def zoom_to(self, power: float) -> None:
        """Show the slide as under an objective, with the place under the cursor kept.

        Parameters
        ----------
        power : float
            10x is taken as 1 µm per screen pixel, as scanners have it.
        """
        entry, viewer = self._session.active, self._session.viewer
        if entry is None or viewer is None:
            return
        um_per_screen_px = 10.0 / power
        zoom = 1.0 / um_per_screen_px if entry.mpp is not None else power / 40
        place = tuple(viewer.cursor.position)[-2:]
        self._flight.to(viewer, camera.place_on_screen(viewer, place, zoom), zoom)

    def bare_tissue(self, held: bool) -> None:
        """Hide every overlay while the key is held."""
        viewer = self._session.viewer
        if viewer is None:
            return
        if held:
            self._hidden = [
                x for x in viewer.layers if x.visible and kind_of(x) not in ("slide", None)
            ]
            for layer in self._hidden:
                layer.visible = False
        else:
            for layer in self._hidden:
                if layer in viewer.layers:
                    layer.visible = True
            self._hidden = []


class _Zoom:
    """One of the fixed magnifications, as an action without arguments."""

    def __init__(self, actions: ViewerActions, power: float) -> None:
        self._actions = actions
        self._power = power

    def run(self) -> None:
        """Go there."""
        self._actions.zoom_to(self._power)
