from __future__ import annotations

import csv

import numpy as np
import pytest

from napari_her2.results.geojson import tiles_geojson
from napari_her2.results.table import COLUMNS, write_slide_table


def test_tiles_are_polygons_with_their_probabilities(make_heatmap):
    heat = make_heatmap()
    collection = tiles_geojson(heat)
    assert len(collection["features"]) == int((heat.scored | heat.unread).sum())
    unread = [f for f in collection["features"] if "measurements" not in f["properties"]]
    assert len(unread) == 1
    assert unread[0]["properties"]["classification"]["name"] == "Unreadable"
    feature = next(f for f in collection["features"] if "measurements" in f["properties"])
    ring = np.array(feature["geometry"]["coordinates"][0])
    x, y = ring[:, 0].min(), ring[:, 1].min()
    col = round((x - heat.grid.region.x) / heat.grid.cell_width)
    row = round((y - heat.grid.region.y) / heat.grid.cell_height)
    assert feature["properties"]["measurements"] == {
        "prob_positive": pytest.approx(float(heat.data[0, row, col])),
        "prob_negative": pytest.approx(float(heat.data[1, row, col])),
        "prob_non_tumour": pytest.approx(float(heat.data[2, row, col])),
    }


def test_the_table_has_a_row_for_each_slide_and_model(tmp_path):
    documents = [
        {
            "slide": "/x/a.svs", "slide_id": "=HYPERLINK(1)", "status": "completed", "seconds": 2.5,
            "run_dir": "o", "results": [
                {"biomarker": "ER", "model_id": "m", "probability": 0.81818181, "assessable": True,
                 "call": None, "tiles_total": 9, "tiles_scored": 8, "tiles_failed": 1,
                 "heterogeneity": {"mean_positive": 0.5, "sd_positive": 0.1}},
                {"biomarker": "PR", "status": "failed", "reason": "No model"},
            ],
        },
        {"slide": "/x/b.svs", "slide_id": "b", "status": "failed", "error": "Broken."},
    ]  # fmt: skip
    path = write_slide_table(tmp_path / "slides.csv", documents)
    with path.open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert tuple(rows[0]) == COLUMNS
    er, pr, broken = rows
    assert er["probability"] == "0.818182"
    assert er["mean_positive"] == "0.5"
    assert (er["call"], er["assessable"]) == ("", "true")
    assert er["slide_id"] == "'=HYPERLINK(1)"
    assert (pr["status"], pr["probability"], pr["reason"]) == ("failed", "", "No model")
    assert (broken["status"], broken["reason"]) == ("failed", "Broken.")
