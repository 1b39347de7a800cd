"""Small results to store."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.geometry import Region
from napari_her2.results.heatmap import Heatmap
from napari_her2.results.journal import ScoredBatch
from napari_her2.tiles.spec import TileGrid, TileSpec

CLASSES = {"er": 3, "pr": 2}


@pytest.fixture
def make_heatmap():
    return _make_heatmap


@pytest.fixture
def make_batch():
    return _make_batch


def _make_heatmap(seed: int = 0, *, width: float = 9000.0) -> Heatmap:
    grid = TileGrid(TileSpec(512, 2.0, 512.0), Region(100.0, 50.0, width, 5000.0), 0.25, 0.26)
    heat = Heatmap.blank(
        grid,
        class_names=("positive", "negative", "non-tumour"),
        class_roles={"positive": 0, "negative": 1, "non_tumour": 2},
        biomarker="ER",
        model_id="er-demo",
        model_status="synthetic-demo",
        slide_id="s1",
    )
    rng = np.random.default_rng(seed)
    rows, cols = grid.shape
    cells = np.argwhere(rng.random((rows, cols)) < 0.7)
    probs = rng.dirichlet([1, 1, 1], len(cells)).astype(np.float32)
    failed = np.zeros(len(cells), bool)
    failed[0] = True
    probs[0] = np.nan
    heat.fill(cells, probs, failed)
    return heat


def _make_batch(index: int, models=("er", "pr"), n: int = 3) -> ScoredBatch:
    rng = np.random.default_rng(index)
    failed = rng.random(n) < 0.3
    probs = {m: rng.random((n, CLASSES[m]), dtype=np.float32) for m in models}
    for p in probs.values():
        p[failed] = np.nan
    reasons = tuple("no µtile" if f else None for f in failed)
    return ScoredBatch(index, rng.integers(0, 99, (n, 2)).astype(np.intp), probs, failed, reasons)
