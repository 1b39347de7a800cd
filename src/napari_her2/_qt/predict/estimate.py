"""How many tiles a run would score, from the first look at the slide: no pixel is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from napari_her2._qt import numbers
from napari_her2._qt.predict.request_form import PredictForm, to_request
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error
from napari_her2.models.card import ModelCard
from napari_her2.models.protocols import TileSelector
from napari_her2.pipelines.layout import grid_region
from napari_her2.tiles.selectors import AllOf, PolygonSelector, TissueSelector
from napari_her2.tiles.spec import TileGrid, TileSpec

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["count_tiles", "estimate_text"]


def count_tiles(
    entry: OpenSlide, viewer: ViewerModel, cards: Sequence[ModelCard], form: PredictForm
) -> int | None:
    """Count the cells that a run of the form would score.

    Returns
    -------
    int or None
        Tiles, each counted once for models that share a grid; None where it can't be told yet
        (no first look, pixel size unknown, no region drawn).
    """
    if entry.survey is None or entry.mpp is None:
        return None
    try:
        request = to_request(form, entry, viewer)
        region = grid_region(entry.slide, request)
    except Her2Error:
        return None
    selector: TileSelector = TissueSelector()
    if request.roi_polygons:
        selector = AllOf((selector, PolygonSelector(request.roi_polygons)))
    tissue = entry.survey.tissue
    specs = {
        TileSpec(
            c.patch_size_pixels,
            c.spacing_um_px,
            form.stride_um or c.patch_size_pixels * c.spacing_um_px / 2,
        )
        for c in cards
    }
    return sum(
        len(
            selector.select(
                TileGrid(spec, region, entry.mpp.x, entry.mpp.y), tissue.usable, tissue.downsample
            )
        )
        for spec in specs
    )


def estimate_text(
    session: Session, cards: Sequence[ModelCard], form: PredictForm, rate: float | None
) -> str:
    """What a run would do: tiles, models, and how long it takes here.

    Parameters
    ----------
    session : Session
        For slide and view.
    cards : sequence of ModelCard
        Models ticked.
    form : PredictForm
        The form.
    rate : float or None
        Tiles a second of an earlier run; None leaves the time out.

    Returns
    -------
    str
        Empty where it can't be told yet.
    """
    entry, viewer = session.active, session.viewer
    if entry is None or viewer is None or not cards:
        return ""
    tiles = count_tiles(entry, viewer, cards, form)
    if tiles is None:
        return ""
    models = ui("one_model") if len(cards) == 1 else ui("n_models", n=len(cards))
    text = ui("estimate", tiles=numbers.count(tiles), models=models)
    if not rate:
        return text
    where = ui("device_cuda" if form.device == "cuda" else "device_cpu")
    return f"{text} · {numbers.estimate(tiles / rate, where)}"
