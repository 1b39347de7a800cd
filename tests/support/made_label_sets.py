"""Small label sets on disk, in the layout of label sets, without slides."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.features import FEATURES
from napari_her2.training.label_set import SCHEMA

TILE_CLASSES = ("ER+", "ER-", "non-tumour")


def write_cells(folder: Path, n: int = 700, slides: int = 5, seed: int = 0, hard: int = 0) -> Path:
    """Cells whose class shows as the height of a bright bar in one of the two stains."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, len(CELL_CLASSES), n)
    crops = rng.integers(0, 40 + hard, (n, 44, 44, 2), dtype=np.uint8)
    for k in range(len(CELL_CLASSES)):
        crops[label == k, 5 + 4 * k : 10 + 4 * k, 12:32, k % 2] += 60
    features = rng.normal(0, 1, (n, len(FEATURES))).astype(np.float32)
    for k in range(len(CELL_CLASSES)):
        features[label == k, k] += 3
    _write(folder, "cells", CELL_CLASSES, label, slides, rng, crops, features, (44, 0.49), "H-DAB")
    return folder


def write_tiles(folder: Path, n: int = 90, slides: int = 5, seed: int = 0, px: int = 96) -> Path:
    """Tiles whose class shows as narrow stripes, wide stripes, or none and more pink."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    tiles = rng.integers(150, 220, (n, px, px, 3), dtype=np.uint8)
    for i, k in enumerate(label):
        if k < 2:
            wave = 45 * np.sin(np.arange(px) * (1.2, 0.25)[k] + rng.uniform(0, 6))
            stripes = wave[:, None, None] if rng.integers(2) else wave[None, :, None]
            tiles[i] = np.clip(tiles[i] + stripes, 0, 255).astype(np.uint8)
        else:
            tiles[i, ..., 1] //= 2
    features = rng.normal(0, 1, (n, 2)).astype(np.float32)
    _write(folder, "tiles", TILE_CLASSES, label, slides, rng, tiles, features, (px, 2.0), "H&E")
    return folder


def _write(folder, kind, classes, label, slides, rng, pixels, features, tile, stain):
    folder.mkdir(parents=True)
    n = len(label)
    number = np.arange(n) % slides
    slide = [f"slide-{k}" for k in number]
    side = np.where(number == slides - 1, "test", np.where(number == slides - 2, "tune", "train"))
    if slides == 1:
        side = np.full(n, "train")
    words = ["" for _ in range(n)]
    columns = {
        "slide": slide, "x_px": rng.uniform(0, 9000, n), "y_px": rng.uniform(0, 9000, n),
        "class": [classes[k] for k in label], "region_id": [f"r{k}" for k in label],
        "patient": words, "block": words, "split": side.tolist(),
        "propagated": np.zeros(n, bool), "odd": np.zeros(n),
    }  # fmt: skip
    pq.write_table(pa.table(columns), folder / "labels.parquet")
    names = list(FEATURES) if kind == "cells" else ["a", "b"]
    table = pa.table({name: features[:, k] for k, name in enumerate(names)})
    pq.write_table(table, folder / "features.parquet")
    np.save(folder / ("crops.npy" if kind == "cells" else "tiles.npy"), pixels)
    files = [
        {"path": p.name, "size": p.stat().st_size,
         "sha256": hashlib.sha256(p.read_bytes()).hexdigest()}
        for p in sorted(folder.iterdir())
    ]  # fmt: skip
    info = {
        "schema": SCHEMA, "name": folder.name, "version": 1, "kind": kind, "n": n,
        "classes": list(classes), "stain": stain,
        "class_roles": {} if kind == "cells" else {"positive": 0, "negative": 1, "non_tumour": 2},
        "split": {"by": "slide", "rule": {"by": "slide", "tune": 0.2, "test": 0.2}},
        "tile": {"px": tile[0], "mpp": tile[1]}, "features": names,
        "sources": [{"slide": f"slide-{k}", "mpp": {"x": 0.5, "y": 0.5}} for k in range(slides)],
        "conflicts": {"n": 0}, "files": files,
    }  # fmt: skip
    (folder / "labelset.json").write_text(json.dumps(info), encoding="utf-8")
