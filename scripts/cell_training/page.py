"""Writes the figures of ``docs/cell_models.json`` into ``docs/cell_models.md``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

PAPER_F1 = {
    "SVM": (0.59, 0.66, 0.60, 0.82, 0.64, 0.64, 0.58),
    "RF": (0.62, 0.66, 0.58, 0.82, 0.71, 0.66, 0.60),
    "ConvNet": (0.74, 0.80, 0.58, 0.78, 0.81, 0.84, 0.72),
}
PAPER_ACCURACY = {"SVM": 0.68, "RF": 0.70, "ConvNet": 0.78}
CLASSES = (
    "tumour 0", "tumour 1+", "tumour 2+", "tumour 3+", "stroma", "immune", "artefact",
)  # fmt: skip
ALL = (*CLASSES, "macro F1", "accuracy")
SHOWN = ("demo-her2-cells", "demo-her2-cells-svm", "demo-her2-cells-rf", "membrane")
COMPARED = ("SVM", "RF", "ConvNet", "ConvNet + membrane")


def write(results: Path, check: bool) -> int:
    """Fill the page between its marks; with ``check`` only say (1) whether it is stale."""
    document = json.loads(results.read_text(encoding="utf-8"))
    page = results.with_suffix(".md")
    old = page.read_text(encoding="utf-8")
    new = old
    for name, text in sections(document).items():
        new = _filled(new, name, text)
    if not check:
        page.write_text(new, encoding="utf-8")
    return int(check and new != old)


def sections(document: Mapping[str, Any]) -> dict[str, str]:
    """Text between each pair of marks."""
    out = {"held-out": _held_out(document["held_out"])}
    for grouping in ("tile", "slide"):
        if f"by_{grouping}" in document:
            out[f"by-{grouping}"] = _comparison(document[f"by_{grouping}"])
    return out


def _filled(page: str, name: str, text: str) -> str:
    start, end = f"<!-- {name}: start", f"<!-- {name}: end -->"
    if start not in page:
        return page
    first = page.index("\n", page.index(start)) + 1
    return page[:first] + text + "\n" + page[page.index(end) :]


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _head(*names: str) -> list[str]:
    return [_row(list(names)), "|" + "---|" * len(names)]


def _held_out(d: Mapping[str, Any]) -> str:
    models = {name: d["models"][name] for name in SHOWN if name in d["models"]}
    lines = [
        (
            f"{d['cells']} cells on {d['tiles']} tiles of {d['slides']} slides (seeds "
            f"{d['seeds'][0]}–{d['seeds'][1]}), as they occur there; F1 with 95 % intervals "
            "(1000 bootstraps over tiles)."
        ),
        "",
        *_head("class", "cells", *(f"`{m}`" for m in models)),
    ]
    for column in ALL:
        n = d["cells_by_class"].get(column, d["cells"])
        values = [
            f"{m['f1'][column]:.3f} ({m['low'][column]:.3f}–{m['high'][column]:.3f})"
            for m in models.values()
        ]
        lines.append(_row([column, str(n), *values]))
    found = d["detection"]
    shares = ", ".join(f"{k} {v:.2f}" for k, v in found["share_found"].items())
    lines += [
        "",
        (
            f"Detection on these tiles: {found['found']} found, {found['true']} true, "
            f"{found['paired']} pairs within 3 µm. Share of the true cells with a pair: {shares}. "
            "The figures above are of what was found alone."
        ),
        "",
        *_pixel_sizes(d.get("pixel_sizes", [])),
        "Confusion of `demo-her2-cells` (rows true, columns said):",
        "",
        *_confusion(models["demo-her2-cells"]["confusion"]),
    ]
    return "\n".join(lines)


def _pixel_sizes(rows: list[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    names = [n for n in SHOWN if n in rows[0]["macro_f1"]]
    lines = ["Macro F1 on four further slides kept back, drawn at several pixel sizes:", ""]
    lines += _head("µm/px", "cells", *(f"`{n}`" for n in names))
    for row in rows:
        values = [f"{row['macro_f1'][n]:.3f}" for n in names]
        lines.append(_row([f"{row['mpp']:g}", str(row["cells"]), *values]))
    return [*lines, ""]


def _confusion(table: list[list[int]]) -> list[str]:
    lines = _head("", *CLASSES)
    return lines + [
        _row([name, *(str(v) for v in row)]) for name, row in zip(CLASSES, table, strict=True)
    ]


def _comparison(d: Mapping[str, Any]) -> str:
    models = [name for name in COMPARED if name in d["f1"]]
    lines = [
        (
            f"{d['cells']} cells, {d['groups']} {d['grouping']}s, {d['folds']} folds; networks "
            f"{d['epochs']} epochs. Mean F1 over folds (95 % t interval)."
        ),
        "",
        *_head("class", *models),
    ]
    for column in ALL:
        values = []
        for model in models:
            v = d["f1"][model][column]
            # A t interval knows nothing of the bounds of F1.
            values.append(f"{v['mean']:.3f} ({v['low']:.3f}–{min(v['high'], 1):.3f})")
        lines.append(_row([column, *values]))
    others = [m for m in models if any(t["second"] == m for t in d["tests"])]
    first = d["tests"][0]["first"] if d["tests"] else ""
    lines += [
        "",
        (
            f"{first} minus the other, mean over folds; p of the paired two-sided t-test, in "
            "brackets after Holm over all tests of this table:"
        ),
        "",
        *_head("class", *(f"{first} − {o}" for o in others), "best"),
    ]
    for column in ALL:
        values = [_test(d["tests"], other, column) for other in others]
        best = max(models, key=lambda m: d["f1"][m][column]["mean"])
        lines.append(_row([column, *values, best]))
    verdicts = [_verdict(d, first, other) for other in others]
    return "\n".join([*lines, "", " ".join(verdicts), _chosen(d), "", *_beside_the_paper()])


def _verdict(d: Mapping[str, Any], first: str, other: str) -> str:
    """What is left of one comparison after Holm, in words."""
    sure = [t for t in d["tests"] if t["second"] == other and t["holm"] < 0.05]
    better = [t["column"] for t in sure if t["difference"] > 0]
    worse = [t["column"] for t in sure if t["difference"] < 0]
    parts = [
        f"{word} in {', '.join(columns)}"
        for word, columns in (("better", better), ("worse", worse))
        if columns
    ]
    gap = d["f1"][first]["macro F1"]["mean"] - d["f1"][other]["macro F1"]["mean"]
    return (
        f"{first} against {other}: macro F1 {gap:+.3f}; after Holm (p < 0.05) "
        f"{' and '.join(parts) or 'no difference'}."
    )


def _test(tests: list[Mapping[str, Any]], other: str, column: str) -> str:
    t = next(t for t in tests if (t["second"], t["column"]) == (other, column))
    return f"{t['difference']:+.3f}, p = {t['p']:.2g} ({t['holm']:.2g})"


def _chosen(d: Mapping[str, Any]) -> str:
    parts = []
    for model, what in (("SVM", "C"), ("RF", "mtry")):
        if model in d["chosen"]:
            values = ", ".join(f"{v:g}" for v in d["chosen"][model])
            parts.append(f"{what} chosen in the folds: {values}")
    seconds = ", ".join(f"{m} {d['cpu_seconds'][m]} s" for m in COMPARED if m in d["cpu_seconds"])
    return ". ".join(parts) + f". CPU time: {seconds}."


def _beside_the_paper() -> list[str]:
    lines = [
        "For comparison, the paper's own figures on real tissue (mean F1 over its folds):",
        "",
        *_head("class", *PAPER_F1),
    ]
    for k, name in enumerate(CLASSES):
        lines.append(_row([name, *(f"{v[k]:.2f}" for v in PAPER_F1.values())]))
    return [*lines, _row(["accuracy", *(f"{v:.2f}" for v in PAPER_ACCURACY.values())])]
