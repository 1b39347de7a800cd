"""Regions that the user draws: starting one, and its outline in level-0 pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes

from napari_her2._qt.layer_order import add_in_order
from napari_her2.geometry import world_yx_to_xy

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["outlines_of", "start_region"]


def start_region(session: Session) -> str | None:
    """Add a layer to draw a region in, ready for the first polygon.

    Returns
    -------
    str or None
        Its name; None without a slide.
    """
    viewer, entry = session.viewer, session.active
    if viewer is None or entry is None:
        return None
    unit = "um" if entry.mpp is not None else "pixel"
    layer = Shapes(
        ndim=2,
        name=f"Region · {entry.short}",
        edge_color="#FFFF3F",
        face_color="#FFFF3F26",
        edge_width=max(entry.slide.size.width * entry.world_mpp[0] / 500, 1e-3),
        units=(unit, unit),
        axis_labels=("y", "x"),
        metadata={"her2": {"kind": "region", "slide_id": entry.slide_id}},
    )
    add_in_order(viewer, layer)
    viewer.layers.selection.active = layer
    layer.mode = "add_polygon"
    return str(layer.name)


def outlines_of(layer: Shapes, entry: OpenSlide) -> tuple[tuple[tuple[float, float], ...], ...]:
    """Outlines of a Shapes layer in level-0 pixels, x then y; the selected ones, else all.

    Parameters
    ----------
    layer : napari Shapes
        Rectangles, polygons, ellipses (by their box as 64 points); lines and paths are left out.
    entry : OpenSlide
        The slide they lie on.
    """
    chosen: Sequence[int] = sorted(layer.selected_data) or range(len(layer.data))
    rings = []
    for i in chosen:
        kind = layer.shape_type[i]
        if kind in ("line", "path"):
            continue
        corners = np.asarray(layer.data[i], dtype=float)
        if kind == "ellipse":
            corners = _ellipse(corners)
        world = np.asarray([layer.data_to_world(p)[-2:] for p in corners])
        xy = world_yx_to_xy(world, *entry.world_mpp)
        rings.append(tuple((float(x), float(y)) for x, y in xy))
    return tuple(rings)


def _ellipse(corners: np.ndarray, n: int = 64) -> np.ndarray:
    centre = corners.mean(axis=0)
    a = (corners[1] - corners[0]) / 2
    b = (corners[3] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)[:, None]
    return np.asarray(centre + np.cos(turn) * a + np.sin(turn) * b)
