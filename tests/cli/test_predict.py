"""``predict`` as a shell sees it: documents, files, exit codes, stopping and going on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile

from napari_her2.messages import DEMO_MODEL, HER2_FROM_HE, NOTICE
from napari_her2.pipelines.events import Outcome, Progress

RESULT_KEYS = {
    "biomarker", "model_id", "model_status", "probability", "call", "tiles_total", "tiles_scored",
    "tiles_failed", "heatmap",
}  # fmt: skip
SLIDE_KEYS = {"slide", "run_dir", "status", "results", "seconds", "warnings"}


def write_he(path, size=2048, seed=0):
    """A slide that looks like H&E: eosin with darker nuclei, a margin of glass, 0.5 µm/px."""
    rng = np.random.default_rng(seed)
    picture = np.full((size, size, 3), 243, np.uint8)
    m = size // 12
    body = picture[m:-m, m:-m]
    body[:] = np.clip(rng.normal((225, 150, 195), 9, body.shape), 0, 255)
    for y, x in rng.integers(8, body.shape[0] - 8, (size * size // 900, 2)):
        body[y - 4 : y + 4, x - 4 : x + 4] = (105, 70, 150)
    tifffile.imwrite(
        path, picture, photometric="rgb", tile=(256, 256), compression="jpeg",
        resolution=(20_000, 20_000), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return write_he(tmp_path_factory.mktemp("slides") / "Präparat.tif")


def heatmap_bytes(folder):
    """Every file of a run's heatmaps, by name."""
    root = folder / "heatmaps"
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def run_dir_of(document, base):
    return base / document["run_dir"]


