"""Small models made on the spot: the tests need neither trained weights nor a network."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from napari_her2.models.aggregators import RatioHistogramAggregator
from napari_her2.models.card import ModelCard
from napari_her2.models.networks.inception import InceptionV3
from napari_her2.models.weights import sha256_of, write_weights

_WIDTH = 0.1
_SIDE = 96


def _card_fields(**changes: object) -> dict[str, object]:
    """Fields of a valid card of a tiny three-class model."""
    fields: dict[str, object] = {
        "architecture": "inception_v3",
        "num_classes": 3,
        "patch_size_pixels": _SIDE,
        "spacing_um_px": 2.0,
        "class_names": ["positive", "negative", "non-tumour"],
        "transform": [
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.7, 0.6, 0.7], "std": [0.2, 0.2, 0.2]}},
        ],
        "id": "tiny-er",
        "name": "Tiny ER",
        "version": "1",
        "biomarker": "ER",
        "stain": "H&E",
        "organ": "breast",
        "class_roles": {"positive": 0, "negative": 1, "non_tumour": 2},
        "tile_model": {"width": _WIDTH, "dropout": 0.0},
        "licence": "BSD-3-Clause",
        "source": "test",
        "training_data": "none",
        "status": "user-unvalidated",
        "intended_use": "test",
    }
    return {**fields, **changes}


def _tiny_network(seed: int = 0) -> InceptionV3:
    """A tiny network whose batch-norm statistics are far from their defaults."""
    torch.manual_seed(seed)
    network = InceptionV3(3, _WIDTH, 0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad():
        network.train()(torch.randn(4, 3, _SIDE, _SIDE))
        # Keeps the softmax off its corners, where every difference would vanish.
        network.fc.weight.mul_(0.1)
    return network.eval()


@pytest.fixture
def tiny_network() -> InceptionV3:
    """A tiny Inception-V3 in evaluation mode."""
    return _tiny_network()


@pytest.fixture
def make_model(tmp_path: Path) -> Callable[..., Path]:
    """Make a model folder; keyword arguments replace fields of the card."""

    def make(
        folder: str = "tiny", *, aggregator: bool | dict[str, object] = True, **changes: object
    ) -> Path:
        path = tmp_path / folder
        path.mkdir()
        sha256 = write_weights(path / "weights.safetensors", _tiny_network().state_dict())
        fields = _card_fields(weights_sha256=sha256)
        if aggregator is True:
            stage2 = RatioHistogramAggregator(0, 1, 5, (0.5,) + (0.0,) * 10, -1.0)
            document = json.dumps(stage2.to_json()).encode()
            (path / "aggregator.json").write_bytes(document)
            fields["aggregator"] = {
                "kind": "ratio-histogram",
                "file": "aggregator.json",
                "sha256": sha256_of(document),
            }
        elif aggregator:
            fields["aggregator"] = aggregator
        card = ModelCard.model_validate({**fields, **changes})
        (path / "card.json").write_text(card.model_dump_json(), encoding="utf-8")
        return path

    return make


class _Brightness(torch.nn.Module):
    """Logits from the mean of the red channel: the answer can be told by hand."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red = x[:, 0].mean((1, 2))
        return torch.stack([red, -red], 1)


@pytest.fixture
def wsinfer_folder(tmp_path: Path) -> Path:
    """A WSInfer zoo folder with a scripted two-class model of 64 px tiles resized to 32."""
    folder = tmp_path / "Breast Tumor.demo"
    folder.mkdir()
    config = {
        "spec_version": "1.0",
        "architecture": "resnet34",
        "num_classes": 2,
        "class_names": ["Other", "Tumor"],
        "patch_size_pixels": 64,
        "spacing_um_px": 0.5,
        "transform": [
            {"name": "Resize", "arguments": {"size": 32}},
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.5] * 3, "std": [0.25] * 3}},
        ],
    }
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.script(_Brightness()).save(str(folder / "torchscript_model.pt"))
    return folder
