"""The two stains of one slide: glass, vectors, and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.stains.deconvolution import STAIN_VECTORS, rgb_to_od, separate
from napari_her2.stains.hsd import separate_hsd
from napari_her2.types import RgbImage

__all__ = ["STAIN_PAIRS", "Separation", "StainVectors", "known_vectors"]

Separation = Literal["ruifrok", "hsd"]
"""How amounts are told apart: matrix inversion (Ruifrok and Johnston 2001), or hue, saturation and
density (van der Laak 2000)."""

Vector = tuple[float, float, float]

STAIN_PAIRS: Final[Mapping[str, tuple[str, str]]] = {
    "H&E": ("haematoxylin", "eosin"),
    "H-DAB": ("haematoxylin", "dab"),
}


@dataclass(frozen=True)
class StainVectors:
    """The two stains of a slide.

    Attributes
    ----------
    stain : {"H&E", "H-DAB"}
        Which pair.
    first, second : (float, float, float)
        Optical density in R, G, B of one unit of haematoxylin and of eosin or DAB; length 1.
    glass : (float, float, float)
        Colour that optical density is measured against, grey levels.
    method : str
        ``ruifrok`` (published vectors), ``cones``, ``macenko`` or ``vahadane``.
    notes : tuple of str
        What was not measured but taken from the published vectors, and why; for the record.
    """

    stain: Literal["H&E", "H-DAB"]
    first: Vector
    second: Vector
    glass: Vector = (255.0, 255.0, 255.0)
    method: str = "ruifrok"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        rows = np.array([self.first, self.second], np.float64)
        lengths = np.linalg.norm(rows, axis=1)
        if not np.isfinite(rows).all() or (np.abs(lengths - 1) > 1e-3).any():
            msg = f"stain vectors need length 1: {self.first}, {self.second}"
            raise ValueError(msg)
        if not np.linalg.norm(np.cross(rows[0], rows[1])) > 1e-3:
            msg = f"two stains of one colour can't be told apart: {self.first}, {self.second}"
            raise ValueError(msg)

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """Rows of stain vectors, completed by their cross product; shape (3, 3)."""
        rows = np.array([self.first, self.second], np.float64)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        rest = np.cross(rows[0], rows[1])
        return np.stack([*rows, rest / np.linalg.norm(rest)])

    def separate(self, rgb: RgbImage, method: Separation = "ruifrok") -> NDArray[np.float32]:
        """Amounts of the two stains.

        Parameters
        ----------
        rgb : RgbImage
            Shape (..., 3).
        method : {"ruifrok", "hsd"}
            ``ruifrok`` may give amounts below 0, ``hsd`` does not on pixels darker than glass.

        Returns
        -------
        ndarray of float32
            Shape (..., 2), optical density units (base 10) of vectors of length 1.
        """
        od = rgb_to_od(rgb, self.glass)
        if method == "hsd":
            return separate_hsd(od, self.matrix)
        return separate(od, self.matrix)[..., :2]

    def to_json(self) -> dict[str, Any]:
        """For the record of a run."""
        return {
            "stain": self.stain,
            "first": list(self.first),
            "second": list(self.second),
            "glass": list(self.glass),
            "method": self.method,
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> StainVectors:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        ValueError
            If the vectors are no pair of stains.
        """
        first, second, glass = (_vector(data[k]) for k in ("first", "second", "glass"))
        return cls(data["stain"], first, second, glass, data["method"], tuple(data["notes"]))


def known_vectors(
    stain: Literal["H&E", "H-DAB"],
    glass: Vector = (255.0, 255.0, 255.0),
    notes: tuple[str, ...] = (),
) -> StainVectors:
    """Published vectors of a pair of stains (Ruifrok and Johnston 2001), scaled to length 1."""
    one, two = (np.array(STAIN_VECTORS[name]) for name in STAIN_PAIRS[stain])
    unit = (_vector(one / np.linalg.norm(one)), _vector(two / np.linalg.norm(two)))
    return StainVectors(stain, *unit, glass, "ruifrok", notes)


def _vector(values: Any) -> Vector:
    r, g, b = values
    return (float(r), float(g), float(b))
