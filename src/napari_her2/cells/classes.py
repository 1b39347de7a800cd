"""The classes of cells and how they are written in files and on the screen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from napari_her2.types import IhcScore

__all__ = [
    "CELL_CLASSES",
    "NUCLEAR_CLASSES",
    "NUCLEUS_CLASS",
    "QUPATH_COLOURS",
    "QUPATH_NAMES",
    "SCORE_OF",
    "TUMOUR_CLASSES",
    "CellMode",
]

CellMode = Literal["her2-ihc", "nuclear-ihc", "he"]
"""What is looked for: membranes in H-DAB, brown nuclei in H-DAB, nuclei in H&E."""

CELL_CLASSES: Final = (
    "tumour 0",
    "tumour 1+",
    "tumour 2+",
    "tumour 3+",
    "stroma",
    "immune",
    "artefact",
)
"""The seven classes of Vandenberghe 2017, in the order of their keys 0 to 6."""

TUMOUR_CLASSES: Final = CELL_CLASSES[:4]

SCORE_OF: Final[Mapping[str, IhcScore]] = {
    "tumour 0": "0",
    "tumour 1+": "1+",
    "tumour 2+": "2+",
    "tumour 3+": "3+",
}

NUCLEAR_CLASSES: Final = ("negative", "weak", "moderate", "strong", "artefact")
"""Classes of nuclear IHC (ER, PR, Ki67): intensity of the nucleus; weak to strong are positive."""

NUCLEUS_CLASS: Final = "nucleus"
"""The one class of cells that were found but not classified (H&E)."""

QUPATH_NAMES: Final[Mapping[str, str]] = {
    "tumour 0": "Tumor: Negative",
    "tumour 1+": "Tumor: 1+",
    "tumour 2+": "Tumor: 2+",
    "tumour 3+": "Tumor: 3+",
    "stroma": "Stroma",
    "immune": "Immune cells",
    "artefact": "Artefact",
    "negative": "Negative",
    "weak": "1+",
    "moderate": "2+",
    "strong": "3+",
    "nucleus": "Nucleus",
}
"""Names in exported GeoJSON, as QuPath's own classes are called."""

QUPATH_COLOURS: Final[Mapping[str, tuple[int, int, int]]] = {
    "tumour 0": (90, 90, 180),
    "tumour 1+": (255, 215, 0),
    "tumour 2+": (225, 150, 50),
    "tumour 3+": (200, 50, 50),
    "stroma": (150, 200, 150),
    "immune": (160, 90, 160),
    "artefact": (128, 128, 128),
    "negative": (90, 90, 180),
    "weak": (255, 215, 0),
    "moderate": (225, 150, 50),
    "strong": (200, 50, 50),
    "nucleus": (0, 102, 170),
}
"""Colours in exported GeoJSON: those QuPath itself gives to the classes of the same name."""
