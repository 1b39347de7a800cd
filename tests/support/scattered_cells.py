"""Made-up cells scattered over a slide, without any picture: for what is drawn and picked."""

from __future__ import annotations

import numpy as np

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.table import RAYS, CellTable


def scattered(n: int, width: float, height: float, seed: int = 0) -> CellTable:
    """``n`` cells of all seven classes; the right half of the slide is mostly 3+."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, width, n), rng.uniform(0, height, n)
    probs = rng.dirichlet(np.ones(7) * 0.5, n).astype(np.float32)
    right = (x > width / 2) & (rng.random(n) < 0.7)
    probs[right, 3] += 2
    probs /= probs.sum(axis=1, keepdims=True)
    stained = rng.random((n, RAYS)) < 0.5
    return CellTable(
        {
            "x_px": x,
            "y_px": y,
            "area_um2": rng.uniform(20, 60, n),
            "membrane_od": rng.uniform(0, 1, n).astype(np.float32),
            "membrane_completeness": stained.mean(axis=1).astype(np.float32),
            "membrane_radii": np.full((n, RAYS), 10.0, np.float32),
            "membrane_stained": stained,
            "class": probs.argmax(axis=1).astype(np.uint8),
            "probs": probs,
        },
        CELL_CLASSES,
    )
