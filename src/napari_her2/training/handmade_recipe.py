"""Recipes ``cells-svm`` and ``cells-rf``: the two baselines of Vandenberghe 2017.

C and mtry are tuned by inner 3-fold cross-validation as in the paper; fields of the slides (2000 px
there) stay together in a fold. They learn from the training and tuning items: nothing is stopped
by a tuning figure.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.features import FEATURES
from napari_her2.cells.handmade import Forest, LinearSvm, load_feature_classifier
from napari_her2.cells.handmade_fit import fit_forest, fit_svm, forest_of, svm_of
from napari_her2.errors import CannotTrainError
from napari_her2.models.arrays import write_arrays
from napari_her2.models.installed import InstalledModel
from napari_her2.training.cell_run import table_of
from napari_her2.training.learned import Learned
from napari_her2.training.material import Material, fields
from napari_her2.training.request import TrainRequest
from napari_her2.types import Probs

__all__ = ["learn_handmade"]


def learn_handmade(request: TrainRequest, material: Material) -> Learned:
    """Fit a linear SVM or a random forest on the measured features.

    Raises
    ------
    CannotTrainError
        If the label set holds no measurements, or fewer than three classes for an SVM.
    """
    if material.features is None:
        raise CannotTrainError("no_features", name=material.name)
    rows = np.flatnonzero(np.isin(material.split, ("train", "tune")))
    # What could not be measured counts as average.
    every = material.features.astype(np.float64)
    usual = np.nanmean(every[rows], 0)
    features = np.where(np.isfinite(every), every, usual).astype(np.float32)[rows]
    label, groups = material.label[rows], fields(material, rows)
    model: LinearSvm | Forest
    if request.recipe == "cells-svm":
        if len(material.classes) < 3:
            raise CannotTrainError("svm_classes")
        fitted, chosen = fit_svm(features, label, groups, seed=request.seed)
        model, details = svm_of(fitted), {"C": chosen}
        card = {"architecture": "linear-svm"}
        about: dict[str, Any] = {}
    else:
        trees, mtry = fit_forest(features, label, groups, seed=request.seed)
        model, details = forest_of(trees), {"mtry": mtry, "trees": len(trees.estimators_)}
        card = {"architecture": "random-forest"}
        about = {
            "trees": len(model.tree_size), "nodes": len(model.feature),
            "splits": len(model.threshold), "leaf_kinds": len(model.leaf_share),
        }  # fmt: skip

    def write(path: Path) -> str:
        return write_arrays(path, model.arrays())

    def predict(installed: InstalledModel, some: NDArray[np.intp]) -> Probs:
        classifier = load_feature_classifier(installed)
        return classifier.classify(table_of(material, some))

    return Learned(
        "finished", 0, 0, [],
        {
            **card, "class_names": material.classes, "transform": [],
            "class_roles": {name: i for i, name in enumerate(material.classes)},
            "biomarker": "HER2", "stain": "H-DAB", "selector": {"kind": "cells"},
            "tile_model": {"kind": "cell-features", "features": list(FEATURES), **about},
        },
        write, predict, details={**details, "inner_folds": 3, "rows": len(rows)},
    )  # fmt: skip
