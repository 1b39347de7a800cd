"""The table of slides: one row per slide and model, for spreadsheets."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from napari_her2.results.atomic import write_bytes

__all__ = ["COLUMNS", "slide_rows", "write_slide_table"]

COLUMNS: Final = (
    "slide_id", "slide", "status", "biomarker", "model_id", "model_status", "probability",
    "assessable", "call", "tiles_total", "tiles_scored", "tiles_failed", "n_positive",
    "n_negative", "ratio", "threshold", "mean_positive", "sd_positive", "entropy_of_calls",
    "reason", "seconds", "run_dir",
)  # fmt: skip

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def slide_rows(documents: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the table from the slides' documents.

    A slide that failed before a model spoke has one row with its sentence as the reason.
    """
    rows = []
    for document in documents:
        base = {k: document.get(k) for k in ("slide_id", "slide", "seconds", "run_dir")}
        base["status"] = document["status"]
        results = document.get("results") or [{"reason": document.get("error")}]
        for result in results:
            row = {**result, **(result.get("heterogeneity") or {}), **base}
            if result.get("status") == "failed":
                row["status"] = "failed"
            rows.append({name: row.get(name) for name in COLUMNS})
    return rows


def write_slide_table(path: Path, documents: Iterable[Mapping[str, Any]]) -> Path:
    """Write the table as CSV (UTF-8, a point for decimals, empty where there is no value).

    Text that a spreadsheet would take for a formula is quoted with an apostrophe.

    Raises
    ------
    DiskFullError, CannotWriteError
        An older table is untouched.
    """
    sink = io.StringIO(newline="")
    writer = csv.DictWriter(sink, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in slide_rows(documents):
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
