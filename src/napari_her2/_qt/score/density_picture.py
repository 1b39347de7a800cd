"""The picture of where cells are dense: far out in the place of the points, and on request."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from napari.layers import Image

from napari_her2._qt.layer_order import add_in_order
from napari_her2._qt.score.facts import class_short
from napari_her2.layers.cell_density import DensityGrid, density_layer, top_of
from napari_her2.layers.placing import short_name

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["DensityPicture"]


class DensityPicture:
    """Owns the ``Density`` layer of one result; it stays, its content is replaced.

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
        self.layer: Image | None = None

    def fill(self, grid: DensityGrid, names: Collection[str]) -> None:
        """Show how dense the cells of some classes lie, together."""
        label = "Density"
        if self._metadata.get("model_status") == "synthetic-demo":
            label = "Density demo"
        elif len(names) == 1:
            label = f"Density {class_short(next(iter(names)))}"
        if self.layer is None:
            self._add(grid, names, label)
            return
        values = grid.of(names)
        layer = self.layer
        place = grid.transform()
        layer.data = values
        layer.scale, layer.translate = place.scale, place.translate
        layer.contrast_limits_range = (0.0, top_of(values))
        layer.contrast_limits = (0.0, top_of(values))
        layer.name = f"{label} · {short_name(self._entry.slide_id)}"
        layer.metadata["her2"]["classes"] = sorted(names)

    def _add(self, grid: DensityGrid, names: Collection[str], label: str) -> None:
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        data, kwargs, _ = density_layer(grid, names, self._entry.slide_id, label, **self._metadata)
        self.layer = Image(data, **kwargs)
        self.layer.editable = False
        self.layer.colorbar.size = (14, 110)
        self.layer.colorbar.font_size = 9
        self.layer.colorbar.visible = True
        add_in_order(viewer, self.layer)
