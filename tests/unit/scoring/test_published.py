"""The papers' figures come out of our functions, and a wrong figure would be seen."""

from __future__ import annotations

import json

import pytest

from napari_her2.scoring import published, published_status
from napari_her2.scoring.checks import Check, close, exact
from napari_her2.scoring.published import check_papers


@pytest.fixture(scope="module")
def checks():
    return check_papers()


def test_every_row_is_in_order(checks):
    assert [c.id for c in checks if not c.ok] == []
    assert len({c.id for c in checks}) == len(checks) > 100
    json.dumps([c.to_json() for c in checks], allow_nan=False)


@pytest.mark.parametrize(("start", "rows"), [("P1 ", 12), ("P2 ", 35), ("P3 ", 35), ("P5 ", 25)])
def test_each_paper_is_there(checks, start, rows):
    assert sum(c.id.startswith(start) for c in checks) >= rows


def test_slips_are_told_as_slips(checks):
    slips = {c.id: c for c in checks if c.slip}
    assert len(slips) >= 15
    assert all(c.printed != c.expected for c in slips.values())
    assert all(c.to_json()["slip"] is True for c in slips.values())
    assert slips["P3 slip: Table 4, BRCA proposed, balanced accuracy, %"].printed == 53.3
    assert slips["P5 slip: external counts that give the printed row"].got == 0
    for name in ("P1", "P3", "P5"):
        assert not any(c.printed for c in checks if c.id.startswith(name) and "slip" not in c.id)


def test_a_changed_table_is_noticed(monkeypatch):
    monkeypatch.setattr(published, "P2_TABLE", ((41, 3, 0), (2, 8, 1), (0, 5, 11)))
    wrong = {c.id for c in published.check_p2() if not c.ok}
    assert "P2 Cohen's kappa, unweighted, four decimals" in wrong
    tiles = ((490, 176, 45, 0), (132, 384, 159, 0), (2, 64, 419, 1), (0, 0, 2, 622))
    monkeypatch.setattr(published_status, "P3_TILES", tiles)
    wrong = {c.id for c in published_status.check_p3() if not c.ok}
    assert "P3 Table 1, tiles a true class" in wrong
    monkeypatch.setattr(published_status, "P5_STATUS", (14, 2, 15, 276))
    assert sum(not c.ok for c in published_status.check_p5()) > 3


def test_closeness_is_half_a_unit_and_never_undefined():
    assert close("x", 0.83, 0.8349, 0.005).ok
    assert close("x", 0.83, 0.835, 0.005).ok
    assert not close("x", 0.83, 0.8351, 0.005).ok
    assert not close("x", 0.83, float("nan"), 0.005).ok
    assert exact("x", [1, 2], [1, 2]).ok
    assert not exact("x", True, False).ok


def test_a_plain_row_has_the_five_keys_only():
    row = Check("x", 1, 1, 0.0, True).to_json()
    assert set(row) == {"id", "expected", "got", "tolerance", "ok"}
    slip = exact("x", 1, 1, "why", printed=2).to_json()
    assert (slip["note"], slip["printed"]) == ("why", 2)
