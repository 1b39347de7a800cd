"""What is said of a label set: counts, balance, warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from napari_her2.errors import BadLabelSetError
from napari_her2.messages import tr
from napari_her2.pipelines.label_set_request import LabelSetRequest
from napari_her2.pipelines.label_set_slides import Prepared
from napari_her2.pipelines.label_set_work import Drawn
from napari_her2.training.label_rows import LabelRows
from napari_her2.training.label_set import LabelSet
from napari_her2.training.oddities import ODD, Oddities
from napari_her2.training.splits import OUT, SIDES, Note, Split

__all__ = ["describe", "labels_missing", "set_facts"]

LISTED: Final = 1000
"""So many conflicts and unreadable parts are listed; all are counted."""

FEW: Final = 30
UNEVEN: Final = 5.0


def describe(made: LabelSet) -> dict[str, Any]:
    """The document of the command: the summary, and where the set lies."""
    return {"label_set": str(made.path), "digest": made.digest, **made.summary()}


def labels_missing(rows: LabelRows, request: LabelSetRequest, prepared: Sequence[Prepared]) -> None:
    """Refuse a set in which a class has no label.

    Raises
    ------
    BadLabelSetError
        Names the classes; for tiles, says where the regions are too small.
    """
    classes = request.classes
    n = np.bincount(rows.label, minlength=len(classes))
    empty = [k for k in range(len(classes)) if not n[k]]
    if not empty:
        return
    drawn = {r.label for p in prepared for r in p.labelling.regions}
    too_small = [classes[k] for k in empty if k in drawn]
    if request.kind == "tiles" and too_small:
        raise BadLabelSetError(
            "no_tiles", name=", ".join(too_small), size=f"{request.spec.field_um:g}",
            share=f"{100 * request.rules.inside:g}",
        )  # fmt: skip
    raise BadLabelSetError("no_examples", name=", ".join(classes[k] for k in empty))


def set_facts(
    rows: LabelRows,
    request: LabelSetRequest,
    drawn: Drawn,
    split: Split,
    odd: Oddities,
    prepared: Sequence[Prepared],
) -> dict[str, Any]:
    """Counts and warnings of a new set, for its record and the dock.

    Parameters
    ----------
    rows : LabelRows
        Its labels.
    request, drawn, split, odd, prepared
        How they came about.
    """
    classes = drawn.classes
    table = {name: _of_class(rows, split, k) for k, name in enumerate(classes)}
    counts = [c["n"] for c in table.values()]
    unknown: Counter[str] = Counter()
    skipped: Counter[str] = Counter(drawn.skipped)
    for p in prepared:
        unknown.update(p.labelling.unknown)
        skipped.update(p.labelling.skipped)
    notes: list[Note] = [*split.notes, *_notes(table, request, drawn, unknown)]
    warnings = [{"id": i, "sentence": tr(i, **s)} for i, s in notes]
    warnings += [{"id": "stain", "sentence": s} for s in drawn.notes]
    known = {"patients": rows.patient, "blocks": rows.block}
    return {
        "n": len(rows),
        "counts": table,
        "slides": len(np.unique(rows.slide.astype(str))),
        **{k: len(np.unique(v[v != ""].astype(str))) for k, v in known.items()},
        "balance": round(min(counts) / max(counts), 4),
        "splits": {s or "out": int((split.side == s).sum()) for s in (*SIDES, OUT)},
        "split": {"by": split.by, "tune_by": split.tune_by, "rule": request.split.to_json(),
                  "seed": request.seed},
        "regions": _regions(rows, classes),
        "conflicts": {"n": len(drawn.conflicts), "listed": drawn.conflicts[:LISTED]},
        "unreadable": {"n": len(drawn.unreadable), "listed": drawn.unreadable[:LISTED]},
        "unknown": dict(sorted(unknown.items())),
        "skipped": [{"reason": r, "n": n} for r, n in sorted(skipped.items())],
        "odd": int((odd.score >= ODD).sum()),
        "propagated": int(rows.propagated.sum()),
        "warnings": warnings,
    }  # fmt: skip


def _of_class(rows: LabelRows, split: Split, k: int) -> dict[str, int]:
    mine = rows.label == k
    return {
        "n": int(mine.sum()),
        **{s: int((mine & (split.side == s)).sum()) for s in SIDES},
        "slides": len(np.unique(rows.slide[mine].astype(str))),
        "regions": len(np.unique(rows.region[mine].astype(str))),
        "propagated": int((mine & rows.propagated).sum()),
    }


def _regions(rows: LabelRows, classes: Sequence[str]) -> list[dict[str, Any]]:
    """How many labels each annotation gave, by slide and id."""
    keys = np.stack([rows.slide.astype(str), rows.region.astype(str)], 1)
    pairs, first, n = np.unique(keys, axis=0, return_index=True, return_counts=True)
    return [
        {"slide": str(pair[0]), "id": str(pair[1]), "class": classes[int(rows.label[i])],
         "author": str(rows.author[i]), "n": int(count)}
        for pair, i, count in zip(pairs, first, n, strict=True)
    ]  # fmt: skip


def _notes(
    table: dict[str, dict[str, int]],
    request: LabelSetRequest,
    drawn: Drawn,
    unknown: Counter[str],
) -> list[Note]:
    notes: list[Note] = []
    if drawn.conflicts:
        what = _count(len(drawn.conflicts), request.kind[:-1])
        notes.append(("label_conflicts", {"what": what}))
    if drawn.unreadable:
        what = _count(len(drawn.unreadable), "part") + " of the regions"
        notes.append(("label_unreadable", {"what": what}))
    if unknown:
        names = ", ".join(sorted(unknown)[:5])
        what = _count(sum(unknown.values()), "annotation")
        notes.append(("unknown_classes", {"what": what, "names": names}))
    few = [f"{name} ({c['n']})" for name, c in table.items() if c["n"] < FEW]
    if few:
        notes.append(("few_examples", {"names": ", ".join(few)}))
    least = min(table, key=lambda name: table[name]["n"])
    most = max(table, key=lambda name: table[name]["n"])
    times = table[most]["n"] / max(table[least]["n"], 1)
    if times > UNEVEN:
        notes.append(("unbalanced", {"most": most, "least": least, "times": f"{times:.0f}"}))
    return notes


def _count(n: int, what: str) -> str:
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"
