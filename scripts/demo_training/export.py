"""Writes a demo model's folder: card, weights, aggregator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from torch import nn

from napari_her2.models.aggregators import RatioHistogramAggregator
from napari_her2.models.card import ModelCard
from napari_her2.models.weights import sha256_of, write_atomic, write_weights

WIDTH = 0.2
DROPOUT = 0.2
MEAN = (0.72, 0.58, 0.70)
STD = (0.22, 0.24, 0.19)
CLASSES = ("positive", "negative", "non-tumour")
ROLES = {"positive": 0, "negative": 1, "non_tumour": 2}
HER2_NOTE = (
    " In the published study behind this method (Gamble 2021) HER2 from H&E was near chance at "
    "slide level, AUC 0.60; that this demo does better is a property of the generator."
)


def dumps(value: Any) -> bytes:
    """JSON as it is kept in the repository: readable, one newline at the end."""
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8")


def write_model(
    folder: Path,
    biomarker: str,
    network: nn.Module,
    aggregator: RatioHistogramAggregator,
    *,
    version: str,
    training_data: str,
    validation: list[dict[str, Any]],
) -> ModelCard:
    """Write ``card.json``, ``weights.safetensors`` and ``aggregator.json``.

    Weights are stored as float16 (batch norm as float32), so figures must be measured on the
    written file.
    """
    weights_sha256 = write_weights(folder / "weights.safetensors", network.state_dict(), half=True)
    document = dumps(aggregator.to_json())
    write_atomic(folder / "aggregator.json", document)
    card = ModelCard.model_validate(
        {
            "architecture": "inception_v3",
            "num_classes": 3,
            "patch_size_pixels": 512,
            "spacing_um_px": 2.0,
            "class_names": CLASSES,
            "transform": [
                {"name": "ToTensor"},
                {"name": "Normalize", "arguments": {"mean": list(MEAN), "std": list(STD)}},
            ],
            "id": folder.name,
            "name": f"{biomarker} from H&E (demo)",
            "version": version,
            "biomarker": biomarker,
            "stain": "H&E",
            "organ": "breast (synthetic)",
            "class_roles": ROLES,
            "selector": {"kind": "tissue"},
            "tile_model": {"width": WIDTH, "dropout": DROPOUT},
            "aggregator": {
                "kind": "ratio-histogram",
                "file": "aggregator.json",
                "sha256": sha256_of(document),
            },
            "weights_sha256": weights_sha256,
            "licence": "BSD-3-Clause",
            "source": "napari-her2, scripts/train_demo_models.py",
            "training_data": training_data,
            "validation": validation,
            "good_at": (
                "Showing how the program works: synthetic slides made by napari-her2 synth, whose "
                "status shows in growth pattern, nuclei and stroma."
            ),
            "weak_at": (
                "Everything else. It has never seen real tissue, so its number says nothing about "
                "a real slide." + (HER2_NOTE if biomarker == "HER2" else "")
            ),
            "status": "synthetic-demo",
            "intended_use": (
                "Demonstration, teaching and software tests on synthetic tissue. Research use "
                "only; not for any statement about real tissue."
            ),
        }
    )
    write_atomic(folder / "card.json", dumps(card.model_dump(mode="json")))
    return card
