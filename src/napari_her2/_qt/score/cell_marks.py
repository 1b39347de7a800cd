"""What is drawn round the cell or the place that is looked at: the membrane ring, a box."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray

from napari_her2._qt.layer_order import add_in_order
from napari_her2.geometry import Region, xy_to_world_yx

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["CellMarks"]

_HALO_PX, _LINE_PX = 5.0, 2.5
_HALO = "#000000"
_STAINED = "#3CF0CC"
_UNSTAINED = "#FFFFFF"
"""Light lines on a black one are seen on brown, on pink and on glass; stained is aqua."""


class CellMarks:
    """Owns the ``Marks`` layer of one result. It is emptied and refilled, never taken away.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    entry : OpenSlide
        The slide below.
    metadata : dict
        For ``metadata["her2"]``.
    """

    def __init__(self, viewer: ViewerModel, entry: OpenSlide, metadata: dict[str, Any]) -> None:
        self._viewer = weakref.ref(viewer)
        self._entry = entry
        self._metadata = metadata
        self.layer: Shapes | None = None
        self._paths: list[tuple[NDArray[np.float64], bool]] = []
        self._box: NDArray[np.float64] | None = None

    def ring(self, paths: list[tuple[NDArray[np.float64], bool]]) -> None:
        """Draw a membrane, given in parts as from :func:`membrane_paths`; empty takes it away."""
        self._paths = paths
        self.draw()

    def box(self, region: Region | None) -> None:
        """Draw a box round a place (level-0 pixels); None takes it away."""
        if region is None:
            self._box = None
        else:
            corners = [
                (region.x, region.y),
                (region.right, region.y),
                (region.right, region.bottom),
                (region.x, region.bottom),
            ]
            self._box = xy_to_world_yx(corners, *self._entry.world_mpp)
        self.draw()

    @property
    def anything(self) -> bool:
        """Whether something is drawn."""
        return bool(self._paths) or self._box is not None

    def prepare(self) -> None:
        """Make the layer now, empty: the first click must not wait for it."""
        viewer = self._viewer()
        if viewer is not None and self._entry.layer in viewer.layers and self.layer is None:
            self._add(viewer)

    def draw(self) -> None:
        """Draw with lines as thick as they should be at this zoom."""
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        if self.layer is None:
            if not self.anything:
                return
            self._add(viewer)
            assert self.layer is not None
        if len(self.layer.data):
            self.layer.data = []
        px = 1.0 / viewer.scene.camera.zoom
        paths, widths, colours = [], [], []
        for path, _ in self._paths:
            paths.append(path)
            widths.append(_HALO_PX * px)
            colours.append(_HALO)
        for path, stained in self._paths:
            paths.append(path)
            widths.append(_LINE_PX * px)
            colours.append(_STAINED if stained else _UNSTAINED)
        if paths:
            self.layer.add_paths(
                paths, edge_width=widths, edge_color=colours, face_color="transparent"
            )
        if self._box is not None:
            self.layer.add_rectangles(
                [self._box, self._box],
                edge_width=[_HALO_PX * px, _LINE_PX * px],
                edge_color=["#FFFFFF", "#000000"],
                face_color="transparent",
            )
        # New shapes can be edited, says napari.
        self.layer.editable = False

    def _add(self, viewer: ViewerModel) -> None:
        unit = "um" if self._entry.mpp is not None else "pixel"
        meta = {"kind": "marks", "slide_id": self._entry.slide_id, **self._metadata}
        self.layer = Shapes(
            ndim=2,
            name=f"Marks · {self._entry.short}",
            units=(unit, unit),
            axis_labels=("y", "x"),
            metadata={"her2": meta},
        )
        self.layer.editable = False
        add_in_order(viewer, self.layer)
