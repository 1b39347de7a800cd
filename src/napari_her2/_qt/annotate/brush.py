"""The brush: paints a coarse picture of what is in view, which becomes polygons when it is lifted.

A slide is far too large to paint on at full resolution. The stroke is painted at the resolution of
the screen, in a layer of labels that covers the view only; its outline is as exact as the hand.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import cv2
import numpy as np
import shapely
from napari.layers import Labels
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.tools import At, Tool
from napari_her2._qt.layer_order import add_in_order
from napari_her2.annotations.rasterise import polygons_of_mask
from napari_her2.geometry import Point, Region, grid_transform

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["BrushLayer", "BrushTool", "Stroke"]

_SCREEN_PX: Final = 1.0
"""Screen pixels to one pixel of the stroke's picture."""
_FINEST: Final = 8.0
"""A brush is painted at least so many of those pixels wide, however small it is."""
_SMALLEST, _LARGEST = 4.0, 400.0
_STEP: Final = 1.25


class Stroke:
    """What the brush covered so far.

    Parameters
    ----------
    region : Region
        What can be painted on, level-0 pixels.
    px : float
        Level-0 pixels to one pixel of its picture.
    """

    def __init__(self, region: Region, px: float) -> None:
        self.region, self.px = region, px
        shape = (max(1, round(region.height / px)), max(1, round(region.width / px)))
        self.picture: NDArray[np.uint8] = np.zeros(shape, np.uint8)

    def paint(self, a: tuple[float, float], b: tuple[float, float], width: float) -> None:
        """Cover the way from one place to another, level-0 pixels."""
        # Sixteenths of a pixel, or slow strokes would jump.
        start, end = (
            tuple(round(16 * ((v - o) / self.px - 0.5)) for v, o in zip(p, corner, strict=True))
            for p, corner in (
                (a, (self.region.x, self.region.y)),
                (b, (self.region.x, self.region.y)),
            )
        )
        wide = width / self.px
        # OpenCV colours every pixel that a line touches, also those it covers by half.
        cv2.line(self.picture, start, end, 1, max(1, round(wide) - 1), cv2.LINE_8, 4)
        cv2.circle(self.picture, end, round(8 * max(wide - 1, 1)), 1, -1, cv2.LINE_8, 4)

    def geometry(self) -> BaseGeometry | None:
        """Its outline with holes; None if nothing was covered."""
        found = polygons_of_mask(self.picture > 0, self.region.x, self.region.y, self.px)
        if not found:
            return None
        whole = shapely.union_all(found)
        # Stairs of the pixels go; the outline stays within one of them.
        return shapely.simplify(whole, 0.75 * self.px, preserve_topology=True)


class BrushLayer:
    """Owns the ``Brush`` layer of one slide. It is emptied after each stroke, never taken away.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    entry : OpenSlide
        The slide below.
    """

    def __init__(self, viewer: ViewerModel, entry: OpenSlide) -> None:
        self._viewer = weakref.ref(viewer)
        self._entry = entry
        self.layer: Labels | None = None

    def begin(self, stroke: Stroke, colour: str) -> None:
        """Show a stroke that is being painted."""
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        colours = {0: "transparent", None: "transparent", 1: colour}
        mx, my = self._entry.world_mpp
        place = grid_transform(
            Point(stroke.region.x, stroke.region.y), stroke.px, stroke.px, mx, my
        )
        if self.layer is None:
            unit = "um" if self._entry.mpp is not None else "pixel"
            self.layer = Labels(
                stroke.picture,
                name=f"Brush · {self._entry.short}",
                scale=place.scale,
                translate=place.translate,
                units=(unit, unit),
                axis_labels=("y", "x"),
                opacity=0.45,
                colormap=colours,
                metadata={"her2": {"kind": "brush", "slide_id": self._entry.slide_id}},
            )
            self.layer.editable = False
            add_in_order(viewer, self.layer)
            return
        self.layer.data = stroke.picture
        self.layer.scale, self.layer.translate = place.scale, place.translate
        self.layer.colormap = colours
        self.layer.editable = False

    def painted(self) -> None:
        """The stroke grew."""
        if self.layer is not None:
            self.layer.refresh(thumbnail=False, highlight=False, extent=False)

    def clear(self) -> None:
        """Show nothing."""
        if self.layer is not None:
            np.asarray(self.layer.data)[:] = 0
            self.painted()


@dataclass
class BrushTool(Tool):
    """Paints a region; Shift adds to the selected one, Alt takes from it.

    Attributes
    ----------
    size_px : float
        Width on the screen.
    fixed : bool
        Whether the width is ``size_um`` on the slide at every zoom.
    size_um : float
        That width, micrometres (pixels where their size is unknown).
    view : callable
        What of the slide is in view; None if nothing is.
    layer : callable
        The layer to paint in.
    colour : callable
        Colour of the stroke, told whether it cuts away.
    """

    name: str = "brush"
    size_px: float = 30.0
    fixed: bool = False
    size_um: float = 50.0
    view: Callable[[], Region | None] = field(default=lambda: None)
    layer: Callable[[], BrushLayer | None] = field(default=lambda: None)
    colour: Callable[[bool], str] = field(default=lambda _: "#FFFFFF")
    um_px: Callable[[], float] = field(default=lambda: 1.0)
    stroke: Stroke | None = field(default=None, init=False)
    _last: At | None = field(default=None, init=False)

    def width(self, at: At) -> float:
        """Width on the slide, level-0 pixels."""
        return self.size_um / self.um_px() if self.fixed else self.size_px * at.screen_px

    def resize(self, larger: bool) -> None:
        """Make it a step wider or narrower."""
        factor = _STEP if larger else 1 / _STEP
        if self.fixed:
            self.size_um = float(np.clip(round(self.size_um * factor, 1), 1.0, 5000.0))
        else:
            self.size_px = float(np.clip(round(self.size_px * factor), _SMALLEST, _LARGEST))

    def press(self, at: At) -> None:
        """Put the brush down."""
        region = self.view()
        if region is None:
            return
        px = min(_SCREEN_PX * at.screen_px, self.width(at) / _FINEST)
        # No finer than needed: a tiny brush must not ask for a picture of gigabytes.
        px = max(px, max(region.width, region.height) / 4096)
        self.stroke, self.busy, self._last = Stroke(region, px), True, at
        self.stroke.paint(at.xy, at.xy, self.width(at))
        layer = self.layer()
        if layer is not None:
            layer.begin(self.stroke, self.colour(self.drawing.how(at) == "subtract"))

    def drag(self, at: At) -> None:
        """Paint on."""
        if self.stroke is None or self._last is None:
            return
        self.stroke.paint(self._last.xy, at.xy, self.width(at))
        self._last = at
        layer = self.layer()
        if layer is not None:
            layer.painted()

    def release(self, at: At) -> None:
        """Lift it: what was painted becomes a region."""
        # The layer shows the stroke's own picture: read it before it is wiped.
        found = None if self.stroke is None else self.stroke.geometry()
        self.drop()
        if found is not None and not found.is_empty:
            self.drawing.commit(found, self.drawing.how(at))

    def drop(self) -> bool:
        """Forget the stroke."""
        was, self.stroke, self._last, self.busy = self.busy, None, None, False
        layer = self.layer()
        if was and layer is not None:
            layer.clear()
        return was
