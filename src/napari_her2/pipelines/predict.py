"""Select tiles, score them, aggregate to the slide: the main job as a generator of events."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from napari_her2.errors import (
    Her2Error,
    TileReadError,
    TooLittleMemoryError,
)
from napari_her2.messages import tr
from napari_her2.pipelines.batch_scorer import BatchScorer
from napari_her2.pipelines.cached import replay_stored
from napari_her2.pipelines.document import blank_document, plan_warnings, slide_results
from napari_her2.pipelines.events import (
    NEVER,
    CancelToken,
    Event,
    Outcome,
    Progress,
    Started,
)
from napari_her2.pipelines.freshness import Freshness
from napari_her2.pipelines.layout import journal_header, lay_out, merged, partial_of, read_ahead
from napari_her2.pipelines.leaving import can_go_on, with_tiles_kept
from napari_her2.pipelines.plan import ModelSource, Plan, make_plan, pixel_size, screen_stain
from napari_her2.pipelines.record import run_facts
from napari_her2.pipelines.request import PredictRequest
from napari_her2.pipelines.scores import GroupScores
from napari_her2.results.journal import ScoredBatch
from napari_her2.results.store import RunStore, find_complete
from napari_her2.results.tiles import tiles_parquet
from napari_her2.slides import open_slide
from napari_her2.slides.base import Slide
from napari_her2.stains.guess import StainGuess, guess_stain
from napari_her2.tiles.reading import TileReader
from napari_her2.tiles.tissue import TissueMask, find_tissue
from napari_her2.types import RunStatus

__all__ = ["ALGORITHM", "MATERIALISE_SECONDS", "MAX_FAILED", "predict"]

ALGORITHM: Final = 1
"""Raised whenever the same request would give other numbers; part of the request's hash."""

MAX_FAILED: Final = 0.05
"""Above this share of unreadable tiles no slide result is given."""

MATERIALISE_SECONDS: Final = 10.0
"""How often the heatmaps on disk are brought up to date while a run goes on."""


def predict(
    request: PredictRequest,
    cancel: CancelToken = NEVER,
    registry: ModelSource | None = None,
    *,
    probe: bool = False,
) -> Iterator[Event]:
    """Score one slide with some models.

    The generator knows no threads and no Qt. Closing it at any point keeps what was scored.

    Parameters
    ----------
    request : PredictRequest
        What is asked. The same request on the same slide with the same models and device goes on
        where it stopped, and is answered from the store once it is complete.
    cancel : CancelToken
        Asked between batches and between models.
    registry : ModelSource, optional
        Where models come from; the installed ones by default.
    probe : bool
        Let a child process open the slide first: a slide that breaks a decoder then ends in a
        sentence, not in the end of this process.

    Yields
    ------
    Event
        ``Progress``, then for each grid a ``Started``, then ``Partial`` and ``Progress`` for each
        batch, last one ``Outcome``. An expected error does not escape: it is the ``Outcome``'s
        ``error``.
    """
    if registry is None:
        from napari_her2.models.registry import Registry

        registry = Registry()
    run = _SlideRun(request, cancel, registry, probe)
    try:
        yield from run.events()
    except Her2Error as error:
        yield run.failure(error)
    except MemoryError:
        yield run.failure(TooLittleMemoryError("mem", n=run.tiles_done))


