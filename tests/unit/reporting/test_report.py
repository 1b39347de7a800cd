"""The page of a run: safe, complete, and in the right words."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_her2.geometry import Region
from napari_her2.messages import DEMO_MODEL, FIRST_RUN, HER2_FROM_HE, NOTICE
from napari_her2.reporting.report import Picture, render_page, write_report
from napari_her2.results.heatmap import Heatmap, write_heatmap
from napari_her2.tiles.spec import TileGrid, TileSpec

EVIL = "<script>alert('x')</script>\"><img src=http://example.org/x>{{ 7 * 7 }}"
RESULT = {
    "biomarker": "HER2", "model_id": "demo-her2", "model_status": "synthetic-demo",
    "probability": 0.8234, "call": None, "tiles_total": 9, "tiles_scored": 8, "tiles_failed": 1,
    "reason": None, "threshold": 0.7, "features": {"ratio": 3.25, "p+ 0.1": None},
    "weights": {"ratio": 0.5}, "heatmap": "elsewhere/HER2.ome.zarr",
}  # fmt: skip
DOCUMENT = {
    "slide": "/x/slide.tif", "slide_id": "slide", "status": "completed", "seconds": 12.3,
    "results": [RESULT], "warnings": [], "run_dir": "/x/run",
}  # fmt: skip
RECORD = {
    "run_id": "r1", "request_hash": "ab" * 32, "device": "cpu", "software": {"numpy": "2.4"},
    "started": "2026-11-20T12:00:00+00:00",
    "slide": {"name": "slide.tif", "width": 800, "height": 600,
              "mpp": {"x": 0.5, "y": 0.5, "source": "user"}},
    "models": [{"id": "demo-her2", "version": "1.0", "sha256": "cd" * 32}],
}  # fmt: skip


DOT = Image.new("RGB", (2, 2))


class Tags(HTMLParser):
    """Collects tags with their attributes, and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def page_of(document=DOCUMENT, record=RECORD, pictures=()):
    return render_page([document], [list(pictures)], [record])


def test_the_page_says_what_it_must():
    text = " ".join(Tags(page_of()).text.split())
    for said in (NOTICE, FIRST_RUN, DEMO_MODEL, HER2_FROM_HE, "0.82", "8 of 9", "1 unreadable",
                 "demo model", "3.25", "threshold t", "0.5 µm/px", "source: user", "ab" * 32,
                 "cd" * 32, "numpy 2.4", "12 s"):  # fmt: skip
        assert said in text, said
    assert text.index(NOTICE) < text.index("slide")
    assert "positive" not in text.replace("positive tile", "")


def test_nothing_from_outside_becomes_markup():
    document = {
        **DOCUMENT, "slide_id": EVIL, "warnings": [EVIL],
        "results": [{**RESULT, "model_id": EVIL, "features": {EVIL: 1.0}}],
    }  # fmt: skip
    record = {**RECORD, "software": {EVIL: EVIL}, "run_id": EVIL}
    page = page_of(document, record, [Picture(EVIL, EVIL, DOT)])
    found = Tags(page)
    assert not [t for t, _ in found.tags if t == "script"]
    assert all((a.get("src") or "data:").startswith("data:") for _, a in found.tags)
    assert not [a for _, a in found.tags if any(name.startswith("on") for name in a)]
    assert "alert('x')" in found.text, "it is shown, as text"
    assert "49" not in found.text.split("alert", 1)[1][:80], "and is no template"


def test_the_page_forbids_itself_scripts_and_requests():
    page = page_of(pictures=[Picture("slide", "s", DOT)])
    policies = [a["content"] for t, a in Tags(page).tags
                if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]  # fmt: skip
    assert policies == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
    assert not re.findall(r"(?:https?:)?//[a-z]", page)


def test_not_assessable_shows_the_reason_and_no_number():
    reason = "No tile was called tumour at t = 0.70, so ER is not assessable on this slide."
    result = {**RESULT, "biomarker": "ER", "probability": None, "reason": reason, "features": {}}
    text = Tags(page_of({**DOCUMENT, "results": [result]})).text
    assert "not assessable" in text
    assert reason in text
    assert HER2_FROM_HE not in text
    assert "negative" not in text


def test_a_stopped_run_says_so_far():
    text = Tags(page_of({**DOCUMENT, "status": "cancelled"})).text
    assert "Stopped before the end" in text
    assert "so far" in text


def test_a_failed_slide_is_a_record():
    document = {"slide": "a", "slide_id": "a", "status": "failed", "error": "It broke.",
                "results": [], "warnings": [], "seconds": 0.0}  # fmt: skip
    text = Tags(page_of(document, {})).text
    assert "It broke." in text


@pytest.fixture
def run_folder(tmp_path: Path):
    """A slide and a run of it, as the pipeline leaves them."""
    slide = tmp_path / "slide.png"
    Image.fromarray(np.full((600, 800, 3), 220, np.uint8)).save(slide)
    run = tmp_path / "out" / "run"
    grid = TileGrid(TileSpec(64, 2.0, 100.0), Region(0, 0, 800, 600), 0.5, 0.5)
    heatmap = Heatmap.blank(
        grid, class_names=("p", "n", "x"),
        class_roles={"positive": 0, "negative": 1, "non_tumour": 2}, biomarker="HER2",
        model_id="demo-her2", model_status="synthetic-demo", slide_id="slide",
    )  # fmt: skip
    heatmap.fill(np.array([[0, 0]]), np.array([[0.9, 0.1, 0.0]], np.float32))
    write_heatmap(run / "heatmaps" / "HER2.ome.zarr", heatmap)
    (run / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
    return slide, run


def test_a_report_holds_the_slide_and_each_map(run_folder):
    slide, run = run_folder
    path = write_report({**DOCUMENT, "slide": str(slide)}, run)
    assert path == run / "report.html"
    page = path.read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2
    assert "No pictures" not in page


def test_a_slide_that_has_gone_leaves_a_report_without_pictures(run_folder):
    slide, run = run_folder
    slide.unlink()
    page = write_report({**DOCUMENT, "slide": str(slide)}, run).read_text(encoding="utf-8")
    assert "data:image/jpeg" not in page
    assert "No pictures: slide.png was not found" in page
    assert "0.82" in page
