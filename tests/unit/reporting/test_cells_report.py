"""The report of scored cells: numbers, doubts and pictures, and never a verdict where none is."""

from __future__ import annotations

import html
import re

import numpy as np
import pytest
from made_cells import FakeParts, write_ihc

from napari_her2.messages import DEMO_MODEL, NOTICE
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.reporting.cells_views import colour_of, densest_square
from napari_her2.reporting.cells_words import cells_lines
from napari_her2.reporting.report import pictures_of_run, read_record, write_report


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return write_ihc(tmp_path_factory.mktemp("made") / "ihc.tif", 1024, 768, margin=70)


def scored(slide, out, **changes):
    parts = FakeParts(**{"tile": 256, "step": 16, **changes})
    *_, outcome = score_cells(CellsRequest(slide, out=out), parts=parts)
    return dict(outcome.document)


def page_of(document) -> str:
    from pathlib import Path

    path = write_report(document, Path(document["run_dir"]))
    return html.unescape(path.read_text(encoding="utf-8"))


def test_the_page_holds_scores_margins_and_four_pictures(slide, tmp_path):
    document = scored(slide, tmp_path)
    page = page_of(document)
    assert NOTICE in page
    assert page.count("data:image/jpeg") == 4
    assert "<script" not in page
    for score in document["scores"]:
        assert score["label"] in page
        assert score["sentence"] in page
    assert f"{document['percent']['1+']:.1f} %" in page
    assert "This is no diagnosis" in page
    assert "no trained weights" in page
    widths = [float(w) for w in re.findall(r'<rect x="[\d.]+" y="0" width="([\d.]+)"', page)]
    assert sum(widths) == pytest.approx(100, abs=0.01)


def test_what_is_not_assessable_is_said_and_never_negative(slide, tmp_path):
    document = scored(slide, tmp_path, shares=(0, 0, 0, 0, 1, 1, 0))
    page = page_of(document)
    assert "Not assessable: No tumour cell was counted" in page
    assert "negative" not in page
    lines = "\n".join(cells_lines(document))
    assert "not assessable: No tumour cell was counted" in lines
    assert "negative" not in lines


def test_a_demo_classifier_is_named_on_page_lines_and_pictures(slide, tmp_path):
    from pathlib import Path

    document = scored(slide, tmp_path) | {
        "demo": DEMO_MODEL,
        "classifier": {"id": "d", "name": "D", "version": "1", "status": "synthetic-demo"},
    }
    assert DEMO_MODEL in page_of(document)
    assert any(DEMO_MODEL in line for line in cells_lines(document))
    assert "D (demo model)" in "\n".join(cells_lines(document))
    folder = Path(document["run_dir"])
    pictures = pictures_of_run(document, folder, read_record(folder))
    assert [p.name for p in pictures] == ["slide", "cells", "density-3+", "field"]


def test_cells_are_drawn_in_the_colours_of_their_classes(slide, tmp_path):
    from pathlib import Path

    document = scored(slide, tmp_path, shares=(0, 0, 0, 1, 0, 0, 0))
    folder = Path(document["run_dir"])
    picture = next(
        p for p in pictures_of_run(document, folder, read_record(folder)) if p.name == "cells"
    )
    pixels = np.asarray(picture.image.convert("RGB"))[:768]
    hit = (np.abs(pixels.astype(int) - colour_of("tumour 3+")) < 12).all(axis=2)
    assert hit.sum() > document["cells_detected"] * 3
    assert not hit[:60].any()


def test_the_densest_square_is_where_most_cells_are():
    from napari_her2.cells.table import CellTable

    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(0, 4000, 300), rng.uniform(2800, 2900, 100)])
    y = np.concatenate([rng.uniform(0, 4000, 300), rng.uniform(1000, 1100, 100)])
    table = CellTable({"x_px": x, "y_px": y, "class": np.zeros(400, np.uint8)}, ("a", "b"))
    place = densest_square(table, "a", (0.5, 0.5))
    assert place == pytest.approx((2850, 1050), abs=250)
    assert densest_square(table, "b", (0.5, 0.5)) is None
