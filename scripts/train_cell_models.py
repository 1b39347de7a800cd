"""Trains the demo classifiers of cells on synthetic HER2 slides; compares them as the paper did.

    python scripts/train_cell_models.py train        the three demo models
    python scripts/train_cell_models.py evaluate     measures them on slides kept back, fills cards
    python scripts/train_cell_models.py compare      10 folds of whole tiles: network, SVM, forest
    python scripts/train_cell_models.py page         writes the figures into docs/cell_models.md

Cells are drawn and found once into a cache outside the repository. About 3 minutes of one core for
them, 4 to train, 15 for the comparison. Seeds fix slides, cells, folds and their order; the
networks are trained in bfloat16, so their weights also depend on processor and torch version.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cell_training import compare, export, figures, page
from cell_training.learn import Recipe, train
from cell_training.pool import (
    OTHER_SIZES,
    PAPER,
    TEST,
    TRAIN,
    Cells,
    Found,
    Split,
    balanced,
    cache_folder,
    load,
)

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.classifiers import load_classifier
from napari_her2.cells.features import FEATURES
from napari_her2.cells.handmade_fit import fit_forest, fit_svm, forest_of, svm_of
from napari_her2.cells.table import CellTable
from napari_her2.models.registry import DEMO_DIR, Registry
from napari_her2.provenance import now
from napari_her2.synthetic.ihc import GENERATOR

REPO = Path(__file__).resolve().parents[1]
RESULTS = REPO / "docs" / "cell_models.json"
SEED = 7
PER_CLASS_NETWORK = 4000
SIZES = (0.25, 0.33, 0.46, 0.49, 0.5)
"""Micrometres per level-0 pixel that the models are tried on."""
NETWORK_RECIPE = Recipe(epochs=8, augment=True)


def training_text(split: Split, cells: Cells, what: str) -> str:
    """What a card says about the material."""
    return (
        f"Synthetic HER2 IHC of napari_her2.synthetic, generator {GENERATOR}: {len(cells)} cells "
        f"found by the program on {sum(split.tiles)} tiles of {len(split.tiles)} slides, seeds "
        f"{split.seeds[0]}-{split.seeds[-1]}. {what} Held out: seeds {TEST.seeds[0]}-"
        f"{TEST.seeds[-1]}. No real tissue."
    )


def train_network(cache: Path, out: Path) -> None:
    """Train and write the network, without figures."""
    every, _ = load(TRAIN, cache)
    cells = balanced(every, PER_CLASS_NETWORK, SEED)
    network = train(cells, NETWORK_RECIPE, SEED)
    text = training_text(
        TRAIN, cells, f"{NETWORK_RECIPE.epochs} epochs, turned, mirrored, stain varied."
    )
    export.write_network(out / "demo-her2-cells", network, text)


def train_handmade(cache: Path, out: Path) -> None:
    """Fit and write SVM and forest, without figures."""
    every, _ = load(PAPER, cache)
    cells = balanced(every, compare.PER_CLASS, SEED)
    fitted, cost = fit_svm(cells.features, cells.label, cells.tile, seed=SEED)
    text = training_text(PAPER, cells, f"C = {cost:g}, tuned by 3 folds of tiles.")
    export.write_svm(out / "demo-her2-cells-svm", svm_of(fitted), text)
    trees, mtry = fit_forest(cells.features, cells.label, cells.tile, seed=SEED)
    text = training_text(PAPER, cells, f"500 trees grown pure, mtry {mtry} tuned by 3 folds.")
    export.write_forest(out / "demo-her2-cells-rf", forest_of(trees), text)


def evaluate(cache: Path, out: Path) -> None:
    """Measure the written models on slides kept back; fill their cards and the document."""
    cells, met = load(TEST, cache)
    n, table = len(cells), as_table(cells)
    by_class = np.bincount(cells.label, minlength=len(CELL_CLASSES)).tolist()
    counts = [*by_class, n, n]
    registry = Registry(demo_dir=out)
    document: dict[str, Any] = {
        "slides": len(TEST.tiles), "tiles": sum(TEST.tiles), "cells": n,
        "seeds": [TEST.seeds[0], TEST.seeds[-1]],
        "cells_by_class": dict(zip(CELL_CLASSES, by_class, strict=True)),
        "detection": detection(met), "models": {},
    }  # fmt: skip
    said = {name: load_classifier(name, runtime="torch", registry=registry).classify(
        table, cells.crops).argmax(1) for name in export.TITLES}  # fmt: skip
    for name, labels in {**said, "membrane": cells.membrane}.items():
        values = figures.scores(cells.label, labels)
        ci = figures.interval(cells.label, labels, cells.tile)
        document["models"][name] = {
            "f1": figures.as_dict(values), "low": figures.as_dict(ci[0]),
            "high": figures.as_dict(ci[1]),
            "confusion": figures.confusion(cells.label, labels).tolist(),
        }  # fmt: skip
        if name in export.TITLES:
            export.put_figures(out / name, values, ci, figures.COLUMNS, counts, now()[:10])
        print(name, document["models"][name]["f1"])
    document["pixel_sizes"] = pixel_sizes(cache, registry)
    write_results({"held_out": document})


def as_table(cells: Cells) -> CellTable:
    """The measured columns that classifiers take."""
    columns = {name: cells.features[:, k] for k, name in enumerate(FEATURES)}
    nowhere = np.zeros(len(cells))
    return CellTable({"x_px": nowhere, "y_px": nowhere, **columns})


def pixel_sizes(cache: Path, registry: Registry) -> list[dict[str, Any]]:
    """Macro F1 of the models on the same slides drawn at other pixel sizes."""
    out = []
    for mpp in SIZES:
        cells, _ = load(OTHER_SIZES, cache, mpp)
        row: dict[str, Any] = {"mpp": mpp, "cells": len(cells), "macro_f1": {}}
        for name in export.TITLES:
            classifier = load_classifier(name, runtime="torch", registry=registry)
            said = classifier.classify(as_table(cells), cells.crops).argmax(1)
            row["macro_f1"][name] = figures.as_dict(figures.scores(cells.label, said))["macro F1"]
        out.append(row)
        print(row)
    return out


def detection(met: list[Found]) -> dict[str, Any]:
    """How many true cells were found, over some slides."""
    true, paired = (
        np.sum([getattr(m, k) for m in met], axis=0) for k in ("true_by_class", "paired_by_class")
    )
    share = paired / np.maximum(true, 1)
    return {
        "found": sum(m.found for m in met), "true": sum(m.true for m in met),
        "paired": sum(m.paired for m in met),
        "share_found": {c: round(float(v), 4) for c, v in zip(CELL_CLASSES, share, strict=True)},
    }  # fmt: skip


def compare_all(cache: Path, grouping: compare.Grouping, models: tuple[str, ...]) -> None:
    """The paper's comparison."""
    every, _ = load(PAPER, cache)
    cells = balanced(every, compare.PER_CLASS, compare.SEED)
    write_results({f"by_{grouping}": compare.run(cells, cache, grouping, models)})


