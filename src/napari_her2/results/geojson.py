"""Heatmaps as GeoJSON tiles in QuPath's dialect: level-0 pixels, x then y, top-left corner."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_her2.results.heatmap import Heatmap
from napari_her2.results.tiles import prob_names

__all__ = ["tiles_geojson"]


def tiles_geojson(heatmap: Heatmap) -> dict[str, Any]:
    """One polygon per scored or unreadable cell, with its probabilities as measurements.

    Parameters
    ----------
    heatmap : Heatmap
        The scores.

    Returns
    -------
    dict
        A FeatureCollection. Cells that could not be read carry the class ``Unreadable`` and no
        measurement; cells without tissue are not in it.
    """
    names = prob_names(heatmap.class_names)
    features = []
    for row, col in np.argwhere(heatmap.scored | heatmap.unread).tolist():
        cell = heatmap.grid.cell(row, col)
        x0, y0, x1, y1 = cell.x, cell.y, cell.right, cell.bottom
        ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
        properties: dict[str, Any] = {"objectType": "tile"}
        if heatmap.unread[row, col]:
            properties["classification"] = {"name": "Unreadable"}
        else:
            scores = heatmap.data[:, row, col].tolist()
            best = int(np.argmax(scores))
            properties["classification"] = {"name": heatmap.class_names[best]}
            properties["measurements"] = dict(zip(names, scores, strict=True))
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": properties,
            }
        )
    return {"type": "FeatureCollection", "features": features}
