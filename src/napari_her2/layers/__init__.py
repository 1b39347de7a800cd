"""Results as napari layer data: pure functions that know no viewer."""

from __future__ import annotations

from napari_her2.layers.maps import heatmap_layer
from napari_her2.layers.overlays import (
    qc_layer,
    tissue_layer,
    unreadable_layer,
    unreadable_regions_layer,
)
from napari_her2.layers.pictures import associated_layer, slide_layer
from napari_her2.layers.placing import LayerData

__all__ = [
    "LayerData",
    "associated_layer",
    "heatmap_layer",
    "qc_layer",
    "slide_layer",
    "tissue_layer",
    "unreadable_layer",
    "unreadable_regions_layer",
]
