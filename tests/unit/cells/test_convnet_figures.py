"""The comparison's arithmetic: F1, folds of whole tiles, paired tests, Holm."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import accuracy_score, f1_score

PATH = Path(__file__).resolve().parents[3] / "scripts" / "cell_training" / "figures.py"


@pytest.fixture(scope="module")
def figures() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cell_figures", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up by name.
    sys.modules["cell_figures"] = module
    spec.loader.exec_module(module)
    return module


def test_f1_is_scikit_learns(figures: ModuleType) -> None:
    rng = np.random.default_rng(0)
    true = rng.integers(0, 7, 500)
    said = np.where(rng.random(500) < 0.7, true, rng.integers(0, 7, 500))
    got = figures.scores(true, said)
    np.testing.assert_allclose(got[:7], f1_score(true, said, average=None))
    assert got[7] == pytest.approx(f1_score(true, said, average="macro"))
    assert got[8] == pytest.approx(accuracy_score(true, said))
    low, high = figures.interval(true, said, np.arange(500) % 20)
    assert ((low < got) & (got < high)).all()


def test_folds_keep_tiles_whole(figures: ModuleType) -> None:
    tile = np.repeat(np.arange(44), 7)
    folds = figures.folds(tile, 10, seed=1)
    assert (np.sum(folds, axis=0) == 1).all()
    assert sorted(len(np.unique(tile[f])) for f in folds) == [4] * 6 + [5] * 4
    for fold in folds:
        assert not set(tile[fold]) & set(tile[~fold])


def test_paired_test_and_holm(figures: ModuleType) -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(0.9, 0.02, (10, 9))
    b = a - rng.normal(0.01, 0.02, (10, 9))
    b[:, 3] = a[:, 3]
    tests = figures.compare({"one": a, "two": b}, "one")
    assert [t.column for t in tests] == list(figures.COLUMNS)
    assert tests[0].p == pytest.approx(stats.ttest_rel(a[:, 0], b[:, 0]).pvalue)
    assert tests[0].difference == pytest.approx((a - b)[:, 0].mean())
    assert tests[3].p == 1.0
    assert all(t.holm >= t.p for t in tests)
    assert figures.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
