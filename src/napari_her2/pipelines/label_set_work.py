"""Draws the cells or tiles of one slide after another into the files of a new label set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.crops import CROP_MPP, CROP_PX
from napari_her2.cells.features import FEATURES
from napari_her2.errors import BadLabelSetError, SlideChangedError, StainMismatchError
from napari_her2.messages import tr
from napari_her2.pipelines.events import Progress
from napari_her2.pipelines.freshness import Freshness
from napari_her2.pipelines.label_set_request import LabelSetRequest
from napari_her2.pipelines.label_set_slides import Prepared
from napari_her2.results.atomic import writing
from napari_her2.slides import open_slide
from napari_her2.slides.base import Slide
from napari_her2.stains.guess import check_stain, guess_stain
from napari_her2.tiles.tissue import TissueMask, find_tissue
from napari_her2.training.array_file import ArrayWriter
from napari_her2.training.assigning import Assigned
from napari_her2.training.drawing_cells import CROP_UM, CellDrawing
from napari_her2.training.drawing_tiles import (
    TILE_FEATURES,
    choose_tiles,
    read_tiles,
    tile_features,
)
from napari_her2.training.label_rows import LabelRows
from napari_her2.training.label_set import LabelSet

__all__ = ["Drawn", "draw_slide"]

_CHUNK: Final = 1024


class Drawn:
    """What was drawn so far. Use as a context manager: closes the files of pixels.

    Parameters
    ----------
    request : LabelSetRequest
        What is asked.
    folder : Path
        Where the set is being made.

    Attributes
    ----------
    conflicts : list of dict
        Cells and tiles left out because annotations of different classes claim them.
    unreadable : list of dict
        Parts of slides that could not be read: nothing was drawn there.
    skipped : Counter
        What else labels nothing, by reason.
    notes : list of str
        Sentences about slides.
    """

    def __init__(self, request: LabelSetRequest, folder: Path) -> None:
        self.request = request
        self.classes = request.classes
        self.folder = folder
        cells = request.kind == "cells"
        self.features: tuple[str, ...] = FEATURES if cells else TILE_FEATURES
        self.px = CROP_PX if cells else request.spec.tile_px
        self.mpp = CROP_MPP if cells else request.spec.tile_mpp
        self.size_um = CROP_UM if cells else request.spec.field_um
        self.stride_um = None if cells else request.spec.stride_um
        names = ["crops", *(["crops_rgb"] if request.rgb else [])] if cells else ["tiles"]
        self.conflicts: list[dict[str, Any]] = []
        self.unreadable: list[dict[str, Any]] = []
        self.skipped: Counter[str] = Counter()
        self.notes: list[str] = []
        self._parts: list[LabelRows] = []
        self._files: dict[str, ArrayWriter] = {}
        with writing(folder):
            for name in names:
                depth = 2 if name == "crops" else 3
                self._files[name] = ArrayWriter(folder / f"{name}.part", (self.px, self.px, depth))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self._files.values():
            file.close()

    @property
    def array_files(self) -> tuple[str, ...]:
        """Names of the files of pixels, without ending."""
        return tuple(self._files)

    @property
    def n_pixels(self) -> int:
        """Rows written to the files of pixels."""
        return next(iter(self._files.values())).rows

    def append(self, name: str, values: NDArray[np.uint8]) -> None:
        """Add pixels to one of the files."""
        with writing(self.folder, values.nbytes):
            self._files[name].append(values)

    def add(self, rows: LabelRows) -> None:
        """Add labels whose pixels were appended."""
        self._parts.append(rows)

    def note(self, slide: Prepared, assigned: Assigned) -> None:
        """Keep what labels nothing."""
        for c in assigned.conflicts:
            self.conflicts.append({
                "slide": slide.slide,
                "x_px": round(c.x_px, 2),
                "y_px": round(c.y_px, 2),
                "regions": list(c.regions),
                "classes": [self.classes[k] for k in c.labels],
            })  # fmt: skip
        if assigned.unmatched:
            self.skipped["a point with no cell near it"] += assigned.unmatched

    def rows(self) -> LabelRows:
        """All labels.

        Raises
        ------
        BadLabelSetError
            If there is none.
        """
        if not sum(len(p) for p in self._parts):
            raise BadLabelSetError("no_regions", schema=self.request.schema.name)
        return LabelRows.join(self._parts)

    def take_over(self, base: LabelSet, drawn_anew: set[str]) -> list[dict[str, Any]]:
        """Add the labels of an earlier set, but of slides that were drawn anew.

        Returns
        -------
        list of dict
            The sources they come from.
        """
        kept = [s for s in base.info["sources"] if s["quickhash"] not in drawn_anew]
        extent = {
            s["slide"]: (self.size_um / s["mpp"]["x"], self.size_um / s["mpp"]["y"]) for s in kept
        }
        slide = base.column("slide")
        index = np.flatnonzero(np.isin(slide.astype(str), list(extent)))
        first = self.n_pixels
        for name in self._files:
            values = (
                base.tiles() if name == "tiles"
                else base.crops("stains" if name == "crops" else "rgb")
            )  # fmt: skip
            for at in range(0, len(index), _CHUNK):
                self.append(name, np.asarray(values[index[at : at + _CHUNK]]))
        number = np.array([self.classes.index(c) for c in base.classes], np.int32)
        sizes = np.array([extent[s] for s in slide[index]], np.float64).reshape(-1, 2)
        text = {n: base.column(n)[index] for n in ("block", "patient", "region_id", "source",
                                                   "author")}  # fmt: skip
        self.add(LabelRows(
            slide[index], text["block"], text["patient"],
            base.column("x_px")[index], base.column("y_px")[index], sizes[:, 0], sizes[:, 1],
            number[base.labels[index]], text["region_id"], text["source"], text["author"],
            base.column("inside")[index], base.column("propagated")[index].astype(np.bool_),
            base.features()[index], np.arange(first, first + len(index), dtype=np.int64),
        ))  # fmt: skip
        return kept


def draw_slide(drawn: Drawn, prepared: Prepared) -> Iterator[Progress]:
    """Draw the labels of one slide.

    Raises
    ------
    StainMismatchError, WrongMppError, and others of a slide that can't be used
        Nothing of it counts then.
    """
    request, source = drawn.request, prepared.source
    name = prepared.slide
    yield Progress("tissue", name)
    with open_slide(source.slide, mpp=source.mpp) as slide:
        fresh = Freshness(slide)
        if fresh.key != prepared.key:
            raise SlideChangedError("slide_changed", name=slide.path.name)
        tissue = find_tissue(slide)
        _screen(drawn, slide, tissue)
        draw = _draw_cells if request.kind == "cells" else _draw_tiles
        yield from draw(drawn, prepared, slide, tissue, fresh)


def _screen(drawn: Drawn, slide: Slide, tissue: TissueMask) -> None:
    """Compare the slide's stain with what the set is of."""
    needed = drawn.request.stain_needed
    guess = guess_stain(slide, tissue)
    verdict = check_stain(guess, needed)
    name = slide.path.name
    if verdict == "unsure":
        drawn.notes.append(tr("label_stain_unsure", name=name, needed=needed))
    elif verdict == "mismatch":
        found = {"found": guess.stain, "confidence": f"{guess.confidence:.2f}"}
        if not drawn.request.ignore_stain:
            raise StainMismatchError("label_stain", name=name, needed=needed, **found)
        drawn.notes.append(tr("label_stain_override", name=name, needed=needed, **found))


