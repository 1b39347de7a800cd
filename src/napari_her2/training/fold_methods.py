"""What a cross-validation learns anew in each fold: the two baselines of P2 on measured cells."""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.training.cross_validation import FitPredict
from napari_her2.training.label_set import LabelSet

__all__ = ["FOLD_METHODS", "FoldMethod", "fold_method"]

FoldMethod = Literal["cells-svm", "cells-rf"]

FOLD_METHODS: Final[tuple[FoldMethod, ...]] = get_args(FoldMethod)

TREES: Final = 500
"""Of the forest, as in P2."""


def fold_method(
    name: FoldMethod, labels: LabelSet, groups: NDArray[np.str_], *, seed: int = 0,
) -> FitPredict:  # fmt: skip
    """A method that learns from some rows of a label set and answers others.

    Parameters
    ----------
    name : {"cells-svm", "cells-rf"}
        Linear SVM (C tuned) or random forest (500 trees, mtry tuned) on the 18 features, as in P2.
    labels : LabelSet
        Of cells.
    groups : ndarray of str, shape (n,)
        Kept together while C or mtry are tuned inside the fold.
    seed : int
        Of trees and inner folds.

    Raises
    ------
    CannotTrainError
        If the set holds no cells.
    """
    from napari_her2.cells.handmade_fit import fit_forest, fit_svm, forest_of, svm_of

    if labels.kind != "cells":
        raise CannotTrainError("other_kind", model=name, made_for="cells", given=labels.kind)
    features = np.nan_to_num(labels.features())
    truth = labels.labels
    _, units = np.unique(groups, return_inverse=True)

    def learn(train: NDArray[np.intp], test: NDArray[np.intp]) -> NDArray[np.float64]:
        present, local = np.unique(truth[train], return_inverse=True)
        if len(present) < 3:
            missing = next(c for i, c in enumerate(labels.classes) if i not in present)
            raise CannotTrainError("no_examples", name=missing)
        x, g = features[train], units[train]
        if name == "cells-svm":
            given = svm_of(fit_svm(x, local, g, seed=seed)[0]).probabilities(features[test])
        else:
            fitted = fit_forest(x, local, g, trees=TREES, seed=seed)[0]
            given = forest_of(fitted).probabilities(features[test])
        # A class that the other folds hold alone gets no probability here.
        probs = np.zeros((len(test), len(labels.classes)))
        probs[:, present] = given
        return probs

    return learn
