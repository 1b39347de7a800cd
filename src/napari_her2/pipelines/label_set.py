"""Draw a label set from regions on slides: a generator of events."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from napari_her2.errors import (
    BadLabelSetError,
    CannotWriteError,
    DiskFullError,
    Her2Error,
    TooLittleMemoryError,
)
from napari_her2.pipelines.events import NEVER, CancelToken, Outcome, Progress
from napari_her2.pipelines.label_set_request import LabelSetRequest, LabelSource
from napari_her2.pipelines.label_set_slides import Prepared, Preparing
from napari_her2.pipelines.label_set_summary import describe, labels_missing, set_facts
from napari_her2.pipelines.label_set_work import Drawn, draw_slide
from napari_her2.results.atomic import write_json
from napari_her2.training.label_rows import LabelRows, capped
from napari_her2.training.label_rules import Group, LabelRules, SplitRule
from napari_her2.training.label_set import PLACES, SCHEMA, LabelSet
from napari_her2.training.label_writing import (
    copy_rows,
    new_set,
    put_in_place,
    versions_of,
    write_tables,
)
from napari_her2.training.oddities import find_odd
from napari_her2.training.splits import SplitRows, split_rows

__all__ = [
    "Group",
    "LabelRules",
    "LabelSetRequest",
    "LabelSource",
    "SplitRule",
    "make_label_set",
]


def make_label_set(
    request: LabelSetRequest, cancel: CancelToken = NEVER, *, probe: bool = False
) -> Iterator[Progress | Outcome]:
    """Label the cells or tiles of drawn regions, split them, and write the set.

    The generator knows no threads and no Qt. Closing it, or cancelling, leaves nothing behind. The
    same request on the same slides and annotations gives the same bytes; if that set is there
    already it is the answer.

    Parameters
    ----------
    request : LabelSetRequest
        What is asked.
    cancel : CancelToken
        Asked between tiles.
    probe : bool
        Let a child process open each slide first.

    Yields
    ------
    Progress, Outcome
        Stages ``opening``, ``tissue``, ``drawing`` and ``saving``; last one ``Outcome``, whose
        document is the summary, with ``label_set``, the folder. A slide that can't be used is
        listed in ``failed`` and the others go on. An expected error does not escape.
    """
    run = _Making(request, cancel, probe)
    name = request.out.name
    try:
        yield from run.events()
    except Her2Error as error:
        yield Outcome("failed", name, {"error": error.sentence, "error_id": error.message_id,
                                       "failed": run.failed}, error)  # fmt: skip
    except MemoryError:
        problem = TooLittleMemoryError("mem", n=0)
        yield Outcome("failed", name, {"error": problem.sentence, "failed": run.failed}, problem)


class _CancelledError(Exception):
    """Stop: somebody asked for it."""


class _Making:
    def __init__(self, request: LabelSetRequest, cancel: CancelToken, probe: bool) -> None:
        self.request = request
        self.cancel = cancel
        self.preparing = Preparing(request, probe)

    @property
    def failed(self) -> list[dict[str, str]]:
        return self.preparing.failed

    def events(self) -> Iterator[Progress | Outcome]:
        try:
            yield from self._make()
        except _CancelledError:
            error = Her2Error("label_cancelled")
            yield Outcome("cancelled", self.request.out.name, {"failed": self.failed}, error)

    def _check(self) -> None:
        if self.cancel.is_set():
            raise _CancelledError

    def _make(self) -> Iterator[Progress | Outcome]:
        request = self.request
        classes = request.classes
        base = None if request.base is None else _base(request, classes)
        prepared: list[Prepared] = []
        for source in request.all_sources:
            self._check()
            yield Progress("opening", source.slide.name)
            self.preparing.add(source)
        prepared = self.preparing.finish(base)
        if not any(p.labelling for p in prepared):
            if self.preparing.errors and not prepared:
                raise self.preparing.errors[0]
            if base is None:
                raise BadLabelSetError("no_regions", schema=request.schema.name)
        asked = self.preparing.digest(prepared, base)
        stored = _already(request.out, asked)
        places = {p.slide: str(p.source.slide.absolute()) for p in prepared}
        if stored is not None:
            # Slides may have moved since; where they lie is no part of the set.
            with contextlib.suppress(Her2Error):
                write_json(stored.path / PLACES, stored.places() | places)
            document = describe(stored) | {"cached": True, "failed": self.failed}
            yield Outcome("completed", stored.name, document)
            return
        taken: list[dict[str, Any]] = []
        with new_set(request.out) as folder:
            with Drawn(request, folder) as drawn:
                for slide in prepared:
                    if slide.labelling:
                        yield from self._draw(drawn, slide)
                if base is not None:
                    taken = drawn.take_over(base, {p.key for p in prepared})
            yield Progress("saving", request.out.name)
            rows = self._rows(drawn, prepared)
            info = self._write(folder, rows, drawn, prepared, base, taken)
            places = ({} if base is None else base.places()) | places
            least = 1 if base is None else base.version + 1
            self._check()
            place = put_in_place(folder, request.out, {**info, "request": asked}, places, least)
        made = LabelSet.read(place, verify=False)
        document = describe(made) | {"cached": False, "failed": self.failed}
        yield Outcome("completed", made.name, document)

    def _draw(self, drawn: Drawn, slide: Prepared) -> Iterator[Progress]:
        """Draw one slide; what makes it unusable costs this slide only, a full disk all."""
        try:
            for progress in draw_slide(drawn, slide):
                yield progress
                self._check()
        except (DiskFullError, CannotWriteError):
            raise
        except Her2Error as error:
            self.preparing.fail(slide.source, error)

    def _rows(self, drawn: Drawn, prepared: list[Prepared]) -> LabelRows:
        """The labels that stay, in their order."""
        request = self.request
        if self.preparing.errors and not drawn.n_pixels:
            raise self.preparing.errors[0]
        rows = drawn.rows().ordered()
        labels_missing(rows, request, prepared)
        return rows.take(capped(rows, request.rules.max_per_class, request.seed))

    def _write(
        self,
        folder: Path,
        rows: LabelRows,
        drawn: Drawn,
        prepared: list[Prepared],
        base: LabelSet | None,
        taken: list[dict[str, Any]],
    ) -> dict[str, Any]:
        """Write everything but the marker; gives what it says."""
        request = self.request
        classes = drawn.classes
        sources = sorted([p.facts() for p in prepared] + taken, key=lambda s: s["slide"])
        mpp = {s["slide"]: s["mpp"] for s in sources}
        scale = np.array([[mpp[s]["x"], mpp[s]["y"]] for s in rows.slide], np.float64)
        split = split_rows(
            SplitRows(
                rows.label, rows.slide.astype(str), rows.block.astype(str),
                rows.patient.astype(str), rows.x_px * scale[:, 0], rows.y_px * scale[:, 1],
                drawn.size_um, rows.propagated,
            ),
            request.split, request.seed, classes,
        )  # fmt: skip
        odd = find_odd(rows.features, rows.label)
        for name in drawn.array_files:
            copy_rows(folder / f"{name}.part", folder / f"{name}.npy", rows.pixels)
        write_tables(
            folder, rows, classes=classes, features=drawn.features, side=split.side,
            odd=odd.score, tiles=request.kind == "tiles",
        )  # fmt: skip
        return {
            "schema": SCHEMA,
            "kind": request.kind,
            "name": request.out.name,
            "stain": request.stain_needed,
            "classes": list(classes),
            "class_roles": request.class_roles,
            **set_facts(rows, request, drawn, split, odd, prepared),
            "tile": {"px": drawn.px, "mpp": drawn.mpp, "stride_um": drawn.stride_um},
            "features": list(drawn.features),
            "rules": request.rules.to_json(),
            "failed": self.failed,
            "schema_used": {"id": request.schema.id, "version": request.schema.version},
            "sources": sources,
            "base": None if base is None else {"name": base.name, "version": base.version,
                                               "sha256": base.digest},
        }  # fmt: skip


def _base(request: LabelSetRequest, classes: tuple[str, ...]) -> LabelSet:
    assert request.base is not None
    base = LabelSet.read(request.base)
    spec = request.spec
    fits = base.kind == request.kind and set(base.classes) <= set(classes)
    if fits and base.kind == "tiles":
        fits = (base.tile_px, base.tile_mpp) == (spec.tile_px, spec.tile_mpp)
    fits = fits and (not request.rgb or (base.path / "crops_rgb.npy").exists())
    if not fits or base.stain != request.stain_needed:
        raise BadLabelSetError("other_base", name=base.name)
    return base


def _already(out: Path, asked: str) -> LabelSet | None:
    """A stored set that was made by the same request from the same slides and annotations."""
    for _, path in reversed(versions_of(out)):
        try:
            found = LabelSet.read(path)
        except BadLabelSetError:
            continue
        if found.info.get("request") == asked and not found.info["failed"]:
            return found
    return None
