"""The words of a result, the same in the report and on the command line.

The subject is the slide or the model, never the patient; a probability is never turned into
"positive" or "negative" by us, and what could not be assessed is never called negative.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from napari_her2.messages import DEMO_MODEL, HER2_FROM_HE

__all__ = [
    "area_text",
    "duration_text",
    "figure_text",
    "mpp_text",
    "probability_text",
    "result_line",
    "slide_lines",
]


def probability_text(value: float | None) -> str:
    """Write a probability: two decimals, never 0 or 1, never a percentage."""
    if value is None or not math.isfinite(value):
        return "–"
    if value < 0.01:
        return "< 0.01"
    if value > 0.99:
        return "> 0.99"
    return f"{value:.2f}"


def duration_text(seconds: float) -> str:
    """Write a duration: ``2 min 54 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes else []
    parts += [f"{rest} s"] if rest and not hours else []
    return " ".join(parts)


def result_line(result: Mapping[str, Any], *, partial: bool = False) -> str:
    """Say what one model says of a slide, in one line.

    Parameters
    ----------
    result : mapping
        One entry of ``results`` in the slide's document.
    partial : bool
        Whether the run was stopped before its end.
    """
    if result.get("probability") is None:
        said = "not assessable"
    else:
        said = f"probability {probability_text(result['probability'])}"
        if partial:
            said += " so far"
    if result.get("call"):
        said += f", model suggests {result['call']}"
    tiles = f"{result['tiles_scored']} of {result['tiles_total']} tiles"
    if result.get("tiles_failed"):
        tiles += f", {result['tiles_failed']} unreadable"
    demo = ", demo model" if result.get("model_status") == "synthetic-demo" else ""
    line = f"{result['biomarker']:<5} {said}  ({tiles}; {result['model_id']}{demo})"
    reason = result.get("reason")
    return f"{line}\n      {reason}" if reason else line


def slide_lines(document: Mapping[str, Any]) -> list[str]:
    """Say what a run says of a slide, in a few lines for a terminal."""
    status = str(document["status"])
    if status == "failed":
        return []
    results = document.get("results", [])
    notes = [w for w in document.get("warnings", []) if w not in {r.get("reason") for r in results}]
    name = document.get("slide_id", document["slide"])
    lines = [f"{name}: {status} in {duration_text(document['seconds'])}"]
    lines += [f"  {result_line(r, partial=status == 'cancelled')}" for r in results]
    if any(r.get("biomarker") == "HER2" for r in results):
        lines.append(f"  {HER2_FROM_HE}")
    if any(r.get("model_status") == "synthetic-demo" for r in results):
        lines.append(f"  {DEMO_MODEL}")
    lines += [f"  note: {w}" for w in notes]
    if document.get("run_dir"):
        lines.append(f"  kept in {document['run_dir']}")
    if document.get("report"):
        lines.append(f"  report: {document['report']}")
    return lines


def mpp_text(value: float) -> str:
    """Write a pixel size: three significant figures."""
    return f"{value:.3g} µm/px"


def area_text(mm2: float | None) -> str:
    """Write an area: three significant figures."""
    return "unknown" if mm2 is None else f"{mm2:.3g} mm²"


def figure_text(value: float | None) -> str:
    """Write a number without a unit: four significant figures."""
    return "–" if value is None else f"{value:.4g}"
