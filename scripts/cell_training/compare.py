"""The paper's comparison: network against SVM and random forest, 10 folds of whole tiles."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cell_training import figures
from cell_training.learn import Extra, Recipe, predict, train
from cell_training.pool import Cells
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.handmade_fit import fit_forest, fit_svm

FOLDS = 10
SEED = 2017
PER_CLASS = 1743
"""Cells of a class: 7 x 1743 = 12,201, the paper's 12,200 within one."""

Grouping = Literal["tile", "slide"]
Labels = NDArray[np.int64]

NETWORK = "ConvNet"
MODELS = ("SVM", "RF", NETWORK, "ConvNet + membrane")


@dataclass(frozen=True)
class FoldResult:
    """What one model said of the cells that were kept back in one fold."""

    said: Labels
    chosen: float
    seconds: float


def _svm(train_on: Cells, test_on: Cells, groups: Labels, fold: int) -> tuple[Labels, float]:
    fitted, cost = fit_svm(train_on.features, train_on.label, groups, seed=SEED + fold)
    return fitted.predict(test_on.features), cost


def _forest(train_on: Cells, test_on: Cells, groups: Labels, fold: int) -> tuple[Labels, float]:
    fitted, mtry = fit_forest(train_on.features, train_on.label, groups, seed=SEED + fold)
    return fitted.predict(test_on.features), mtry


def _network(train_on: Cells, test_on: Cells, groups: Labels, fold: int) -> tuple[Labels, float]:
    del groups
    network = train(train_on, Recipe(), SEED + fold)
    return predict(network, test_on), Recipe().epochs


def _with_membrane(
    train_on: Cells, test_on: Cells, groups: Labels, fold: int
) -> tuple[Labels, float]:
    del groups
    extra = Extra.of(train_on.extra)
    network = train(train_on, Recipe(), SEED + fold, extra)
    return predict(network, test_on, extra), Recipe().epochs


RUN: dict[str, Callable[[Cells, Cells, Labels, int], tuple[Labels, float]]] = dict(
    zip(MODELS, (_svm, _forest, _network, _with_membrane), strict=True)
)


def run(cells: Cells, cache: Path, grouping: Grouping, models: tuple[str, ...]) -> dict[str, Any]:
    """Compare models over the folds; what was done before is taken from the cache.

    Returns
    -------
    dict
        JSON-ready: by model and column the mean F1 over folds with its interval and standard
        deviation; the tests of the network against the others; the pooled confusion matrices.
    """
    groups = cells.tile if grouping == "tile" else cells.slide
    tests = figures.folds(groups, FOLDS, SEED)
    by_model: dict[str, list[NDArray[np.float64]]] = {m: [] for m in models}
    said: dict[str, Labels] = {m: np.full(len(cells), -1) for m in models}
    chosen: dict[str, list[float]] = {m: [] for m in models}
    seconds = dict.fromkeys(models, 0.0)
    for fold, held_out in enumerate(tests):
        for model in models:
            result = _kept(cells, cache, groups, held_out, model, fold)
            said[model][held_out] = result.said
            by_model[model].append(figures.scores(cells.label[held_out], result.said))
            chosen[model].append(result.chosen)
            seconds[model] += result.seconds
    stacked = {m: np.stack(v) for m, v in by_model.items()}
    return {
        "grouping": grouping,
        "folds": len(tests),
        "groups": len(np.unique(groups)),
        "cells": len(cells),
        "cells_by_class": dict(zip(CELL_CLASSES, np.bincount(cells.label).tolist(), strict=True)),
        "epochs": Recipe().epochs,
        "f1": {m: _columns(v) for m, v in stacked.items()},
        "tests": [
            {
                "first": t.first, "second": t.second, "column": t.column,
                "difference": round(t.difference, 4), "p": float(f"{t.p:.3g}"),
                "holm": float(f"{t.holm:.3g}"),
            }
            for t in (figures.compare(stacked, NETWORK) if NETWORK in stacked else [])
        ],
        "chosen": chosen,
        "confusion": {
            m: figures.confusion(cells.label, s).tolist() for m, s in said.items()
        },
        "cpu_seconds": {m: round(s) for m, s in seconds.items()},
    }  # fmt: skip


def _columns(values: NDArray[np.float64]) -> dict[str, dict[str, float]]:
    out = {}
    for k, column in enumerate(figures.COLUMNS):
        mean, low, high = figures.mean_interval(values[:, k])
        sd = float(np.nanstd(values[:, k], ddof=1))
        out[column] = {
            "mean": round(mean, 4), "low": round(low, 4), "high": round(high, 4),
            "sd": round(sd, 4),
        }  # fmt: skip
    return out


def _kept(
    cells: Cells, cache: Path, groups: Labels, held_out: NDArray[np.bool_], model: str, fold: int
) -> FoldResult:
    used = (cells.crops, cells.extra) if "ConvNet" in model else (cells.features,)
    key = hashlib.sha256(repr((model, fold, SEED, Recipe(), FOLDS)).encode())
    for array in (*used, cells.label, held_out, groups):
        key.update(np.ascontiguousarray(array).tobytes())
    path = cache / f"fold-{fold}-{model.lower().replace(' ', '')}-{key.hexdigest()[:16]}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        began = time.process_time()
        rest = np.flatnonzero(~held_out)
        said, chosen = RUN[model](
            cells.take(rest), cells.take(np.flatnonzero(held_out)), groups[rest], fold
        )
        took = time.process_time() - began
        partial = path.with_suffix(".part.npz")
        np.savez(partial, said=said, chosen=chosen, seconds=took)
        partial.replace(path)
        f1 = figures.scores(cells.label[held_out], said)
        print(f"fold {fold} {model}: macro F1 {f1[-2]:.3f}, {took:.0f} CPU s", flush=True)
    with np.load(path) as kept:
        return FoldResult(
            kept["said"].astype(np.int64), float(kept["chosen"]), float(kept["seconds"])
        )
