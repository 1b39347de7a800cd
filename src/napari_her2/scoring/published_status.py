"""Tables of P3 and P5 worked out again from counts of right and wrong slides, tiles and cores.

Neither paper prints all its counts; those of P3's slides are the only ones that give its tables
(or their mirror image, which the text excludes). The papers write "accuracy" for three different
figures, so each row here names the one that is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from napari_her2.messages import tr
from napari_her2.scoring.checks import Check, close, exact
from napari_her2.scoring.classification import (
    Classification,
    binary_table,
    classification_of_table,
)

__all__ = ["check_p3", "check_p5"]

_STATUS = ("negative", "positive")
_POINTS = 0.15
"""Percentage points by which P3's tables may be missed."""

P3_TILES: Final = ((490, 176, 45, 0), (132, 384, 159, 0), (2, 64, 419, 1), (0, 0, 1, 623))
"""Oliveira 2020, Table 1. Rows prediction, columns truth."""


@dataclass(frozen=True, slots=True)
class _P3Row:
    """A row of Tables 2 to 4: counts (TP, FN, FP, TN) and figures as printed, in percent."""

    name: str
    counts: tuple[int, int, int, int]
    balanced: bool
    accuracy: float
    f1: float
    precision: float
    recall: float
    note: str = ""


_CALLED_POSITIVE = "every slide was called positive"
_OF_50 = "50 of the 54 slides"

P3_ROWS: Final = (
    _P3Row("HER2SC, proposed", (5, 0, 1, 2), True, 83.3, 86.7, 89.6, 87.5),
    _P3Row("HER2SC, not pretrained, any aggregation", (5, 0, 3, 0), False, 62.5, 48.1, 39.1, 62.5,
           _CALLED_POSITIVE),
    _P3Row("HER2SC, pretrained, mean or median", (1, 4, 0, 3), False, 50.0, 43.3, 78.6, 50.0),
    _P3Row("BRCA, proposed", (14, 0, 37, 3), True, 53.8, 21.5, 81.2, 31.5,
           "51 of 54 slides were called positive"),
    _P3Row("BRCA, MLP, not pretrained", (0, 14, 0, 36), True, 50.0, 60.3, 51.8, 72.0,
           f"{_OF_50}; every one was called negative"),
    _P3Row("BRCA, pretrained, mean or median", (14, 0, 36, 0), True, 50.0, 12.3, 7.8, 28.0,
           f"{_OF_50}; {_CALLED_POSITIVE}"),
    _P3Row("BRCA, not pretrained, mean or median", (1, 13, 1, 35), True, 52.2, 63.5, 66.5, 72.0,
           _OF_50),
)  # fmt: skip


def _status(counts: tuple[int, int, int, int]) -> Classification:
    return classification_of_table(binary_table(*counts), _STATUS)


def check_p3() -> list[Check]:
    """Tables 1 to 4 of Oliveira 2020, with their slips."""
    tiles = np.array(P3_TILES).T
    scored = classification_of_table(tiles, ("0", "1+", "2+", "3+"))
    checks = [
        exact("P3 tiles to train", 30364, 4 * 7591),
        exact("P3 Table 1, tiles", 2496, scored.n),
        exact("P3 Table 1, tiles a true class", [624] * 4, [c.support for c in scored.classes],
              "columns are the truth"),
        close("P3 Table 1, accuracy", 0.7676, scored.accuracy, 0.00005, "printed as 76.8 %"),
    ]  # fmt: skip
    for row in P3_ROWS:
        checks += _p3_row(row)
    checks.append(
        exact("P3 BRCA, proposed: slides called positive of 54", 51,
              _status(P3_ROWS[3].counts).classes[1].predicted)
    )  # fmt: skip
    return checks + _p3_slips()


def _p3_row(row: _P3Row) -> list[Check]:
    found = _status(row.counts)
    kind = "balanced accuracy" if row.balanced else "accuracy"
    accuracy = found.balanced_accuracy if row.balanced else found.accuracy
    name = f"P3 {row.name}"
    return [
        close(f"{name}: {kind}, %", row.accuracy, 100 * accuracy, _POINTS, row.note),
        close(f"{name}: weighted F1, %", row.f1, 100 * found.f1_weighted, _POINTS),
        close(f"{name}: weighted precision, %", row.precision, 100 * found.precision_weighted,
              _POINTS),
        close(f"{name}: weighted recall, %", row.recall, 100 * found.recall_weighted, _POINTS),
    ]  # fmt: skip


def _p3_slips() -> list[Check]:
    her2sc, brca = (_status(row.counts) for row in (P3_ROWS[0], P3_ROWS[3]))
    pretrained = _status(P3_ROWS[2].counts)
    return [
        close("P3 slip: Table 4, BRCA proposed, balanced accuracy, %", 53.75,
              100 * brca.balanced_accuracy, 0.005, "Table 2 and the text say 53.8", printed=53.3),
        close("P3 slip: HER2SC proposed, plain accuracy, %", 87.5, 100 * her2sc.accuracy, 0.005,
              "the accuracy that is printed is the balanced one", printed=83.3),
        close("P3 slip: BRCA proposed, plain accuracy, %", 31.48, 100 * brca.accuracy, 0.005,
              "the accuracy that is printed is the balanced one", printed=53.8),
        close("P3 slip: HER2SC pretrained, mean or median, balanced accuracy, %", 60.0,
              100 * pretrained.balanced_accuracy, 0.005,
              "the ablations on HER2SC print the plain accuracy", printed=50.0),
        close("P3 slip: HER2SC proposed, weighted F1, %", 86.82, 100 * her2sc.f1_weighted, 0.005,
              "rounds to 86.8", printed=86.7),
        exact("P3 slip: slides in the ablations on BRCA", 50, _status(P3_ROWS[4].counts).n,
              "the recalls 72 % and 28 % need 50 slides; the set holds 54", printed=54),
    ]  # fmt: skip


