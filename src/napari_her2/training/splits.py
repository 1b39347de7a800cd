"""Shares labels out between training, tuning and test, so that no tissue is on two sides.

Sections of one block show the same cells a few micrometres apart; slides of one patient share
tumour, fixation and stain. Whatever is grouped together here goes to one side as a whole. Where
there is only one group, fields of a slide are shared out instead, with a gap as wide as what the
network sees, and the set says that its figures are optimistic.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.errors import BadLabelSetError
from napari_her2.training.label_rules import SplitBy, SplitRule
from napari_her2.training.stratify import share_out

__all__ = ["OUT", "TEST", "TRAIN", "TUNE", "Note", "Split", "SplitRows", "slide_groups",
           "split_rows"]  # fmt: skip

TRAIN: Final = "train"
TUNE: Final = "tune"
TEST: Final = "test"
OUT: Final = ""
"""In no side of this split: carried-over labels of held-out tissue, and what would overlap it."""

SIDES: Final = (TRAIN, TUNE, TEST)

FEW_GROUPS: Final = 5
"""With fewer groups than this only the test is kept apart as a whole group: tuning on fields of the
training slides costs less than learning from one slide less."""

FIELDS_UM: Final = (2000.0, 1000.0, 500.0, 350.0, 250.0, 180.0, 125.0, 90.0)
LEAST_FIELDS: Final = 8
"""Sides of the fields tried; the largest that gives each class so many fields is taken."""

Note = tuple[str, Mapping[str, Any]]
"""Id of a message and the values of its slots."""


@dataclass(frozen=True)
class SplitRows:
    """What a split looks at; first axis = labels.

    Attributes
    ----------
    label : ndarray of int
        Index of the class.
    slide, block, patient : ndarray of str
        Where it comes from; ``block`` and ``patient`` may be empty.
    x_um, y_um : ndarray of float64
        Centre of the crop or tile on its slide, micrometres.
    size_um : float
        Side of the crop or tile.
    propagated : ndarray of bool
        Carried over from another section.
    """

    label: NDArray[np.integer[Any]]
    slide: NDArray[Any]
    block: NDArray[Any]
    patient: NDArray[Any]
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    size_um: float
    propagated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)


@dataclass(frozen=True)
class Split:
    """Which label is on which side.

    Attributes
    ----------
    side : ndarray of str
        Shape (n,): ``train``, ``tune``, ``test``, or empty for what is in none.
    by : {"slide", "patient", "tile"}
        What the test really is kept apart by; ``tile`` where there was only one group.
    tune_by : {"slide", "patient", "tile"}
        The same for tuning.
    notes : tuple
        Messages for the reader.
    """

    side: NDArray[np.str_]
    by: SplitBy
    tune_by: SplitBy
    notes: tuple[Note, ...] = ()


def split_rows(rows: SplitRows, rule: SplitRule, seed: int, classes: Sequence[str] = ()) -> Split:
    """Share labels out. The same rows, rule and seed give the same split.

    Labels carried over from another section are learnt from only: where their slide, or a section
    of its block, is held out, they are in no side.

    Parameters
    ----------
    rows : SplitRows
        The labels.
    rule : SplitRule
        By what, and how much.
    seed : int
        Decides between equally good splits.
    classes : sequence of str
        Names for the messages.

    Raises
    ------
    BadLabelSetError
        If it goes by patient and a slide's patient is not known.
    """
    rng = np.random.default_rng(seed)
    notes: list[Note] = []
    own = ~rows.propagated
    by = rule.by
    group = np.zeros(len(rows), np.intp)
    if by != "tile":
        group = slide_groups(rows, by)
        if len(np.unique(group[own])) < 2:
            slides = len(np.unique(rows.slide))
            notes.append(("one_slide", {}) if slides == 1 else (f"one_{_what(rows, by)}", {}))
            by = "tile"
    tune_by: SplitBy = by
    if by == "tile":
        if rule.test:
            notes.append(("tile_test", {}))
        number = _by_fields(rows, own, (rule.tune, rule.test), rng)
    else:
        n_groups = len(np.unique(group[own]))
        if n_groups >= FEW_GROUPS or not rule.tune:
            number = _by_groups(rows, own, group, (rule.tune, rule.test), rng)
        else:
            number = _by_groups(rows, own, group, (0.0, rule.test), rng)
            learnt = number == 0
            inner = _by_fields(rows, own & learnt, (rule.tune / (1 - rule.test), 0.0), rng)
            number[learnt] = inner[learnt]
            tune_by = "tile"
        if by == "slide" and _patient_on_two_sides(rows, number):
            notes.append(("same_patient", {}))
    held_out = number > 0
    number[rows.propagated & held_out] = -1
    if "tile" in (by, tune_by):
        _open_gap(rows, number)
    side = np.array([*SIDES, OUT])[number]
    if rule.test:
        tested = np.bincount(rows.label[side == TEST], minlength=len(classes))
        notes += [("zero_support", {"name": c}) for c, n in zip(classes, tested, strict=False)
                  if not n]  # fmt: skip
    return Split(side, by, tune_by, tuple(notes))


def slide_groups(rows: SplitRows, by: SplitBy) -> NDArray[np.intp]:
    """Number of the group of each label: what must never be on two sides.

    Slides of one block are one group; by ``patient`` all slides of a patient are.

    Raises
    ------
    BadLabelSetError
        If it goes by patient and a slide's patient is not known.
    """
    slides, first, inverse = np.unique(rows.slide, return_index=True, return_inverse=True)
    blocks = [str(rows.block[i]) for i in first]
    patients = [str(rows.patient[i]) for i in first]
    if by == "patient":
        nameless = [str(s) for s, p in zip(slides, patients, strict=True) if not p]
        if nameless:
            raise BadLabelSetError("no_patients", names=", ".join(nameless[:5]))
    parent = list(range(len(slides)))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    keys = [blocks, patients] if by == "patient" else [blocks]
    for names in keys:
        seen: dict[str, int] = {}
        for i, name in enumerate(names):
            if name:
                a, b = root(i), root(seen.setdefault(name, i))
                parent[max(a, b)] = min(a, b)
    return np.array([root(i) for i in range(len(slides))], np.intp)[inverse]


def _what(rows: SplitRows, by: SplitBy) -> str:
    return "patient" if by == "patient" and len(np.unique(rows.patient)) == 1 else "block"


def _patient_on_two_sides(rows: SplitRows, number: NDArray[np.intp]) -> bool:
    known = rows.patient != ""
    test = set(rows.patient[known & (number == 2)].tolist())
    return bool(test & set(rows.patient[known & (number < 2)].tolist()))


def _by_groups(
    rows: SplitRows,
    own: NDArray[np.bool_],
    group: NDArray[np.intp],
    shares: tuple[float, float],
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Side of each label: 0 to learn from, 1 to tune on, 2 to test on."""
    units, unit = np.unique(group, return_inverse=True)
    n_classes = int(rows.label.max()) + 1
    counts = np.zeros((len(units), n_classes), np.int64)
    np.add.at(counts, (unit[own], rows.label[own]), 1)
    chosen = share_out(counts, (1 - sum(shares), *shares), rng)
    return np.asarray(chosen[unit], np.intp)


