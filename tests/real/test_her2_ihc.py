"""Weight-free HER2 scoring on real images: rank order, status, and no false 3+.

The cuts were chosen while looking at these images (7 cores, 8 fields, 2 tiles), so this guards what
was reached; it is no measure of accuracy.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.events import Outcome

pytestmark = [pytest.mark.shared, pytest.mark.slow]

SCORES = ("0", "1+", "2+", "3+")


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8") as f:
        return list(csv.DictReader(f))


def _scored(path: Path, **request: Any) -> dict[str, Any]:
    outcomes = [
        event
        for event in score_cells(CellsRequest(path, **request), partials=False)
        if isinstance(event, Outcome)
    ]
    return dict(outcomes[-1].document)


def test_cores_are_told_apart_and_ranked(shared_data: Path) -> None:
    folder = shared_data / "her2-ihc-gea-cores"
    rows = _rows(folder)
    found = [_scored(folder / r["filename"], organ="gea", mpp=0.23) for r in rows]
    status = [int(r["her2_status"]) for r in rows]
    grade = [int(r["ihc_score"]) for r in rows]
    for measure in ("h_score", "mean_membrane_od", "membrane_connectivity"):
        value = [d[measure] for d in found]
        assert roc_auc_score(status, value) >= 0.95, measure
        assert spearmanr(grade, value).statistic >= 0.7, measure
    assert all(d["assessable"] for d in found)
    negative = [d["ihc"] for d, g in zip(found, grade, strict=True) if g == 0]
    assert negative == ["0", "0"]
    positive = [d["ihc"] for d, s in zip(found, status, strict=True) if s]
    assert set(positive) <= {"2+", "3+"}


@pytest.mark.parametrize("mpp", [0.25, 0.33, 0.5])
def test_fields_are_in_order_whatever_the_pixel_size(shared_data: Path, mpp: float) -> None:
    folder = shared_data / "her2-ihc-ezeher"
    found = [(r["her2_score"], _scored(folder / r["file"], mpp=mpp)) for r in _rows(folder)]
    medians = [np.median([d["h_score"] for s, d in found if s == k]) for k in SCORES]
    assert (np.diff(medians) > 10).all(), medians
    for score, document in found:
        if score == "3+":
            assert document["ihc"] == "3+"
        if score in ("0", "1+"):
            assert document["ihc"] != "3+"
            assert document["percent"]["3+"] < 5


@pytest.mark.parametrize("mpp", [0.25, 0.46])
def test_tiles_of_slides_are_in_order(shared_data: Path, mpp: float) -> None:
    folder = shared_data / "her2-bci-pairs"
    rows = [r for r in _rows(folder) if r["stain"] == "IHC"]
    found = {r["her2_wsi_score"]: _scored(folder / r["file"], mpp=mpp) for r in rows}
    ordered = [found[k]["h_score"] for k in SCORES if k in found]
    assert ordered == sorted(ordered)
    assert len(set(ordered)) == len(ordered)
    assert all(d["percent"]["3+"] < 1 for d in found.values())
