"""Writes the folders of the demo models: card and arrays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cell_training.learn import MEAN, STD, Extra
from cell_training.pool import EXTRA
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.features import FEATURES
from napari_her2.cells.handmade import Forest, LinearSvm
from napari_her2.models.arrays import write_arrays
from napari_her2.models.card import ModelCard
from napari_her2.models.networks.cell_convnet import CellConvNet
from napari_her2.models.weights import write_atomic, write_weights

VERSION = "1.0.0"
PAPER = "Vandenberghe 2017"

TITLES = {
    "demo-her2-cells": "Cells in HER2 IHC: network (demo)",
    "demo-her2-cells-svm": "Cells in HER2 IHC: linear SVM (demo)",
    "demo-her2-cells-rf": "Cells in HER2 IHC: random forest (demo)",
}


def write_network(
    folder: Path, network: CellConvNet, training: str, extra: Extra | None = None
) -> None:
    """Write the network, weights as float16: figures are measured on the file."""
    tile_model: dict[str, Any] = {"kind": "cell-network", "channels": ["haematoxylin", "dab"]}
    if extra is not None:
        tile_model |= {
            "extra_features": list(EXTRA), "extra_at": "hidden",
            "extra_mean": [round(float(v), 5) for v in extra.mean],
            "extra_scale": [round(float(v), 5) for v in extra.scale],
        }  # fmt: skip
    digest = write_weights(folder / "weights.safetensors", network.state_dict(), half=True)
    transform = [
        {"name": "ToTensor"},
        {"name": "Normalize", "arguments": {"mean": list(MEAN), "std": list(STD)}},
    ]
    _write_card(folder, "paper-466283", tile_model, transform, digest, training)


def write_svm(folder: Path, svm: LinearSvm, training: str) -> None:
    """Write coefficients and scale."""
    digest = write_arrays(folder / "weights.safetensors", svm.arrays())
    tile_model = {"kind": "cell-features", "features": list(FEATURES)}
    _write_card(folder, "linear-svm", tile_model, [], digest, training)


def write_forest(folder: Path, forest: Forest, training: str) -> None:
    """Write the trees."""
    arrays: dict[str, NDArray[Any]] = forest.arrays()
    digest = write_arrays(folder / "weights.safetensors", arrays)
    tile_model = {
        "kind": "cell-features", "features": list(FEATURES), "trees": len(forest.tree_size),
        "nodes": len(forest.feature), "splits": len(forest.threshold),
        "leaf_kinds": len(forest.leaf_share),
    }  # fmt: skip
    _write_card(folder, "random-forest", tile_model, [], digest, training)


def _write_card(
    folder: Path,
    architecture: str,
    tile_model: dict[str, Any],
    transform: list[dict[str, Any]],
    digest: str,
    training: str,
) -> None:
    card = ModelCard.model_validate(
        {
            "architecture": architecture,
            "num_classes": len(CELL_CLASSES),
            "patch_size_pixels": 44,
            "spacing_um_px": 0.49,
            "class_names": CELL_CLASSES,
            "transform": transform,
            "id": folder.name,
            "name": TITLES[folder.name],
            "version": VERSION,
            "biomarker": "HER2",
            "stain": "H-DAB",
            "organ": "breast (synthetic)",
            "class_roles": {name: i for i, name in enumerate(CELL_CLASSES)},
            "selector": {"kind": "cells"},
            "tile_model": tile_model,
            "weights_sha256": digest,
            "licence": "BSD-3-Clause",
            "source": f"napari-her2, scripts/train_cell_models.py; after {PAPER}",
            "training_data": training,
            "good_at": (
                "Showing how the program works: the cells of synthetic HER2 slides made by "
                "napari-her2 synth."
            ),
            "weak_at": (
                "Everything else. It has never seen real tissue, so what it says of a real slide "
                "means nothing: take the classifier “membrane”, which measures and was not trained."
            ),
            "status": "synthetic-demo",
            "intended_use": (
                "Demonstration, teaching and software tests on synthetic tissue. Research use "
                "only; not for any statement about real tissue."
            ),
        }
    )
    _save(folder, card)


def put_figures(
    folder: Path,
    values: NDArray[np.float64],
    ci: NDArray[np.float64],
    columns: tuple[str, ...],
    n: list[int],
    date: str,
) -> None:
    """Put validation figures on a card."""
    path = folder / "card.json"
    card = ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
    found = [
        {
            "metric": column if column in ("macro F1", "accuracy") else f"F1 {column}",
            "value": round(float(values[k]), 4),
            "ci95": [round(float(ci[0, k]), 4), round(float(ci[1, k]), 4)],
            "n": n[k], "unit": "cells", "site": "synthetic", "date": date,
        }
        for k, column in enumerate(columns)
    ]  # fmt: skip
    found.sort(key=lambda f: f["metric"] not in ("macro F1", "accuracy"))
    document = card.model_dump(mode="json") | {"validation": found}
    _save(folder, ModelCard.model_validate(document))


def _save(folder: Path, card: ModelCard) -> None:
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    write_atomic(folder / "card.json", text.encode("utf-8"))
