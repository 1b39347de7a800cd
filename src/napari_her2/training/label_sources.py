"""Where labels come from: files of annotations, books of a slide, corrected cells of a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import ClassSchema
from napari_her2.errors import BadAnnotationsError, BadLabelSetError, RunDamagedError
from napari_her2.results.corrections import FILE_NAME, Correction, CorrectionsFile
from napari_her2.results.stored import MARKER
from napari_her2.slides.base import Slide
from napari_her2.training.label_regions import LabelMark

__all__ = ["corrections_digest", "load_annotations", "marks_of", "read_corrections"]


def load_annotations(
    given: Path | Sequence[Annotation], slide: Slide, schema: ClassSchema
) -> tuple[tuple[Annotation, ...], dict[str, int]]:
    """Get the annotations of one slide.

    Parameters
    ----------
    given : Path or sequence of Annotation
        A file, the folder of an annotation book, or the annotations.
    slide : Slide
        Whose they are.
    schema : ClassSchema
        Turns QuPath's names into ours.

    Returns
    -------
    tuple of Annotation
        What was drawn.
    dict of str to int
        What of a file could not be read, by reason.

    Raises
    ------
    BadAnnotationsError
        If a file is none, or belongs to another slide.
    """
    if not isinstance(given, Path):
        return tuple(given), {}
    if given.is_dir():
        return _of_book(given, slide), {}
    from napari_her2.annotations.interchange import read_annotations

    size, mpp = slide.size, slide.mpp
    found = read_annotations(
        given,
        slide_size=(size.width, size.height),
        mpp=None if mpp is None else (mpp.x, mpp.y),
        schema=schema,
    )
    skipped: dict[str, int] = {}
    for s in found.skipped:
        skipped[s.reason] = skipped.get(s.reason, 0) + s.n
    return found.annotations, skipped


def _of_book(folder: Path, slide: Slide) -> tuple[Annotation, ...]:
    """What is kept in an annotation book, read without opening it for changes."""
    from napari_her2.annotations.kept import stored_annotations

    identity, found = stored_annotations(folder)
    theirs, ours = (identity.get("width"), identity.get("height")), slide.size
    if None not in theirs and theirs != (ours.width, ours.height):
        raise BadAnnotationsError(
            "foreign_ann", theirs=f"{theirs[0]:,} x {theirs[1]:,}",
            ours=f"{ours.width:,} x {ours.height:,}",
        )  # fmt: skip
    return found


def read_corrections(run: Path, content_key: str) -> tuple[Correction, ...]:
    """Get the cells that a reader corrected in a scored run; none if nobody did.

    Parameters
    ----------
    run : Path
        Folder of the run.
    content_key : str
        Of the slide they shall label.

    Raises
    ------
    RunDamagedError
        If the file is damaged.
    BadLabelSetError
        If the run is of another slide.
    """
    path = run / FILE_NAME
    try:
        record = json.loads((run / MARKER).read_text(encoding="utf-8"))
        key = record["slide"]["quickhash"]
    except (OSError, ValueError, KeyError, TypeError):
        raise RunDamagedError("damaged_run", name=run.name, reason=f"no {MARKER}") from None
    if key != content_key:
        raise BadLabelSetError("foreign_run", name=run.name)
    if not path.exists():
        return ()
    return CorrectionsFile(run, _identity(path)).labels()


def _identity(path: Path) -> Mapping[str, Any]:
    """What the first line says of the run: it is this file's own, so it is taken as given."""
    try:
        with path.open("rb") as f:
            header = json.loads(f.readline())
        return {k: v for k, v in header.items() if k != "schema"}
    except (OSError, ValueError, AttributeError):
        raise RunDamagedError("damaged_corrections", name=path.parent.name, line=1) from None


def marks_of(
    corrections: Sequence[Correction], classes: Sequence[str]
) -> tuple[list[LabelMark], dict[str, int]]:
    """Corrections as marks on cells, and how many have a class that the set has not."""
    number = {name: k for k, name in enumerate(classes)}
    marks: list[LabelMark] = []
    unknown: dict[str, int] = {}
    for c in corrections:
        if c.now in number:
            place = f"correction {c.x_px:.2f},{c.y_px:.2f}"
            marks.append(LabelMark(place, c.x_px, c.y_px, number[c.now], c.author, rank=2))
        else:
            unknown[c.now] = unknown.get(c.now, 0) + 1
    return marks, unknown


def corrections_digest(corrections: Sequence[Correction]) -> str:
    """SHA-256 of what decides labels; nothing for none."""
    if not corrections:
        return ""
    rows = sorted((c.x_px, c.y_px, c.now, c.author) for c in corrections)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
