"""What all layers of a slide share: name, place in the world, metadata."""

from __future__ import annotations

from typing import Any, Literal

from napari_her2.geometry import ScaleTranslate
from napari_her2.slides.base import Slide

__all__ = ["LayerData", "common", "short_name", "world_mpp"]

LayerData = tuple[Any, dict[str, Any], Literal["image", "labels", "shapes", "points"]]
"""Data, keyword arguments and type of a napari layer."""

_LONGEST = 9


def short_name(slide_id: str) -> str:
    """The piece of a slide id that fits napari's layer list: at most nine characters.

    napari cuts long names in the middle, which would hide the part that tells slides apart.
    """
    return slide_id if len(slide_id) <= _LONGEST else f"{slide_id[:4]}…{slide_id[-4:]}"


def world_mpp(slide: Slide) -> tuple[float, float]:
    """Micrometres per level-0 pixel, x and y; 1 each where the world is in pixels."""
    return (1.0, 1.0) if slide.mpp is None else (slide.mpp.x, slide.mpp.y)


def common(
    kind: str,
    label: str,
    slide_id: str,
    place: ScaleTranslate | None,
    *,
    has_mpp: bool = True,
    **metadata: Any,
) -> dict[str, Any]:
    """Keyword arguments every layer gets.

    Parameters
    ----------
    kind : str
        Tells code what the layer is; names are for people only.
    label : str
        First part of its name.
    slide_id : str
        Whose it is.
    place : ScaleTranslate or None
        Where it lies; None for pictures that are not part of the slide (label, macro).
    has_mpp : bool
        Whether the world is in micrometres.
    **metadata
        More for ``metadata["her2"]``.
    """
    unit = "um" if has_mpp else "pixel"
    kwargs: dict[str, Any] = {
        "name": f"{label} · {short_name(slide_id)}",
        "axis_labels": ("y", "x"),
        "metadata": {"her2": {"kind": kind, "slide_id": slide_id, **metadata}},
    }
    if place is not None:
        kwargs |= {"scale": place.scale, "translate": place.translate, "units": (unit, unit)}
    return kwargs
