"""How numbers and results are written."""

from __future__ import annotations

import pytest

from napari_her2.messages import DEMO_MODEL, HER2_FROM_HE
from napari_her2.reporting.words import (
    area_text,
    duration_text,
    figure_text,
    mpp_text,
    probability_text,
    result_line,
    slide_lines,
)

RESULT = {
    "biomarker": "ER", "model_id": "er-demo", "model_status": "synthetic-demo",
    "probability": 0.823, "call": None, "tiles_total": 816, "tiles_scored": 813,
    "tiles_failed": 3,
}  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.823, "0.82"), (0.0, "< 0.01"), (0.009, "< 0.01"), (0.01, "0.01"), (0.99, "0.99"),
     (0.995, "> 0.99"), (1.0, "> 0.99"), (None, "–"), (float("nan"), "–")],
)  # fmt: skip
def test_a_probability_has_two_decimals_and_is_never_certain(value, text):
    assert probability_text(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.42, "0.4 s"), (9.96, "10 s"), (174.2, "2 min 54 s"), (120, "2 min"), (3700, "1 h 1 min")],
)
def test_durations(seconds, text):
    assert duration_text(seconds) == text


def test_units():
    assert mpp_text(0.49912) == "0.499 µm/px"
    assert area_text(214.321) == "214 mm²"
    assert area_text(None) == "unknown"
    assert figure_text(0.123456) == "0.1235"
    assert figure_text(None) == "–"


def test_a_demo_model_gives_a_probability_and_no_status():
    line = result_line(RESULT)
    assert line == ("ER    probability 0.82  (813 of 816 tiles, 3 unreadable; er-demo, demo model)")
    assert "positive" not in line
    assert "so far" in result_line(RESULT, partial=True)


def test_not_assessable_is_never_negative():
    line = result_line({**RESULT, "probability": None, "reason": "No tile was called tumour."})
    assert "not assessable" in line
    assert "No tile was called tumour." in line
    assert "negative" not in line


def test_a_slide_with_her2_shows_the_published_figures():
    document = {
        "slide": "CMU-1", "status": "completed", "seconds": 12.0, "warnings": ["a warning"],
        "results": [RESULT, {**RESULT, "biomarker": "HER2"}], "run_dir": "/r",
    }  # fmt: skip
    lines = slide_lines(document)
    assert lines[0] == "CMU-1: completed in 12 s"
    assert any(HER2_FROM_HE in line for line in lines)
    assert any(DEMO_MODEL in line for line in lines)
    assert "  note: a warning" in lines
    er_only = slide_lines({**document, "results": [RESULT]})
    assert not any(HER2_FROM_HE in line for line in er_only)


def test_a_failed_slide_says_nothing_here_because_its_sentence_went_to_stderr():
    assert slide_lines({"status": "failed"}) == []
