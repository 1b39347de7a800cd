"""The JSON document of ``cells``: what is said of a slide's cells, and in which words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_her2.cells.table import CellTable
from napari_her2.errors import Her2Error
from napari_her2.messages import DEMO_MODEL, NOTICE, tr
from napari_her2.pipelines.cells_found import FoundCells
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.cells_summary import resample_side, resample_tiles, summarise_cells
from napari_her2.types import RunStatus

__all__ = ["blank_cells_document", "finished_document", "summarise_cells"]


def blank_cells_document(
    request: CellsRequest, status: RunStatus, error: Her2Error | None = None
) -> dict[str, Any]:
    """The document of a slide before anything is known of it; every key of a result is there."""
    document: dict[str, Any] = {
        "slide": str(request.slide),
        "slide_id": request.slide.stem or request.slide.name,
        "run_dir": None,
        "status": status,
        "kind": "cells",
        "stain": request.stain,
        "organ": request.organ,
        "specimen": request.specimen,
        "classifier": None,
        "partial": status != "completed",
        "cells_detected": 0,
        "counts": {},
        "tumour_cells": 0,
        "percent": {"0": None, "1+": None, "2+": None, "3+": None},
        "scores": [],
        "rule": request.rule,
        "rules_disagree": False,
        "rules_disagree_why": None,
        "assessable": False,
        "reason": None,
        "h_score": None,
        "entropy": None,
        "positive_fraction": None,
        "mean_membrane_od": None,
        "tiles_total": 0,
        "tiles_scored": 0,
        "tiles_failed": 0,
        "cells_file": None,
        "seconds": 0.0,
        "warnings": [],
        "notice": NOTICE,
    }
    if error is not None:
        document["error"] = error.sentence
        document["error_id"] = error.message_id
    return document


def finished_document(
    request: CellsRequest,
    found: FoundCells | None,
    *,
    status: RunStatus,
    table: CellTable | None,
    area_mm2: float | None,
    mpp: Mapping[str, Any] | None,
    demo: bool = False,
) -> dict[str, Any]:
    """What the cells of a run come to.

    Parameters
    ----------
    request : CellsRequest
        What was asked.
    found : FoundCells or None
        What was found; None if the run did not come so far.
    status : RunStatus
        Of the run. Only a completed run is scored: part of a slide is no slide.
    table : CellTable or None
        All cells in their canonical order; given when the run is complete.
    area_mm2 : float or None
        Usable tissue that was looked at.
    mpp : mapping or None
        ``x`` and ``y``: micrometres per level-0 pixel.
    demo : bool
        Whether a demo model gave the classes.
    """
    if found is None:
        return {"partial": False, "reason": tr("no_slide_result")}
    failed = found.failed
    out: dict[str, Any] = {
        "partial": status != "completed",
        "tiles_total": len(found.tiles),
        "tiles_scored": found.done - len(failed),
        "tiles_failed": len(failed),
        "demo": DEMO_MODEL if demo else None,
        "failed_tiles": [
            {"x": t.x, "y": t.y, "width": t.width, "height": t.height, "reason": reason}
            for t, reason in failed
        ],
        "area_mm2": area_mm2,
    }
    if status == "completed" and table is not None and mpp is not None:
        side = resample_side(table, mpp["x"], mpp["y"])
        tiles = resample_tiles(table, mpp["x"], mpp["y"], side)
        out["resample_um"] = side
        return out | summarise_cells(
            table,
            tiles,
            organ=request.organ,
            specimen=request.specimen,
            rule=request.rule,
            tissue_mm2=area_mm2,
            mpp=(mpp["x"], mpp["y"]),
            demo=demo,
            marker=request.marker,
        )
    return out | found.summary() | {"reason": tr("no_slide_result"), "assessable": False}
