"""``cells`` as a shell sees it: documents, files, exit codes, stopping and going on."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from napari_her2.messages import NOTICE
from napari_her2.synthetic.samples import sample_path

KEYS = {
    "slide", "run_dir", "cells_detected", "counts", "tumour_cells", "percent", "scores",
    "rules_disagree", "h_score", "entropy", "positive_fraction", "mean_membrane_od", "cells_file",
    "seconds", "warnings", "notice",
}  # fmt: skip
COLUMNS = {"x_px", "y_px", "class", "area_um2", "membrane_od", "membrane_completeness"}


@pytest.fixture(scope="module")
def sample():
    return sample_path("her2-ihc")


def test_the_sample_gives_one_document_and_all_files(sample, run_here, tmp_path):
    answer = run_here("cells", sample, "--out", tmp_path / "out", "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert set(document) >= KEYS
    assert document["notice"] == NOTICE
    assert NOTICE in answer.err
    assert document["status"] == "completed"
    assert document["cells_detected"] == sum(document["counts"].values()) > 500
    assert sum(document["percent"].values()) == pytest.approx(100)
    assert set(document["percent"]) == {"0", "1+", "2+", "3+"}
    for score in document["scores"]:
        assert {"rule", "ihc", "status", "margin"} <= set(score)
    assert document["classifier"]["id"] == "membrane"
    folder = tmp_path / document["run_dir"]
    for name in ("run.json", "slide.json", "tissue.geojson", "report.html", "cells.geojson"):
        assert (folder / name).is_file(), name
    record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert list(record)[-1] == "complete"
    assert record["complete"] is True
    assert record["calibration"]["mode"] == "her2-ihc"
    table = pq.read_table(tmp_path / document["cells_file"])
    assert len(table) == document["cells_detected"]
    assert set(table.column_names) >= COLUMNS
    probs = [c for c in table.column_names if c.startswith("prob_")]
    assert probs == [f"prob_{c}" for c in ("tumour_0", "tumour_1", "tumour_2", "tumour_3",
                                           "stroma", "immune", "artefact")]  # fmt: skip
    sums = sum(np.asarray(table[c]) for c in probs)
    np.testing.assert_allclose(sums, 1, atol=5e-4)
    found = json.loads((folder / "cells.geojson").read_text(encoding="utf-8"))["features"]
    assert len(found) == len(table)
    names = {f["properties"]["classification"]["name"] for f in found}
    assert "Tumor: 3+" in names
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Rule yields" in page
    assert "no diagnosis" in page
    assert NOTICE in page


def test_a_person_reads_words_and_the_answer_is_kept(sample, run_here, tmp_path):
    out = tmp_path / "out"
    box = "400,300,900,900"
    answer = run_here("cells", sample, "--out", out, "--roi", box, "--rule", "p2-2017")
    assert answer.code == 0, answer.err
    assert "Vandenberghe 2017 (P2): Rule yields" in answer.out
    assert "no trained weights" in answer.out
    assert "cells.parquet" in answer.out
    again = run_here("cells", sample, "--out", out, "--roi", box, "--rule", "p2-2017", "--json")
    assert again.json["cached"] is True
    assert again.json["rule"] == again.json["scores"][0]["rule"] == "p2-2017"


def test_several_slides_fail_one_by_one_and_stand_in_a_table(sample, run_here, tmp_path):
    blank = tmp_path / "blank.png"
    Image.fromarray(np.full((700, 900, 3), 244, np.uint8)).save(blank)
    answer = run_here(
        "cells", tmp_path / "absent.svs", blank, sample, "--out", tmp_path / "out", "--mpp", "0.25",
        "--roi", "0,0,700,700", "--json",
    )  # fmt: skip
    assert answer.code == 1
    statuses = [s["status"] for s in answer.json["slides"]]
    assert statuses == ["failed", "failed", "completed"]
    assert "cells_detected" not in answer.json, "keys of a slide stand at the top for one only"
    nothing = answer.json["slides"][1]
    assert nothing["error_id"] == "no_tissue"
    assert nothing["scores"] == []
    with (tmp_path / "out" / "slides.csv").open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert [r["status"] for r in rows] == statuses
    assert "was not found" in rows[0]["reason"]
    assert rows[2]["rule"] == "asco-cap-breast-2018"
    assert int(rows[2]["cells_detected"]) == answer.json["slides"][2]["cells_detected"]


def test_an_h_and_e_slide_is_refused_for_her2(run_here, tmp_path):
    he = sample_path("he-er-positive")
    answer = run_here("cells", he, "--out", tmp_path / "out")
    assert answer.code == 4
    assert answer.is_one_sentence(), answer.err
    assert "looks like H&E" in answer.err
    assert answer.out == ""


def test_a_core_without_pixel_size_exits_with_four(run_here, tmp_path):
    core = tmp_path / "core.jpg"
    Image.fromarray(np.full((300, 300, 3), 200, np.uint8)).save(core)
    answer = run_here("cells", core, "--out", tmp_path / "out")
    assert answer.code == 4
    assert "--mpp" in answer.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--organ", "gea", "--rule", "asco-cap-breast-2018"), "Breast rules"),
        (("--rule", "nothing"), "nothing"),
        (("--stain", "pas"), "pas"),
    ],
)
def test_a_slip_in_the_command_exits_with_two(sample, run_here, tmp_path, options, said):
    answer = run_here("cells", sample, "--out", tmp_path / "out", *options)
    assert answer.code == 2
    assert said in answer.err
    assert not (tmp_path / "out").exists()


def test_an_unknown_classifier_names_those_there_are(sample, run_here, tmp_path):
    answer = run_here("cells", sample, "--out", tmp_path / "out", "--classifier", "nobody")
    assert answer.code == 3
    assert "membrane" in answer.err
    assert answer.is_one_sentence(), answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to another process")
def test_ctrl_c_keeps_tiles_and_the_same_command_goes_on(sample, run_here, tmp_path):
    words = ["cells", str(sample), "--out", str(tmp_path / "out"), "--json"]
    command = [sys.executable, "-m", "napari_her2", *words]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=dict(os.environ),
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert "scoring" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    stopped = json.loads(out)
    assert stopped["status"] == "cancelled"
    assert stopped["tiles_scored"] < stopped["tiles_total"]
    assert stopped["scores"] == []
    assert "the same command goes on from there" in err
    finished = run_here(*words).json
    assert finished["status"] == "completed"
    assert finished["run_dir"] == stopped["run_dir"]


def test_the_table_of_cells_is_the_same_for_every_tile_size(sample, run_here, tmp_path):
    tables = []
    for side in (512, 1000, 2000, 4096):
        answer = run_here(
            "cells", sample, "--out", tmp_path / str(side), "--tile-px", side, "--no-geojson",
            "--json",
        )  # fmt: skip
        assert answer.code == 0, answer.err
        tables.append(pq.read_table(tmp_path / answer.json["cells_file"]))
    assert all(table.equals(tables[0]) for table in tables[1:])