def write_results(part: dict[str, Any]) -> None:
    """Add a part to the document of figures."""
    old = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    text = json.dumps({**old, **part}, indent=1, ensure_ascii=False, sort_keys=True)
    RESULTS.write_text(text + "\n", encoding="utf-8")


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("task", choices=("draw", "train", "evaluate", "compare", "page"))
    parser.add_argument("--cache", type=Path, help="folder of found cells, outside the repository")
    parser.add_argument("--out", type=Path, default=DEMO_DIR)
    parser.add_argument("--group", choices=("tile", "slide"), default="tile")
    parser.add_argument("--only", choices=("network", "handmade"), help="train: one kind")
    parser.add_argument("--models", nargs="+", choices=compare.MODELS, default=compare.MODELS)
    parser.add_argument("--check", action="store_true", help="page: change nothing; 1 if stale")
    arguments = parser.parse_args()
    if arguments.task == "page":
        return page.write(RESULTS, arguments.check)
    torch.set_num_threads(1)
    cache = cache_folder(arguments.cache)
    if arguments.task == "draw":
        for split in (PAPER, TRAIN, TEST):
            load(split, cache)
    elif arguments.task == "train":
        if arguments.only != "handmade":
            train_network(cache, arguments.out)
        if arguments.only != "network":
            train_handmade(cache, arguments.out)
    elif arguments.task == "evaluate":
        evaluate(cache, arguments.out)
    else:
        compare_all(cache, arguments.group, tuple(arguments.models))
    return 0


if __name__ == "__main__":
    sys.exit(main())
