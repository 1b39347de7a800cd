"""Lays the tiles of a run out: grids, cells, batches."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Generator, Sequence
from typing import Any, cast

import numpy as np

from napari_her2.errors import BadModelError, BadRegionError, NoTissueError
from napari_her2.geometry import Region
from napari_her2.models.protocols import TileSelector
from napari_her2.pipelines.events import CancelToken, Partial
from napari_her2.pipelines.plan import ModelGroup, Plan, pixel_size
from napari_her2.pipelines.request import PredictRequest
from napari_her2.pipelines.scores import GroupScores
from napari_her2.results.journal import ScoredBatch
from napari_her2.slides.base import Slide
from napari_her2.tiles.reading import TileBatch, TileReader, iter_batches
from napari_her2.tiles.selectors import AllOf, PolygonSelector, TissueSelector, coarse_to_fine
from napari_her2.tiles.spec import TileGrid
from napari_her2.tiles.tissue import TissueMask

__all__ = ["grid_region", "journal_header", "lay_out", "merged", "partial_of", "read_ahead"]


def lay_out(
    slide: Slide, plan: Plan, tissue: TissueMask, request: PredictRequest
) -> list[GroupScores]:
    """Choose the cells of every group of models and cut them into batches.

    Raises
    ------
    NoTissueError
        If there is nothing to score.
    BadRegionError
        If the region asked for lies outside the slide.
    BadModelError
        If a model names a selector that is not known.
    """
    mpp = pixel_size(slide)
    region = grid_region(slide, request)
    laid: list[GroupScores] = []
    first = 0
    for group in plan.groups:
        grid = TileGrid(group.spec, region, mpp.x, mpp.y)
        cells = _selector(group, request).select(grid, tissue.usable, tissue.downsample)
        ordered = coarse_to_fine(cells, grid.shape)
        # Fixed batches: a resumed run must hand the model the same tiles together.
        batches = [
            ordered[i : i + plan.batch_size] for i in range(0, len(ordered), plan.batch_size)
        ]
        laid.append(GroupScores(group, grid, cells, batches, first, plan.names, slide.slide_id))
        first += len(batches)
    if not first:
        raise NoTissueError("no_tissue")
    return laid


def journal_header(request_hash: str, plan: Plan, scores: Sequence[GroupScores]) -> dict[str, Any]:
    """What a journal belongs to; one with another header is never continued."""
    digest = hashlib.sha256()
    for group in scores:
        for batch in group.batches:
            digest.update(np.ascontiguousarray(batch, dtype="<i8").tobytes())
        digest.update(b"|")
    return {
        "request_hash": request_hash,
        "models": plan.classes(),
        "batches": sum(len(s.batches) for s in scores),
        "cells_sha256": digest.hexdigest(),
    }


def merged(batches: Sequence[ScoredBatch]) -> ScoredBatch:
    """Several batches of one group as one."""
    return ScoredBatch(
        batches[0].index,
        np.concatenate([b.cells for b in batches]),
        {m: np.concatenate([b.probs[m] for b in batches]) for m in batches[0].probs},
        np.concatenate([b.failed for b in batches]),
        tuple(r for b in batches for r in b.reasons),
    )


def grid_region(slide: Slide, request: PredictRequest) -> Region:
    """The area that a run covers, level-0 pixels: the whole slide, or its part in the request.

    Raises
    ------
    BadRegionError
        If what was asked for lies outside the slide.
    """
    size, roi = slide.size, request.roi
    whole = Region(0, 0, size.width, size.height)
    if roi is None and request.roi_polygons:
        xy = np.array([p for ring in request.roi_polygons for p in ring], dtype=np.float64)
        (x0, y0), (x1, y1) = xy.min(axis=0), xy.max(axis=0)
        # A line has no area but may still mark a place: one pixel, then.
        roi = Region(float(x0), float(y0), max(float(x1 - x0), 1.0), max(float(y1 - y0), 1.0))
    region = whole if roi is None else whole.intersect(roi)
    if region is None:
        asked = roi or whole
        raise BadRegionError(
            "bad_region",
            region=f"{asked.x:g},{asked.y:g},{asked.width:g},{asked.height:g}",
            name=slide.path.name,
            width=size.width,
            height=size.height,
        )
    return region


def read_ahead(
    reader: TileReader, scores: GroupScores, todo: Sequence[int], cancel: CancelToken
) -> contextlib.closing[Generator[TileBatch, None, None]]:
    """Read the tiles of some batches ahead of the model; closing it ends the reading.

    Parameters
    ----------
    reader : TileReader
        Reads the slide.
    scores : GroupScores
        Knows the batches.
    todo : sequence of int
        Which of them are still to be scored.
    cancel : CancelToken
        Ends the reading early.
    """
    cells = [scores.batches[i] for i in todo]
    batches = iter_batches(reader, scores.grid, cells, cancel=cancel)
    return contextlib.closing(cast("Generator[TileBatch, None, None]", batches))


def _selector(group: ModelGroup, request: PredictRequest) -> TileSelector:
    if group.selector != "tissue":
        raise BadModelError(
            "bad_card",
            name=group.models[0].card.id,
            reason=f"its way of choosing tiles, {group.selector!r}, is unknown",
        )
    if not request.roi_polygons:
        return TissueSelector()
    return AllOf((TissueSelector(), PolygonSelector(request.roi_polygons)))


def partial_of(slide_id: str, batch: ScoredBatch) -> Partial:
    """Give a scored batch as the event that tells of it."""
    return Partial(slide_id, batch.cells, batch.probs, batch.failed)
