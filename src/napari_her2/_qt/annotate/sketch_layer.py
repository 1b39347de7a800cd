"""The layer ``Drawing``: the line being drawn, the outline of what is selected, its handles.

It holds a few shapes only, so that drawing is as quick over thousands of regions as over none.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
import shapely
from napari.layers import Shapes
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.tools import Sketch
from napari_her2._qt.layer_order import add_in_order
from napari_her2.layers.annotations import points_yx

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["SketchLayer"]

_HALO_PX: Final = 5.0
_LINE_PX: Final = 2.0
_HANDLE_PX: Final = 4.0
"""Half the side of a handle on the screen."""
_DOT_PX: Final = 8.0
_MOST_CORNERS: Final = 4000
"""An outline with more corners is thinned for its mark; what is drawn below it is whole."""


class SketchLayer:
    """Owns the ``Drawing`` layer of one slide. It is emptied and refilled, never taken away.

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
        self.layer: Shapes | None = None
        self._marked: Sequence[BaseGeometry] = ()
        self._n_marks = 0
        self._sketch = Sketch()
        self._colour = "#FFFFFF"

    @property
    def anything(self) -> bool:
        """Whether something is drawn."""
        return bool(self._marked) or not self._sketch.empty

    def make(self) -> Shapes | None:
        """The layer, made empty at first use; None without a window."""
        viewer = self._viewer()
        if self.layer is None and viewer is not None and self._entry.layer in viewer.layers:
            mx, my = self._entry.world_mpp
            unit = "um" if self._entry.mpp is not None else "pixel"
            self.layer = Shapes(
                ndim=2,
                name=f"Drawing · {self._entry.short}",
                scale=(my, mx),
                units=(unit, unit),
                axis_labels=("y", "x"),
                metadata={"her2": {"kind": "drawing", "slide_id": self._entry.slide_id}},
            )
            self.layer.editable = False
            self._n_marks = 0
            add_in_order(viewer, self.layer)
        return self.layer

    def mark(self, geometries: Sequence[BaseGeometry]) -> None:
        """Draw the outline of what is selected."""
        self._marked = geometries
        self.redraw()

    def sketch(self, sketch: Sketch, colour: str) -> None:
        """Draw what is being drawn in the colour of its class."""
        if sketch.empty and self._sketch.empty:
            return
        self._sketch, self._colour = sketch, colour
        if self.make() is None:
            return
        assert self.layer is not None
        with self._quietly(self.layer):
            n = len(self.layer.shape_type)
            if n > self._n_marks:
                if self._n_marks:
                    self.layer.remove(list(range(self._n_marks, n)))
                else:
                    self.layer.data = []
            self._add_sketch()
        self.layer.editable = False

    def redraw(self) -> None:
        """Draw all of it, with lines as thick as they should be at this zoom."""
        if not self.anything and self.layer is None:
            return
        if self.make() is None:
            return
        assert self.layer is not None
        with self._quietly(self.layer):
            if len(self.layer.shape_type):
                self.layer.data = []
            self._add_marks()
            self._n_marks = len(self.layer.shape_type)
            self._add_sketch()
        self.layer.editable = False

    @contextmanager
    def _quietly(self, layer: Shapes) -> Iterator[None]:
        """Without thumbnails, and without the viewer working out its dimensions at each move."""
        with layer.block_thumbnail_update(), layer.events.data.blocker():
            yield

    @property
    def _px(self) -> float:
        """Level-0 pixels to one pixel of the screen."""
        viewer = self._viewer()
        if viewer is None:
            return 1.0
        return 1.0 / (float(viewer.scene.camera.zoom) * self._entry.world_mpp[0])

    def _add_marks(self) -> None:
        lines, dots = [], []
        px = self._px
        for geometry in self._marked:
            for part in shapely.get_parts(geometry):
                if part.geom_type == "Polygon":
                    rings = (part.exterior, *part.interiors)
                    lines += [_thinned(np.asarray(r.coords)[:, :2], px) for r in rings]
                elif part.geom_type == "LineString":
                    lines.append(_thinned(np.asarray(part.coords)[:, :2], px))
                elif part.geom_type == "Point":
                    dots.append(_square((part.x, part.y), _DOT_PX * px))
        for shapes, kind in ((lines, "path"), (dots, "polygon")):
            self._add([points_yx(s) for s in shapes], kind, "#000000", _HALO_PX)
            self._add([points_yx(s) for s in shapes], kind, "#FFFFFF", _LINE_PX)

    def _add_sketch(self) -> None:
        for corners, closed in self._sketch.lines:
            if len(corners) < 2:
                continue
            data = _apart(points_yx(corners))
            if len(data) < 2:
                continue
            filled = closed and self._sketch.filled
            ring = np.concatenate([data, data[:1]]) if closed else data
            self._add([ring], "path", "#000000", _HALO_PX - 1)
            face = f"{self._colour}26" if filled else "transparent"
            kind = "polygon" if filled else "path"
            self._add([data if filled else ring], kind, self._colour, _LINE_PX, face)
        px = self._px
        if self._sketch.handles:
            squares = [points_yx(_square(h, _HANDLE_PX * px)) for h in self._sketch.handles]
            self._add(squares, "polygon", "#000000", 1.5, "#FFFFFF")
            if self._sketch.chosen is not None:
                self._add([squares[self._sketch.chosen]], "polygon", "#000000", 1.5, "#F2A900")

    def _add(
        self,
        data: list[NDArray[np.float64]],
        kind: str,
        colour: str,
        width_px: float,
        face: str = "transparent",
    ) -> None:
        if data and self.layer is not None:
            self.layer.add(
                data,
                shape_type=kind,
                edge_color=[colour] * len(data),
                face_color=[face] * len(data),
                edge_width=width_px * self._px,
            )


def _thinned(ring: NDArray[np.float64], px: float) -> NDArray[np.float64]:
    if len(ring) <= _MOST_CORNERS:
        return ring
    line = shapely.simplify(shapely.linestrings(ring), px)
    thin = np.asarray(line.coords)
    return thin if len(thin) >= 4 else ring[:: len(ring) // _MOST_CORNERS + 1]


def _apart(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    """Without corners that lie on the one before: napari draws no line there, nor after it."""
    keep = np.ones(len(corners), np.bool_)
    keep[1:] = np.any(np.diff(corners, axis=0) != 0, axis=1)
    return corners[keep]


def _square(xy: tuple[float, float], half: float) -> NDArray[np.float64]:
    x, y = xy
    return np.array(
        [(x - half, y - half), (x + half, y - half), (x + half, y + half), (x - half, y + half)]
    )
