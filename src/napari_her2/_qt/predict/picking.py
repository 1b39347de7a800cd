"""What lies under the cursor, and what a click on the map picks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QObject

from napari_her2._qt import numbers
from napari_her2._qt.clicks import listen_to_mouse
from napari_her2._qt.texts import ui
from napari_her2.geometry import world_yx_to_xy

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.predict.controller import PredictController
    from napari_her2._qt.session import Session

__all__ = ["MapPicker"]


class MapPicker(QObject):
    """Tells hover and click of the picture in the help line and in the dock.

    Parameters
    ----------
    session : Session
        Whose viewer is listened to.
    controller : PredictController
        Gets what was found.
    """

    def __init__(self, session: Session, controller: PredictController) -> None:
        super().__init__(session)
        self._session = session
        self._controller = controller
        viewer = session.viewer
        if viewer is not None:
            listen_to_mouse(viewer, self, "_on_move", "pick")

    def pick_under_cursor(self) -> None:
        """Pick the tile under the cursor (J)."""
        viewer = self._session.viewer
        if viewer is not None:
            self.pick(tuple(viewer.cursor.position))

    def pick(self, place_yx: tuple[float, ...]) -> None:
        """Pick the tile at a world place."""
        presenter = self._controller.presenter
        if presenter is None or not self._controller.map.visible:
            return
        text = presenter.pick(place_yx)
        if text is not None:
            self._tell(text)

    def _on_move(self, event: Any) -> None:
        if event.dims_displayed is not None and len(event.dims_displayed) == 3:
            return
        text = self.describe(tuple(event.position))
        if text is not None:
            self._tell(text)

    def describe(self, place_yx: tuple[float, ...]) -> str | None:
        """One line about a world place; None off all slides."""
        entry = self._session.active
        if entry is None:
            return None
        x, y = (float(v) for v in world_yx_to_xy(place_yx[-2:], *entry.world_mpp))
        if not entry.contains(x, y):
            return None
        presenter = self._controller.presenter
        if presenter is not None and self._controller.map.visible:
            text = presenter.describe(place_yx)
            if text is not None:
                return text
        return _slide_line(entry, x, y)

    def _tell(self, text: str) -> None:
        viewer = self._session.viewer
        if viewer is not None:
            viewer.help = text
        self._controller.cursor_changed.emit(text)


def _slide_line(entry: OpenSlide, x: float, y: float) -> str:
    px, py = numbers.count(int(x)), numbers.count(int(y))
    if entry.mpp is None:
        return ui("hover_slide_px", px=px, py=py)
    mx, my = entry.world_mpp
    text = ui(
        "hover_slide",
        x=numbers.fixed(x * mx / 1000, 2),
        y=numbers.fixed(y * my / 1000, 2),
        px=px,
        py=py,
    )
    power = entry.slide.info.objective_power
    return f"{text} · {ui('hover_power', power=f'{power:g}')}" if power else text
