"""Classifies cells by what was measured of them: linear SVM and random forest.

The two baselines of Vandenberghe 2017: a linear support vector machine and a random forest of 500
trees grown until each leaf is pure, on 18 hand-made features. They are trained with scikit-learn
and kept as plain arrays; what predicts is our own code, equal to scikit-learn to 1e-6.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.protocols import CropChannels, Crops
from napari_her2.cells.table import CellTable
from napari_her2.errors import BadModelError
from napari_her2.models.architectures import WHOLE_NUMBERS, expected_shapes
from napari_her2.models.arrays import read_arrays
from napari_her2.types import ModelStatus, Probs

if TYPE_CHECKING:
    from napari_her2.models.card import ModelCard
    from napari_her2.models.installed import InstalledModel

__all__ = ["FeatureClassifier", "Forest", "LinearSvm", "load_feature_classifier"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

_LEAF: Final = 255
_CELLS_AT_ONCE: Final = 1024


@dataclass(frozen=True)
class LinearSvm:
    """One hyperplane for each class against the rest, on scaled features.

    Attributes
    ----------
    coefficients : ndarray
        Shape (classes, features).
    intercepts : ndarray
        Shape (classes,).
    mean, scale : ndarray
        Shape (features,): features are taken as (value - mean) / scale.
    """

    coefficients: Doubles
    intercepts: Doubles
    mean: Doubles
    scale: Doubles

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> LinearSvm:
        """Made of the arrays of a model file; raises ValueError for a scale that is none."""
        names = ("coefficients", "intercepts", "mean", "scale")
        made = cls(*(np.asarray(arrays[n], np.float64) for n in names))
        if not (made.scale > 0).all():
            msg = "its scale is not positive"
            raise ValueError(msg)
        return made

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a model file holds."""
        return {
            "coefficients": self.coefficients, "intercepts": self.intercepts,
            "mean": self.mean, "scale": self.scale,
        }  # fmt: skip

    def decision(self, features: Floats) -> Doubles:
        """Signed distance to each hyperplane, shape (n, classes)."""
        scaled = (np.asarray(features, np.float64) - self.mean) / self.scale
        return np.asarray(scaled @ self.coefficients.T + self.intercepts)

    def probabilities(self, features: Floats) -> Doubles:
        """Softmax of the distances: ranks classes, and is no calibrated probability."""
        distance = self.decision(features)
        power = np.exp(distance - distance.max(1, keepdims=True, initial=-np.inf))
        return np.asarray(power / power.sum(1, keepdims=True))


