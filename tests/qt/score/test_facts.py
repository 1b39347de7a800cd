from __future__ import annotations

import numpy as np
import pytest

from napari_her2._qt.score.facts import facts_of, share_text
from napari_her2._qt.texts import TEXTS, ui
from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES
from napari_her2.cells.table import CellTable
from napari_her2.pipelines.cells_summary import resample_tiles, summarise_cells


def table_of(counts, classes=CELL_CLASSES, seed=0):
    """Cells spread over 5 x 5 mm at 0.5 um/px."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(len(classes)), [counts.get(c, 0) for c in classes])
    n = len(labels)
    rng.shuffle(labels)
    probs = np.full((n, len(classes)), 0.1 / (len(classes) - 1), np.float32)
    probs[np.arange(n), labels] = 0.9
    return CellTable(
        {
            "x_px": rng.uniform(0, 10_000, n),
            "y_px": rng.uniform(0, 10_000, n),
            "class": labels.astype(np.uint8),
            "probs": probs,
            "membrane_od": np.full(n, 0.31, np.float32),
            "membrane_completeness": np.full(n, 0.5, np.float32),
            "nucleus_dab_od": np.full(n, 0.3, np.float32),
        },
        classes,
    )


def said_of(counts, classes=CELL_CLASSES, **options):
    table = table_of(counts, classes)
    tiles = resample_tiles(table, 0.5, 0.5)
    said = summarise_cells(table, tiles, tissue_mm2=41.0, mpp=(0.5, 0.5), **options)
    return {"status": "completed", **said}


WIREFRAME = {"tumour 0": 1338, "tumour 1+": 1475, "tumour 2+": 318, "tumour 3+": 117, "stroma": 90}


def test_the_card_reads_as_designed():
    facts = facts_of(said_of(WIREFRAME), complete=True, area_mm2=41.0)
    assert facts.title == "3,248 tumour cells in 41 mm2"
    assert facts.verdict == "Rule yields 2+ (equivocal)"
    assert facts.evidence.startswith("2+ and 3+ 13.4 % (")
    assert facts.evidence.endswith(") · cut 10 % · margin 3.4 points")
    assert [c.text for c in facts.classes] == ["41.2 %", "45.4 %", "9.8 %", "3.6 %"]
    assert facts.indices == "H-score 76 · entropy 1.07 · membrane OD 0.31"
    assert facts.disagree == "Rules disagree: P2 2017 negative, CAP 2013/2018/2023 2+"
    differing = [r.title for r in facts.rules if r.differs]
    assert differing == ["Vandenberghe 2017 (P2)"]
    assert [r.rule for r in facts.rules if r.chosen] == ["asco-cap-breast-2018"]


def test_a_share_whose_interval_spans_the_cut_is_at_the_cut():
    counts = {"tumour 0": 890, "tumour 3+": 102}
    facts = facts_of(said_of(counts), complete=True, area_mm2=41.0)
    assert "at the cut" in facts.evidence


def test_a_demo_classifier_gives_a_number_and_never_a_status():
    facts = facts_of(said_of(WIREFRAME, demo=True), complete=True, area_mm2=41.0)
    said = " ".join((facts.verdict, facts.disagree, *(r.score for r in facts.rules)))
    assert not any(word in said for word in ("negative", "positive", "equivocal"))
    assert "2+" in facts.verdict
    assert facts.evidence.startswith("2+ and 3+ 13.4 %")


def test_while_a_run_goes_on_there_is_no_verdict():
    so_far = {"counts": WIREFRAME, "tumour_cells": 3248}
    facts = facts_of(so_far, complete=False, area_mm2=12.0)
    assert "yields" not in facts.verdict
    assert facts.evidence == "The score comes when all cells are counted."
    assert facts.disagree == facts.reason == facts.indices == ""
    assert facts.classes[0].text == "41.2 %"


@pytest.mark.parametrize(
    ("counts", "start"),
    [
        ({"tumour 3+": 38}, "Only 38 tumour cells were counted (fewer than 100)"),
        ({"artefact": 500}, "Every detected object looks like artefact"),
        ({"stroma": 500}, ""),
    ],
)
def test_no_score_has_one_sentence_and_is_never_negative(counts, start):
    facts = facts_of(said_of(counts), complete=True, area_mm2=41.0)
    assert facts.verdict == "Not assessable"
    assert facts.reason.startswith(start)
    assert facts.reason
    assert facts.evidence == ""
    assert "negative" not in f"{facts.verdict} {facts.reason} {facts.disagree}"


def test_few_cells_are_told_as_counts():
    assert share_text(3, 29) == "3"
    assert share_text(3, 30) == "10.0 %"
    facts = facts_of(said_of({"tumour 0": 20, "tumour 2+": 5}), complete=True, area_mm2=None)
    assert [c.text for c in facts.classes] == ["20", "0", "5", "0"]
    assert facts.indices.startswith("membrane OD")
    assert facts.title == "25 tumour cells"


def test_gastro_oesophageal_tissue_has_its_own_rules():
    said = said_of(WIREFRAME, organ="gea", specimen="resection")
    facts = facts_of(said, complete=True, area_mm2=41.0)
    assert all("oesophageal" in r.title for r in facts.rules)


def test_nuclei_are_told_by_positive_share_h_score_and_allred():
    counts = {"negative": 660, "weak": 100, "moderate": 140, "strong": 100, "artefact": 7}
    said = said_of(counts, NUCLEAR_CLASSES)
    facts = facts_of(said, complete=True, area_mm2=2.0, nuclear=True)
    assert facts.title == "1,000 nuclei in 2.0 mm2"
    assert facts.verdict.startswith("Positive 34.0 % (3")
    assert facts.evidence == ""
    assert facts.indices.startswith("H-score 68 · Allred ")
    assert [c.name for c in facts.classes] == ["negative", "weak", "moderate", "strong"]


def test_a_marker_gives_the_status_of_its_rule():
    counts = {"negative": 960, "weak": 20, "moderate": 14, "strong": 10}
    said = said_of(counts, NUCLEAR_CLASSES, marker="ER")
    facts = facts_of(said, complete=True, area_mm2=2.0, nuclear=True)
    assert facts.verdict == "Rule yields ER low positive"
    assert facts.evidence.startswith("Positive 4.4 % (")
    assert any("ER low positive" in w for w in facts.warnings)


def test_every_word_of_the_dock_is_in_the_table():
    assert ui("dock_score") == "Score HER2 IHC"
    assert TEXTS["score_empty"] == "Ready: open a HER2 IHC slide, field or core."
    forbidden = ("diagnos", "confident", "accura", "AI ", "!")
    for text in TEXTS.values():
        assert not any(word in text for word in forbidden), text
