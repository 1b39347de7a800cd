"""Works through the tiles of one slide: here, or in processes that share them."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from napari_her2.geometry import Region
from napari_her2.pipelines.cells_parts import CellParts, Classifying
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.cells_tiles import score_tile
from napari_her2.pipelines.events import CancelToken, Progress
from napari_her2.results.cells_journal import CellBatch
from napari_her2.slides.base import Slide

__all__ = ["work_on"]


def work_on(
    todo: Sequence[tuple[int, Region]],
    *,
    slide: Slide,
    parts: CellParts,
    classifier: Classifying,
    calibration: Any,
    request: CellsRequest,
    cancel: CancelToken,
) -> Generator[CellBatch | Progress, None, None]:
    """Give the cells of each tile, in any order; ends early when cancelled.

    Parameters
    ----------
    todo : sequence of (int, Region)
        Number and place of each tile.
    slide : Slide
        The open slide; processes open it for themselves.
    parts, classifier, calibration, request
        What is done with a tile. Equal for all, so that it does not matter who does it.
    cancel : CancelToken
        Asked between tiles.

    Yields
    ------
    CellBatch or Progress
        One batch for each tile; ``Progress`` only to tell of a worker that stopped.
    """
    if request.workers and len(todo) > 1:
        from napari_her2.pipelines.cells_processes import tiles_in_processes

        yield from tiles_in_processes(
            todo, parts=parts, calibration=calibration, request=request, cancel=cancel
        )
        return
    scorer = parts.scorer(slide, calibration, classifier, request)
    for index, tile in todo:
        if cancel.is_set():
            return
        yield score_tile(scorer, request, index, tile)
