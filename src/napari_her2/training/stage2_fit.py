"""Stage 2 of Gamble 2021: t, b, L1 or L2 and C chosen by grouped 10-fold cross-validation."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.models.aggregators import RatioHistogramAggregator, fit_ratio_histogram
from napari_her2.training.figures import macro_auc
from napari_her2.types import Probs

__all__ = ["GRID", "Choice", "Columns", "choose", "cross_predict", "fit_choice", "folds_of"]

FOLDS: Final = 10


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of the second stage."""

    t: float
    b: int
    penalty: Literal["l1", "l2"]
    C: float

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"t": self.t, "b": self.b, "penalty": self.penalty, "C": self.C}


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of the scores are p+ and p-."""

    positive: int
    negative: int


_PENALTIES: Final[tuple[Literal["l1", "l2"], ...]] = ("l1", "l2")

GRID: Final[tuple[Choice, ...]] = tuple(
    Choice(t, b, penalty, c)
    for t, b, penalty, c in itertools.product(
        (0.5, 0.7, 0.9), (5, 7), _PENALTIES, (0.01, 0.03, 0.1, 0.3, 1.0, 10.0)
    )
)
"""What is tried; the paper prints what it chose (t 0.7, b 5 or 7, L1, C 0.024 to 0.077)."""


def folds_of(
    positive: NDArray[np.bool_], group: NDArray[np.str_], seed: int, most: int = FOLDS
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Train and test rows of each fold; groups stay together, statuses are spread evenly.

    Raises
    ------
    CannotTrainError
        If a status has fewer than two groups.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    each = [len(np.unique(group[positive == status])) for status in (True, False)]
    if min(each) < 2:
        raise CannotTrainError("stage2_one_status", positive=each[0], negative=each[1])
    n = min(most, *each)
    maker = StratifiedGroupKFold(n, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        # Told when a status has fewer slides than folds, which groups of several slides can do.
        warnings.simplefilter("ignore", UserWarning)
        return list(maker.split(np.zeros(len(positive)), positive, group))


def choose(
    probs: Sequence[Probs],
    positive: NDArray[np.bool_],
    group: NDArray[np.str_],
    columns: Columns,
    seed: int,
    told: Callable[[int, int], None] | None = None,
    grid: Sequence[Choice] = GRID,
) -> tuple[Choice, float]:
    """The setting with the best AUC over the folds' held-out slides, and that AUC.

    A slide on which no tile is called counts with the share of positives among the others, so that
    a threshold that calls few tiles does not win by leaving slides out. Of equals, the one with the
    stronger penalty.
    """
    folds = folds_of(positive, group, seed)
    best: tuple[float, float, Choice] | None = None
    features: dict[tuple[float, int], list[NDArray[np.float64] | None]] = {}
    for number, choice in enumerate(grid):
        key = (choice.t, choice.b)
        if key not in features:
            blank = _blank(choice, columns)
            features[key] = [blank.features(p) for p in probs]
        said = _held_out(features[key], positive, folds, choice)
        auc = macro_auc(positive.astype(np.int64), np.stack([1 - said, said], 1))
        if best is None or (auc, -choice.C) > best[:2]:
            best = (auc, -choice.C, choice)
        if told is not None:
            told(number + 1, len(grid))
    assert best is not None
    return best[2], best[0]


def fit_choice(
    probs: Sequence[Probs], positive: NDArray[np.bool_], columns: Columns, choice: Choice
) -> RatioHistogramAggregator:
    """Fit the second stage with a setting; see ``fit_ratio_histogram``.

    Raises
    ------
    CannotTrainError
        If fewer than two assessable slides, or one status only, are left.
    """
    try:
        return fit_ratio_histogram(
            probs, positive.tolist(), b=choice.b, t=choice.t, C=choice.C, penalty=choice.penalty,
            positive=columns.positive, negative=columns.negative,
        )  # fmt: skip
    except ValueError:
        n = int(positive.sum())
        raise CannotTrainError(
            "stage2_one_status", positive=n, negative=len(positive) - n
        ) from None


def cross_predict(
    probs: Sequence[Probs],
    positive: NDArray[np.bool_],
    group: NDArray[np.str_],
    columns: Columns,
    seed: int,
    *,
    outer: int = 5,
    told: Callable[[int, int], None] | None = None,
    grid: Sequence[Choice] = GRID,
) -> NDArray[np.float64]:
    """Probability of each slide by a second stage that never saw its group, settings included.

    The settings are chosen anew inside every outer fold, so these figures are not flattered by the
    choice. NaN where the slide is not assessable.
    """
    folds = folds_of(positive, group, seed + 1, outer)
    out = np.full(len(positive), np.nan)
    for k, (train, test) in enumerate(folds):
        some = [probs[i] for i in train]
        try:
            chosen, _ = choose(some, positive[train], group[train], columns, seed, grid=grid)
            fitted = fit_choice(some, positive[train], columns, chosen)
        except CannotTrainError:
            continue
        for i in test:
            score = fitted.aggregate(probs[i])
            out[i] = np.nan if score.probability is None else score.probability
        if told is not None:
            told(k + 1, len(folds))
    return out


def _blank(choice: Choice, columns: Columns) -> RatioHistogramAggregator:
    return RatioHistogramAggregator(
        columns.positive, columns.negative, choice.b, (0.0,) * (1 + 2 * choice.b), 0.0, choice.t
    )


def _held_out(
    features: Sequence[NDArray[np.float64] | None],
    positive: NDArray[np.bool_],
    folds: Sequence[tuple[NDArray[np.intp], NDArray[np.intp]]],
    choice: Choice,
) -> NDArray[np.float64]:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    out = np.full(len(positive), positive.mean())
    for train, test in folds:
        kept = [i for i in train if features[i] is not None]
        asked = [i for i in test if features[i] is not None]
        out[test] = positive[train].mean()
        if len(set(positive[kept])) < 2 or not asked:
            continue
        model = LogisticRegression(
            penalty="elasticnet", l1_ratio=1.0 if choice.penalty == "l1" else 0.0, C=choice.C,
            solver="saga", max_iter=2000, tol=1e-4, random_state=0,
        )  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            # Good enough to rank settings; the final fit runs to its end.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(np.stack([features[i] for i in kept]), positive[kept])
            out[asked] = model.predict_proba(np.stack([features[i] for i in asked]))[:, 1]
    return out
