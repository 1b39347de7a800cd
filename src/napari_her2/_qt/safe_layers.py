"""Taking layers away without taking the window down.

Removing several Points or Shapes layers in a row and then adding one can crash napari: their
graphics objects are deleted while no graphics context is current. One redraw after each removal
avoids it. Layers whose content changes are emptied and refilled instead of removed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from napari.layers import Points, Shapes
from qtpy.QtCore import QEventLoop
from qtpy.QtWidgets import QApplication

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["remove_layers_safely"]


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
