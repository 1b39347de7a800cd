"""The hue-saturation-density model of van der Laak et al.

HSI computed on optical densities instead of intensities, so that how much dye there is (density)
and what colour it has (chromaticity) come apart: van der Laak JA, Pahlplatz MM, Hanselaar AG,
de Wilde PC, "Hue-saturation-density (HSD) model for stain recognition in digital images from
transmitted light microscopy", Cytometry 39 (2000) 275. The stain's point in the chromaticity plane
does not depend on its amount, and a mixture of two lies on the straight line between them,
divided as their densities are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["chromaticity", "hsd", "od_from_hsd", "separate_hsd"]

MIN_DENSITY = 1e-4
"""Below this mean optical density a pixel has no colour to speak of."""

_ROOT3 = float(np.sqrt(3.0))


def hsd(od: ArrayLike) -> NDArray[np.float32]:
    """Density and chromaticity of optical densities.

    Parameters
    ----------
    od : array_like
        Shape (..., 3), optical density in R, G, B (any base of the logarithm).

    Returns
    -------
    ndarray of float32
        Shape (..., 3): overall density D (the mean), cx = OD_R / D - 1 and
        cy = (OD_G - OD_B) / (sqrt(3) D), equations 3 to 5 of the paper. Chromaticity is 0 where D
        is too small to divide by. Hue is atan2(cy, cx), saturation hypot(cx, cy).
    """
    values = np.asarray(od, np.float32)
    density = values.mean(axis=-1)
    thick = np.abs(density) > MIN_DENSITY
    safe = np.where(thick, density, 1)
    out = np.empty(values.shape, np.float32)
    out[..., 0] = density
    out[..., 1] = np.where(thick, values[..., 0] / safe - 1, 0)
    out[..., 2] = np.where(thick, (values[..., 1] - values[..., 2]) / (_ROOT3 * safe), 0)
    return out


def od_from_hsd(values: ArrayLike) -> NDArray[np.float32]:
    """Optical densities back from density and chromaticity.

    Parameters
    ----------
    values : array_like
        Shape (..., 3), as from :func:`hsd`.

    Returns
    -------
    ndarray of float32
        Shape (..., 3), optical density in R, G, B.
    """
    d, cx, cy = np.moveaxis(np.asarray(values, np.float32), -1, 0)
    red = d * (cx + 1)
    rest = d * (2 - cx) / 2
    half = _ROOT3 * d * cy / 2
    return np.stack([red, rest + half, rest - half], axis=-1)


def chromaticity(vector: ArrayLike) -> NDArray[np.float64]:
    """Point of one stain in the chromaticity plane.

    Parameters
    ----------
    vector : array_like
        Shape (3,), optical density of the stain in R, G, B, of any length.

    Returns
    -------
    ndarray of float64
        (cx, cy).

    Raises
    ------
    ValueError
        If the vector absorbs nothing.
    """
    v = np.asarray(vector, np.float64)
    if not v.mean() > MIN_DENSITY:
        msg = f"not the colour of a stain: {v}"
        raise ValueError(msg)
    return np.array([v[0] / v.mean() - 1, (v[1] - v[2]) / (_ROOT3 * v.mean())])


def separate_hsd(od: ArrayLike, matrix: NDArray[np.float64]) -> NDArray[np.float32]:
    """Amounts of two stains by where each pixel lies on the line between them.

    Unlike matrix inversion, this keeps the overall density: what a pixel absorbs is shared out
    between the two stains and nothing else, and no amount is negative on a coloured pixel.

    Parameters
    ----------
    od : array_like
        Shape (..., 3), optical density in R, G, B.
    matrix : ndarray
        Shape (2 or 3, 3): the stains' vectors in the first two rows, as from
        :func:`~napari_her2.stains.deconvolution.stain_matrix`.

    Returns
    -------
    ndarray of float32
        Shape (..., 2), amounts in units of the vectors: the same unit as
        :func:`~napari_her2.stains.deconvolution.separate`.

    Raises
    ------
    ValueError
        If the two stains have one colour.
    """
    first, second = chromaticity(matrix[0]), chromaticity(matrix[1])
    line = second - first
    length = float(line @ line)
    if length < 1e-6:
        msg = "two stains of one colour can't be told apart"
        raise ValueError(msg)
    values = hsd(od)
    along = (values[..., 1] - first[0]) * line[0] + (values[..., 2] - first[1]) * line[1]
    share = np.clip(along / length, 0, 1)
    out = np.empty((*values.shape[:-1], 2), np.float32)
    out[..., 0] = (1 - share) * values[..., 0] / float(np.mean(matrix[0]))
    out[..., 1] = share * values[..., 0] / float(np.mean(matrix[1]))
    return out
