"""Stain normalisation of labelled tiles: one look for all, the one the model will ask for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.models.stain_step import StainStep
from napari_her2.results.atomic import writing
from napari_her2.stains.normalise import StainLook, measure_look
from napari_her2.training.material import Material

__all__ = ["normalised", "reference_look"]

GLASS: Final = (245.0, 245.0, 245.0)
_TILES: Final = 64
_EVERY: Final = 8
_FILE: Final = "normalised.npy"


def reference_look(material: Material) -> StainLook:
    """How the slide with the most training tiles looks.

    Raises
    ------
    CannotTrainError
        If the stain is none that can be normalised.
    """
    rows = material.rows("train")
    names, counts = np.unique(material.slide[rows], return_counts=True)
    largest = rows[material.slide[rows] == names[counts.argmax()]][:_TILES]
    pixels = material.pixels(largest)[:, ::_EVERY, ::_EVERY].reshape(-1, 3)
    if material.stain == "H&E":
        return measure_look(pixels, GLASS, "H&E")
    if material.stain == "H-DAB":
        return measure_look(pixels, GLASS, "H-DAB")
    raise CannotTrainError("no_stain", name=material.name)


def normalised(material: Material, reference: StainLook, folder: Path) -> Material:
    """The same labels with tiles in the colours of the reference, kept in a file meanwhile."""
    step, n = StainStep(reference), len(material)
    path = folder / _FILE
    with writing(path, n * material.side**2 * 3):
        shape = (n, material.side, material.side, 3)
        kept = np.lib.format.open_memmap(path, "w+", np.uint8, shape)
        for row in range(n):
            kept[row] = step(material.pixels(np.array([row])))[0]
        kept.flush()

    def pixels(rows: NDArray[np.intp]) -> NDArray[np.uint8]:
        return np.asarray(kept[rows])

    return replace(material, pixels=pixels)
