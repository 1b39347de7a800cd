"""What the graded nuclei of a case come to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import NUCLEAR_CLASSES
from napari_her2.cells.nuclear import NUCLEAR_OD
from napari_her2.cells.table import CellTable
from napari_her2.messages import tr
from napari_her2.scoring.indices import h_score_of_totals
from napari_her2.scoring.intervals import interval_of, resampled_totals
from napari_her2.scoring.receptors import INTENSITIES, NuclearMarker, score_nuclei

__all__ = ["nuclear_summary"]


def nuclear_summary(
    table: CellTable,
    marker: NuclearMarker | None = None,
    tiles: NDArray[np.int64] | None = None,
) -> dict[str, Any]:
    """Positive fraction, intensity classes, H-score and Allred of graded nuclei.

    Parameters
    ----------
    table : CellTable
        Nuclei with a ``class`` of :data:`~napari_her2.cells.classes.NUCLEAR_CLASSES`.
    marker : {"ER", "PR", "Ki67"}, optional
        What was stained: ER and PR then get the status of ASCO/CAP 2020.
    tiles : ndarray of int, optional
        Shape (squares, 5): nuclei of each class in each square of the tissue, for the intervals.

    Returns
    -------
    dict
        ``counts``, ``nuclei`` (counted, artefacts left out), ``positive_fraction`` and ``percent``
        by intensity (percent, 0 to 100), ``mean_dab_od`` of the positive nuclei, ``h_score``,
        ``allred``, ``marker``, ``status``, ``assessable``, ``reason`` (a sentence) and
        ``reason_id``, ``sentence``, ``warnings``, ``ci95`` (95 % limits of ``positive_percent``
        and ``h_score`` over the squares, or None for too few of them). Without a single nucleus
        figures are None, never 0: nothing found is not negative.

    Raises
    ------
    ValueError
        If the table holds other classes.
    """
    if table.classes != NUCLEAR_CLASSES:
        msg = f"not graded by nuclear staining: {table.classes}"
        raise ValueError(msg)
    counts = table.counts()
    result = score_nuclei(counts, marker)
    warnings = [tr("all_nuclei"), *result.notes] if result.nuclei else list(result.notes)
    return {
        "counts": counts,
        "nuclei": result.nuclei,
        "positive_fraction": result.positive_percent,
        "percent": dict(result.percent),
        "mean_dab_od": _mean_of_positive(table),
        "h_score": result.h_score,
        "allred": None if result.allred is None else result.allred.to_json(),
        "marker": marker,
        "status": result.status,
        "assessable": result.assessable,
        "reason": None if result.assessable else result.sentence,
        "reason_id": result.reason,
        "sentence": result.sentence,
        "warnings": warnings,
        "ci95": {} if tiles is None else _limits(tiles),
    }


def _limits(tiles: NDArray[np.int64]) -> dict[str, list[float] | None]:
    counted = tiles[:, : len(INTENSITIES)]
    counted = counted[counted.sum(axis=1) > 0]
    totals = resampled_totals(counted)
    whole = counted.sum(axis=0, keepdims=True).astype(np.float64)
    out: dict[str, list[float] | None] = {}
    for name, figure in (("positive_percent", _positive), ("h_score", h_score_of_totals)):
        value = float(figure(whole)[0])
        out[name] = interval_of(value, figure(totals), len(counted)).to_json()["ci95"]
    return out


def _positive(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100 * totals[:, 1:].sum(axis=1) / totals.sum(axis=1))


def _mean_of_positive(table: CellTable) -> float | None:
    positive = np.isin(table["class"], [NUCLEAR_CLASSES.index(n) for n in NUCLEAR_CLASSES[1:4]])
    if NUCLEAR_OD not in table or not positive.any():
        return None
    return float(table[NUCLEAR_OD][positive].mean(dtype=np.float64))
