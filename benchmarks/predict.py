"""Tiles per second of the whole pipeline against the bare model in memory, in the same run.

    python benchmarks/predict.py [SLIDE] [--full]

A round scores one slide with ``predict`` (opening, tissue, reading, model, store) and then runs the
same models over as many tiles that lie in memory, in the same batches. Wanted: 0.9 of the bare
model's rate or more, counted from the first batch asked for to the last score kept; the figure with
everything from opening to the committed run is given beside it. With ``--full`` one full-width
Inception-V3 with seeded weights is used instead of the three demo models.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from napari_her2.models.registry import Registry
from napari_her2.pipelines.events import Outcome, Partial, Started
from napari_her2.pipelines.predict import predict
from napari_her2.pipelines.request import PredictRequest
from napari_her2.types import BIOMARKERS
from pairing import compare, report


def full_width_model(folder: Path) -> str:
    """Install a full-width network with seeded weights; give its id."""
    import torch

    from napari_her2.models.architectures import build_network
    from napari_her2.models.weights import write_weights

    demo = Registry().resolve("ER").card
    model = folder / "models" / "full-width"
    model.mkdir(parents=True)
    card = demo.model_copy(
        update={"id": "full-width", "tile_model": {}, "aggregator": None, "weights_sha256": None}
    )
    torch.manual_seed(0)
    digest = write_weights(model / "weights.safetensors", build_network(card).state_dict())
    card = card.model_copy(update={"weights_sha256": digest})
    (model / "card.json").write_text(json.dumps(card.model_dump(mode="json")), encoding="utf-8")
    return "full-width"


class Pipeline:
    """Scores the slide once a call; remembers how many tiles there were and in what batches."""

    def __init__(self, request: PredictRequest, registry: Registry) -> None:
        self.request = request
        self.registry = registry
        self.batches: list[int] = []
        self.whole: list[float] = []

    def __call__(self) -> float:
        """Tiles per second while scoring."""
        began = time.perf_counter()
        started = last = 0.0
        self.batches = []
        for event in predict(self.request, registry=self.registry):
            if isinstance(event, Started):
                started = time.perf_counter()
            elif isinstance(event, Partial):
                self.batches.append(len(event.cells))
                last = time.perf_counter()
            elif isinstance(event, Outcome) and event.error is not None:
                raise event.error
        tiles = sum(self.batches)
        self.whole.append(tiles / (time.perf_counter() - began))
        return tiles / (last - started)


def main() -> int:
    """Take turns and print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slide", type=Path, nargs="?")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--full", action="store_true", help="full width, one model")
    parser.add_argument("--stride-um", type=float, default=None, help="distance of tiles in µm")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = Registry(data_dir=folder)
        ids = (full_width_model(folder),) if args.full else BIOMARKERS
        slide = args.slide or made_slide(folder)
        request = PredictRequest(
            slide=slide, model_ids=tuple(ids), out=folder / "out", stride_um=args.stride_um,
            ignore_stain=True, resume=False,
        )  # fmt: skip
        pipeline = Pipeline(request, registry)
        models = [registry.load(i).tile_model for i in ids]
        side = registry.resolve(ids[0]).card.patch_size_pixels
        pipeline()
        tiles = np.random.default_rng(0).integers(
            0, 255, (max(pipeline.batches), side, side, 3), np.uint8
        )

        def bare() -> float:
            start = time.perf_counter()
            for size in pipeline.batches:
                for model in models:
                    model.predict(tiles[:size])
            return sum(pipeline.batches) / (time.perf_counter() - start)

        bare()
        pipeline.whole.clear()
        ours, theirs = [], []
        for i in range(args.rounds):
            if i % 2:
                theirs.append(bare())
            ours.append(pipeline())
            if not i % 2:
                theirs.append(bare())
        what = f"{slide.name}, {sum(pipeline.batches)} tiles, {len(ids)} model(s)"
        rows = [
            compare(f"{what}: {part}", rates, "bare model", theirs,
                    [a / b for a, b in zip(rates, theirs, strict=True)],
                    unit="tiles/s", least=least)
            for part, rates, least in (("scoring", ours, 0.9),
                                       ("opening to commit", pipeline.whole, 0.0))
        ]  # fmt: skip
    return report(rows, args.json)


def made_slide(folder: Path) -> Path:
    """A synthetic slide of some hundred tiles."""
    from napari_her2.synthetic import write_slide

    path = folder / "synthetic.tif"
    write_slide("he", 12288, 1, path)
    return path


if __name__ == "__main__":
    sys.exit(main())
