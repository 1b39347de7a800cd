"""Tells a stored, complete run as if it had just been made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_her2.pipelines.events import Event, Outcome, Partial, Started
from napari_her2.results.heatmap import Heatmap, read_heatmap
from napari_her2.results.stored import StoredRun
from napari_her2.tiles.spec import TileGrid

__all__ = ["replay_stored", "stored_document"]


def replay_stored(run: StoredRun, slide: Path) -> Iterator[Event]:
    """Give grid, scores and outcome of a stored run.

    Parameters
    ----------
    run : StoredRun
        A complete run whose files were verified.
    slide : Path
        Where the slide lies now.

    Yields
    ------
    Event
        ``Started`` and ``Partial`` for each grid, then the ``Outcome``; its document says
        ``cached: true``.
    """
    document = stored_document(run, slide)
    slide_id = str(document["slide_id"])
    grids: dict[TileGrid, list[Heatmap]] = {}
    for path in run.heatmaps().values():
        heatmap = read_heatmap(path)
        grids.setdefault(heatmap.grid, []).append(heatmap)
    for grid, heatmaps in grids.items():
        tried = np.any([h.scored | h.unread for h in heatmaps], axis=0)
        cells = np.argwhere(tried)
        rows, cols = cells[:, 0], cells[:, 1]
        yield Started(slide_id, grid, cells, tuple(h.model_id for h in heatmaps), run.folder)
        yield Partial(
            slide_id,
            cells,
            {h.model_id: np.ascontiguousarray(h.data[:, rows, cols].T) for h in heatmaps},
            heatmaps[0].unread[rows, cols],
        )
    yield Outcome("completed", slide_id, document)


def stored_document(run: StoredRun, slide: Path) -> dict[str, Any]:
    """The document of a stored run, with the paths as they are now."""
    document = run.document()
    there = run.heatmaps()
    for result in document["results"]:
        if result.get("heatmap"):
            name = Path(result["heatmap"]).name.removesuffix(".ome.zarr")
            result["heatmap"] = str(there[name]) if name in there else None
    return {**document, "slide": str(slide), "run_dir": str(run.folder), "cached": True}
