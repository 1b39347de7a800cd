"""Recipe ``cells-convnet``: from labelled cells to the network of Vandenberghe 2017."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.convnet import load_network_classifier
from napari_her2.cells.features import FEATURES
from napari_her2.cells.table import CellTable
from napari_her2.models.installed import InstalledModel
from napari_her2.models.weights import write_weights
from napari_her2.training.augment import GEOMETRY, IHC_FULL, NOTHING, Augmentation
from napari_her2.training.cell_task import PAPER, QUICK, CellTask
from napari_her2.training.hardware import Hardware
from napari_her2.training.initialise import cell_start
from napari_her2.training.learned import Learned
from napari_her2.training.loop import Limits, fit
from napari_her2.training.material import Material
from napari_her2.training.request import TrainRequest
from napari_her2.training.watch import Watcher
from napari_her2.types import Probs

__all__ = ["cell_task", "learn_cells", "table_of"]


def cell_task(request: TrainRequest, material: Material) -> CellTask:
    """The task that a request means."""
    paper = request.mode == "paper"
    recipe = PAPER if paper else QUICK
    if request.epochs:
        recipe = replace(recipe, epochs=request.epochs, steps=0)
    kinds: dict[str, Augmentation] = {
        # The paper states no augmentation.
        "auto": NOTHING if paper else IHC_FULL,
        "none": NOTHING,
        "geometry": GEOMETRY,
        "full": IHC_FULL,
    }
    return CellTask(
        material, recipe, request.seed, kinds[request.augment],
        balance=request.balance is not False, membrane=request.membrane, start=cell_start(request),
    )  # fmt: skip


def learn_cells(
    request: TrainRequest, material: Material, folder: Path, hardware: Hardware, watcher: Watcher
) -> Learned:
    """Train the network; see :func:`napari_her2.training.loop.fit`."""
    task = cell_task(request, material)
    limits = Limits(task.patience, request.max_seconds, request.checkpoint_seconds)
    course = fit(task, folder, hardware, limits, watcher)

    def write(path: Path) -> str:
        return write_weights(path, course.weights)

    return Learned(
        course.ending, course.epochs, course.best_epoch, course.history,
        {**task.card_parts(), **CELL_CARD}, write, predictor(material),
        details={"parameters": sum(p.numel() for p in task.network.parameters()),
                 "mode": request.mode, "batch": task.recipe.batch, "rate": task.recipe.rate},
    )  # fmt: skip


CELL_CARD = {
    "biomarker": "HER2",
    "stain": "H-DAB",
    "selector": {"kind": "cells"},
    "class_roles": {name: i for i, name in enumerate(CELL_CLASSES)},
}


def predictor(
    material: Material,
) -> Callable[[InstalledModel, NDArray[np.intp]], Probs]:
    """Classifies rows of the material with the program's own loader."""

    def predict(model: InstalledModel, rows: NDArray[np.intp]) -> Probs:
        classifier = load_network_classifier(model, "torch")
        parts = [
            classifier.classify(table_of(material, some), material.pixels(some))
            for some in np.array_split(rows, max(1, len(rows) // 2048))
        ]
        return np.concatenate(parts)

    return predict


def table_of(material: Material, rows: NDArray[np.intp]) -> CellTable:
    """The measured columns that classifiers take."""
    columns = {"x_px": material.x_px[rows], "y_px": material.y_px[rows]}
    if material.features is not None:
        columns |= {n: material.features[rows, k] for k, n in enumerate(FEATURES)}
    return CellTable(columns)
