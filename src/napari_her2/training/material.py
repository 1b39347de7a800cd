"""Labelled cells or tiles as arrays, and which of them are learned from, tuned on and tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.messages import tr

__all__ = ["PARTS", "Material", "Part", "check_material"]

Part = Literal["train", "tune", "test"]
PARTS: Final[tuple[Part, ...]] = ("train", "tune", "test")


@dataclass(frozen=True)
class Material:
    """Labelled items; the first axis of all arrays.

    Attributes
    ----------
    kind : {"cells", "tiles"}
        What is labelled.
    classes : tuple of str
        Names; ``label`` counts in them.
    label : ndarray of int64
        Shape (n,).
    split : ndarray of str
        ``train``, ``tune`` or ``test``; empty for what is left out.
    slide, tile, patient : ndarray of str
        Where each item comes from; ``tile`` is the drawn region it lies in.
    x_px, y_px : ndarray of float64
        Level-0 pixels, xy: centre of a cell, top-left corner of a tile.
    pixels : callable
        Rows to uint8 pictures, shape (k, side, side, channels).
    features : ndarray of float32 or None
        Shape (n, 18): what was measured of cells.
    mpp : float
        Micrometres per pixel of the pictures.
    side : int
        Their side in pixels.
    digest : str
        SHA-256 of labels and pictures.
    name : str
        Of the label set.
    split_by : str
        What the parts do not share: ``slide``, ``tile`` or ``patient``.
    """

    kind: Literal["cells", "tiles"]
    classes: tuple[str, ...]
    label: NDArray[np.int64]
    split: NDArray[np.str_]
    slide: NDArray[np.str_]
    tile: NDArray[np.str_]
    patient: NDArray[np.str_]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    pixels: Callable[[NDArray[np.intp]], NDArray[np.uint8]]
    mpp: float
    side: int
    digest: str
    name: str = "labels"
    split_by: str = "slide"
    features: NDArray[np.float32] | None = None
    about: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.label)

    def rows(self, part: Part) -> NDArray[np.intp]:
        """Rows of one part, in order."""
        return np.flatnonzero(self.split == part)

    def counts(self) -> dict[str, dict[str, Any]]:
        """Items, slides and patients of each part, and items of each class in it."""
        found: dict[str, dict[str, Any]] = {}
        for part in PARTS:
            rows = self.rows(part)
            by_class = np.bincount(self.label[rows], minlength=len(self.classes))
            found[part] = {
                "n": len(rows),
                "slides": len(np.unique(self.slide[rows])),
                "patients": len(np.unique(self.patient[rows])),
                "classes": dict(zip(self.classes, by_class.tolist(), strict=True)),
            }
        return found


def check_material(material: Material) -> list[str]:
    """Refuse what nothing can be learned from; say what makes figures weak.

    Returns
    -------
    list of str
        Sentences for the user.

    Raises
    ------
    CannotTrainError
        If a class has no labels to learn from, or there are fewer than two classes.
    """
    if len(material.classes) < 2:
        raise CannotTrainError("one_class")
    learned = np.bincount(material.label[material.rows("train")], minlength=len(material.classes))
    for name, n in zip(material.classes, learned, strict=True):
        if not n:
            raise CannotTrainError("no_examples", name=name)
    said = []
    test = material.rows("test")
    if len(np.unique(material.slide[material.split != ""])) < 2:
        said.append(tr("one_slide"))
    elif not len(test):
        said.append(tr("no_test"))
    elif set(material.slide[test]) & set(material.slide[material.rows("train")]):
        said.append(tr("tile_test"))
    if len(test):
        tested = np.bincount(material.label[test], minlength=len(material.classes))
        said += [tr("zero_support", name=c)
                 for c, n in zip(material.classes, tested, strict=True) if not n]  # fmt: skip
    return said
