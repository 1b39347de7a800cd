"""The slides of a label set: what each is, and what was drawn on it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

from napari_her2.annotations.annotation import Annotation
from napari_her2.cells.detection_settings import SETTINGS
from napari_her2.errors import Her2Error, UnknownMppError
from napari_her2.pipelines.label_set_request import LabelSetRequest, LabelSource
from napari_her2.results.corrections import Correction
from napari_her2.slides import open_slide
from napari_her2.slides.base import PixelSize
from napari_her2.training.label_regions import Labelling, annotations_digest, sort_annotations
from napari_her2.training.label_rules import Group
from napari_her2.training.label_set import LabelSet
from napari_her2.training.label_sources import (
    corrections_digest,
    load_annotations,
    marks_of,
    read_corrections,
)
from napari_her2.training.label_writing import as_json
from napari_her2.training.propagated import blocks_by_carrying

__all__ = ["Prepared", "Preparing"]

ALGORITHM: Final = 1
"""Raised whenever the same request would give other labels or pixels."""


@dataclass
class Prepared:
    """One slide of the set.

    Attributes
    ----------
    source : LabelSource
        Where it lies.
    slide : str
        Its name in the set: the slide id, with a piece of its key where two would be alike.
    key : str
        Content key: the same for copies of a file.
    width, height : int
        Level-0 pixels.
    mpp : PixelSize
        Micrometres per level-0 pixel.
    annotations, corrections : list
        What was drawn and corrected on it.
    unread : Counter
        What of its files could not be read.
    labelling : Labelling
        What labels cells or tiles.
    group : Group
        Patient and block.
    """

    source: LabelSource
    slide: str
    key: str
    width: int
    height: int
    mpp: PixelSize
    annotations: dict[str, Annotation] = field(default_factory=dict)
    corrections: list[Correction] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)
    labelling: Labelling = field(default_factory=Labelling)
    group: Group = field(default_factory=Group)

    def facts(self) -> dict[str, Any]:
        """What the set says of it: the file's name, never its folder."""
        return {
            "slide": self.slide,
            "name": self.source.slide.name,
            "quickhash": self.key,
            "width": self.width,
            "height": self.height,
            "mpp": {"x": self.mpp.x, "y": self.mpp.y, "source": self.mpp.source},
            "patient": self.group.patient,
            "block": self.group.block,
            "annotations": len(self.annotations),
            "annotations_sha256": annotations_digest(self.annotations.values()),
            "corrections": len(self.corrections),
            "corrections_sha256": corrections_digest(self.corrections),
        }


class Preparing:
    """Opens slides and reads what was drawn on them; one that can't be used is listed.

    Attributes
    ----------
    failed : list of dict
        Slides that gave nothing: ``slide``, ``error``, ``error_id``.
    errors : list of Her2Error
        The same, as errors.
    """

    def __init__(self, request: LabelSetRequest, probe: bool) -> None:
        self.request = request
        self.probe = probe
        self.failed: list[dict[str, str]] = []
        self.errors: list[Her2Error] = []
        self._by_key: dict[str, Prepared] = {}

    def fail(self, source: LabelSource, error: Her2Error) -> None:
        """Note that a slide gave nothing."""
        self.errors.append(error)
        self.failed.append({"slide": source.slide.name, "error": error.sentence,
                            "error_id": error.message_id})  # fmt: skip

    def add(self, source: LabelSource) -> None:
        """Read one source. A slide that came before, or a copy of it, gets more annotations."""
        try:
            self._add(source)
        except Her2Error as error:
            self.fail(source, error)

    def _add(self, source: LabelSource) -> None:
        with open_slide(source.slide, mpp=source.mpp, probe=self.probe) as slide:
            if slide.mpp is None:
                raise UnknownMppError("no_mpp")
            key = slide.content_key()
            drawn, unread = load_annotations(source.annotations, slide, self.request.schema)
            corrected = [c for run in source.corrections for c in read_corrections(run, key)]
            made = Prepared(
                source, slide.slide_id, key, slide.size.width, slide.size.height, slide.mpp
            )
        here = self._by_key.setdefault(key, made)
        for a in drawn:
            here.annotations.setdefault(a.id, a)
        here.corrections += corrected
        here.unread.update(unread)

    def finish(self, base: LabelSet | None) -> list[Prepared]:
        """Name the slides, find their groups, sort what was drawn; by name."""
        request = self.request
        classes = request.classes
        stored = {} if base is None else {s["quickhash"]: s for s in base.info["sources"]}
        taken = {s["slide"] for k, s in stored.items() if k not in self._by_key}
        alike = Counter(p.slide for p in self._by_key.values())
        self._find_groups()
        for p in self._by_key.values():
            if p.key in stored:
                p.slide = stored[p.key]["slide"]
            elif alike[p.slide] > 1 or p.slide in taken:
                p.slide = f"{p.slide}-{p.key[:8]}"
            p.labelling = sort_annotations(
                p.annotations.values(), request.schema, classes, request.rules
            )
            p.labelling.skipped.update(p.unread)
            if request.kind == "cells":
                marks, unknown = marks_of(p.corrections, classes)
                p.labelling.marks += marks
                for name, n in unknown.items():
                    p.labelling.skipped[f"correction to a class left out: {name}"] += n
            elif p.labelling.marks:
                p.labelling.skipped["a point labels no tile"] += len(p.labelling.marks)
                p.labelling.marks.clear()
        return sorted(self._by_key.values(), key=lambda p: p.slide)

    def _find_groups(self) -> None:
        """Patient and block of each slide; sections that share labels share a block."""
        every = self._by_key
        for p in every.values():
            p.group = self.request.group_of(p.source.slide, p.slide)
        blocks = blocks_by_carrying(
            {k: (p.slide, p.source.slide.name) for k, p in every.items()},
            {
                k: sorted({a.propagated_from for a in p.annotations.values() if a.propagated_from})
                for k, p in every.items()
            },
            {k: p.group.block for k, p in every.items()},
        )
        for k, p in every.items():
            p.group = Group(p.group.patient, blocks[k])

    def digest(self, prepared: list[Prepared], base: LabelSet | None) -> str:
        """SHA-256 of all that decides the set: equal requests have equal ones."""
        request = self.request
        cells = request.kind == "cells"
        spec = request.spec
        what = {
            "algorithm": ALGORITHM,
            "kind": request.kind,
            "classes": list(request.classes),
            "names": {c.name: c.qupath_name for c in request.schema.classes},
            "rules": request.rules.to_json(),
            "split": request.split.to_json(),
            "seed": request.seed,
            "stain": request.stain_needed,
            "tile": None if cells else [spec.tile_px, spec.tile_mpp, spec.stride_um],
            "rgb": request.rgb,
            "ignore_stain": request.ignore_stain,
            "detection": repr(SETTINGS["her2-ihc"]) if cells else None,
            "sources": [p.facts() for p in prepared],
            "base": None if base is None else base.digest,
        }
        return hashlib.sha256(as_json(what).encode()).hexdigest()