def test_one_slide_gives_one_document_and_all_files(slide, run_program, tmp_path):
    answer = run_program("predict", slide, "--out", "out", "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert set(document) >= SLIDE_KEYS | {"slides", "notice"}
    assert document["notice"] == NOTICE
    assert NOTICE in answer.err
    assert document["status"] == "completed"
    assert [r["biomarker"] for r in document["results"]] == ["ER", "PR", "HER2"]
    for result in document["results"]:
        assert set(result) >= RESULT_KEYS
        assert result["model_status"] == "synthetic-demo"
        assert result["call"] is None, "a demo model never calls"
        assert result["tiles_total"] == result["tiles_scored"] > 0
    assert len(document["slides"]) == 1
    folder = run_dir_of(document, tmp_path)
    for name in ("run.json", "slide.json", "tissue.geojson", "report.html"):
        assert (folder / name).is_file(), name
    kept = json.loads((folder / "slide.json").read_text(encoding="utf-8"))
    assert kept["results"] == document["results"]
    report = (folder / "report.html").read_text(encoding="utf-8")
    assert NOTICE in report
    assert report.count("data:image/jpeg") == 4


def test_a_person_reads_words(slide, run_here, tmp_path):
    answer = run_here("predict", slide, "--model", "HER2", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert HER2_FROM_HE in answer.out
    assert DEMO_MODEL in answer.out
    assert "demo model" in answer.out
    assert " positive" not in answer.out
    assert "report.html" in answer.out


def test_several_slides_fail_one_by_one(slide, run_here, tmp_path):
    other = write_he(tmp_path / "other.tif", 1024, seed=1)
    absent = tmp_path / "absent.tif"
    answer = run_here(
        "predict", absent, slide, other, "--model", "ER", "--out", tmp_path / "out", "--json"
    )
    assert answer.code == 1
    slides = answer.json["slides"]
    assert {s["status"] for s in slides} == {"failed", "completed"}
    failed = [s for s in slides if s["status"] == "failed"]
    assert len(failed) == 1
    assert "absent.tif was not found" in failed[0]["error"]
    assert "results" not in answer.json, "keys of a slide stand at the top for one slide only"
    assert "absent.tif was not found" in answer.err
    rows = (tmp_path / "out" / "slides.csv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 4
    assert sum(",completed,ER," in row for row in rows) == 2


def test_a_missing_slide_exits_with_three_and_one_sentence(run_program, tmp_path):
    answer = run_program("predict", "absent.tif", "--out", tmp_path / "out")
    assert answer.code == 3
    assert answer.is_one_sentence(), answer.err
    assert "absent.tif was not found" in answer.err
    assert answer.out == ""


def test_a_slide_without_pixel_size_exits_with_four(run_here, tmp_path):
    from PIL import Image

    path = tmp_path / "core.png"
    Image.fromarray(np.full((300, 300, 3), 200, np.uint8)).save(path)
    answer = run_here("predict", path, "--out", tmp_path / "out", "--json")
    assert answer.code == 4
    assert "--mpp" in answer.err
    assert answer.json["status"] == "failed"


def test_an_unknown_model_is_one_sentence(slide, run_here, tmp_path):
    answer = run_here("predict", slide, "--model", "no-such", "--out", tmp_path / "out")
    assert answer.code == 3
    assert "no-such" in answer.err
    assert "Traceback" not in answer.err


def test_a_region_and_a_stride_are_taken_into_account(slide, run_here, tmp_path):
    args = ("predict", slide, "--model", "ER", "--json")
    whole = run_here(*args, "--out", tmp_path / "a").json
    part = run_here(*args, "--out", tmp_path / "b", "--roi", "512,512,1024,1024").json
    fine = run_here(*args, "--out", tmp_path / "c", "--stride-um", "256").json
    total = [d["results"][0]["tiles_total"] for d in (whole, part, fine)]
    assert total[1] < total[0] < total[2]


def test_the_same_command_is_answered_from_the_store(slide, run_here, tmp_path):
    args = ("predict", slide, "--model", "ER", "--out", tmp_path / "out", "--json")
    first, again = run_here(*args).json, run_here(*args).json
    assert again["run_dir"] == first["run_dir"]
    assert again["results"] == first["results"]
    anew = run_here(*args, "--no-resume").json
    assert anew["run_dir"] != first["run_dir"]
    assert anew["results"][0]["probability"] == first["results"][0]["probability"]


def test_local_processes_give_the_same_bytes(slide, run_program, tmp_path):
    other = write_he(tmp_path / "other.tif", 1024, seed=1)
    args = ("predict", slide, other, "--model", "ER", "--json")
    serial = run_program(*args, "--out", "serial")
    local = run_program(*args, "--out", "local", "--workers", "2")
    assert (serial.code, local.code) == (0, 0), local.err
    for a in serial.json["slides"]:
        (b,) = [d for d in local.json["slides"] if d["slide"] == a["slide"]]
        assert heatmap_bytes(run_dir_of(a, tmp_path)) == heatmap_bytes(run_dir_of(b, tmp_path))


def test_a_plain_scheduler_is_refused(slide, run_here, tmp_path):
    answer = run_here(
        "predict", slide, "--out", tmp_path / "out", "--scheduler", "tcp://127.0.0.1:9"
    )
    assert answer.code == 4
    assert "--insecure-scheduler" in answer.err


@pytest.mark.skipif(sys.platform == "win32", reason="signals are sent otherwise there")
def test_ctrl_c_keeps_what_is_done_and_the_same_command_goes_on(tmp_path, run_program):
    slide = write_he(tmp_path / "big.tif", 3072, seed=2)
    args = ["predict", slide.name, "--model", "ER", "--stride-um", "160", "--json"]
    command = [sys.executable, "-m", "napari_her2", *args, "--out", "out"]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        sizes, deadline = set(), time.monotonic() + 120
        while len(sizes) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
            sizes |= {p.stat().st_size for p in tmp_path.rglob("journal.bin")}
        assert len(sizes) > 2, "nothing was scored"
        process.send_signal(signal.SIGINT)
        asked = time.monotonic()
        out, err = process.communicate(timeout=60)
        waited = time.monotonic() - asked
    assert process.returncode == 130, err
    stopped = json.loads(out)
    assert stopped["status"] == "cancelled"
    (result,) = stopped["results"]
    assert 0 < result["tiles_scored"] < result["tiles_total"]
    assert waited < 20, "one batch, then the report"
    assert "tiles are kept; the same command goes on from there." in err
    assert (run_dir_of(stopped, tmp_path) / "report.html").is_file()

    resumed = run_program(*args, "--out", "out")
    assert resumed.code == 0, resumed.err
    assert resumed.json["run_dir"] == stopped["run_dir"]
    fresh = run_program(*args, "--out", "fresh")
    assert heatmap_bytes(run_dir_of(resumed.json, tmp_path)) == heatmap_bytes(
        run_dir_of(fresh.json, tmp_path)
    )


def test_progress_says_little_in_a_log(capfd):
    from napari_her2.cli.progress import ProgressLine

    with ProgressLine() as line:
        line.show(Progress("opening", "s"))
        for done in range(100):
            line.show(Progress("scoring", "s", done, 100, 12.0, None))
        line.show(Progress("scoring", "s", 100, 100, 12.0, "Not enough memory for 8 tiles."))
        line.show(Outcome("completed", "s"))
    out, err = capfd.readouterr()
    assert out == ""
    assert err.splitlines()[0].startswith("s: scoring tiles 0 of 100"), "and nothing before it"
    assert "Not enough memory for 8 tiles." in err
    assert len(err.splitlines()) < 8


def test_progress_of_slides_side_by_side_keeps_to_one_pace_each(capfd):
    from napari_her2.cli.progress import ProgressLine

    with ProgressLine() as line:
        for done in range(50):
            for slide in ("a", "b"):
                line.show(Progress("scoring", slide, done, 50, 2.0, None))
    assert len(capfd.readouterr().err.splitlines()) == 2


@pytest.mark.shared
def test_an_ihc_slide_needs_a_yes_that_is_recorded(shared_data, run_here, tmp_path):
    core = min((shared_data / "her2-ihc-gea-cores").glob("*.jp*g"))
    args = ("predict", core, "--mpp", "0.23", "--model", "ER", "--out", tmp_path, "--json")
    refused = run_here(*args)
    assert refused.code == 4
    assert "--ignore-stain" in refused.err
    allowed = run_here(*args, "--ignore-stain")
    assert allowed.code == 0, allowed.err
    assert any("H-DAB" in w for w in allowed.json["warnings"])
    without = run_here("predict", core, "--model", "ER", "--out", tmp_path)
    assert without.code == 4
    assert "--mpp" in without.err


@pytest.mark.shared
def test_real_slides(shared_data, run_here, tmp_path):
    names = ("wsi-aperio-cmu1-small/CMU-1-Small-Region.svs", "wsi-dicom-cmu1-small",
             "wsi-ometiff-qupath-crops/OS-1-detail.ome.tif")  # fmt: skip
    for name in names:
        answer = run_here("predict", shared_data / name, "--out", tmp_path, "--json")
        assert answer.code == 0, f"{name}: {answer.err}"
        assert len(answer.json["results"]) == 3
    answer = run_here("predict", shared_data / "wsi-aperio-cmu1-small" / "broken.svs", "--out",
                      tmp_path)  # fmt: skip
    assert answer.code == 3
    assert answer.out == ""
    assert answer.is_one_sentence(), answer.err
