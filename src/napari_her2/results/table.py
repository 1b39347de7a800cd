"""The table of slides for spreadsheets: one row per slide and model, or per slide with cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from napari_her2.results.atomic import write_bytes

__all__ = ["CELL_COLUMNS", "COLUMNS", "slide_rows", "write_slide_table"]

COLUMNS: Final = (
    "slide_id", "slide", "status", "biomarker", "model_id", "model_status", "probability",
    "assessable", "call", "tiles_total", "tiles_scored", "tiles_failed", "n_positive",
    "n_negative", "ratio", "threshold", "mean_positive", "sd_positive", "entropy_of_calls",
    "reason", "seconds", "run_dir",
)  # fmt: skip

CELL_COLUMNS: Final = (
    "slide_id", "slide", "status", "stain", "classifier", "classifier_status", "organ",
    "specimen", "rule", "ihc", "rule_status", "margin", "rules_disagree", "assessable", "reason",
    "cells_detected", "tumour_cells", "percent_0", "percent_1+", "percent_2+", "percent_3+",
    "h_score", "entropy", "positive_fraction", "mean_membrane_od", "mean_membrane_completeness",
    "area_mm2", "tiles_total", "tiles_scored", "tiles_failed", "seconds", "run_dir",
)  # fmt: skip
"""Columns of slides whose cells were scored, in the terms of their documents."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def slide_rows(
    documents: Iterable[Mapping[str, Any]], columns: Sequence[str] = COLUMNS
) -> list[dict[str, Any]]:
    """Rows of the table from the slides' documents.

    A slide that failed before a model spoke has one row with its sentence as the reason.
    """
    rows = []
    for document in documents:
        found = [_cells_row(document)] if document.get("kind") == "cells" else _rows(document)
        rows += [{name: row.get(name) for name in columns} for row in found]
    return rows


def _rows(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    base = {k: document.get(k) for k in ("slide_id", "slide", "seconds", "run_dir")}
    base["status"] = document["status"]
    rows = []
    for result in document.get("results") or [{"reason": document.get("error")}]:
        row = {**result, **(result.get("heterogeneity") or {}), **base}
        if result.get("status") == "failed":
            row["status"] = "failed"
        rows.append(row)
    return rows


def _cells_row(document: Mapping[str, Any]) -> dict[str, Any]:
    scores = document.get("scores") or [{}]
    classifier = document.get("classifier") or {}
    percent = document.get("percent") or {}
    return {
        **document,
        "classifier": classifier.get("id"),
        "classifier_status": classifier.get("status"),
        "rule_status": scores[0].get("status"),
        "margin": scores[0].get("margin"),
        "reason": document.get("error") or document.get("reason"),
        **{f"percent_{grade}": percent.get(grade) for grade in ("0", "1+", "2+", "3+")},
    }


def write_slide_table(
    path: Path,
    documents: Iterable[Mapping[str, Any]],
    columns: Sequence[str] = COLUMNS,
) -> Path:
    """Write the table as CSV (UTF-8, a point for decimals, empty where there is no value).

    Text that a spreadsheet would take for a formula is quoted with an apostrophe.

    Raises
    ------
    DiskFullError, CannotWriteError
        An older table is untouched.
    """
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, columns, lineterminator="\n")
    writer.writeheader()
    for row in slide_rows(documents, columns):
        writer.writerow({k: _cell(v) for k, v in row.items()})
    write_bytes(path, sink.getvalue().encode("utf-8"))
    return path


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA) else text
