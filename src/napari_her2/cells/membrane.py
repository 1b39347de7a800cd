"""Everything that is measured of a HER2-stained cell, as columns of a table.

See :mod:`napari_her2.cells.rings` for the membrane, :mod:`napari_her2.cells.sharing` for what
belongs to which neighbour, :mod:`napari_her2.cells.features` for the list of features.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.cells.nucleus_features import colour_and_texture, outline_shape
from napari_her2.cells.polar import ray_angles
from napari_her2.cells.rings import MembraneRings, measure_rings, stained_rays
from napari_her2.cells.sharing import cell_veil, own_stain, possibly_own

__all__ = ["measure_cells", "weighted_quantile"]

Floats = NDArray[np.float32]

OD_QUANTILE: Final = 0.35
"""Where two membranes lie on each other the stronger one is seen: the lower half of what is seen
round a cell tells more of the cell itself than the mean."""


LEAST_TYPICAL_OD: Final = 0.02
"""With less haematoxylin in it the typical nucleus is no yardstick: strong DAB hides it."""


class _Planes(Protocol):
    @property
    def haematoxylin(self) -> NDArray[np.float32]: ...
    @property
    def second(self) -> NDArray[np.float32]: ...


class _Nuclei(Protocol):
    @property
    def labels(self) -> NDArray[np.int32]: ...
    @property
    def centres_yx(self) -> NDArray[np.float64]: ...
    @property
    def area_px(self) -> NDArray[Any]: ...


class _Calibration(Protocol):
    @property
    def scale_x(self) -> float: ...
    @property
    def scale_y(self) -> float: ...
    @property
    def typical_nucleus(self) -> tuple[float, float, float] | None: ...


def measure_cells(
    planes: _Planes,
    nuclei: _Nuclei,
    calibration: _Calibration,
    mpp: float,
    kept: ArrayLike | None = None,
) -> dict[str, NDArray[Any]]:
    """Measure the cells of a window.

    All nuclei of the window are looked at, since neighbours share membranes; only rows of ``kept``
    are given back.

    Parameters
    ----------
    planes : StainPlanes
        Haematoxylin and DAB of the window, optical density (base 10), shape (height, width).
    nuclei : FoundNuclei
        All nuclei of the window.
    calibration : Calibration
        ``scale_x`` and ``scale_y``: level-0 pixels per working pixel; ``typical_nucleus``: area
        and haematoxylin of the slide's nuclei.
    mpp : float
        Micrometres per working pixel.
    kept : array_like of int, optional
        Rows that are wanted; all by default.

    Returns
    -------
    dict of str to ndarray
        Columns for a :class:`~napari_her2.cells.table.CellTable`, first axis = ``kept``:
        ``area_um2``, the other names of :data:`napari_her2.cells.features.FEATURES`; by ray
        ``membrane_radii`` (level-0 pixels) and ``membrane_stained``; and relative to the slide's
        typical nucleus ``nucleus_relative_area``, ``nucleus_density`` (haematoxylin),
        ``nucleus_darkness`` (contrast to the cytoplasm) and ``cell_body`` (stain of the cytoplasm
        on its paler half); 1, 1, 0 and 1 where that is unknown.
    """
    n = len(nuclei.area_px)
    rows = np.arange(n) if kept is None else np.asarray(kept, np.intp)
    rings = measure_rings(planes, nuclei, mpp)
    stained = stained_rays(rings)
    look = colour_and_texture(planes, nuclei.labels, n, mpp)
    veil = cell_veil(look["nucleus_dab"], rings.cytoplasm_dab)
    own = own_stain(
        stained, possibly_own(rings.od, veil, rings.neighbour), rings.weight, rings.neighbour
    )
    columns: dict[str, NDArray[Any]] = {
        "area_um2": (np.asarray(nuclei.area_px, np.float64) * mpp**2).astype(np.float32)
    }
    columns |= outline_shape(rings.nucleus_px * mpp)
    columns |= look
    contrast = look["nucleus_haematoxylin"] - rings.cytoplasm_haematoxylin.mean(1)
    columns |= _beside_typical(
        columns["area_um2"],
        look["nucleus_haematoxylin"],
        contrast,
        _paler_half(rings.cytoplasm_haematoxylin + rings.cytoplasm_dab),
        calibration.typical_nucleus,
    )
    columns |= {
        "nucleus_contrast": contrast,
        "cell_spacing_um": rings.spacing_px * np.float32(mpp),
        "cytoplasm_dab": rings.cytoplasm_dab.mean(1),
        "membrane_od": weighted_quantile(rings.od, own.part, OD_QUANTILE),
        "membrane_contrast": (rings.contrast * rings.weight).sum(1),
        "membrane_band": (rings.band * rings.weight).sum(1),
        "membrane_completeness": own.share,
        "membrane_visible": own.visible,
        "membrane_radii": _level0(rings, calibration),
        "membrane_stained": stained,
    }
    return {name: values[rows] for name, values in columns.items()}


def _paler_half(along_rays: Floats) -> Floats:
    """Mean of the lower half of the rays: neighbours and stroma on one side do not count."""
    half = along_rays.shape[1] // 2
    return np.asarray(np.partition(along_rays, half, axis=1)[:, :half].mean(1), np.float32)


def _beside_typical(
    area_um2: Floats,
    haematoxylin: Floats,
    contrast: Floats,
    cytoplasm: Floats,
    typical: tuple[float, float, float] | None,
) -> dict[str, Floats]:
    """Size, darkness and cytoplasm relative to the typical nucleus of the slide."""
    if typical is None or typical[1] < LEAST_TYPICAL_OD:
        none, like = np.zeros_like(contrast), np.ones_like(contrast)
        return {
            "nucleus_relative_area": like,
            "nucleus_density": like,
            "nucleus_darkness": none,
            "cell_body": like,
        }
    return {
        "nucleus_relative_area": area_um2 / np.float32(max(typical[0], 1.0)),
        "nucleus_density": haematoxylin / np.float32(typical[1]),
        "nucleus_darkness": contrast / np.float32(typical[1]),
        "cell_body": cytoplasm / np.float32(typical[1]),
    }


def weighted_quantile(values: Floats, weight: Floats, q: float) -> Floats:
    """Quantile of each row, 0 where nothing has weight.

    Parameters
    ----------
    values, weight : ndarray of float32
        Shape (n, k).
    q : float
        0 to 1.

    Returns
    -------
    ndarray of float32
        Shape (n,): the smallest value that together with the smaller ones has share ``q`` of the
        weight.
    """
    order = np.argsort(values, axis=1)
    ordered = np.take_along_axis(values, order, 1)
    below = np.cumsum(np.take_along_axis(weight, order, 1), axis=1)
    total = below[:, -1:]
    first = (below >= np.maximum(q * total, np.float32(1e-9))).argmax(1)
    picked = np.take_along_axis(ordered, first[:, None], 1)[:, 0]
    return np.where(total[:, 0] > 0, picked, 0).astype(np.float32)


def _level0(rings: MembraneRings, calibration: _Calibration) -> Floats:
    """Distance to the membrane in level-0 pixels, in the directions rays have on level 0."""
    angle = ray_angles()
    scale = np.hypot(calibration.scale_x * np.cos(angle), calibration.scale_y * np.sin(angle))
    return (rings.membrane_px * scale).astype(np.float32)
