"""Trains the demo models on synthetic tissue, from seeds alone.

    python scripts/train_demo_models.py                     all three, one after another
    python scripts/train_demo_models.py --models ER         one of them
    python scripts/evaluate_demo_models.py --write          then measures them on held-out slides

Each model is a network of its own (P1: never a shared head). Slides are drawn once into a cache
outside the repository. About 10 to 15 minutes of one core for a model and 20 for the slides. Seeds
fix slides, crops and their order; the weights also depend on processor and torch version, since
training runs in bfloat16, so a new training has to be measured anew.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from demo_training.export import write_model
from demo_training.learn import RECIPES, fresh_network, train
from demo_training.pool import BIOMARKERS, TEST, TRAIN, TUNE, build, cache_folder, load
from demo_training.scoring import score_all

from napari_her2.models.aggregators import (
    P1_STAGE2,
    RatioHistogramAggregator,
    fit_ratio_histogram,
)
from napari_her2.models.networks.inception import InceptionV3
from napari_her2.models.registry import DEMO_DIR
from napari_her2.models.tile_models import load_tile_model
from napari_her2.models.weights import read_weights, sha256_of, write_weights
from napari_her2.synthetic.he import GENERATOR

VERSIONS = {"ER": "1.1.0", "PR": "1.0.0", "HER2": "1.1.0"}
STAGE2_TRAIN_SLIDES = 40
"""Training slides that stage 2 is fitted on beside all tuning slides."""


def training_text() -> str:
    """What the card says about the material."""
    return (
        f"Synthetic H&E of napari_her2.synthetic, generator {GENERATOR}. Stage 1: "
        f"{len(TRAIN.seeds)} slides, seeds {TRAIN.seeds[0]}-{TRAIN.seeds[-1]}, drawn at 0.5, 1 and "
        f"2 um/px. Stage 2: the {len(TUNE.seeds)} tuning slides, seeds {TUNE.seeds[0]}-"
        f"{TUNE.seeds[-1]}, and {STAGE2_TRAIN_SLIDES} of the training slides. Held out: seeds "
        f"{TEST.seeds[0]}-{TEST.seeds[-1]}. No real tissue."
    )


def stage1(biomarker: str, paths: list[Path], cache: Path) -> InceptionV3:
    """Train the network, or take it from the cache where this very recipe was run before."""
    seed, recipe = 20 + BIOMARKERS.index(biomarker), RECIPES[biomarker]
    key = sha256_of(repr((biomarker, seed, recipe, [p.name for p in paths])).encode())[:16]
    kept = cache / f"stage1-{biomarker.lower()}-{key}.safetensors"
    network = fresh_network(seed)
    if kept.exists():
        shapes = {name: tuple(t.shape) for name, t in network.state_dict().items()}
        state = read_weights(kept, shapes, sha256=None, model=biomarker)
        network.load_state_dict(state, strict=False)
        return network.eval()
    network = train(load(paths), biomarker, recipe, seed)
    write_weights(kept, network.state_dict())
    return network


def train_one(biomarker: str, cache: Path, out: Path) -> None:
    """Train both stages of one model and write its folder without validation figures."""
    paths = build(TRAIN, cache), build(TUNE, cache)
    network = stage1(biomarker, paths[0], cache)
    numbers = P1_STAGE2[biomarker]
    b, t, c = int(numbers["bins"]), float(numbers["threshold"]), float(numbers["C"])
    blank = RatioHistogramAggregator(0, 1, b, (0.0,) * (1 + 2 * b), 0.0, t)

    def write(folder: Path, aggregator: RatioHistogramAggregator) -> None:
        write_model(
            folder,
            biomarker,
            network,
            aggregator,
            version=VERSIONS[biomarker],
            training_data=training_text(),
            validation=[],
        )

    # Stage 2 learns from what the written file gives, rounding included.
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / f"demo-{biomarker.lower()}"
        write(folder, blank)
        from napari_her2.models.card import read_card

        tile_model = load_tile_model(read_card(folder / "card.json"), folder, "cpu")
    every = len(paths[0]) // STAGE2_TRAIN_SLIDES
    chosen = [*paths[0][::every][:STAGE2_TRAIN_SLIDES], *paths[1]]
    scored = score_all(chosen, {biomarker: tile_model})
    aggregator = fit_ratio_histogram(
        [s.probs[biomarker] for s in scored],
        [s.statuses[biomarker] for s in scored],
        b=b,
        t=t,
        C=c,
    )
    print(f"{biomarker} stage 2: {aggregator.to_json()}")
    write(out / f"demo-{biomarker.lower()}", aggregator)


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--models", nargs="+", choices=BIOMARKERS, default=list(BIOMARKERS))
    parser.add_argument("--cache", type=Path, help="folder of drawn slides, outside the repository")
    parser.add_argument("--out", type=Path, default=DEMO_DIR)
    parser.add_argument("--draw-only", action="store_true", help="draw the slides and stop")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    cache = cache_folder(arguments.cache)
    if arguments.draw_only:
        for split in (TRAIN, TUNE, TEST):
            build(split, cache)
        return
    for biomarker in arguments.models:
        train_one(biomarker, cache, arguments.out)


if __name__ == "__main__":
    main()
