"""The layer ``Labels``: a view of one slide's annotations, refilled piece by piece, never removed.

The annotations are the truth. napari's Shapes have no undo and no holes, so nothing is kept in the
layer but what is drawn; whatever else changes it is told (``changed_by_napari``) and turned into
an edit, or drawn over.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Points, Shapes
from numpy.typing import NDArray

from napari_her2._qt.layer_order import add_in_order
from napari_her2._qt.safe_layers import refuse_stale_slices
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import ClassSchema
from napari_her2.layers.annotations import (
    DOT_PX,
    colour_of,
    dots_layer,
    dots_of,
    labels_layer,
    outlines_of,
    rgba_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["EDGE_PX", "LabelDots", "LabelShapes"]

EDGE_PX: Final = 3.0
"""Width of a region's line on the screen."""
_WIDTH_STEP: Final = 1.3
"""Lines are made as wide as they should be once the zoom has changed by this factor."""


class LabelShapes:
    """Owns the ``Labels`` layer of one slide.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    entry : OpenSlide
        The slide below.
    on_change : callable
        Called with (action, shape indices) when somebody else changes the shapes.
    """

    def __init__(
        self, viewer: ViewerModel, entry: OpenSlide, on_change: Callable[[str, Any], None]
    ) -> None:
        self._viewer = weakref.ref(viewer)
        self._entry = entry
        self._on_change = on_change
        self._busy = False
        self._edge_px = 0.0
        self.ids: list[str] = []
        self.layer: Shapes | None = None

    def make(self, schema: ClassSchema) -> Shapes | None:
        """The layer, made empty at first use; None without a window."""
        viewer = self._viewer()
        if self.layer is None and viewer is not None and self._entry.layer in viewer.layers:
            mpp = self._entry.mpp
            data, kwargs, _ = labels_layer(
                (), schema, self._entry.slide_id, None if mpp is None else (mpp.x, mpp.y)
            )
            self.layer = Shapes(data, ndim=2, **kwargs)
            self.layer.events.data.connect(self._on_data)
            # napari would draw a line round the shape under the cursor: of a region with holes
            # that is one of the pieces its face is made of. What is selected we mark ourselves.
            self.layer.update_highlight_visibility(False)
            self.layer.update_highlight_visibility = _stay_dark
            self.ids, self._edge_px = [], self._wanted_edge()
            add_in_order(viewer, self.layer)
        return self.layer

    def clear(self) -> None:
        """Draw nothing."""
        if self.layer is not None and self.ids:
            with self._quietly():
                self.layer.data = []
        self.ids = []

    def add(
        self, annotations: Iterable[Annotation], schema: ClassSchema, tolerance_px: float
    ) -> None:
        """Draw more."""
        if self.layer is None:
            return
        shapes, colours, ids = [], [], []
        for a in annotations:
            parts = outlines_of(a.geometry, tolerance_px)
            shapes += parts
            colours += [colour_of(a, schema)] * len(parts)
            ids += [a.id] * len(parts)
        if not shapes:
            return
        face, edge = rgba_of(shapes, colours)
        with self._quietly():
            self.layer.add(
                [s.data for s in shapes],
                shape_type=[s.kind for s in shapes],
                face_color=face,
                edge_color=edge,
                edge_width=[self._edge_px if s.edge else 0.0 for s in shapes],
            )
        self.ids += ids

    def remove(self, gone: Iterable[str]) -> None:
        """Draw these annotations no more."""
        wanted = set(gone)
        at = [i for i, owner in enumerate(self.ids) if owner in wanted]
        if self.layer is None or not at:
            return
        if len(at) == len(self.ids):
            self.clear()
            return
        with self._quietly():
            self.layer.remove(at)
        drop = set(at)
        self.ids = [owner for i, owner in enumerate(self.ids) if i not in drop]

    def recolour(self, changed: Sequence[Annotation], schema: ClassSchema) -> None:
        """Draw annotations, whose outlines stayed as they are, in the colour of their class."""
        if self.layer is None:
            return
        colours = {a.id: colour_of(a, schema) for a in changed}
        rows = [i for i, owner in enumerate(self.ids) if owner in colours]
        if not rows:
            return
        face, edge = np.array(self.layer.face_color), np.array(self.layer.edge_color)
        for i in rows:
            rgb = tuple(int(colours[self.ids[i]][k : k + 2], 16) / 255 for k in (1, 3, 5))
            face[i, :3] = edge[i, :3] = rgb
        with self._quietly():
            self.layer.face_color = face
            self.layer.edge_color = edge

    def follow_zoom(self) -> bool:
        """Make lines as wide as they should be on the screen; False if they are."""
        wanted = self._wanted_edge()
        ratio = wanted / self._edge_px if self._edge_px else np.inf
        if self.layer is None or 1 / _WIDTH_STEP < ratio < _WIDTH_STEP:
            return False
        self._edge_px = wanted
        drawn = np.array(self.layer.edge_color)[:, 3] > 0 if self.ids else np.empty(0)
        with self._quietly():
            self.layer.edge_width = [wanted if on else 0.0 for on in drawn]
            self.layer.current_edge_width = wanted
        return True

    def _wanted_edge(self) -> float:
        viewer = self._viewer()
        if viewer is None:
            return EDGE_PX
        return EDGE_PX / (float(viewer.scene.camera.zoom) * self._entry.world_mpp[0])

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        assert self.layer is not None
        self._busy = True
        try:
            # The viewer would work out its dimensions anew with each of these events; a slide
            # below has them already.
            with self.layer.block_thumbnail_update(), self.layer.events.data.blocker():
                yield
        finally:
            self._busy = False

    def _on_data(self, event: Any) -> None:
        action = str(getattr(event, "action", "")).lower()
        if self._busy or action not in ("added", "removed", "changed"):
            return
        self._on_change(action, getattr(event, "data_indices", ()))


class LabelDots:
    """Owns the layer of points that people set on one slide; made with the first of them.

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
        self.layer: Points | None = None
        self._shown: NDArray[np.float64] = np.empty((0, 2))

    def fill(self, annotations: Sequence[Annotation], schema: ClassSchema) -> None:
        """Draw the points among annotations and no others."""
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        px = 1.0 / (float(viewer.scene.camera.zoom) * self._entry.world_mpp[0])
        places, _, _ = dots_of(annotations, schema)
        if self.layer is None:
            if not len(places):
                return
            mpp = self._entry.mpp
            data, kwargs, _ = dots_layer(
                annotations,
                schema,
                self._entry.slide_id,
                None if mpp is None else (mpp.x, mpp.y),
                screen_px=px,
            )
            self.layer = Points(data, ndim=2, **kwargs)
            self.layer.editable = False
            refuse_stale_slices(self.layer)
            add_in_order(viewer, self.layer)
            return
        with self.layer.events.data.blocker():
            self.layer.data = places
        if len(places):
            _, kwargs, _ = dots_layer(annotations, schema, self._entry.slide_id, None)
            self.layer.face_color = kwargs["face_color"]
            self.layer.border_color = kwargs["border_color"]
            self.layer.size = np.full(len(places), DOT_PX * px)
        self.layer.editable = False


def _stay_dark(_visible: bool) -> None:
    """Take the place of napari's switch for the lines round shapes."""
