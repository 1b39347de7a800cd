"""What the wand and ``Accept map`` look at on the active slide: tissue, the map shown, pixels."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_her2._qt import camera
from napari_her2._qt.annotate.wand import Grid
from napari_her2.geometry import Region

if TYPE_CHECKING:
    from napari_her2._qt.session import Session

__all__ = ["SlideLook"]

_LONGEST = 1200
"""Longest side of the picture that colours are compared in."""


class SlideLook:
    """Looks at the active slide of a window.

    Parameters
    ----------
    session : Session
        Held weakly.
    """

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)

    def view(self) -> Region | None:
        """What of the active slide is in view, level-0 pixels."""
        session = self._session()
        if session is None or session.viewer is None or session.active is None:
            return None
        return camera.region_in_view(session.viewer, session.active)

    def um_px(self) -> float:
        """Micrometres to a level-0 pixel; 1 where that is unknown."""
        session = self._session()
        entry = None if session is None else session.active
        return 1.0 if entry is None else entry.world_mpp[0]

    def grid(self, source: str) -> Grid | None:
        """What a source has to look at; None if there is nothing."""
        session = self._session()
        entry = None if session is None else session.active
        if session is None or entry is None:
            return None
        if source == "tissue":
            if entry.survey is None:
                return None
            tissue = entry.survey.tissue
            return Grid(tissue.usable, 0, 0, *tissue.downsample)
        if source == "map":
            return self.shown_map()
        region = self.view()
        rgb = None if region is None else entry.read_field(region, _LONGEST)
        if region is None or rgb is None:
            return None
        h, w = rgb.shape[:2]
        return Grid(rgb, region.x, region.y, region.width / w, region.height / h)

    def shown_map(self) -> Grid | None:
        """Probabilities of the map that Predict shows, NaN where there is no answer."""
        presenter: Any = self._presenter()
        if presenter is None or presenter.current is None:
            return None
        scores = presenter.run.models[presenter.current]
        grid = scores.sheet.grid
        return Grid(
            np.asarray(scores.positive), grid.region.x, grid.region.y,
            grid.cell_width, grid.cell_height,
        )  # fmt: skip

    def map_threshold(self) -> float:
        """The t of the map that Predict shows; 0.70 as in Gamble 2021 without one."""
        presenter: Any = self._presenter()
        if presenter is None or presenter.current is None:
            return 0.70
        made = presenter.run.thresholds.get(presenter.current, presenter.made_threshold())
        return 0.70 if made is None else float(made)

    def _presenter(self) -> Any:
        session = self._session()
        entry = None if session is None else session.active
        return None if entry is None else entry.extra.get("predict")
