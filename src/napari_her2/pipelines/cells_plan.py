"""Checks before cells are looked for, and what a run's record says of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Final, Literal

from napari_her2.cells.classes import CellMode
from napari_her2.errors import BadRegionError, StainMismatchError
from napari_her2.geometry import Region
from napari_her2.messages import tr
from napari_her2.pipelines.cells_parts import Classifying
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.slides.base import Slide
from napari_her2.stains.guess import StainGuess, check_stain
from napari_her2.tiles.tissue import TissueMask

__all__ = ["area_mm2", "bounding_region", "cells_facts", "cells_header", "screen_cell_stain"]

NEEDED: Final[dict[CellMode, Literal["H&E", "H-DAB"]]] = {
    "her2-ihc": "H-DAB",
    "nuclear-ihc": "H-DAB",
    "he": "H&E",
}

NAMES: Final[dict[CellMode, str]] = {
    "her2-ihc": "scoring HER2 IHC",
    "nuclear-ihc": "scoring nuclear IHC",
    "he": "finding nuclei in H&E",
}


def screen_cell_stain(
    guess: StainGuess, stain: CellMode, ignore: bool, name: str = "This slide"
) -> list[str]:
    """Compare the slide's stain with what is asked of it.

    Returns
    -------
    list of str
        Sentences about a doubt, or about a mismatch that was overridden.

    Raises
    ------
    StainMismatchError
        If the slide plainly carries another stain and that was not overridden; if it has no
        colour where brown is to be told from blue, or no light.
    """
    needed, purpose = NEEDED[stain], NAMES[stain]
    if guess.colourless and needed == "H-DAB":
        raise StainMismatchError("no_colour", name=name)
    if guess.dark:
        raise StainMismatchError("dark_field", name=name)
    verdict = check_stain(guess, needed)
    found = {"found": guess.stain, "confidence": f"{guess.confidence:.2f}"}
    if verdict == "unsure":
        return [tr("stain_unknown", needed=needed, models=purpose, **found)]
    if verdict != "mismatch":
        return []
    if ignore:
        return [tr("stain_override", needed=needed, models=purpose, **found)]
    remedy = "tick “Run anyway” (--ignore-stain)"
    raise StainMismatchError("wrong_stain", model=purpose, needed=needed, remedy=remedy, **found)


def bounding_region(slide: Slide, request: CellsRequest) -> Region | None:
    """The part of the slide that is asked for, level-0 pixels; None = all of it.

    Raises
    ------
    BadRegionError
        If it lies outside the slide.
    """
    asked = request.roi
    if asked is None and request.roi_polygons:
        points = [p for ring in request.roi_polygons for p in ring]
        left, top = (min(p[i] for p in points) for i in (0, 1))
        right, bottom = (max(p[i] for p in points) for i in (0, 1))
        # A line has no area but may still mark a place: one pixel, then.
        asked = Region(left, top, max(right - left, 1.0), max(bottom - top, 1.0))
    if asked is None:
        return None
    size = slide.size
    region = Region(0, 0, size.width, size.height).intersect(asked)
    if region is None:
        raise BadRegionError(
            "bad_region",
            region=f"{asked.x:g},{asked.y:g},{asked.width:g},{asked.height:g}",
            name=slide.path.name,
            width=size.width,
            height=size.height,
        )
    return region


def area_mm2(slide: Slide, tissue: TissueMask, tiles: Sequence[Region]) -> float | None:
    """Usable tissue in some tiles, mm²; None where the pixel size is unknown."""
    mpp = slide.mpp
    if mpp is None:
        return None
    pixels = sum(tissue.fraction_in(t) * t.width * t.height for t in tiles)
    return float(pixels * mpp.x * mpp.y / 1e6)


def cells_header(
    request_hash: str, tiles: Sequence[Region], classes: Sequence[str]
) -> dict[str, Any]:
    """What a journal of cells belongs to; one with another header is never continued."""
    text = "|".join(f"{t.x!r},{t.y!r},{t.width!r},{t.height!r}" for t in tiles)
    return {
        "request_hash": request_hash,
        "classes": list(classes),
        "tiles": len(tiles),
        "tiles_sha256": hashlib.sha256(text.encode()).hexdigest(),
    }


def cells_facts(
    request: CellsRequest,
    slide: Slide,
    quickhash: str,
    classifier: Classifying,
    calibration: Any,
) -> dict[str, Any]:
    """What ``run.json`` says besides its cells: request, slide identity, classifier, calibration.

    The slide is named by its file name, not its path: run folders are handed on.
    """
    mpp = slide.mpp
    return {
        "command": "cells",
        "kind": "cells",
        "request": request.science(),
        "slide": {
            "name": slide.path.name,
            "slide_id": slide.slide_id,
            "width": slide.size.width,
            "height": slide.size.height,
            "quickhash": quickhash,
            "mpp": None if mpp is None else {"x": mpp.x, "y": mpp.y, "source": mpp.source},
        },
        "models": [{**classifier.facts(), "sha256": None, "digest": classifier.digest}],
        "calibration": calibration.to_json() if hasattr(calibration, "to_json") else None,
        "device": "cpu",
        "stain_override": request.ignore_stain,
    }
