"""Labelled cells or tiles as arrays, and which of them are learned from, tuned on and tested on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.messages import tr
from napari_her2.training.label_rules import BIOMARKER_ROLES, biomarker_classes
from napari_her2.training.label_set import LabelSet
from napari_her2.training.request import TrainRequest
from napari_her2.types import BIOMARKERS

__all__ = ["PARTS", "Material", "Part", "check_material", "fields", "material_of"]

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
    slide, patient : ndarray of str
        Where each item comes from.
    x_px, y_px : ndarray of float64
        Centre, level-0 pixels.
    x_um, y_um : ndarray of float64
        The same in micrometres.
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
    roles : dict of str to int
        Tiles: which class is ``positive``, ``negative``, ``non_tumour``.
    stain : str
        ``H&E`` or ``H-DAB``.
    biomarker : str or None
        What tiles are labelled for.
    notes : tuple of str
        Sentences on how it was split.
    """

    kind: Literal["cells", "tiles"]
    classes: tuple[str, ...]
    label: NDArray[np.int64]
    split: NDArray[np.str_]
    slide: NDArray[np.str_]
    patient: NDArray[np.str_]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    x_um: NDArray[np.float64]
    y_um: NDArray[np.float64]
    pixels: Callable[[NDArray[np.intp]], NDArray[np.uint8]]
    mpp: float
    side: int
    digest: str
    name: str = "labels"
    split_by: str = "slide"
    features: NDArray[np.float32] | None = None
    roles: dict[str, int] = field(default_factory=dict)
    stain: str = "H-DAB"
    biomarker: str | None = None
    notes: tuple[str, ...] = ()

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
                "patients": len(set(self.patient[rows]) - {""}),
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
    tuned = np.bincount(material.label[material.rows("tune")], minlength=len(material.classes))
    if tuned.sum():
        said += [tr("tune_lacks", name=c)
                 for c, n in zip(material.classes, tuned, strict=True) if not n]  # fmt: skip
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


def material_of(labels: LabelSet, request: TrainRequest) -> Material:
    """The labels of a set, split as it says or as the request does.

    Raises
    ------
    CannotTrainError
        If the recipe learns from something else than the set holds.
    BadLabelSetError
        If a file of the set can't be read, or it can't be split that way.
    """
    needed = "cells" if request.recipe.startswith("cells") else "tiles"
    if labels.kind != needed:
        raise CannotTrainError(
            "wrong_kind", name=labels.name, found=labels.kind, recipe=request.recipe, needed=needed
        )
    split, by = labels.column("split").astype(str), labels.split_by
    notes: tuple[str, ...] = ()
    if request.test_by is not None and request.test_by != by:
        anew = labels.split(request.test_by, request.seed)
        split, by = anew.side, anew.by
        notes = tuple(tr(name, **slots) for name, slots in anew.notes)
    slide = labels.column("slide").astype(str)
    mpp = {s["slide"]: (float(s["mpp"]["x"]), float(s["mpp"]["y"])) for s in labels.info["sources"]}
    scale = np.array([mpp[s] for s in slide], np.float64).reshape(-1, 2)
    x, y = labels.column("x_px").astype(np.float64), labels.column("y_px").astype(np.float64)
    cells = labels.kind == "cells"
    crops = labels.crops() if cells else None
    return Material(
        kind="cells" if cells else "tiles",
        classes=labels.classes,
        label=labels.labels,
        split=split.astype(np.str_),
        slide=slide,
        patient=labels.column("patient").astype(str),
        x_px=x, y_px=y, x_um=x * scale[:, 0], y_um=y * scale[:, 1],
        pixels=labels.tiles if crops is None else lambda rows: np.asarray(crops[rows]),
        mpp=labels.tile_mpp, side=labels.tile_px, digest=labels.digest, name=labels.name,
        split_by=by, features=labels.features() if cells else None,
        roles=labels.class_roles or _roles(labels.classes), stain=labels.stain, notes=notes,
        biomarker=_biomarker(labels.classes),
    )  # fmt: skip


def _biomarker(classes: tuple[str, ...]) -> str | None:
    found = [b for b in BIOMARKERS if set(biomarker_classes(b)) <= set(classes)]
    return found[0] if len(found) == 1 else None


def _roles(classes: tuple[str, ...]) -> dict[str, int]:
    """Which class is which, where the classes are those of one biomarker."""
    biomarker = _biomarker(classes)
    if biomarker is None:
        return {}
    names = dict(zip(BIOMARKER_ROLES, biomarker_classes(biomarker), strict=True))
    return {role: classes.index(name) for role, name in names.items()}


FIELDS_UM: Final = (980.0, 490.0, 245.0, 122.0, 61.0)
"""Sides of fields that are kept together in inner folds: the paper's tiles, then smaller ones."""


def fields(material: Material, rows: NDArray[np.intp], least: int = 3) -> NDArray[np.intp]:
    """Number of the field each row lies in: the largest fields of which each class has enough.

    Parameters
    ----------
    material : Material
        The labels.
    rows : ndarray of int
        Some of them.
    least : int
        Fields that each class must occur in; where none are so small, each row is its own.
    """
    label = material.label[rows]
    for side in FIELDS_UM:
        names = [
            f"{s} {x:.0f} {y:.0f}"
            for s, x, y in zip(
                material.slide[rows],
                material.x_um[rows] // side,
                material.y_um[rows] // side,
                strict=True,
            )
        ]
        number = np.unique(names, return_inverse=True)[1]
        if all(len(np.unique(number[label == k])) >= least for k in np.unique(label)):
            return number.astype(np.intp)
    return np.arange(len(rows))