class _SlideRun:
    """State of one slide's run."""

    def __init__(
        self, request: PredictRequest, cancel: CancelToken, registry: ModelSource, probe: bool
    ) -> None:
        self.request = request
        self.cancel = cancel
        self.registry = registry
        self.probe = probe
        self.began = time.monotonic()
        self.earlier_seconds = 0.0
        self.document = blank_document(request.slide, "failed")
        self.warnings: list[str] = []
        self.plan: Plan | None = None
        self.scores: list[GroupScores] = []
        self.store: RunStore | None = None

    @property
    def slide_id(self) -> str:
        return str(self.document["slide_id"])

    @property
    def tiles_done(self) -> int:
        return sum(s.tiles_done for s in self.scores)

    @property
    def tiles_total(self) -> int:
        return sum(len(s.cells) for s in self.scores)

    @property
    def tiles_failed(self) -> int:
        return sum(s.tiles_failed for s in self.scores)

    # the stages -------------------------------------------------------------------------

    def events(self) -> Iterator[Event]:
        request = self.request
        yield Progress("opening", self.slide_id)
        with open_slide(request.slide, mpp=request.mpp, probe=self.probe) as slide:
            self._note_slide(slide)
            mpp = pixel_size(slide)
            fresh = Freshness(slide)
            yield Progress("loading", self.slide_id)
            self.plan = make_plan(request, mpp, self.registry)
            request_hash = request.digest(
                fresh.key,
                f"mpp={mpp.x!r},{mpp.y!r}",
                f"algorithm={ALGORITHM}",
                *self.plan.identity(),
            )
            if request.out is not None and request.resume:
                stored, damaged = find_complete(request.out, slide.slide_id, request_hash)
                if stored is not None:
                    yield from replay_stored(stored, request.slide)
                    return
                self.warnings += damaged
            if self.cancel.is_set():
                yield self._cancelled()
                return
            yield Progress("tissue", self.slide_id)
            tissue = find_tissue(slide)
            stain = guess_stain(slide, tissue)
            self._note_tissue(tissue, stain)
            screen_stain(self.plan, stain, request.ignore_stain)
            self.scores = lay_out(slide, self.plan, tissue, request)
            with contextlib.ExitStack() as stack:
                if request.out is not None:
                    facts = run_facts(request, slide, fresh.key, self.plan)
                    self.store = stack.enter_context(
                        RunStore.begin(
                            request.out,
                            slide.slide_id,
                            request_hash,
                            facts=facts,
                            journal=journal_header(request_hash, self.plan, self.scores),
                            resume=request.resume,
                        )
                    )
                    if self.store.cached is not None:
                        yield from replay_stored(self.store.cached, request.slide)
                        return
                    self.document["run_dir"] = str(self.store.folder)
                    self.earlier_seconds = self.store.seconds
                    self.warnings += self.store.warnings
                    self.store.write_json("tissue.geojson", tissue.to_geojson())
                try:
                    yield from self._score(slide, fresh)
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

    def _score(self, slide: Slide, fresh: Freshness) -> Iterator[Event]:
        """Score what is left to do; ends early when cancelled."""
        yield from self._lay_open()
        started, done_before = time.monotonic(), self.tiles_done
        written = started
        device = self.plan.device if self.plan is not None else "cpu"
        for scores in self.scores:
            todo = scores.todo
            if not todo or self.cancel.is_set():
                continue
            scorer = BatchScorer(scores.group, device, self.cancel)
            reader = TileReader(slide, scores.group.spec)
            self._note_enlarged(reader, scores)
            with read_ahead(reader, scores, todo, self.cancel) as tiles:
                for batch in tiles:
                    scored = scorer.score(scores.first + todo[batch.index], batch)
                    if scored is None:
                        return
                    self._keep(scores, scored)
                    yield partial_of(self.slide_id, scored)
                    now = time.monotonic()
                    speed = (self.tiles_done - done_before) / max(now - started, 1e-6)
                    yield self._progress(speed, self._new_note(scorer))
                    if now - written > MATERIALISE_SECONDS:
                        fresh.check()
                        self._write_heatmaps()
                        written = time.monotonic()
                    if self.cancel.is_set():
                        return

    def _lay_open(self) -> Iterator[Event]:
        """Say where tiles will be and what an earlier, stopped run had scored."""
        for scores in self.scores:
            folder = None if self.store is None else self.store.folder
            ids = scores.group.model_ids
            yield Started(self.slide_id, scores.grid, scores.cells, ids, folder)
            earlier = [b for b in self.store.batches if scores.holds(b.index)] if self.store else []
            for batch in earlier:
                scores.add(batch)
            if earlier:
                yield partial_of(self.slide_id, merged(earlier))
        yield self._progress(None, None)

    def _keep(self, scores: GroupScores, scored: ScoredBatch) -> None:
        if self.store is not None:
            self.store.append(scored)
        scores.add(scored)

    def _progress(self, speed: float | None, note: str | None) -> Progress:
        return Progress("scoring", self.slide_id, self.tiles_done, self.tiles_total, speed, note)

    def _new_note(self, scorer: BatchScorer) -> str | None:
        new = [n for n in scorer.notes if n not in self.warnings]
        self.warnings += new
        return new[-1] if new else None

    # the ends ---------------------------------------------------------------------------

    def _finish(self, fresh: Freshness) -> Outcome:
        if self.tiles_done < self.tiles_total:
            return self._cancelled()
        fresh.check(thorough=True)
        failed, total = self.tiles_failed, self.tiles_total
        if failed > MAX_FAILED * total:
            raise TileReadError(
                "many_bad_tiles", failed=failed, total=total, percent=round(100 * failed / total)
            )
        if failed:
            self.warnings.append(tr("bad_tiles", failed=failed, total=total))
        self._write_heatmaps()
        self._write_tiles()
        document = self._document("completed")
        if self.store is not None:
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
        # A full disk refuses these files too; the journal is there already.
        with contextlib.suppress(Her2Error):
            self._write_heatmaps()
        self.document = self._document(status, error)
        if self.store is not None:
            with contextlib.suppress(Her2Error):
                self.store.suspend(
                    status, self.document, self._closing_facts(), resumable=resumable
                )
        return self.document

    # what is written --------------------------------------------------------------------

    def _write_heatmaps(self) -> None:
        if self.store is None or self.plan is None:
            return
        for scores in self.scores:
            for model_id, heatmap in scores.heatmaps.items():
                self.store.write_heatmap(heatmap, self.plan.names[model_id])

    def _write_tiles(self) -> None:
        if self.store is not None:
            tables = (s.table(m) for s in self.scores for m in s.group.model_ids)
            self.store.write_file("tiles.parquet", tiles_parquet(tables))

    def _closing_facts(self) -> dict[str, Any]:
        scored = sum(s.tiles_done - s.tiles_failed for s in self.scores)
        return {
            "seconds": round(self._seconds(), 3),
            "tiles_total": self.tiles_total,
            "tiles_scored": scored,
            "tiles_failed": self.tiles_failed,
            "warnings": self.document["warnings"],
        }

    def _seconds(self) -> float:
        return self.earlier_seconds + time.monotonic() - self.began

    def _note_slide(self, slide: Slide) -> None:
        mpp = slide.mpp
        self.document["slide_id"] = slide.slide_id
        self.document["mpp"] = (
            None if mpp is None else {"x": mpp.x, "y": mpp.y, "source": mpp.source}
        )
        self.warnings += slide.info.warnings

    def _note_enlarged(self, reader: TileReader, scores: GroupScores) -> None:
        if reader.choice.enlarged:
            models = ", ".join(m.card.name for m in scores.group.models)
            needed = f"{scores.group.spec.tile_mpp:.3g}"
            self.warnings.append(tr("enlarged", models=models, needed=needed))

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

    def _document(self, status: RunStatus, error: Her2Error | None = None) -> dict[str, Any]:
        warnings = list(self.warnings)
        results: list[dict[str, Any]] = []
        if self.plan is not None:
            results = slide_results(
                self.plan,
                self.scores,
                heatmap=self._heatmap_path,
                threshold=self.request.threshold,
                status=status,
            )
            # A run that an error ended says its sentence once.
            warnings += plan_warnings(self.plan) if error is None else self.plan.warnings
        self.document |= {
            "status": status,
            "results": results,
            "seconds": round(self._seconds(), 3),
            "warnings": list(dict.fromkeys(warnings)),
        }
        if self.plan is not None:
            self.document |= {"device": self.plan.device, "batch_size": self.plan.batch_size}
        if error is not None:
            self.document |= {"error": error.sentence, "error_id": error.message_id}
        return self.document

    def _heatmap_path(self, model_id: str) -> Path | None:
        if self.store is None or self.plan is None:
            return None
        path = self.store.heatmap_path(self.plan.names[model_id])
        return path if path.exists() else None
