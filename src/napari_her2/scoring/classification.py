"""How right predicted classes are: each figure under its own name, never one "accuracy".

Papers mix them: P3's headline "accuracy" is balanced accuracy, its ablations print the plain one,
and precision, recall and F1 of P3 and P5 are weighted by support.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.messages import tr

__all__ = ["ClassFigures", "Classification", "binary_table", "classification_of_table"]


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Figures of one class.

    Attributes
    ----------
    name : str
        The class.
    support : int
        True members.
    predicted : int
        Called so.
    precision, recall, f1 : float or None
        None where undefined: precision if none was called so, recall and F1 without a true member.
    """

    name: str
    support: int
    predicted: int
    precision: float | None
    recall: float | None
    f1: float | None


@dataclass(frozen=True, slots=True)
class Classification:
    """Figures of a table of predictions.

    Attributes
    ----------
    n : int
        Cases.
    accuracy : float
        Share of right answers: common classes decide it.
    balanced_accuracy : float
        Mean recall of the classes that have true members.
    precision_weighted, recall_weighted, f1_weighted : float
        Means weighted by support; a class that is never called has precision 0. Weighted recall is
        the same number as accuracy.
    precision_macro, recall_macro, f1_macro : float
        Plain means over the classes that have true members.
    classes : tuple of ClassFigures
        One by one.
    warnings : tuple of str
        One sentence for each class without a true member.
    """

    n: int
    accuracy: float
    balanced_accuracy: float
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float
    precision_macro: float
    recall_macro: float
    f1_macro: float
    classes: tuple[ClassFigures, ...]
    warnings: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "n": self.n,
            "accuracy": self.accuracy,
            "balanced_accuracy": self.balanced_accuracy,
            "precision_weighted": self.precision_weighted,
            "recall_weighted": self.recall_weighted,
            "f1_weighted": self.f1_weighted,
            "precision_macro": self.precision_macro,
            "recall_macro": self.recall_macro,
            "f1_macro": self.f1_macro,
            "classes": {
                c.name: {
                    "support": c.support,
                    "predicted": c.predicted,
                    "precision": c.precision,
                    "recall": c.recall,
                    "f1": c.f1,
                }
                for c in self.classes
            },
            "warnings": list(self.warnings),
        }


def binary_table(tp: int, fn: int, fp: int, tn: int) -> NDArray[np.int64]:
    """Table of two classes, negative first: rows truth, columns prediction."""
    return np.array([[tn, fp], [fn, tp]], np.int64)


def classification_of_table(table: ArrayLike, labels: Sequence[str]) -> Classification:
    """Work out every figure from counts.

    Parameters
    ----------
    table : array_like, shape (k, k)
        Rows the truth, columns the prediction.
    labels : sequence of str
        Names of the classes.

    Raises
    ------
    ValueError
        If the shape does not fit, or there is no case.
    """
    m = np.asarray(table, np.float64)
    if m.shape != (len(labels), len(labels)) or m.sum() == 0:
        msg = f"table {m.shape} of {m.sum():g} cases for {len(labels)} labels"
        raise ValueError(msg)
    hits, support, predicted = m.diagonal(), m.sum(axis=1), m.sum(axis=0)
    precision = _divide(hits, predicted)
    recall = _divide(hits, support)
    # F1 without precision and recall: 2 hits of everything that is, or is called, this class.
    f1 = _divide(2 * hits, support + predicted)
    held = support > 0
    weight = support / support.sum()

    def weighted(values: NDArray[np.float64]) -> float:
        return float((weight * np.nan_to_num(values)).sum())

    def macro(values: NDArray[np.float64]) -> float:
        return float(np.nan_to_num(values[held]).mean())

    def known(value: float, defined: bool) -> float | None:
        return float(value) if defined else None

    classes = tuple(
        ClassFigures(
            name, int(support[i]), int(predicted[i]), known(precision[i], predicted[i] > 0),
            known(recall[i], bool(held[i])), known(f1[i], bool(held[i])),
        )
        for i, name in enumerate(labels)
    )  # fmt: skip
    return Classification(
        int(m.sum()), float(hits.sum() / m.sum()), macro(recall), weighted(precision),
        weighted(recall), weighted(f1), macro(precision), macro(recall), macro(f1), classes,
        tuple(tr("zero_support", name=c.name) for c in classes if c.support == 0),
    )  # fmt: skip


def _divide(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(a / b)
