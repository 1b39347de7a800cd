"""Slides with tissue by construction and small models, for tests of whole runs.

Loaded by the conftest files beside and by the small programs that tests start (and kill).
"""

from __future__ import annotations

import json
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tifffile
import torch

from napari_her2.errors import ModelNotFoundError
from napari_her2.models.aggregators import RatioHistogramAggregator
from napari_her2.models.card import ModelCard
from napari_her2.models.networks.inception import InceptionV3
from napari_her2.models.registry import Registry
from napari_her2.models.weights import sha256_of, write_weights

SIDE = 96
HAEMATOXYLIN, EOSIN = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])


def he_pixels(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A field of H&E-like colour on glass: blue spots on pink patches, uint8 (h, w, 3)."""
    rng = np.random.default_rng(seed)
    yy, xx = np.mgrid[:height, :width].astype(np.float32)
    tissue = np.zeros((height, width), np.float32)
    for _ in range(4):
        cy, cx = rng.uniform(0.25, 0.75, 2) * (height, width)
        ry, rx = rng.uniform(0.15, 0.3, 2) * (height, width)
        tissue = np.maximum(tissue, (((yy - cy) / ry) ** 2 + ((xx - cx) / rx) ** 2 < 1))
    coarse = rng.random((height // 16 + 1, width // 16 + 1)).astype(np.float32)
    texture = np.kron(coarse, np.ones((16, 16), np.float32))[:height, :width]
    spots = (np.sin(yy / 3.1) * np.sin(xx / 2.7 + texture * 4) > 0.55).astype(np.float32)
    eosin = tissue * (0.25 + 0.35 * texture)
    blue = tissue * spots * (0.5 + 0.6 * texture)
    od = blue[..., None] * HAEMATOXYLIN + eosin[..., None] * EOSIN
    noise = rng.normal(0, 2.0, (height, width, 3))
    return np.clip(245 * np.exp(-od) + noise, 0, 255).astype(np.uint8)


def write_slide(
    path: Path,
    *,
    width: int = 3072,
    height: int = 2048,
    mpp: tuple[float, float] | None = (0.5, 0.5),
    seed: int = 0,
    pixels: np.ndarray | None = None,
) -> Path:
    """A tiled pyramidal TIFF with three levels (the last two by striding)."""
    level0 = he_pixels(height, width, seed) if pixels is None else pixels
    extra: dict[str, object] = {}
    if mpp is not None:
        extra = {"resolution": (1e4 / mpp[0], 1e4 / mpp[1]), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tif:
        options: dict[str, object] = {
            "tile": (256, 256), "photometric": "rgb", "compression": "jpeg",
            "compressionargs": {"level": 95}, "metadata": None,
        }  # fmt: skip
        tif.write(level0, subfiletype=0, **options, **extra)
        for step in (4,):
            tif.write(np.ascontiguousarray(level0[::step, ::step]), subfiletype=1, **options)
    return path


def card_fields(biomarker: str | None, **changes: object) -> dict[str, object]:
    """Fields of the card of a tiny three-class model."""
    return {
        "architecture": "inception_v3", "num_classes": 3, "patch_size_pixels": SIDE,
        "spacing_um_px": 2.0, "class_names": ["positive", "negative", "non-tumour"],
        "transform": [
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.8, 0.65, 0.8], "std": [0.2] * 3}},
        ],
        "id": f"tiny-{(biomarker or 'none').lower()}", "name": f"Tiny {biomarker}", "version": "1",
        "biomarker": biomarker, "stain": "H&E", "organ": "breast",
        "class_roles": {"positive": 0, "negative": 1, "non_tumour": 2},
        "tile_model": {"width": 0.1, "dropout": 0.0}, "licence": "BSD-3-Clause", "source": "test",
        "training_data": "none", "status": "user-unvalidated", "intended_use": "test",
        **changes,
    }  # fmt: skip


def install_model(data_dir: Path, biomarker: str | None, **changes: object) -> str:
    """Install a tiny Inception with random weights; gives its id."""
    seed = sum(map(ord, biomarker or "none"))
    torch.manual_seed(seed)
    network = InceptionV3(3, 0.1, 0.0)
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = None
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.train()(torch.randn(4, 3, SIDE, SIDE))
        network.fc.weight.mul_(0.05)
    fields = card_fields(biomarker, **changes)
    folder = data_dir / "models" / str(fields["id"])
    folder.mkdir(parents=True)
    fields["weights_sha256"] = write_weights(folder / "weights.safetensors", network.state_dict())
    stage2 = RatioHistogramAggregator(0, 1, 5, (0.5,) + (0.1,) * 10, -1.0, 0.4)
    document = json.dumps(stage2.to_json()).encode()
    (folder / "aggregator.json").write_bytes(document)
    fields["aggregator"] = {
        "kind": "ratio-histogram", "file": "aggregator.json", "sha256": sha256_of(document),
    }  # fmt: skip
    card = ModelCard.model_validate(fields)
    (folder / "card.json").write_text(card.model_dump_json(), encoding="utf-8")
    return card.id


def registry() -> Registry:
    """The registry of the test's own data folder."""
    return Registry(Path(os.environ["NAPARI_HER2_DATA"]), Path(os.environ["NAPARI_HER2_DATA"]))


class FakeModel:
    """Probabilities from mean colours, worked out in float32: exact, instant, no network.

    ``pause`` makes it slow; ``memory`` is the most tiles it can take at once.
    """

    device = "cpu"

    def __init__(self, card: ModelCard, *, pause: float = 0.0, memory: int = 10**6) -> None:
        self.card = card
        self.pause = pause
        self.memory = memory
        self.calls: list[int] = []

    def predict(self, tiles: np.ndarray) -> np.ndarray:
        self.calls.append(len(tiles))
        if len(tiles) > self.memory:
            raise MemoryError
        time.sleep(self.pause)
        means = tiles.reshape(len(tiles), -1, 3).mean(axis=1, dtype=np.float64)
        return (means / means.sum(axis=1, keepdims=True)).astype(np.float32)


@dataclass
class FakeLoaded:
    card: ModelCard
    tile_model: FakeModel
    aggregator: object | None

    digest = "0" * 64


class FakeRegistry:
    """Models by id, made on the spot."""

    def __init__(self, *models: FakeLoaded) -> None:
        self.models = {m.card.id: m for m in models}

    def resolve(self, name: str) -> FakeLoaded:
        if name not in self.models:
            raise ModelNotFoundError("no_model", biomarker=name)
        return self.models[name]

    def load(self, name: str, device: str = "auto") -> FakeLoaded:
        return self.resolve(name)


def fake_model(
    model_id: str = "fake-er", biomarker: str | None = "ER", *, aggregator: bool = True,
    pause: float = 0.0, memory: int = 10**6, threshold: float = 0.36, **changes: object,
) -> FakeLoaded:  # fmt: skip
    """A fake model with P1's aggregator over its colours."""
    card = ModelCard.model_validate(card_fields(biomarker, id=model_id, **changes))
    stage2 = RatioHistogramAggregator(0, 1, 5, (0.5,) + (0.1,) * 10, -1.0, threshold)
    model = FakeModel(card, pause=pause, memory=memory)
    return FakeLoaded(card, model, stage2 if aggregator else None)


def serve_poisoned(pipe: object, threads: int) -> None:
    """A worker that dies over any slide called poison, as with a decoder that crashes."""
    import signal

    from napari_her2.pipelines import executors, processes

    real = executors.guarded

    def guarded(request, *args):  # type: ignore[no-untyped-def]
        if "poison" in request.slide.name:
            os.kill(os.getpid(), signal.SIGKILL)
        # Dies once, in the middle, on the slide called stumble.
        marker = request.slide.with_suffix(".died")
        for n, event in enumerate(real(request, *args)):
            if "stumble" in request.slide.name and n == 9 and not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield event

    executors.guarded = guarded
    processes.serve(pipe, threads)
