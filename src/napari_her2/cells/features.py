"""The 18 hand-made features of a cell.

Vandenberghe 2017 compares the network with classifiers on 18 features "of nuclear colour, texture
and morphology, membrane intensity and share of positive membrane", without listing them. These are
ours, of the same five families.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable

__all__ = ["FEATURES", "FEATURE_TEXTS", "feature_matrix"]

FEATURE_TEXTS: Final[dict[str, str]] = {
    "nucleus_haematoxylin": "colour: mean haematoxylin in the nucleus (OD)",
    "nucleus_dab": "colour: mean DAB in the nucleus (OD)",
    "nucleus_contrast": "colour: haematoxylin in the nucleus minus that in the cytoplasm (OD)",
    "nucleus_haematoxylin_sd": "texture: standard deviation of haematoxylin in the nucleus (OD)",
    "nucleus_dab_sd": "texture: standard deviation of DAB in the nucleus (OD)",
    "nucleus_gradient": "texture: mean slope of haematoxylin in the nucleus (OD per µm)",
    "area_um2": "morphology: area of the nucleus (µm²)",
    "nucleus_perimeter_um": "morphology: perimeter of the nucleus (µm)",
    "nucleus_circularity": "morphology: 4 pi area / perimeter², 1 for a circle",
    "nucleus_elongation": "morphology: long to short axis of the nucleus",
    "nucleus_irregularity": "morphology: deviation of the outline from an ellipse, of its radius",
    "cell_spacing_um": "morphology: mean distance of the six nearest nuclei (µm)",
    "membrane_od": "membrane intensity: DAB of the stained part (OD)",
    "membrane_contrast": "membrane intensity: DAB above both sides, mean of the perimeter (OD)",
    "membrane_band": "membrane intensity: DAB in a band of 2 µm round the cell (OD)",
    "cytoplasm_dab": "membrane intensity: DAB between nucleus and membrane (OD)",
    "membrane_completeness": "share of positive membrane: what the cell stains itself, 0 to 1",
    "membrane_visible": "share of positive membrane: what is seen stained round the cell, 0 to 1",
}
"""What each feature is; the formulas are in the documentation."""

FEATURES: Final[tuple[str, ...]] = tuple(FEATURE_TEXTS)
"""Names of the 18 features, columns of a cell table."""


def feature_matrix(table: CellTable) -> NDArray[np.float32]:
    """Give the features of all cells.

    Parameters
    ----------
    table : CellTable
        Cells measured by :func:`napari_her2.cells.membrane.measure_cells`.

    Returns
    -------
    ndarray of float32
        Shape (n, 18), columns in the order of :data:`FEATURES`.

    Raises
    ------
    KeyError
        If a feature was not measured.
    """
    return np.stack([np.asarray(table[name], np.float32) for name in FEATURES], axis=1)
