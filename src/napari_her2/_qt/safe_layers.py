"""Taking layers away without taking the window down.

Removing several Points or Shapes layers in a row and then adding one can crash napari: their
graphics objects are deleted while no graphics context is current. One redraw after each removal
avoids it. Layers whose content changes are emptied and refilled instead of removed.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from napari.layers import Points, Shapes
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["refuse_stale_slices", "remove_layers_safely"]


def remove_layers_safely(viewer: ViewerModel, layers: Iterable[Layer]) -> None:
    """Remove layers from a viewer, with a redraw after each vector layer.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are.
    layers : iterable of Layer
        Those already gone are passed over.
    """
    app = QApplication.instance()
    for layer in list(layers):
        if layer not in viewer.layers:
            continue
        viewer.layers.remove(layer)
        if app is not None and isinstance(layer, Points | Shapes):
            # Only paint events: a click handled here could start what we are taking apart.
            app.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents)


def refuse_stale_slices(layer: Points) -> None:
    """Let a layer whose points are replaced often ignore slices of the points it had before.

    napari 0.9 slices beside the window and takes the answer even if the layer got other data
    meanwhile: as many points as there were before are drawn then, or an index is out of range. The
    layer has been sliced at once when its data came, so nothing is lost. Call it before the layer
    is added.

    Parameters
    ----------
    layer : Points
        One of ours, flat: all of its points are always in the slice.
    """
    state = getattr(layer, "_slicing_state", None)
    take = getattr(state, "_update_slice_response", None)
    if state is None or take is None:
        return
    ref = weakref.ref(layer)

    def take_fresh(response: Any) -> None:
        points = ref()
        if points is not None and len(response.indices) == len(points.data):
            take(response)

    # There is no public switch for slicing one layer at once.
    state._update_slice_response = take_fresh  # noqa: SLF001
