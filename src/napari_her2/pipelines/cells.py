"""Detect cells, classify each, score the case by a versioned rule: a generator of events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any, Final

from napari_her2.errors import (
    Her2Error,
    NoTissueError,
    TooLittleMemoryError,
)
from napari_her2.pipelines.cells_cached import replay_cells
from napari_her2.pipelines.cells_document import blank_cells_document, finished_document
from napari_her2.pipelines.cells_events import CellsEvent, CellsPartial, CellsStarted
from napari_her2.pipelines.cells_files import write_cells_files
from napari_her2.pipelines.cells_found import FoundCells, weigh_damage
from napari_her2.pipelines.cells_parts import CellParts, Classifying
from napari_her2.pipelines.cells_plan import (
    area_mm2,
    bounding_region,
    cells_facts,
    cells_header,
    screen_cell_stain,
)
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.cells_work import work_on
from napari_her2.pipelines.events import NEVER, CancelToken, Outcome, Progress
from napari_her2.pipelines.freshness import Freshness
from napari_her2.pipelines.leaving import can_go_on, with_tiles_kept
from napari_her2.pipelines.plan import pixel_size
from napari_her2.results.cells_store import CellStore
from napari_her2.results.store import find_complete
from napari_her2.slides import open_slide
from napari_her2.slides.base import Slide
from napari_her2.stains.guess import StainGuess, guess_stain
from napari_her2.tiles.tissue import TissueMask, find_tissue
from napari_her2.types import RunStatus

__all__ = ["ALGORITHM", "score_cells"]

ALGORITHM: Final = 1
"""Raised whenever the same request would give other numbers; part of the request's hash."""

CHECK_SECONDS: Final = 10.0
"""How often the slide's file is looked at while a run goes on."""


def score_cells(
    request: CellsRequest,
    cancel: CancelToken = NEVER,
    *,
    probe: bool = False,
    parts: CellParts | None = None,
    partials: bool = True,
) -> Iterator[CellsEvent]:
    """Find, classify and score the cells of one slide.

    The generator knows no threads and no Qt. Closing it at any point keeps what was found.

    Parameters
    ----------
    request : CellsRequest
        What is asked. The same request on the same slide goes on where it stopped, and is answered
        from the store once it is complete.
    cancel : CancelToken
        Asked between tiles.
    probe : bool
        Let a child process open the slide first: a slide that breaks a decoder then ends in a
        sentence, not in the end of this process.
    parts : CellParts, optional
        Detection, measurement and classification; the package's own by default.
    partials : bool
        Whether cells are told as they are found. A caller that only wants the document saves the
        reading of a stored table.

    Yields
    ------
    Progress, CellsStarted, CellsPartial, Outcome
        ``Progress``, one ``CellsStarted``, then ``CellsPartial`` and ``Progress`` for each tile,
        last one ``Outcome``. An expected error does not escape: it is the ``Outcome``'s ``error``.
    """
    if parts is None:
        from napari_her2.pipelines.cells_real import RealParts

        parts = RealParts()
    run = _CellsRun(request, cancel, parts, probe, partials)
    try:
        yield from run.events()
    except Her2Error as error:
        yield run.failure(error)
    except MemoryError:
        yield run.failure(TooLittleMemoryError("mem", n=run.tiles_done))