def _draw_cells(
    drawn: Drawn, prepared: Prepared, slide: Slide, tissue: TissueMask, fresh: Freshness
) -> Iterator[Progress]:
    request, labelling = drawn.request, prepared.labelling
    drawing = CellDrawing(
        slide, tissue, labelling.regions, labelling.marks,
        reach_um=request.rules.reach_um, rgb=request.rgb,
    )  # fmt: skip
    total = len(drawing.blocks)
    yield Progress("drawing", prepared.slide, 0, total)
    for done in drawing.run():
        yield Progress("drawing", prepared.slide, done, total)
    found = drawing.finish()
    # Cells of two files must never meet in one set.
    fresh.check(thorough=True)
    first = drawn.n_pixels
    drawn.append("crops", found.crops)
    if found.rgb is not None:
        drawn.append("crops_rgb", found.rgb)
    drawn.note(prepared, found.assigned)
    drawn.unreadable += [{"slide": prepared.slide, "reason": r} for r in found.unreadable]
    drawn.add(_rows(drawn, prepared, found.assigned, found.x_px, found.y_px,
                    found.features, first))  # fmt: skip


def _draw_tiles(
    drawn: Drawn, prepared: Prepared, slide: Slide, tissue: TissueMask, fresh: Freshness
) -> Iterator[Progress]:
    del tissue
    request = drawn.request
    chosen = choose_tiles(slide, request.spec, prepared.labelling.regions, request.rules)
    drawn.note(prepared, chosen.assigned)
    total = len(chosen.windows)
    yield Progress("drawing", prepared.slide, 0, total)
    first, kept, features = drawn.n_pixels, [], []
    for i, tile in read_tiles(slide, request.spec, chosen.windows):
        if tile.failed:
            w = chosen.windows[i]
            drawn.unreadable.append({
                "slide": prepared.slide, "x_px": w.x + w.width / 2, "y_px": w.y + w.height / 2,
                "reason": tile.reason,
            })  # fmt: skip
        else:
            drawn.append("tiles", tile.rgb[None])
            features.append(tile_features(tile.rgb))
            kept.append(i)
        yield Progress("drawing", prepared.slide, i + 1, total)
    fresh.check(thorough=True)
    x = np.array([chosen.windows[i].x + chosen.windows[i].width / 2 for i in kept], np.float64)
    y = np.array([chosen.windows[i].y + chosen.windows[i].height / 2 for i in kept], np.float64)
    measured = np.array(features, np.float32).reshape(-1, len(TILE_FEATURES))
    drawn.add(_rows(drawn, prepared, chosen.assigned.take(np.array(kept, np.intp)), x, y,
                    measured, first))  # fmt: skip


def _rows(
    drawn: Drawn,
    prepared: Prepared,
    assigned: Assigned,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    features: NDArray[np.float32],
    first: int,
) -> LabelRows:
    mpp = prepared.mpp
    return LabelRows.of_slide(
        assigned,
        slide=prepared.slide,
        block=prepared.group.block,
        patient=prepared.group.patient,
        x_px=x,
        y_px=y,
        extent_px=(drawn.size_um / mpp.x, drawn.size_um / mpp.y),
        features=features,
        first_pixels=first,
    )
