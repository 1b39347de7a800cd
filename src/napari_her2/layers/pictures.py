"""The slide itself, and the pictures that come with it."""

from __future__ import annotations

from typing import Any

from napari_her2.geometry import level_transform
from napari_her2.layers.placing import LayerData, common, world_mpp
from napari_her2.slides import display_levels
from napari_her2.slides.base import Slide

__all__ = ["associated_layer", "slide_layer"]


def slide_layer(slide: Slide) -> LayerData:
    """The slide as one multiscale picture, read as it is looked at.

    Parameters
    ----------
    slide : Slide
        The open slide; it travels in ``metadata["her2"]["slide"]`` and must outlive the layer.

    Returns
    -------
    LayerData
        Levels of shape (h, w, 3) uint8; scale in µm (pixels where the pixel size is unknown).
    """
    levels = display_levels(slide)
    kwargs: dict[str, Any] = common(
        "slide",
        "Slide",
        slide.slide_id,
        level_transform(1.0, 1.0, *world_mpp(slide)),
        has_mpp=slide.mpp is not None,
        slide=slide,
    )
    return levels, {**kwargs, "rgb": True, "multiscale": True}, "image"


def associated_layer(slide: Slide, name: str) -> LayerData:
    """Label, macro or thumbnail; hidden, because label and macro can identify the patient.

    Raises
    ------
    BadRegionError
        If the slide has no such image.
    """
    rgb = slide.associated_image(name)
    kwargs = common(name, name.capitalize(), slide.slide_id, None, identifying=name != "thumbnail")
    return rgb, {**kwargs, "rgb": True, "visible": False}, "image"
