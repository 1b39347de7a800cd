"""Agreement of real readers: 18 pathologists on breast ROIs (stromal TILs, H&E)."""

from __future__ import annotations

import csv
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest

from napari_her2.scoring.agreement import (
    agreement_of_table,
    cohen_kappa,
    crosstab,
    kendall_tau_b,
    kendall_tau_b_of_table,
)

pytestmark = pytest.mark.shared

FOLDER = "reader-agreement-htt-tils"
BINS = ("0-10", "11-40", "41-100")


def read(folder: Path) -> dict[str, dict[str, dict[str, str]]]:
    """Readings by reader, then by region."""
    readings: dict[str, dict[str, dict[str, str]]] = {}
    with (folder / "readings.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            readings.setdefault(row["readerID"], {})[row["caseID"]] = row
    return readings


def density(row: dict[str, str]) -> float:
    return float(row["densityTILs"]) if row["densityTILs"] not in ("", "NA") else math.nan


def bin_of(value: float) -> str | None:
    if math.isnan(value):
        return None
    return BINS[0] if value <= 10 else BINS[1] if value <= 40 else BINS[2]


@pytest.fixture(scope="module")
def tables(shared_data):
    folder = shared_data / FOLDER
    expected = json.loads((folder / "expected.json").read_text(encoding="utf-8"))
    return read(folder), expected["pairs"]


def test_real_readers_agree_as_computed_by_others(tables):
    readings, pairs = tables
    assert len(pairs) == 4
    for pair in pairs:
        first, second = readings[pair["reader_a"]], readings[pair["reader_b"]]
        both = sorted(set(first) & set(second))
        assert len(both) == pair["n_rois"]
        for column, key in (("labelROI", "kappa_labelROI"), ("VTA", "kappa_VTA")):
            a, b = ([r[i][column] for i in both] for r in (first, second))
            table = crosstab(a, b, sorted({*a, *b}))
            assert float(cohen_kappa(table)) == pytest.approx(pair[key], abs=1e-9)
        x, y = (np.array([density(r[i]) for i in both]) for r in (first, second))
        assert np.isfinite(x + y).sum() == pair["n_both_dense"]
        assert kendall_tau_b(x, y) == pytest.approx(pair["kendall_tau_b_densityTILs"], abs=1e-9)
        table = crosstab([bin_of(v) for v in x], [bin_of(v) for v in y], BINS)
        assert table.tolist() == pair["confusion_bins_rows_a_cols_b"]
        for weights in ("unweighted", "linear", "quadratic"):
            key = f"kappa_bins_{weights}"
            assert float(cohen_kappa(table, weights)) == pytest.approx(pair[key], abs=1e-9)
        assert float(kendall_tau_b_of_table(table)) == pytest.approx(
            pair["kendall_tau_b_bins"], abs=1e-9
        )


def test_every_pair_of_real_readers_has_an_interval_round_its_figure(tables):
    readings, _ = tables
    seen = 0
    for first, second in itertools.combinations(readings.values(), 2):
        both = sorted(set(first) & set(second))
        a, b = ([bin_of(density(r[i])) for i in both] for r in (first, second))
        table = crosstab(a, b, BINS)
        if table.sum() < 100:
            continue
        found = agreement_of_table(table, BINS)
        assert found.n == table.sum()
        for figure in (found.overall, found.kappa, found.tau_b):
            assert figure.value is not None
            assert figure.low < figure.value < figure.high
            assert 0 < figure.high - figure.low < 0.6
        seen += 1
    assert seen >= 10
