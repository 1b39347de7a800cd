"""A model becomes locally validated only by a whole record, which is kept with who and when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_predictions import made_predictions

from napari_her2.errors import CannotTrainError, CannotWriteError
from napari_her2.models.card import read_card
from napari_her2.models.registry import DEMO_DIR
from napari_her2.results import atomic
from napari_her2.training.evaluation import evaluate_predictions
from napari_her2.training.validation_record import (
    AUDIT,
    card_validation,
    read_audit,
    record_validation,
)

WHOLE = {
    "metric": "macro F1", "value": 0.78, "ci95": (0.74, 0.82), "n": 24, "site": "Site A",
    "date": "2026-11-02", "unit": "slides", "who": "R1",
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of a user: the card of a demo model under another status."""
    card = json.loads(next(iter(sorted(DEMO_DIR.glob("*/card.json")))).read_text("utf-8"))
    card |= {"id": "lab-1", "status": "user-unvalidated", "validation": []}
    path = tmp_path / "lab-1"
    path.mkdir()
    (path / "card.json").write_text(json.dumps(card), "utf-8")
    return path


def test_a_whole_record_validates_and_is_kept(folder: Path):
    card = record_validation(folder, **WHOLE)
    assert card.status == "user-validated-locally"
    again = read_card(folder / "card.json")
    assert again == card
    kept = again.validation[-1]
    assert (kept.metric, kept.value, kept.ci95, kept.n) == ("macro F1", 0.78, (0.74, 0.82), 24)
    assert (kept.site, kept.date, kept.unit) == ("Site A", "2026-11-02", "slides")
    (row,) = read_audit(folder)
    assert row.who == "R1"
    assert row.model == "lab-1"
    assert row.status_before == "user-unvalidated"
    assert row.when[:2] == "20"
    assert row.validation["n"] == 24


def test_records_add_up(folder: Path):
    record_validation(folder, **WHOLE)
    card = record_validation(folder, **{**WHOLE, "metric": "balanced accuracy", "who": "R2"})
    assert [v.metric for v in card.validation] == ["macro F1", "balanced accuracy"]
    rows = read_audit(folder)
    assert [r.who for r in rows] == ["R1", "R2"]
    assert rows[1].status_before == "user-validated-locally"


@pytest.mark.parametrize(
    ("gap", "named"),
    [
        ({"metric": " "}, "metric"), ({"value": None}, "value"), ({"ci95": None}, "95 % interval"),
        ({"n": None}, "n"), ({"site": ""}, "site"), ({"date": ""}, "date"),
    ],
)  # fmt: skip
def test_a_gap_is_refused_by_name(folder: Path, gap: dict, named: str):
    with pytest.raises(CannotTrainError, match=f": {named} is missing"):
        record_validation(folder, **{**WHOLE, **gap})
    assert read_card(folder / "card.json").status == "user-unvalidated"
    assert not (folder / AUDIT).exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"value": 0.9}, "does not lie in"), ({"ci95": (0.7, float("nan"))}, "does not lie in"),
        ({"n": 0}, "1 or more"), ({"metric": "Accuracy"}, "ambiguous"),
        ({"date": "2.11.2026"}, "not a date"), ({"date": "2199-01-01"}, "future"),
        ({"site": "x" * 200}, "characters"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused(folder: Path, wrong: dict, said: str):
    with pytest.raises(CannotTrainError, match=said):
        record_validation(folder, **{**WHOLE, **wrong})
    assert read_card(folder / "card.json").validation == ()


def test_a_demo_model_is_never_validated(folder: Path):
    path = folder / "card.json"
    document = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps({**document, "status": "synthetic-demo"}), "utf-8")
    with pytest.raises(CannotTrainError, match="synthetic tissue only"):
        record_validation(folder, **WHOLE)
    assert read_card(path).status == "synthetic-demo"


def test_a_failing_disk_leaves_the_card_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch):
    before = (folder / "card.json").read_bytes()

    def refuse(tmp: Path, final: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(atomic, "replace_file", refuse)
    with pytest.raises(CannotWriteError):
        record_validation(folder, **WHOLE)
    assert (folder / "card.json").read_bytes() == before


def test_a_torn_audit_line_loses_only_itself(folder: Path):
    record_validation(folder, **WHOLE)
    with (folder / AUDIT).open("ab") as f:
        f.write(b'{"when": "20')
    record_validation(folder, **{**WHOLE, "who": "R2"})
    assert [r.who for r in read_audit(folder)] == ["R1", "R2"]


def test_figures_of_a_test_stand_on_a_card_with_n_and_interval():
    truth, probs, groups = made_predictions()
    found = evaluate_predictions(truth, probs, ("a", "b", "c"), groups, n_boot=50)
    rows = card_validation(found, unit="cells", site="held-out slides", date="2026-11-20")
    by_name = {v.metric: v for v in rows}
    assert by_name["macro F1"].value == found.f1_macro.value
    assert by_name["macro F1"].ci95 == found.f1_macro.ci95
    assert {v.n for v in rows} == {400}
    assert "accuracy" not in by_name
