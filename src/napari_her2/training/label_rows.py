"""Labels of several slides as columns, in an order that depends on the labels alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.training.assigning import Assigned

__all__ = ["LabelRows", "capped"]


@dataclass(frozen=True)
class LabelRows:
    """Labels; the first axis of all arrays.

    Attributes
    ----------
    slide, block, patient : ndarray of str
        Where from.
    x_px, y_px, width_px, height_px : ndarray of float64
        Centre and extent of the crop or tile, level-0 pixels.
    label : ndarray of int32
        Index of the class.
    region, source, author : ndarray of str
        Which annotation labels it, of what kind it is, and who made it.
    inside : ndarray of float32
        Share that lies in regions of the class.
    propagated : ndarray of bool
        Carried over from another section.
    features : ndarray of float32
        Shape (n, k).
    pixels : ndarray of int64
        Row of its crop or tile in the file being made.
    """

    slide: NDArray[Any]
    block: NDArray[Any]
    patient: NDArray[Any]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    width_px: NDArray[np.float64]
    height_px: NDArray[np.float64]
    label: NDArray[np.int32]
    region: NDArray[Any]
    source: NDArray[Any]
    author: NDArray[Any]
    inside: NDArray[np.float32]
    propagated: NDArray[np.bool_]
    features: NDArray[np.float32]
    pixels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: NDArray[Any]) -> LabelRows:
        """Some rows, in that order."""
        return LabelRows(**{k: v[index] for k, v in vars(self).items()})

    @staticmethod
    def join(parts: Sequence[LabelRows]) -> LabelRows:
        """One after another; at least one is needed."""
        names = vars(parts[0])
        return LabelRows(**{k: np.concatenate([getattr(p, k) for p in parts]) for k in names})

    @staticmethod
    def of_slide(
        assigned: Assigned,
        *,
        slide: str,
        block: str,
        patient: str,
        x_px: NDArray[np.float64],
        y_px: NDArray[np.float64],
        extent_px: tuple[float, float],
        features: NDArray[np.float32],
        first_pixels: int,
    ) -> LabelRows:
        """Labels of one slide; ``first_pixels`` is the row of the first one's pixels."""
        n = len(assigned.label)

        def same(text: str) -> NDArray[Any]:
            return np.full(n, text, np.object_)

        return LabelRows(
            same(slide), same(block), same(patient),
            np.asarray(x_px, np.float64), np.asarray(y_px, np.float64),
            np.full(n, extent_px[0]), np.full(n, extent_px[1]),
            assigned.label, assigned.region, assigned.source, assigned.author,
            assigned.inside, assigned.propagated, np.asarray(features, np.float32),
            np.arange(first_pixels, first_pixels + n, dtype=np.int64),
        )  # fmt: skip

    def ordered(self) -> LabelRows:
        """By slide, then row by row: it does not matter in which order slides were given."""
        return self.take(np.lexsort((self.x_px, self.y_px, self.slide.astype(str))))


def capped(rows: LabelRows, most: int | None, seed: int) -> NDArray[np.intp]:
    """Rows that stay when a class may have so many labels at most.

    The first of every region is taken, then the second of every region, and so on, each region in
    a random order: no region crowds out the others.

    Parameters
    ----------
    rows : LabelRows
        In their order.
    most : int or None
        None keeps all.
    seed : int
        Of the random order.
    """
    if most is None:
        return np.arange(len(rows))
    rng = np.random.default_rng(seed)
    unit = np.unique(
        np.char.add(np.char.add(rows.slide.astype(str), "\n"), rows.region.astype(str)),
        return_inverse=True,
    )[1] if len(rows) else np.zeros(0, np.intp)  # fmt: skip
    kept = []
    for k in np.unique(rows.label):
        of_class = rng.permutation(np.flatnonzero(rows.label == k))
        of_class = of_class[np.argsort(unit[of_class], kind="stable")]
        units = unit[of_class]
        turn = np.arange(len(of_class)) - np.searchsorted(units, units)
        kept.append(of_class[np.argsort(turn, kind="stable")][:most])
    return np.sort(np.concatenate(kept)) if kept else np.zeros(0, np.intp)
