"""Files of cells: the journal survives a torn tail, tables and GeoJSON say what was found."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest

from napari_her2.errors import RunDamagedError
from napari_her2.results import cells_geojson
from napari_her2.results.cells_geojson import cells_geojson_writer
from napari_her2.results.cells_journal import CellBatch, CellJournal
from napari_her2.results.cells_table import cells_writer, read_cells

CLASSES = ("tumour 0", "tumour 3+", "stroma")
HEADER = {"request_hash": "ab", "tiles": 4}


def columns(n=50, seed=0):
    rng = np.random.default_rng(seed)
    probs = rng.dirichlet((1, 1, 1), n).astype(np.float32)
    return {
        "x_px": rng.uniform(0, 5000, n),
        "y_px": rng.uniform(0, 4000, n),
        "area_um2": rng.uniform(10, 90, n).astype(np.float32),
        "nucleus_radii": np.full((n, 32), 8, np.float32),
        "membrane_stained": rng.random((n, 32)) < 0.5,
        "membrane_od": np.where(np.arange(n) % 5, 0.5, np.nan).astype(np.float32),
        "probs": probs,
        "class": probs.argmax(axis=1).astype(np.uint8),
    }


def written(fill) -> bytes:
    sink = io.BytesIO()
    fill(sink)
    return sink.getvalue()


def test_a_journal_gives_back_its_tiles_and_cuts_a_torn_tail(tmp_path):
    path = tmp_path / "journal.bin"
    batches = [CellBatch(2, columns(30)), CellBatch(0, columns(1, 1), "half of it"), CellBatch(1)]
    with CellJournal(path, HEADER) as journal:
        for batch in batches:
            journal.append(batch)
    header, back = CellJournal.read(path)
    assert header == HEADER
    assert [b.index for b in back] == [2, 0, 1]
    assert back[1].failed
    assert back[1].reason == "half of it"
    for name, values in batches[0].columns.items():
        np.testing.assert_array_equal(back[0].columns[name], values)
        assert back[0].columns[name].dtype == values.dtype
    with path.open("r+b") as f:
        f.truncate(path.stat().st_size - 3)
    with CellJournal(path, HEADER) as journal:
        assert [b.index for b in journal.batches] == [2, 0]
        journal.append(CellBatch(3, columns(5)))
    assert [b.index for b in CellJournal.read(path)[1]] == [2, 0, 3]


def test_a_journal_of_another_run_is_refused(tmp_path):
    CellJournal(tmp_path / "journal.bin", HEADER).close()
    with pytest.raises(RunDamagedError, match="of another run"):
        CellJournal(tmp_path / "journal.bin", {**HEADER, "tiles": 5})


def test_a_table_comes_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_her2.results.cells_table.ROW_GROUP", 16)
    given, path = columns(), tmp_path / "cells.parquet"
    path.write_bytes(written(cells_writer(given, CLASSES, {"slide_id": "ä"})))
    back, classes, facts = read_cells(path)
    assert classes == CLASSES
    assert facts == {"slide_id": "ä"}
    assert set(back) == set(given)
    for name, values in given.items():
        np.testing.assert_array_equal(back[name], values, err_msg=name)
        assert back[name].dtype == values.dtype
    assert pq.ParquetFile(path).num_row_groups == 4
    assert written(cells_writer(given, CLASSES, {"slide_id": "ä"})) == path.read_bytes()
    names = pq.read_schema(path).names
    assert [n for n in names if n.startswith("prob_")] == ["prob_tumour_0", "prob_tumour_3",
                                                           "prob_stroma"]  # fmt: skip
    assert pq.read_table(path)["class"][0].as_py() in CLASSES


def test_a_table_without_cells_is_a_table(tmp_path):
    path = tmp_path / "cells.parquet"
    path.write_bytes(written(cells_writer(columns(0), CLASSES, {})))
    back, classes, _ = read_cells(path)
    assert len(back["x_px"]) == 0
    assert back["probs"].shape == (0, 3)
    assert classes == CLASSES


def test_what_is_no_table_of_cells_is_damaged(tmp_path):
    path = tmp_path / "cells.parquet"
    path.write_bytes(b"PAR1 nothing")
    with pytest.raises(RunDamagedError):
        read_cells(path)
    pq.write_table(pq.read_table(io.BytesIO(written(cells_writer(columns(), CLASSES, {})))
                                 ).replace_schema_metadata({}), path)  # fmt: skip
    with pytest.raises(RunDamagedError):
        read_cells(path)


def test_geojson_holds_detections_as_qupath_reads_them(monkeypatch):
    names, colours = {"tumour 3+": "Tumor: 3+"}, {"tumour 3+": (200, 50, 50)}
    given = columns()
    monkeypatch.setattr(cells_geojson, "_AT_ONCE", 7)
    found = json.loads(written(cells_geojson_writer(given, CLASSES, names, colours)))["features"]
    assert len(found) == 50
    assert len({f["id"] for f in found}) == 50
    for i, feature in enumerate(found):
        ring = np.array(feature["geometry"]["coordinates"][0])
        assert feature["geometry"]["type"] == "Polygon"
        assert (ring[0] == ring[-1]).all()
        assert ring[:-1].mean(axis=0) == pytest.approx(
            (given["x_px"][i], given["y_px"][i]), abs=0.06
        )
        properties = feature["properties"]
        assert properties["objectType"] == "detection"
        name = CLASSES[given["class"][i]]
        assert properties["classification"]["name"] == names.get(name, name)
        assert ("membrane_od" in properties["measurements"]) == (i % 5 != 0), "no NaN in JSON"
        assert properties["measurements"]["area_um2"] == pytest.approx(
            given["area_um2"][i], rel=1e-4
        )


def test_very_many_cells_become_points(monkeypatch):
    monkeypatch.setattr(cells_geojson, "OUTLINED_CELLS", 10)
    found = json.loads(written(cells_geojson_writer(columns(), CLASSES, {}, {})))["features"]
    assert {f["geometry"]["type"] for f in found} == {"Point"}


def test_no_cells_are_an_empty_collection():
    found = json.loads(written(cells_geojson_writer(columns(0), CLASSES, {}, {})))
    assert found == {"type": "FeatureCollection", "features": []}
