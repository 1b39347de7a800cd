"""Heatmaps as layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from napari_her2.layers.colours import colour_map
from napari_her2.layers.placing import LayerData, common

if TYPE_CHECKING:
    # Opening a slide must not load the store: it costs tens of megabytes.
    from napari_her2.results.heatmap import Heatmap

__all__ = ["heatmap_layer"]

_OPACITY = 0.55


def heatmap_layer(
    heatmap: Heatmap,
    *,
    role: str = "positive",
    palette: str = "blue_red",
    run_id: str | None = None,
) -> LayerData:
    """One class of a heatmap over its slide: blue low to red high, clear where there is no score.

    Parameters
    ----------
    heatmap : Heatmap
        The scores.
    role : str
        ``positive``, ``negative`` or ``non_tumour``; detectors show ``tumour`` for ``positive``.
    palette : str
        One of :data:`~napari_her2.layers.colours.MAPS`.
    run_id : str, optional
        For the metadata.

    Returns
    -------
    LayerData
        Shape (rows, columns) float32, limits fixed at 0 and 1. A demo model's layer says so.
    """
    roles = heatmap.class_roles
    index = roles.get(role, roles.get("tumour", 0) if role == "positive" else None)
    if index is None:
        raise KeyError(role)
    is_demo = heatmap.model_status == "synthetic-demo"
    what = "demo" if is_demo else "prob"
    kwargs = common(
        "heatmap",
        f"{heatmap.biomarker} {what}",
        heatmap.slide_id,
        heatmap.transform(),
        run_id=run_id,
        model_id=heatmap.model_id,
        model_status=heatmap.model_status,
        biomarker=heatmap.biomarker,
        role=role,
    )
    kwargs |= {
        "colormap": colour_map(palette),
        "contrast_limits": (0.0, 1.0),
        "opacity": _OPACITY,
        "blending": "translucent",
        "interpolation2d": "nearest",
    }
    return np.array(heatmap.data[index], dtype=np.float32), kwargs, "image"