def _by_fields(
    rows: SplitRows,
    own: NDArray[np.bool_],
    shares: tuple[float, float],
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """The same by fields of the slides; only ``own`` rows are weighed."""
    field = np.zeros(len(rows), np.intp)
    first = 0
    for k in np.unique(rows.label):
        # Each class has fields of its own: a rare one in small regions needs smaller ones, and
        # small fields lose more to the gaps between them.
        mine = np.flatnonzero(rows.label == k)
        number = np.zeros(len(mine), np.intp)
        for side in _sides(rows.size_um):
            number = _fields(rows, mine, side)
            if len(np.unique(number[own[mine]])) >= LEAST_FIELDS:
                break
        field[mine] = first + number
        first += int(number.max()) + 1
    return _by_groups(rows, own, field, shares, rng)


def _sides(size_um: float) -> list[float]:
    """Sides of fields to try, largest first; none smaller than what the network sees."""
    return [s for s in FIELDS_UM if s > 2 * size_um] + [2 * size_um, size_um]


def _fields(rows: SplitRows, mine: NDArray[np.intp], side_um: float) -> NDArray[np.intp]:
    """Number of the field of some labels."""
    _, slide = np.unique(rows.slide[mine], return_inverse=True)
    place = np.stack([slide, rows.y_um[mine] // side_um, rows.x_um[mine] // side_um], 1)
    return np.asarray(np.unique(place, axis=0, return_inverse=True)[1], np.intp).ravel()


def _open_gap(rows: SplitRows, number: NDArray[np.intp]) -> None:
    """Take out of training and tuning what shows a pixel of what is held out beside it."""
    reach = rows.size_um * (1 - 1e-6)
    for slide in np.unique(rows.slide):
        here = np.flatnonzero(rows.slide == slide)
        at = np.stack([rows.x_um[here], rows.y_um[here]], 1)
        for later, earlier in ((2, 1), (2, 0), (1, 0)):
            kept, loose = number[here] == later, number[here] == earlier
            if kept.any() and loose.any():
                near, _ = cKDTree(at[kept]).query(at[loose], p=np.inf, distance_upper_bound=reach)
                number[here[loose][np.isfinite(near)]] = -1
