"""Where a run works: the whole slide, what is in view, or a region that the user draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from napari.layers import Shapes

from napari_her2._qt.camera import region_in_view
from napari_her2._qt.layer_order import add_in_order, kind_of
from napari_her2._qt.texts import ui
from napari_her2.errors import UsageError
from napari_her2.geometry import Region, world_yx_to_xy

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = [
    "Outlines", "Where", "area_asked", "corners_of", "outlines_of", "region_layers", "start_region",
]  # fmt: skip

Where = Literal["whole", "view", "region"]
Outlines = tuple[tuple[tuple[float, float], ...], ...]
"""Closed rings of (x, y), level-0 pixels."""


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


def region_layers(viewer: ViewerModel) -> list[str]:
    """Names of the Shapes layers that a region can be taken from."""
    own = (None, "region", "labels", "carried")
    return [x.name for x in viewer.layers if isinstance(x, Shapes) and kind_of(x) in own]


def area_asked(
    where: Where, region_layer: str | None, entry: OpenSlide, viewer: ViewerModel
) -> tuple[Region | None, Outlines]:
    """The part of a slide that a form asks for.

    Parameters
    ----------
    where : {"whole", "view", "region"}
        What is asked for.
    region_layer : str or None
        Name of the Shapes layer that holds the region.
    entry : OpenSlide
        The slide.
    viewer : ViewerModel
        For what is in view and for its layers.

    Returns
    -------
    Region or None
        Rectangle of whole level-0 pixels; None = the whole slide.
    tuple of rings
        Outlines; empty without a region.

    Raises
    ------
    UsageError
        If no outline is drawn or none of the slide is in view.
    """
    if where == "view":
        return _whole_pixels(region_in_view(viewer, entry), entry), ()
    if where == "region":
        layer = next((x for x in viewer.layers if x.name == region_layer), None)
        polygons = outlines_of(layer, entry) if layer is not None else ()
        if not polygons:
            raise UsageError("usage", detail=ui("where_none"))
        return None, polygons
    return None, ()


def outlines_of(layer: Shapes, entry: OpenSlide) -> Outlines:
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
        corners = corners_of(layer, i)
        if corners is None:
            continue
        world = np.asarray([layer.data_to_world(p)[-2:] for p in corners])
        xy = world_yx_to_xy(world, *entry.world_mpp)
        rings.append(tuple((float(x), float(y)) for x, y in xy))
    return tuple(rings)


def corners_of(layer: Shapes, i: int) -> np.ndarray | None:
    """Corners (m, 2) of one shape as its layer has them; None for lines and paths."""
    kind = layer.shape_type[i]
    if kind in ("line", "path"):
        return None
    corners = np.asarray(layer.data[i], dtype=float)[:, -2:]
    return _ellipse(corners) if kind == "ellipse" else corners


def _ellipse(corners: np.ndarray, n: int = 64) -> np.ndarray:
    centre = corners.mean(axis=0)
    a = (corners[1] - corners[0]) / 2
    b = (corners[3] - corners[0]) / 2
    turn = np.linspace(0, 2 * np.pi, n, endpoint=False)[:, None]
    return np.asarray(centre + np.cos(turn) * a + np.sin(turn) * b)


def _whole_pixels(seen: Region | None, entry: OpenSlide) -> Region:
    if seen is None:
        raise UsageError("bad_region", region="in view", name=entry.slide_id,
                         width=entry.slide.size.width, height=entry.slide.size.height)  # fmt: skip
    x, y = np.floor((seen.x, seen.y))
    right, bottom = np.ceil((seen.right, seen.bottom))
    return Region(float(x), float(y), float(right - x), float(bottom - y))
