"""Every figure of a test from its predictions: with intervals, curves, calibration, warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.messages import tr
from napari_her2.scoring.classification import Classification, classification_of_table
from napari_her2.scoring.intervals import MIN_TILES, RESAMPLES
from napari_her2.training.calibration import (
    CalibrationBin,
    brier_score,
    calibration_bins,
    expected_calibration_error,
    negative_log_likelihood,
)
from napari_her2.training.curves import ClassCurves, Curve, curves_of
from napari_her2.training.metrics import Estimate, add_up, estimate, resample

__all__ = ["ClassEvaluation", "Evaluation", "evaluate_predictions"]

ResampledUnit = Literal["group", "item"]

SCHEMA: Final = 1
_CURVES: Final = ("roc", "pr", "mcc_f1")


@dataclass(frozen=True, slots=True)
class ClassEvaluation:
    """Figures of one class against the rest.

    Attributes
    ----------
    name : str
        The class.
    support, predicted : int
        True members; called so.
    precision, recall, f1, auc, average_precision : Estimate
        The value is None where undefined.
    roc, pr, mcc_f1 : Curve or None
        None where the test holds no member, or nothing but members.
    """

    name: str
    support: int
    predicted: int
    precision: Estimate
    recall: Estimate
    f1: Estimate
    auc: Estimate
    average_precision: Estimate
    roc: Curve | None = None
    pr: Curve | None = None
    mcc_f1: Curve | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of one test, each under its own name.

    Attributes
    ----------
    n, n_groups : int
        Cells or tiles; slides (0 where they are not known).
    resampled : {"group", "item"}
        What the bootstrap drew. Items of a slide look alike, so drawing single items makes
        intervals too narrow: slides are drawn wherever there are five or more.
    n_boot : int
        Resamples.
    classes : tuple of ClassEvaluation
        In the order of the probabilities' columns.
    confusion : ndarray, shape (k, k)
        Rows the truth, columns the class called.
    accuracy, balanced_accuracy, f1_macro, auc_macro, ece, brier, log_loss : Estimate
        See :mod:`napari_her2.scoring.classification`; macro figures are means over the classes
        that have members. ``ece``: 15 bins of the largest probability.
    precision_weighted, recall_weighted, f1_weighted, precision_macro, recall_macro : float
        As P3 and P5 print them.
    calibration : tuple of CalibrationBin
        For the calibration plot.
    warnings : tuple of str
        Sentences.
    """

    n: int
    n_groups: int
    resampled: ResampledUnit
    n_boot: int
    classes: tuple[ClassEvaluation, ...]
    confusion: NDArray[np.int64]
    accuracy: Estimate
    balanced_accuracy: Estimate
    f1_macro: Estimate
    auc_macro: Estimate
    ece: Estimate
    brier: Estimate
    log_loss: Estimate
    precision_weighted: float
    recall_weighted: float
    f1_weighted: float
    precision_macro: float
    recall_macro: float
    calibration: tuple[CalibrationBin, ...]
    warnings: tuple[str, ...]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names in order."""
        return tuple(c.name for c in self.classes)

    def metrics(self) -> dict[str, Estimate]:
        """All figures by name, those of a class as ``<figure> <class>``."""
        found = {name: getattr(self, name) for name in POOLED}
        found |= {name: Estimate(getattr(self, name)) for name in _WITHOUT_INTERVAL}
        for c in self.classes:
            found |= {f"{name} {c.name}": getattr(c, name) for name in OF_A_CLASS}
        return found

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_json` gives an equal object back."""
        return {
            "schema": SCHEMA,
            "n": self.n,
            "n_groups": self.n_groups,
            "resampled": self.resampled,
            "n_boot": self.n_boot,
            "metrics": {name: value.to_json() for name, value in self.metrics().items()},
            "confusion": self.confusion.tolist(),
            "classes": [_class_to_json(c) for c in self.classes],
            "calibration": [b.to_json() for b in self.calibration],
            "warnings": list(self.warnings),
        }

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Evaluation:
        """Read what :meth:`to_json` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        metrics = document["metrics"]
        figures = {name: Estimate.from_json(value) for name, value in metrics.items()}
        return cls(
            n=int(document["n"]),
            n_groups=int(document["n_groups"]),
            resampled=document["resampled"],
            n_boot=int(document["n_boot"]),
            classes=tuple(_class_from_json(c, figures) for c in document["classes"]),
            confusion=np.asarray(document["confusion"], np.int64),
            calibration=tuple(CalibrationBin(**b) for b in document["calibration"]),
            warnings=tuple(document["warnings"]),
            **_pooled(figures),
            **_plain(metrics),
        )


POOLED: Final = (
    "accuracy", "balanced_accuracy", "f1_macro", "auc_macro", "ece", "brier", "log_loss",
)  # fmt: skip
"""Figures of all classes together that have an interval."""

OF_A_CLASS: Final = ("precision", "recall", "f1", "auc", "average_precision")
"""Figures of each class."""

_WITHOUT_INTERVAL: Final = (
    "precision_weighted", "recall_weighted", "f1_weighted", "precision_macro", "recall_macro",
)  # fmt: skip


def _pooled(figures: dict[str, Estimate]) -> dict[str, Any]:
    return {name: figures[name] for name in POOLED}


def _plain(metrics: dict[str, Any]) -> dict[str, Any]:
    return {name: float(metrics[name]["value"]) for name in _WITHOUT_INTERVAL}


def _class_to_json(c: ClassEvaluation) -> dict[str, Any]:
    curves = {name: getattr(c, name) for name in _CURVES}
    return {
        "name": c.name, "support": c.support, "predicted": c.predicted,
        **{name: None if curve is None else curve.to_json() for name, curve in curves.items()},
    }  # fmt: skip


def _class_from_json(c: dict[str, Any], figures: dict[str, Estimate]) -> ClassEvaluation:
    name = str(c["name"])
    of_it: dict[str, Any] = {figure: figures[f"{figure} {name}"] for figure in OF_A_CLASS}
    for curve in _CURVES:
        of_it[curve] = None if c[curve] is None else Curve.from_json(c[curve])
    return ClassEvaluation(name, int(c["support"]), int(c["predicted"]), **of_it)


def evaluate_predictions(
    truth: ArrayLike,
    probs: ArrayLike,
    classes: Sequence[str],
    groups: ArrayLike | None = None,
    *,
    n_boot: int = RESAMPLES,
    seed: int = 0,
) -> Evaluation:
    """Work out every figure of a test.

    Parameters
    ----------
    truth : array_like of int, shape (n,)
        Index of the true class.
    probs : array_like, shape (n, k)
        Probabilities; the class called is the largest.
    classes : sequence of str
        Names of the k classes.
    groups : array_like of str, shape (n,), optional
        Slide of each row.
    n_boot, seed : int
        Resamples (P1: 1000 with replacement) and the seed of their drawing.

    Raises
    ------
    CannotTrainError
        If there is nothing to test on, or a probability is no number.
    ValueError
        If lengths or indices do not fit.
    """
    true, p = np.asarray(truth, np.intp), np.asarray(probs, np.float64)
    n, k = len(true), len(classes)
    if p.shape != (n, k) or (n and not 0 <= int(true.min()) <= int(true.max()) < k):
        msg = f"probabilities {p.shape} for {n} answers of {k} classes"
        raise ValueError(msg)
    if n == 0:
        raise CannotTrainError("nothing_to_test")
    if not np.isfinite(p).all():
        raise CannotTrainError("bad_probabilities", n=int((~np.isfinite(p)).any(axis=1).sum()))
    units, n_groups = _units(groups, n)
    by_group = n_groups >= MIN_TILES
    drawn = resample(add_up(true, p, units if by_group else None), n_boot, seed)
    count = n_groups if by_group else n
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (true, p.argmax(axis=1)), 1)
    figures = classification_of_table(confusion, classes)
    curves = [curves_of(true == c, p[:, c]) for c in range(k)]
    areas = [c.auc for c in curves if c is not None]

    def round_it(value: float | None, resampled: NDArray[np.float64]) -> Estimate:
        return estimate(value, resampled, count)

    return Evaluation(
        n=n,
        n_groups=n_groups,
        resampled="group" if by_group else "item",
        n_boot=n_boot,
        classes=tuple(_one_class(i, figures, curves[i], drawn, round_it) for i in range(k)),
        confusion=confusion,
        accuracy=round_it(figures.accuracy, drawn.accuracy),
        balanced_accuracy=round_it(figures.balanced_accuracy, drawn.balanced_accuracy),
        f1_macro=round_it(figures.f1_macro, drawn.f1_macro),
        auc_macro=round_it(float(np.mean(areas)) if areas else None, drawn.auc_macro),
        ece=round_it(expected_calibration_error(true, p), drawn.ece),
        brier=round_it(brier_score(true, p), drawn.brier),
        log_loss=round_it(negative_log_likelihood(true, p), drawn.log_loss),
        calibration=calibration_bins(true, p),
        warnings=figures.warnings + _of_groups(n_groups),
        **{name: getattr(figures, name) for name in _WITHOUT_INTERVAL},
    )


def _one_class(
    i: int, figures: Classification, curves: ClassCurves | None, drawn: Any, round_it: Any
) -> ClassEvaluation:
    c = figures.classes[i]
    return ClassEvaluation(
        c.name, c.support, c.predicted,
        round_it(c.precision, drawn.precision[:, i]),
        round_it(c.recall, drawn.recall[:, i]),
        round_it(c.f1, drawn.f1[:, i]),
        round_it(None if curves is None else curves.auc, drawn.auc[:, i]),
        round_it(None if curves is None else curves.average_precision,
                 drawn.average_precision[:, i]),
        *((None, None, None) if curves is None else (curves.roc, curves.pr, curves.mcc_f1)),
    )  # fmt: skip


def _units(groups: ArrayLike | None, n: int) -> tuple[NDArray[np.intp] | None, int]:
    if groups is None:
        return None, 0
    names = np.asarray(groups).astype(str)
    if names.shape != (n,):
        msg = f"{names.shape} groups for {n} answers"
        raise ValueError(msg)
    different, units = np.unique(names, return_inverse=True)
    return units.astype(np.intp), len(different)


def _of_groups(n_groups: int) -> tuple[str, ...]:
    if n_groups >= MIN_TILES:
        return ()
    if n_groups == 0:
        return (tr("intervals_by_item"),)
    if n_groups == 1:
        return (tr("one_test_slide"),)
    return (tr("intervals_few_slides", n=n_groups),)
