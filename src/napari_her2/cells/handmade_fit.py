"""Fits the two baselines of Vandenberghe 2017 with scikit-learn and takes their numbers out.

Both are tuned by inner 3-fold cross-validation as in the paper: the SVM's C, and the number of
features a tree may choose from at each split (mtry). Folds keep groups (tiles) together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.handmade import Forest, LinearSvm

__all__ = ["COSTS", "TREES", "fit_forest", "fit_svm", "forest_of", "svm_of"]

Floats = NDArray[np.float32]
Labels = NDArray[np.integer[Any]]

COSTS: Final = (0.1, 1.0, 10.0, 100.0)
"""Values of the SVM's C that are tried."""

MTRY: Final = (2, 4, 8)
"""Values of mtry that are tried."""

TREES: Final = 500
_TUNING_TREES: Final = 50
_INNER: Final = 3


def fit_svm(
    features: Floats,
    labels: Labels,
    groups: Labels,
    *,
    costs: Sequence[float] = COSTS,
    seed: int = 0,
) -> tuple[Any, float]:
    """Fit a linear SVM (one class against the rest) on scaled features.

    Parameters
    ----------
    features : ndarray
        Shape (n, features).
    labels : ndarray of int
        Class of each row; every class must occur.
    groups : ndarray of int
        Rows of one group stay in one fold while C is tuned.
    costs : sequence of float
        Values of C to choose from.
    seed : int
        Of the folds.

    Returns
    -------
    (sklearn Pipeline, float)
        Fitted scaler and SVM, and the chosen C.
    """
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import LinearSVC

    def make(cost: float) -> Any:
        return make_pipeline(StandardScaler(), LinearSVC(C=cost, dual=False, random_state=seed))

    best = _tuned(make, costs, features, labels, groups, seed)
    return make(best).fit(features, labels), best


def fit_forest(
    features: Floats,
    labels: Labels,
    groups: Labels,
    *,
    mtry: Sequence[int] = MTRY,
    trees: int = TREES,
    seed: int = 0,
) -> tuple[Any, int]:
    """Fit a random forest whose trees grow until their leaves are pure.

    Parameters
    ----------
    features, labels, groups : ndarray
        As in :func:`fit_svm`.
    mtry : sequence of int
        Numbers of features a split may choose from; tuned with fewer trees, whose number matters
        little for the choice.
    trees : int
        500 in the paper.
    seed : int
        Of trees and folds.

    Returns
    -------
    (sklearn RandomForestClassifier, int)
        The forest and the chosen mtry.
    """
    from sklearn.ensemble import RandomForestClassifier

    def make(tried: int, n: int = _TUNING_TREES) -> Any:
        return RandomForestClassifier(n, max_features=tried, random_state=seed, n_jobs=1)

    possible = [m for m in mtry if m <= features.shape[1]]
    best = _tuned(make, possible, features, labels, groups, seed)
    return make(best, trees).fit(features, labels), best


def _tuned(
    make: Any, values: Sequence[Any], features: Floats, labels: Labels, groups: Labels, seed: int
) -> Any:
    """The value with the best accuracy over three folds; the first of equals."""
    from sklearn.model_selection import StratifiedGroupKFold

    if len(values) == 1:
        return values[0]
    folds = list(
        StratifiedGroupKFold(_INNER, shuffle=True, random_state=seed).split(
            features, labels, groups
        )
    )
    right = []
    for value in values:
        hits = 0
        for train, test in folds:
            fitted = make(value).fit(features[train], labels[train])
            hits += int((fitted.predict(features[test]) == labels[test]).sum())
        right.append(hits)
    return values[int(np.argmax(right))]


def svm_of(pipeline: Any) -> LinearSvm:
    """The numbers of a fitted scaler and SVM with three classes or more."""
    scaler, svm = pipeline[0], pipeline[-1]
    numbers = (svm.coef_, svm.intercept_, scaler.mean_, scaler.scale_)
    return LinearSvm(*(np.asarray(a, np.float64) for a in numbers))


def forest_of(forest: Any) -> Forest:
    """The trees of a fitted forest, each in the order of a walk down its left sides."""
    parts = [_tree(t.tree_) for t in forest.estimators_]
    shares = np.concatenate([p[3] for p in parts])
    kinds, index = np.unique(shares, axis=0, return_inverse=True)
    if len(kinds) > 65_536 or max(len(p[0]) for p in parts) > 65_535:
        msg = "the forest is too large for its file"
        raise ValueError(msg)
    feature = np.concatenate([p[0] for p in parts])
    link = np.concatenate([p[1] for p in parts])
    link[feature == 255] = index.reshape(-1)
    return Forest(
        feature,
        link.astype(np.uint16),
        np.concatenate([p[2] for p in parts]),
        np.array([len(p[0]) for p in parts], np.int32),
        kinds.astype(np.float32),
    )


def _tree(tree: Any) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats, NDArray[np.float64]]:
    """Features, links and thresholds of a tree's nodes, and the shares in its leaves, in order."""
    left, right = tree.children_left, tree.children_right
    order, stack = [], [0]
    while stack:
        node = stack.pop()
        order.append(node)
        if left[node] >= 0:
            stack += [right[node], left[node]]
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    asks = left[order] >= 0
    feature = np.where(asks, tree.feature[order], 255).astype(np.uint8)
    link = np.where(asks, place[right[order]] - place[order], 0)
    exact = np.asarray(tree.threshold[order][asks], np.float64)
    near = exact.astype(np.float32)
    # Features are float32: the largest float32 not above the threshold splits them alike.
    near = np.where(near.astype(np.float64) > exact, np.nextafter(near, np.float32(-np.inf)), near)
    values = tree.value[order, 0][~asks]
    return feature, link, near.astype(np.float32), values / values.sum(1, keepdims=True)