class _CellsRun:
    """State of one slide's run."""

    def __init__(
        self,
        request: CellsRequest,
        cancel: CancelToken,
        parts: CellParts,
        probe: bool,
        partials: bool,
    ) -> None:
        self.request = request
        self.cancel = cancel
        self.parts = parts
        self.probe = probe
        self.partials = partials
        self.began = time.monotonic()
        self.earlier_seconds = 0.0
        self.document = blank_cells_document(request, "failed")
        self.warnings: list[str] = []
        self.classifier: Classifying | None = None
        self.found: FoundCells | None = None
        self.store: CellStore | None = None
        self.slide: Slide | None = None
        self.tissue: TissueMask | None = None

    @property
    def slide_id(self) -> str:
        return str(self.document["slide_id"])

    @property
    def tiles_done(self) -> int:
        return 0 if self.found is None else self.found.done

    @property
    def tiles_total(self) -> int:
        return 0 if self.found is None else len(self.found.tiles)

    # the stages -------------------------------------------------------------------------

    def events(self) -> Iterator[CellsEvent]:
        request = self.request
        yield Progress("opening", self.slide_id)
        with open_slide(request.slide, mpp=request.mpp, probe=self.probe) as slide:
            self._note_slide(slide)
            mpp = pixel_size(slide)
            region = bounding_region(slide, request)
            fresh = Freshness(slide)
            yield Progress("loading", self.slide_id)
            classifier = self.parts.classifier(request)
            self._note_classifier(classifier)
            request_hash = request.digest(
                fresh.key,
                f"mpp={mpp.x!r},{mpp.y!r}",
                f"cells={ALGORITHM}",
                f"classifier={classifier.digest}",
            )
            if request.out is not None and request.resume:
                stored, damaged = find_complete(request.out, slide.slide_id, request_hash)
                if stored is not None:
                    yield from replay_cells(stored, request.slide, partials=self.partials)
                    return
                self.warnings += damaged
            if self.cancel.is_set():
                yield self._cancelled()
                return
            yield Progress("tissue", self.slide_id)
            tissue = find_tissue(slide)
            self.tissue = tissue
            stain = guess_stain(slide, tissue)
            self._note_tissue(tissue, stain)
            self.warnings += screen_cell_stain(
                stain, request.stain, request.ignore_stain, slide.path.name
            )
            if not tissue.usable.any():
                raise NoTissueError("no_tissue")
            calibration = self.parts.calibrate(slide, tissue, request)
            tiles = self.parts.tiles(slide, tissue, calibration, region, request)
            if not tiles:
                raise NoTissueError("no_tissue")
            self.found = FoundCells(tiles, classifier.classes)
            with contextlib.ExitStack() as stack:
                if request.out is not None:
                    self.store = stack.enter_context(
                        CellStore.begin(
                            request.out,
                            slide.slide_id,
                            request_hash,
                            facts=cells_facts(request, slide, fresh.key, classifier, calibration),
                            journal=cells_header(request_hash, tiles, classifier.classes),
                            resume=request.resume,
                        )
                    )
                    if self.store.cached is not None:
                        yield from replay_cells(
                            self.store.cached, request.slide, partials=self.partials
                        )
                        return
                    self.document["run_dir"] = str(self.store.folder)
                    self.earlier_seconds = self.store.seconds
                    self.warnings += self.store.warnings
                    self.store.write_json("tissue.geojson", tissue.to_geojson())
                try:
                    yield from self._score(slide, fresh, calibration)
                    yield Progress("saving", self.slide_id, self.tiles_done, self.tiles_total)
                    outcome = self._finish(fresh)
                except GeneratorExit:
                    self._suspend("cancelled")
                    raise
                except Her2Error as error:
                    raise self._kept(error) from error
                except MemoryError as error:
                    raise self._kept(TooLittleMemoryError("mem", n=0)) from error
                # Whoever stops listening at the outcome finds the run committed or suspended.
                yield outcome

    def _score(self, slide: Slide, fresh: Freshness, calibration: Any) -> Iterator[CellsEvent]:
        """Look at the tiles that are left; ends early when cancelled."""
        assert self.found is not None
        assert self.classifier is not None
        yield from self._lay_open(slide)
        todo = self.found.todo
        if self.cancel.is_set() or not todo:
            return
        started, done_before = time.monotonic(), self.tiles_done
        checked = started
        batches = work_on(
            [(i, self.found.tiles[i]) for i in todo],
            slide=slide,
            parts=self.parts,
            classifier=self.classifier,
            calibration=calibration,
            request=self.request,
            cancel=self.cancel,
        )
        with contextlib.closing(batches):
            for batch in batches:
                if isinstance(batch, Progress):
                    yield batch
                    continue
                if self.store is not None:
                    self.store.keep(batch)
                table = self.found.add(batch)
                if self.partials:
                    yield CellsPartial(
                        self.slide_id,
                        table,
                        self.found.tiles[batch.index],
                        self.found.summary(),
                        batch.reason,
                    )
                now = time.monotonic()
                speed = (self.tiles_done - done_before) / max(now - started, 1e-6)
                yield self._progress(speed)
                if now - checked > CHECK_SECONDS:
                    fresh.check()
                    checked = now
                if self.cancel.is_set():
                    return

    def _lay_open(self, slide: Slide) -> Iterator[CellsEvent]:
        """Say where tiles will be and what an earlier, stopped run had found."""
        assert self.found is not None
        assert self.tissue is not None
        folder = None if self.store is None else self.store.folder
        area = area_mm2(slide, self.tissue, self.found.tiles)
        yield CellsStarted(self.slide_id, tuple(self.found.tiles), area, folder)
        for batch in self.store.take_tiles() if self.store is not None else []:
            table = self.found.add(batch)
            if self.partials:
                tile = self.found.tiles[batch.index]
                summary = self.found.summary()
                yield CellsPartial(self.slide_id, table, tile, summary, batch.reason)
        yield self._progress(None)

    def _progress(self, speed: float | None) -> Progress:
        return Progress("scoring", self.slide_id, self.tiles_done, self.tiles_total, speed)

    # the ends ---------------------------------------------------------------------------

    def _finish(self, fresh: Freshness) -> Outcome:
        if self.tiles_done < self.tiles_total:
            return self._cancelled()
        assert self.found is not None
        fresh.check(thorough=True)
        self.warnings += weigh_damage(self.found)
        table = self.found.take_table()
        document = self._document("completed", table=table)
        if self.store is not None:
            document |= write_cells_files(self.store, table, self.request, document)
            self.store.commit(document, self._closing_facts())
        return Outcome("completed", self.slide_id, document)

    def _cancelled(self) -> Outcome:
        document = self._suspend("cancelled")
        error = Her2Error("cancelled", done=self.tiles_done, total=self.tiles_total)
        return Outcome("cancelled", self.slide_id, document, error)

    def _kept(self, error: Her2Error) -> Her2Error:
        """Keep what there is after an error, and say in its sentence how much."""
        error = with_tiles_kept(error, self.tiles_done)
        self._suspend("failed", error, resumable=can_go_on(error))
        return error

    def failure(self, error: Her2Error) -> Outcome:
        """The outcome of a run that an error ended."""
        if self.document.get("error") != error.sentence:
            self.document = self._document("failed", error)
        return Outcome("failed", self.slide_id, self.document, error)

    def _suspend(
        self, status: RunStatus, error: Her2Error | None = None, *, resumable: bool = True
    ) -> dict[str, Any]:
        self.document = self._document(status, error)
        if self.store is not None:
            with contextlib.suppress(Her2Error):
                self.store.suspend(
                    status, self.document, self._closing_facts(), resumable=resumable
                )
        return self.document

    # what is said -----------------------------------------------------------------------

    def _closing_facts(self) -> dict[str, Any]:
        return {
            "seconds": round(self._seconds(), 3),
            "tiles_total": self.tiles_total,
            "tiles_scored": self.document["tiles_scored"],
            "tiles_failed": self.document["tiles_failed"],
            "warnings": self.document["warnings"],
        }

    def _seconds(self) -> float:
        return self.earlier_seconds + time.monotonic() - self.began

    def _note_slide(self, slide: Slide) -> None:
        self.slide = slide
        mpp = slide.mpp
        self.document["slide_id"] = slide.slide_id
        self.document["mpp"] = (
            None if mpp is None else {"x": mpp.x, "y": mpp.y, "source": mpp.source}
        )
        self.warnings += slide.info.warnings

    def _note_classifier(self, classifier: Classifying) -> None:
        self.classifier = classifier
        self.document["classifier"] = classifier.facts()

    def _note_tissue(self, tissue: TissueMask, stain: StainGuess) -> None:
        self.document["stain_guess"] = {
            "stain": stain.stain,
            "confidence": round(float(stain.confidence), 4),
        }
        self.document["tissue"] = {
            "fraction": tissue.fraction,
            "area_mm2": tissue.area_mm2,
            "flags": list(tissue.flags),
        }
        self.document["tissue_mm2"] = tissue.area_mm2

    def _document(
        self, status: RunStatus, error: Her2Error | None = None, table: Any = None
    ) -> dict[str, Any]:
        area = None
        if self.found is not None and self.slide is not None and self.tissue is not None:
            area = area_mm2(self.slide, self.tissue, self.found.read_tiles())
        self.document |= finished_document(
            self.request,
            self.found,
            status=status,
            table=table,
            area_mm2=area,
            mpp=self.document.get("mpp"),
            demo=self.classifier is not None and self.classifier.is_demo,
        )
        of_scoring = self.document.get("warnings", [])
        self.document |= {
            "status": status,
            "seconds": round(self._seconds(), 3),
            "warnings": list(dict.fromkeys([*self.warnings, *of_scoring])),
        }
        if error is not None:
            self.document |= {"error": error.sentence, "error_id": error.message_id}
        return self.document
