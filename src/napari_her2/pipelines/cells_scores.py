"""Scores of a case from its cells: HER2 by every rule that fits, or nuclear staining."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import SCORE_OF, TUMOUR_CLASSES
from napari_her2.cells.connectivity import membrane_connectivity
from napari_her2.cells.table import CellTable
from napari_her2.messages import DEMO_MODEL, tr
from napari_her2.scoring.cases import disagreement, score_all
from napari_her2.scoring.clusters import largest_clusters
from napari_her2.scoring.indices import h_score, h_score_of_totals, shannon_entropy
from napari_her2.scoring.intervals import interval_of, resampled_totals
from napari_her2.scoring.receptors import NuclearMarker
from napari_her2.scoring.result import RuleResult
from napari_her2.scoring.rules import Organ, Specimen, find_rule

__all__ = ["her2_scores", "nuclear_scores", "tumour_clusters"]

Counts = NDArray[np.int64]

_AT_ONCE = 50_000


def her2_scores(
    table: CellTable,
    counts: Mapping[str, int],
    tiles: Counts | None,
    organ: Organ,
    specimen: Specimen,
    rule: str | None,
    mpp: tuple[float, float] | None = None,
    demo: bool = False,
) -> dict[str, Any]:
    """Score HER2 cells by every rule that fits the tissue.

    Parameters
    ----------
    table : CellTable
        Cells with their classes.
    counts : mapping of str to int
        Cells of each class.
    tiles : ndarray, shape (tiles, classes), or None
        Counts by square, for intervals.
    organ, specimen, rule
        What was chosen; the chosen rule comes first.
    mpp : (float, float), optional
        Micrometres per level-0 pixel; clusters of a biopsy need it.
    demo : bool
        Whether the classes come from a demo model: its scores are never called positive, equivocal
        or negative.

    Returns
    -------
    dict
        Keys of the document.

    Raises
    ------
    UsageError
        If the rule does not fit the tissue.
    """
    chosen = find_rule(rule, organ, specimen)
    clusters = tumour_clusters(table, *mpp) if specimen == "biopsy" and mpp is not None else None
    results = score_all(counts, organ=organ, specimen=specimen, tiles=tiles, clusters=clusters)
    results.sort(key=lambda r: r.rule != chosen.id)
    first = results[0]
    percent = dict(first.percent)
    assessable = first.assessable
    differ = None if demo else disagreement(results)
    return {
        "rule": chosen.id,
        "scores": [_told(r, demo) for r in results],
        "rules_disagree": differ is not None,
        "rules_disagree_why": differ,
        "assessable": assessable,
        "ihc": first.ihc,
        "reason": None if assessable else first.sentence,
        "reason_id": first.reason,
        "h_score": h_score(percent) if percent else None,
        "entropy": float(shannon_entropy(percent)) if percent else None,
        "positive_fraction": _share(percent),
        **_measured(table),
        "ci95": {} if tiles is None else _intervals(tiles),
    }


def _told(result: RuleResult, demo: bool) -> dict[str, Any]:
    said = result.to_json()
    if demo and result.assessable:
        said |= {"status": None, "descriptor": None}
        said["sentence"] = tr("demo_score", ihc=result.ihc) if result.ihc else DEMO_MODEL
    return said


def nuclear_scores(
    table: CellTable, tiles: Counts | None = None, marker: NuclearMarker | None = None
) -> dict[str, Any]:
    """Score nuclear staining: positive fraction, intensity classes, H-score, Allred."""
    from napari_her2.cells.nuclear_summary import nuclear_summary

    said = dict(nuclear_summary(table, marker, tiles))
    percent = said.get("positive_fraction")
    # A fraction is a number from 0 to 1 in every document.
    said["positive_percent"] = percent
    # The document's own status says how the run ended.
    said["marker_status"] = said.pop("status")
    said["positive_fraction"] = None if percent is None else percent / 100
    return said


def tumour_clusters(table: CellTable, mpp_x: float, mpp_y: float) -> Mapping[str, int]:
    """Tumour cells in the largest cluster stained at least 1+, 2+ and 3+.

    Parameters
    ----------
    table : CellTable
        Cells with their classes.
    mpp_x, mpp_y : float
        Micrometres per level-0 pixel.
    """
    tumour = table["class"] < len(TUMOUR_CLASSES)
    x, y = table["x_px"][tumour] * mpp_x, table["y_px"][tumour] * mpp_y
    largest = largest_clusters(np.stack([x, y], axis=1), table["class"][tumour])
    return {str(grade): n for grade, n in largest.items()}


def _share(percent: Mapping[str, float]) -> float | None:
    """Share of tumour cells with any membrane staining, 0 to 1."""
    return (100 - percent["0"]) / 100 if percent else None


def _measured(table: CellTable) -> dict[str, float | None]:
    """Means over the tumour cells of what was measured of their membranes."""
    tumour = table["class"] < len(TUMOUR_CLASSES)
    out: dict[str, float | None] = {}
    for name in ("membrane_od", "membrane_completeness"):
        values = table[name][tumour] if name in table else np.empty(0)
        values = values[np.isfinite(values)]
        out[f"mean_{name}"] = float(values.mean(dtype=np.float64)) if len(values) else None
    out["membrane_connectivity"] = None
    if "membrane_stained" in table and "membrane_radii" in table:
        parts = range(0, len(table), _AT_ONCE)
        out["membrane_connectivity"] = membrane_connectivity(
            table.take(np.arange(at, min(at + _AT_ONCE, len(table)))) for at in parts
        )
    return out


def _intervals(tiles: Counts) -> dict[str, list[float] | None]:
    """95 % intervals of percentages, H-score and entropy over squares with tumour cells."""
    tumour = tiles[:, : len(TUMOUR_CLASSES)]
    tumour = tumour[tumour.sum(axis=1) > 0]
    totals = resampled_totals(tumour)
    whole = tumour.sum(axis=0, keepdims=True).astype(np.float64)
    out: dict[str, list[float] | None] = {}

    def note(name: str, value: float, resampled: Any) -> None:
        out[name] = interval_of(value, resampled, len(tumour)).to_json()["ci95"]

    for i, name in enumerate(TUMOUR_CLASSES):
        note(SCORE_OF[name], float(_percent(whole)[0, i]), _percent(totals)[:, i])
    note("h_score", float(h_score_of_totals(whole)[0]), h_score_of_totals(totals))
    note("entropy", float(np.ravel(shannon_entropy(whole))[0]), shannon_entropy(totals))
    return out


def _percent(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100 * totals / totals.sum(axis=1, keepdims=True))
