"""The words of scored cells, the same in the report and on the command line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_her2.reporting.words import area_text, duration_text

__all__ = ["cells_lines", "classifier_text", "percent_text", "share_lines"]

FEW: int = 30
"""Below so many cells counts are shown, not percentages."""


def percent_text(value: float | None) -> str:
    """Write a share of cells: one decimal."""
    return "–" if value is None else f"{value:.1f} %"


def classifier_text(document: Mapping[str, Any]) -> str:
    """Say what classified the cells."""
    found = document.get("classifier") or {}
    name = str(found.get("name") or "–")
    if found.get("status") == "synthetic-demo":
        return f"{name} (demo model)"
    return name if found.get("status") else f"{name} (measured, no trained weights)"


def share_lines(document: Mapping[str, Any]) -> list[str]:
    """Shares of the tumour cells by grade with their number, or counts where they are few."""
    n = document.get("tumour_cells") or 0
    counts = document.get("counts") or {}
    if n < FEW:
        return [f"{name}: {value}" for name, value in counts.items()]
    percent = document.get("percent") or {}
    return [f"{grade}: {percent_text(percent[grade])} of {n}" for grade in percent]


def cells_lines(document: Mapping[str, Any]) -> list[str]:
    """Say what a run says of a slide's cells, in a few lines for a terminal."""
    status = str(document["status"])
    if status == "failed":
        return []
    name = document.get("slide_id", document["slide"])
    lines = [f"{name}: {status} in {duration_text(document['seconds'])}"]
    area = area_text(document.get("area_mm2"))
    lines.append(
        f"  {document['cells_detected']} cells in {area} of tissue; {classifier_text(document)}"
    )
    so_far = " so far" if document.get("partial") else ""
    lines.append(f"  {', '.join(share_lines(document))}{so_far}")
    lines += _scores(document)
    lines += _figures(document)
    if document.get("demo"):
        lines.append(f"  {document['demo']}")
    lines += [f"  note: {w}" for w in document.get("warnings", [])]
    if document.get("cells_file"):
        lines.append(f"  cells: {document['cells_file']}")
    if document.get("report"):
        lines.append(f"  report: {document['report']}")
    return lines


def _scores(document: Mapping[str, Any]) -> list[str]:
    scores = document.get("scores") or []
    if document.get("reason") and not document.get("assessable"):
        return [f"  not assessable: {document['reason']}"]
    lines = []
    if document.get("marker_status"):
        lines.append(f"  {document['sentence']}")
    for score in scores:
        detail = f"  ({score['detail']})" if score.get("detail") else ""
        lines.append(f"  {score['label']}: {score['sentence']}{detail}")
        lines += [f"      {note}" for note in score.get("notes", [])]
    if document.get("rules_disagree_why"):
        lines.append(f"  {document['rules_disagree_why']}")
    return lines


def _figures(document: Mapping[str, Any]) -> list[str]:
    parts = []
    if document.get("positive_fraction") is not None and document.get("stain") == "nuclear-ihc":
        parts.append(f"positive {percent_text(100 * document['positive_fraction'])}")
    if document.get("h_score") is not None:
        parts.append(f"H-score {document['h_score']:.0f}")
    allred = document.get("allred")
    if isinstance(allred, Mapping):
        parts.append(f"Allred {allred['total']}")
    if document.get("entropy") is not None:
        parts.append(f"entropy {document['entropy']:.2f}")
    if document.get("mean_membrane_od") is not None:
        parts.append(f"membrane OD {document['mean_membrane_od']:.2f}")
    return [f"  {' · '.join(parts)}"] if parts else []
