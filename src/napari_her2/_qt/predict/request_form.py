"""What the Predict dock asks for, and how it becomes the request that the command makes too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2._qt.regions import Where, area_asked
from napari_her2._qt.session import results_folder
from napari_her2._qt.texts import ui
from napari_her2.errors import UnknownMppError, UsageError
from napari_her2.pipelines.request import PredictRequest

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["PredictForm", "to_request"]


@dataclass(frozen=True, slots=True)
class PredictForm:
    """The form as filled in.

    Attributes
    ----------
    model_ids : tuple of str
        Models ticked.
    where : {"whole", "view", "region"}
        What to score.
    region_layer : str or None
        Name of the Shapes layer that holds the region.
    stride_um : float or None
        None = as the model has it.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    ignore_stain : bool
        ``Run anyway`` is ticked.
    resume : bool
        False starts over.
    """

    model_ids: tuple[str, ...]
    where: Where = "whole"
    region_layer: str | None = None
    stride_um: float | None = None
    device: str = "auto"
    ignore_stain: bool = False
    resume: bool = True


def to_request(form: PredictForm, entry: OpenSlide, viewer: ViewerModel) -> PredictRequest:
    """Make the request.

    Raises
    ------
    UsageError
        If nothing is ticked, no outline is drawn or none of the slide is in view.
    UnknownMppError
        If the pixel size of the slide is unknown.
    """
    if not form.model_ids:
        raise UsageError("usage", detail=ui("no_model_ticked"))
    if entry.mpp is None:
        raise UnknownMppError("no_mpp")
    roi, polygons = area_asked(form.where, form.region_layer, entry, viewer)
    return PredictRequest(
        slide=entry.path,
        model_ids=form.model_ids,
        out=results_folder(),
        mpp=entry.given_mpp,
        roi=roi,
        roi_polygons=polygons,
        stride_um=form.stride_um,
        ignore_stain=form.ignore_stain,
        device=form.device,
        resume=form.resume,
    )
