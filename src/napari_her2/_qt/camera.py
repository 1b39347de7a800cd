"""Moving the view over a slide, and telling what of it is in view."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING

from qtpy.QtCore import QEasingCurve, QObject, QTimer, QVariantAnimation

from napari_her2.geometry import Region, world_yx_to_xy, xy_to_world_yx

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = [
    "Flight",
    "KeptFitted",
    "frame",
    "place_on_screen",
    "reduced_motion",
    "region_in_view",
]

_FLIGHT_MS = 250


def reduced_motion() -> bool:
    """Whether the user asked for no animation."""
    return os.environ.get("NAPARI_HER2_REDUCED_MOTION") == "1"


def frame(
    viewer: ViewerModel, entry: OpenSlide, region: Region
) -> tuple[tuple[float, float], float]:
    """Camera centre (y, x) and zoom that show a region of a slide.

    Parameters
    ----------
    viewer : ViewerModel
        For the size of its canvas.
    entry : OpenSlide
        The slide.
    region : Region
        Level-0 pixels.
    """
    mx, my = entry.world_mpp
    centre = (region.x + region.width / 2, region.y + region.height / 2)
    cy, cx = xy_to_world_yx(centre, mx, my)
    height, width = viewer.canvas.size
    zoom = min(width / (region.width * mx), height / (region.height * my))
    return (float(cy), float(cx)), float(zoom)


def region_in_view(viewer: ViewerModel, entry: OpenSlide) -> Region | None:
    """The part of a slide that can be seen, level-0 pixels; None if none of it."""
    mx, my = entry.world_mpp
    cy, cx = viewer.scene.camera.center[-2:]
    height, width = (n / viewer.scene.camera.zoom for n in viewer.canvas.size)
    x0, y0 = world_yx_to_xy((cy - height / 2, cx - width / 2), mx, my)
    seen = Region(float(x0), float(y0), width / mx, height / my)
    return seen.intersect(entry.bounds)


def place_on_screen(
    viewer: ViewerModel, place_yx: tuple[float, float], zoom: float
) -> tuple[float, float]:
    """Camera centre that keeps a world place where it is on the screen at another zoom."""
    camera = viewer.scene.camera
    ratio = camera.zoom / zoom
    cy, cx = camera.center[-2:]
    return (
        place_yx[0] + (cy - place_yx[0]) * ratio,
        place_yx[1] + (cx - place_yx[1]) * ratio,
    )


class Flight(QObject):
    """Moves a camera in a quarter of a second, or at once where motion is unwanted."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._animation: QVariantAnimation | None = None

    def to(self, viewer: ViewerModel, centre_yx: tuple[float, float], zoom: float) -> None:
        """Go to a centre and zoom.

        Parameters
        ----------
        viewer : ViewerModel
            Whose camera.
        centre_yx : (float, float)
            World coordinates.
        zoom : float
            Screen pixels per world unit.
        """
        self.stop()
        camera = viewer.scene.camera
        if reduced_motion():
            _set(viewer, centre_yx, zoom)
            return
        y0, x0 = camera.center[-2:]
        zoom0 = camera.zoom
        animation = QVariantAnimation(self)
        animation.setDuration(_FLIGHT_MS)
        animation.setStartValue(0.0)
        animation.setEndValue(1.0)
        animation.setEasingCurve(QEasingCurve.Type.InOutCubic)

        def move(f: float) -> None:
            # Zoom changes by equal factors, so that near and far take the same time.
            z = zoom0 * (zoom / zoom0) ** f
            _set(viewer, (y0 + (centre_yx[0] - y0) * f, x0 + (centre_yx[1] - x0) * f), z)

        animation.valueChanged.connect(move)
        animation.finished.connect(lambda: _set(viewer, centre_yx, zoom))
        self._animation = animation
        animation.start()

    def stop(self) -> None:
        """Stay where we are."""
        if self._animation is not None:
            self._animation.stop()
            self._animation.deleteLater()
            self._animation = None


def _set(viewer: ViewerModel, centre_yx: tuple[float, float], zoom: float) -> None:
    camera = viewer.scene.camera
    camera.zoom = zoom
    camera.center = (camera.center[0], *centre_yx) if len(camera.center) == 3 else centre_yx


class KeptFitted(QObject):
    """Fits the picture again while the canvas finds its size, until somebody moves the camera.

    Docks take their width only after the first slide is there, so the first fit is for a canvas
    that is too wide.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    parent : QObject
        Ends the watch with it.
    """

    def __init__(self, viewer: ViewerModel, parent: QObject) -> None:
        super().__init__(parent)
        self._viewer = weakref.ref(viewer)
        self._fitted: tuple[float, ...] | None = None
        viewer.canvas.events.size.connect(self._on_size_changed)
        # napari fits a first layer after it told everyone else of it.
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._remember)
        self._timer.start(0)

    def fit(self) -> None:
        """Fit now, and again with the next change of size."""
        viewer = self._viewer()
        if viewer is not None:
            viewer.reset_view()
            self._remember()

    def stop(self) -> None:
        """Leave the camera alone from now on."""
        viewer = self._viewer()
        self._timer.stop()
        if viewer is not None:
            viewer.canvas.events.size.disconnect(self._on_size_changed)

    def _remember(self) -> None:
        viewer = self._viewer()
        if viewer is not None:
            self._fitted = _view_of(viewer)

    def _on_size_changed(self) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        if self._fitted is not None and _view_of(viewer) != self._fitted:
            self.stop()
            return
        self.fit()


def _view_of(viewer: ViewerModel) -> tuple[float, ...]:
    camera = viewer.scene.camera
    return (*camera.center, camera.zoom)
