"""What the Score dock asks for, and how it becomes the request that the command makes too."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2._qt.regions import Where, area_asked
from napari_her2._qt.session import results_folder
from napari_her2.cells.classes import CellMode
from napari_her2.errors import UnknownMppError
from napari_her2.pipelines.cells_request import CellsRequest, Organ, Specimen
from napari_her2.scoring.receptors import NuclearMarker

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["ScoreForm", "to_request"]


@dataclass(frozen=True, slots=True)
class ScoreForm:
    """The form as filled in.

    Attributes
    ----------
    stain : CellMode
        ``her2-ihc`` or ``nuclear-ihc``.
    marker : {"ER", "PR", "Ki67"} or None
        What brown nuclei are stained for; None = not stated, so without a status.
    where : {"whole", "view", "region"}
        What to score.
    region_layer : str or None
        Name of the Shapes layer that holds the region.
    organ, specimen : str
        Which rules apply.
    rule : str or None
        Id of the rule whose score stands first; None = the usual one.
    classifier : str
        ``membrane`` or the id of an installed one.
    ignore_stain : bool
        ``Run anyway`` is ticked.
    resume : bool
        False starts over.
    """

    stain: CellMode = "her2-ihc"
    marker: NuclearMarker | None = None
    where: Where = "whole"
    region_layer: str | None = None
    organ: Organ = "breast"
    specimen: Specimen = "resection"
    rule: str | None = None
    classifier: str = "membrane"
    ignore_stain: bool = False
    resume: bool = True


def to_request(form: ScoreForm, entry: OpenSlide, viewer: ViewerModel) -> CellsRequest:
    """Make the request.

    Raises
    ------
    UsageError
        If no outline is drawn or none of the slide is in view.
    UnknownMppError
        If the pixel size of the slide is unknown.
    """
    if entry.mpp is None:
        raise UnknownMppError("no_mpp")
    roi, polygons = area_asked(form.where, form.region_layer, entry, viewer)
    return CellsRequest(
        slide=entry.path,
        stain=form.stain,
        marker=form.marker,
        out=results_folder(),
        classifier=form.classifier,
        organ=form.organ,
        specimen=form.specimen,
        rule=form.rule,
        mpp=entry.given_mpp,
        roi=roi,
        roi_polygons=polygons,
        ignore_stain=form.ignore_stain,
        resume=form.resume,
    )