class Forest:
    """Decision trees laid out one after another, each in the order of a walk down its left sides.

    The left child of a node follows it directly; ``link`` says how far down the right child is.

    Parameters
    ----------
    feature : ndarray of uint8
        Of each node the feature it asks; 255 for a leaf.
    link : ndarray of uint16
        Of a question the distance to its right child, of a leaf its row in ``leaf_share``.
    threshold : ndarray of float32
        Of each question: cells at or below it go left.
    tree_size : ndarray of int32
        Nodes of each tree.
    leaf_share : ndarray of float32
        Shape (kinds of leaves, classes), rows sum to 1.

    Raises
    ------
    ValueError
        If these are no trees.
    """

    def __init__(
        self,
        feature: NDArray[np.uint8],
        link: NDArray[np.uint16],
        threshold: Floats,
        tree_size: NDArray[np.int32],
        leaf_share: Floats,
    ) -> None:
        asks = feature != _LEAF
        node = np.arange(len(feature))
        wide = link.astype(np.int64)
        first = np.cumsum(tree_size, dtype=np.int64) - tree_size
        if int(tree_size.min()) < 1 or int(tree_size.sum()) != len(feature):
            msg = "its trees do not add up"
            raise ValueError(msg)
        ends = np.repeat(first + tree_size, tree_size)
        # Both children lie further on in the same tree, so every walk ends.
        inside = (wide[asks] >= 2).all() and ((node + wide)[asks] < ends[asks]).all()
        leaves = (wide[~asks] < len(leaf_share)).all()
        if not (inside and leaves) or int(asks.sum()) != len(threshold):
            msg = "its trees lead nowhere"
            raise ValueError(msg)
        self.feature, self.link, self.threshold = feature, link, threshold
        self.tree_size, self.leaf_share = tree_size, leaf_share
        self._first = first
        self._limit = np.zeros(len(node), np.float32)
        self._limit[asks] = threshold
        self._asked = np.where(asks, feature, 0).astype(np.intp)
        self._right = node + wide

    @property
    def n_features(self) -> int:
        """Features that a row must have at least."""
        return int(self._asked.max(initial=0)) + 1

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Forest:
        """Made of the arrays of a model file; raises ValueError if they are no trees."""
        return cls(
            np.asarray(arrays["feature"], np.uint8),
            np.asarray(arrays["link"], np.uint16),
            np.asarray(arrays["threshold"], np.float32),
            np.asarray(arrays["tree_size"], np.int32),
            np.asarray(arrays["leaf_share"], np.float32),
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What a model file holds."""
        return {
            "feature": self.feature, "link": self.link, "threshold": self.threshold,
            "tree_size": self.tree_size, "leaf_share": self.leaf_share,
        }  # fmt: skip

    def probabilities(self, features: Floats) -> Doubles:
        """Mean over the trees of the shares in the leaf a cell falls into, shape (n, classes)."""
        x = np.asarray(features, np.float32)
        out = np.empty((len(x), self.leaf_share.shape[1]))
        for start in range(0, len(x), _CELLS_AT_ONCE):
            out[start : start + _CELLS_AT_ONCE] = self._walk(x[start : start + _CELLS_AT_ONCE])
        return out

    def _walk(self, x: Floats) -> Doubles:
        n, trees = len(x), len(self.tree_size)
        node = np.tile(self._first, n)
        row = np.repeat(np.arange(n), trees)
        going = np.flatnonzero(self.feature[node] != _LEAF)
        while len(going):
            here = node[going]
            low = x[row[going], self._asked[here]] <= self._limit[here]
            there = np.where(low, here + 1, self._right[here])
            node[going] = there
            going = going[self.feature[there] != _LEAF]
        kinds = self.link[node].reshape(n, trees)
        total = np.zeros((n, self.leaf_share.shape[1]))
        for tree in range(trees):
            total += self.leaf_share[kinds[:, tree]]
        return total / trees


class FeatureClassifier:
    """Classifies by measured features; see :class:`~napari_her2.cells.protocols.CellClassifier`.

    Parameters
    ----------
    card : ModelCard
        What it is; ``tile_model["features"]`` names the features in order.
    model : LinearSvm or Forest
        What predicts.
    digest : str
        Of card and arrays.
    measure : callable, optional
        Table to features, shape (n, features) float32, in the order of the card; by default
        :func:`napari_her2.cells.features.feature_matrix`.
    """

    needs_crops = False

    def __init__(
        self,
        card: ModelCard,
        model: LinearSvm | Forest,
        digest: str = "",
        measure: Callable[[CellTable], Floats] | None = None,
    ) -> None:
        self.card = card
        self.model = model
        self._digest = digest
        self._measure = measure or _features

    @property
    def id(self) -> str:
        """Name it is asked for by."""
        return self.card.id

    @property
    def name(self) -> str:
        """Name for people."""
        return self.card.name

    @property
    def version(self) -> str:
        """As on the card."""
        return self.card.version

    @property
    def status(self) -> ModelStatus | None:
        """Status of the card."""
        return self.card.status

    @property
    def classes(self) -> tuple[str, ...]:
        """Columns of the result."""
        return self.card.class_names

    @property
    def channels(self) -> CropChannels | None:
        """No crops."""
        return None

    @property
    def crop_px(self) -> int | None:
        """No crops."""
        return None

    @property
    def crop_mpp(self) -> float | None:
        """No crops."""
        return None

    @property
    def digest(self) -> str:
        """Changes with card and arrays."""
        return self._digest

    def classify(self, table: CellTable, crops: Crops | None = None) -> Probs:
        """Classify cells by their columns; crops are not looked at."""
        del crops
        if not len(table):
            return np.zeros((0, len(self.classes)), np.float32)
        return np.asarray(self.model.probabilities(self._measure(table)), np.float32)


def _features(table: CellTable) -> Floats:
    from napari_her2.cells.features import feature_matrix

    return feature_matrix(table)


def load_feature_classifier(model: InstalledModel) -> FeatureClassifier:
    """Load an installed SVM or random forest; its files are checked against the card first.

    Raises
    ------
    ModelIntegrityError, BadModelError
        If a file does not match the card, or the card's features are not the ones we measure.
    """
    from napari_her2.cells.features import FEATURES

    card = model.card
    if tuple(card.tile_model.get("features", ())) != tuple(FEATURES):
        reason = "it was trained on other features than this program measures"
        raise BadModelError("bad_weights", model=card.id, reason=reason)
    forest = card.architecture == "random-forest"
    arrays = read_arrays(
        model.weights_path,
        expected_shapes(card),
        sha256=card.weights_sha256,
        model=card.id,
        whole=WHOLE_NUMBERS if forest else frozenset(),
    )
    try:
        kind = Forest.from_arrays(arrays) if forest else LinearSvm.from_arrays(arrays)
        if isinstance(kind, Forest) and kind.n_features > len(FEATURES):
            msg = "its trees ask features that there are not"
            raise ValueError(msg)
    except ValueError as e:
        raise BadModelError("bad_weights", model=card.id, reason=str(e)) from None
    return FeatureClassifier(card, kind, model.digest)