P5_STATUS: Final = (15, 1, 15, 276)
"""Pisula 2023, Table 2 added up: TP, FN, FP, TN."""

P5_RECALL: Final = {"0": (265, 284), "2": (10, 15), "3": (7, 8)}
"""IHC score: cores right, cores. None of the test set has score 1."""


def check_p5() -> list[Check]:
    """Tables of Pisula 2023, with their slips."""
    status = _status(P5_STATUS)
    scores = _p5_scores()
    always_0 = classification_of_table([[284, 0, 0], [15, 0, 0], [8, 0, 0]], ("0", "2", "3"))
    always_negative = _status((0, 16, 0, 291))
    return [
        exact("P5 images to train and validate", 1602, 1281 + 321),
        exact("P5 test cores", 307, status.n),
        exact("P5 test cores by score", 307, sum(n for _, n in P5_RECALL.values())),
        exact("P5 Table 2 against the status matrix: negative, positive", [277, 30],
              [273 + 3 + 1 + 0, 11 + 4 + 7 + 8]),
        exact("P5 external cores", 653, 416 + 186 + 14 + 37),
        exact("P5 external positive cores", 39, 37 + 2),
        close("P5 status, balanced accuracy", 0.9430, status.balanced_accuracy, 0.00005,
              "printed as 0.9429"),
        close("P5 status, weighted precision", 0.9705, status.precision_weighted, 0.00005),
        close("P5 status, weighted recall", 0.9479, status.recall_weighted, 0.00005,
              "printed as 0.9478"),
        close("P5 status, weighted F1", 0.9552, status.f1_weighted, 0.00005, "printed as 0.9551"),
        close("P5 IHC score, balanced accuracy", 0.8249, scores.balanced_accuracy, 0.00005,
              "mean of the three scores that the test set holds"),
        close("P5 IHC score, weighted recall", 0.9186, scores.recall_weighted, 0.00005,
              "printed as 0.9185"),
        exact("P5 scores that the test set does not hold", ["1"],
              [c.name for c in scores.classes if c.support == 0], tr("zero_support", name="1+")),
        close("P5 score 2: status right", 0.73, 11 / 15, 0.005),
        close("P5 score 2: false positives", 0.27, 4 / 15, 0.005),
        close("P5 score 2: false negatives", 0.07, 1 / 15, 0.005),
        exact("P5 below 7 % wrong within each status", True,
              all((c.recall or 0) > 0.93 for c in status.classes)),
        exact("P5 slip: shares of score 2 in the training set, sum of printed %", 110, 77 + 33,
              "two shares of one set have to give 100", printed="77/33 %"),
        close("P5 slip: unweighted precision of status", 0.50, status.classes[1].precision or 0,
              0.005, "15 of the 30 called positive", printed=0.51),
        close("P5 slip: false-positive rate of status", 0.052, 1 - (status.classes[0].recall or 0),
              0.0005, "15 of 291", printed=0.04),
        close("P5 slip: accuracy of always score 0", 0.925, always_0.accuracy, 0.0005,
              printed=0.92),
        close("P5 slip: accuracy of always negative", 0.948, always_negative.accuracy, 0.0005,
              printed=0.94),
        *_p5_external(),
    ]  # fmt: skip


def _p5_scores() -> Classification:
    """Only recalls are known: which wrong score a core got does not change them."""
    labels = ("0", "1", "2", "3")
    table = np.zeros((4, 4), np.int64)
    for name, (right, cores) in P5_RECALL.items():
        place = labels.index(name)
        table[place, place] = right
        table[place, labels.index("1")] = cores - right
    return classification_of_table(table, labels)


def _p5_external() -> list[Check]:
    """No counts of 39 positive and 614 negative cores give the row that is printed."""
    printed = (0.8688, 0.9490, 0.8908)
    possible = {
        (tp, tn): _status((tp, 39 - tp, 614 - tn, tn))
        for tp in range(28, 40)
        for tn in range(535, 560)
    }
    figures = {
        counts: (c.balanced_accuracy, c.precision_weighted, c.recall_weighted)
        for counts, c in possible.items()
    }
    off = {
        counts: max(abs(a - b) for a, b in zip(row, printed, strict=True))
        for counts, row in figures.items()
    }
    nearest = min(off, key=lambda counts: off[counts])
    exact_rows = sum(distance < 0.0001 for distance in off.values())
    names = ("balanced accuracy", "weighted precision", "weighted recall")
    note = "of the nearest counts, 33 true positive and 548 true negative cores"
    return [
        exact("P5 slip: external counts that give the printed row", 0, exact_rows,
              "39 positive of 653 cores", printed=list(printed)),
        exact("P5 slip: nearest external counts, true positive and negative", [33, 548],
              list(nearest), printed=list(printed)),
        *(close(f"P5 slip: external {name}", value, got, 0.00005, note, printed=said)
          for name, value, got, said in zip(
              names, (0.8693, 0.9500, 0.8897), figures[nearest], printed, strict=True)),
    ]  # fmt: skip
