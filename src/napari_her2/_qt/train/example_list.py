"""Lists of labelled examples to look at: the worst, those of a cell of the matrix, the odd ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from napari_her2._qt import numbers
from napari_her2._qt.texts import ui
from napari_her2.training.predictions import Predictions

__all__ = ["LIMIT", "Example", "ExampleList", "examples_of_cell", "odd_examples", "worst_examples"]

LIMIT: Final = 18
"""As many as the gallery shows."""


@dataclass(frozen=True, slots=True)
class Example:
    """One labelled cell or tile.

    Attributes
    ----------
    row : int
        Row of the label set; -1 where it is not known.
    slide : str
        Id of its slide.
    x_px, y_px : float
        Its centre, level-0 pixels; NaN where it is not known.
    truth : str
        Its label.
    called : str
        What the model called it; empty where none was asked.
    probability : float
        Of that class.
    """

    row: int
    slide: str
    x_px: float
    y_px: float
    truth: str
    called: str = ""
    probability: float = float("nan")

    @property
    def has_place(self) -> bool:
        """Whether it can be flown to."""
        return bool(np.isfinite(self.x_px) and np.isfinite(self.y_px))

    def tip(self) -> str:
        """What is told of it in the gallery."""
        if not self.called:
            return ui("example_odd_tip", true=self.truth, slide=self.slide)
        p = numbers.probability(self.probability)
        return ui("example_tip", true=self.truth, called=self.called, p=p, slide=self.slide)

    def told(self, index: int, n: int) -> str:
        """What is told of it when it is looked at."""
        slots = {"index": index + 1, "n": n, "true": self.truth, "slide": self.slide}
        if not self.called:
            return ui("example_odd_now", **slots)
        p = numbers.probability(self.probability)
        return ui("example_now", called=self.called, p=p, **slots)


@dataclass(frozen=True, slots=True)
class ExampleList:
    """Examples with a heading."""

    title: str
    examples: tuple[Example, ...] = ()


def worst_examples(predictions: Predictions) -> ExampleList:
    """Where the model was surest of the wrong class."""
    rows = predictions.worst(LIMIT)
    n = int((predictions.called != predictions.truth).sum())
    return ExampleList(ui("examples_worst", n=numbers.count(n)), _of(predictions, rows))


def examples_of_cell(predictions: Predictions, truth: int, called: int) -> ExampleList:
    """Those behind one number of the confusion matrix."""
    rows = predictions.in_cell(truth, called)
    names = predictions.classes
    title = ui("examples_cell", true=names[truth], called=names[called], n=numbers.count(len(rows)))
    return ExampleList(title, _of(predictions, rows[:LIMIT]))


def odd_examples(labels: Any) -> ExampleList:
    """Labels unlike the others of their class, the oddest first."""
    rows = labels.odd_rows()
    columns = {name: labels.column(name) for name in ("slide", "x_px", "y_px", "class")}
    found = tuple(
        Example(int(r), str(columns["slide"][r]), float(columns["x_px"][r]),
                float(columns["y_px"][r]), str(columns["class"][r]))
        for r in rows[:LIMIT]
    )  # fmt: skip
    return ExampleList(ui("examples_odd", n=numbers.count(len(rows))), found)


def _of(p: Predictions, rows: Iterable[Any]) -> tuple[Example, ...]:
    called = p.called
    return tuple(
        Example(
            int(p.row[i]), str(p.slide[i]), float(p.x_px[i]), float(p.y_px[i]),
            p.classes[p.truth[i]], p.classes[called[i]], float(p.probs[i, called[i]]),
        )
        for i in rows
    )  # fmt: skip
