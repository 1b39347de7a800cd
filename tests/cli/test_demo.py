"""The demo without a window: a page, pictures and a document."""

from __future__ import annotations

import html
import io
import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from napari_her2.cli.demo import has_display
from napari_her2.messages import DEMO_MODEL, HER2_FROM_HE, NOTICE


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One run of the demo, for all tests here."""
    base = tmp_path_factory.mktemp("demo")
    done = subprocess.run(
        [sys.executable, "-m", "napari_her2", "demo", "--headless", "--out", "her2-demo", "--json"],
        cwd=base, capture_output=True, text=True, check=False, timeout=280,
        env={**os.environ, "NAPARI_HER2_DATA": str(base / "data")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return base, json.loads(done.stdout), done.stderr


def test_the_documents_are_those_of_predict_and_cells(demo):
    base, document, err = demo
    assert document["notice"] == NOTICE
    assert NOTICE in err
    assert [s.get("kind", "predict") for s in document["slides"]] == ["predict"] * 3 + ["cells"]
    scored = document["slides"][3]
    assert scored["slide_id"] == "her2-ihc"
    assert scored["status"] == "completed"
    assert scored["tumour_cells"] > 500
    assert scored["scores"][0]["ihc"] is not None
    assert (base / scored["cells_file"]).is_file()
    for slide in document["slides"][:3]:
        assert slide["status"] == "completed"
        assert [r["biomarker"] for r in slide["results"]] == ["ER", "PR", "HER2"]
        assert all(r["call"] is None for r in slide["results"])
        assert (base / slide["run_dir"] / "run.json").is_file()
    kept = json.loads((base / "her2-demo" / "demo.json").read_text(encoding="utf-8"))
    assert kept["slides"] == document["slides"]


def test_the_page_shows_every_sample_with_the_notice_and_the_banner(demo):
    base, document, _ = demo
    page = html.unescape((base / "her2-demo" / "report.html").read_text(encoding="utf-8"))
    for said in (NOTICE, DEMO_MODEL, HER2_FROM_HE):
        assert said in page
    for slide in [*document["slides"], *document["shown"]]:
        assert slide["slide_id"] in page
    assert page.count("data:image/jpeg") == 4 * 4 + len(document["shown"])
    assert "Rule yields" in page
    assert "<script" not in page


def test_each_view_is_a_picture_with_tissue_and_colours(demo):
    base, document, _ = demo
    assert len(document["views"]) == 4 * 4 + len(document["shown"])
    for name in document["views"]:
        with Image.open(io.BytesIO((base / name).read_bytes())) as picture:
            pixels = np.asarray(picture.convert("RGB"))
        assert pixels.shape[0] > 300
        assert pixels[: pixels.shape[0] - 80].std() > 5, f"{name} is blank"


@pytest.mark.skipif("sys.platform != 'linux'", reason="elsewhere there is always a display")
def test_without_a_display_the_demo_is_headless(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert not has_display()
    monkeypatch.setenv("DISPLAY", ":7")
    assert has_display()


@pytest.mark.viewer
@pytest.mark.skipif(not has_display(), reason="needs a display")
def test_with_a_display_the_demo_opens_the_viewer_and_predicts(tmp_path):
    env = {
        **os.environ,
        "NAPARI_HER2_DATA": str(tmp_path / "data"),
        "NAPARI_CONFIG": str(tmp_path / "napari.yaml"),
        "NAPARI_HER2_ACCEPT_NOTICE": "1",
    }
    command = [sys.executable, "-m", "napari_her2", "demo", "--out", str(tmp_path / "unused")]
    with subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline, runs = time.monotonic() + 120, []
        while process.poll() is None and not runs and time.monotonic() < deadline:
            time.sleep(0.5)
            runs = list((tmp_path / "data").rglob("journal.bin"))
        ended = process.poll()
        process.kill()
        _, err = process.communicate()
    assert ended is None, f"the viewer ended with {ended}: {err}"
    assert runs, f"no prediction was started: {err}"
    assert not (tmp_path / "unused").exists()
