"""Optical density and its separation into stains (Ruifrok and Johnston, 2001)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.types import RgbImage

__all__ = ["STAIN_VECTORS", "rgb_to_od", "separate", "stain_matrix"]

STAIN_VECTORS: Final[Mapping[str, tuple[float, float, float]]] = {
    "haematoxylin": (0.650, 0.704, 0.286),
    "eosin": (0.072, 0.990, 0.105),
    "dab": (0.268, 0.570, 0.776),
}
"""Optical density in R, G, B of one unit of each stain, of length 1; Ruifrok AC, Johnston DA,
Anal Quant Cytol Histol 23 (2001) 291."""


def rgb_to_od(
    rgb: RgbImage, background: tuple[float, float, float] = (255.0, 255.0, 255.0)
) -> NDArray[np.float32]:
    """Optical density relative to bare glass.

    Parameters
    ----------
    rgb : RgbImage
        Shape (..., 3).
    background : (float, float, float)
        Colour of bare glass.

    Returns
    -------
    ndarray of float32
        Shape (..., 3): -log10 of the transmitted share; 0 on glass, below 0 where brighter.
        A black pixel counts as grey level 1.
    """
    levels = np.maximum(np.arange(256, dtype=np.float32), 1)
    out = np.empty(rgb.shape, np.float32)
    for c in range(3):
        out[..., c] = np.log10(background[c] / levels)[rgb[..., c]]
    return out


def stain_matrix(*stains: str) -> NDArray[np.float64]:
    """Rows of stain vectors, completed by their cross product where two are given.

    Parameters
    ----------
    *stains : str
        Two or three keys of :data:`STAIN_VECTORS`.

    Returns
    -------
    ndarray of float64
        Shape (3, 3), rows of length 1.

    Raises
    ------
    ValueError
        If neither two nor three stains are named.
    """
    rows = [np.array(STAIN_VECTORS[s]) / np.linalg.norm(STAIN_VECTORS[s]) for s in stains]
    if len(rows) == 2:
        residual = np.cross(rows[0], rows[1])
        rows.append(residual / np.linalg.norm(residual))
    if len(rows) != 3:
        msg = f"two or three stains are needed, not {len(stains)}"
        raise ValueError(msg)
    return np.stack(rows)


def separate(od: ArrayLike, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Amount of each stain in each pixel.

    Parameters
    ----------
    od : array_like
        Shape (..., 3), optical density in R, G, B.
    matrix : ndarray
        Shape (3, 3), a stain a row, as from :func:`stain_matrix`.

    Returns
    -------
    ndarray of float32
        Shape (..., 3), in the order of the rows; negative values are left as they are.
    """
    inverse = np.linalg.inv(matrix).astype(np.float32)
    return np.asarray(np.asarray(od, np.float32) @ inverse)
