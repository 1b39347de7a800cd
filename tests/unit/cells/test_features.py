"""The 18 features: names, units, formulas."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_rings import MPP, Scale, apart, drawn

from napari_her2.cells.features import FEATURE_TEXTS, FEATURES, feature_matrix
from napari_her2.cells.membrane import measure_cells
from napari_her2.cells.nucleus_features import colour_and_texture, outline_shape
from napari_her2.cells.table import CellTable


def _ellipse(a: float, b: float, turn: float = 0.0) -> np.ndarray:
    angle = 2 * np.pi * np.arange(32) / 32 - turn
    return (a * b / np.hypot(b * np.cos(angle), a * np.sin(angle)))[None]


def test_there_are_18_of_five_families() -> None:
    assert len(FEATURES) == len(set(FEATURES)) == 18
    families = {text.split(":")[0] for text in FEATURE_TEXTS.values()}
    assert families == {
        "colour", "texture", "morphology", "membrane intensity", "share of positive membrane",
    }  # fmt: skip


def test_matrix_has_the_columns_in_order() -> None:
    planes, nuclei = drawn(apart(6), np.linspace(0, 1, 6), [0.5] * 6)
    columns = measure_cells(planes, nuclei, Scale(), MPP)
    table = CellTable({"x_px": np.zeros(6), "y_px": np.zeros(6), **columns})
    got = feature_matrix(table)
    assert got.shape == (6, 18)
    assert got.dtype == np.float32
    assert np.isfinite(got).all()
    for k, name in enumerate(FEATURES):
        assert np.array_equal(got[:, k], table[name])
    short = CellTable({k: v for k, v in table.columns.items() if k != FEATURES[3]})
    with pytest.raises(KeyError):
        feature_matrix(short)


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.3])
def test_shape_of_an_ellipse(turn: float) -> None:
    got = outline_shape(_ellipse(6.0, 3.0, turn))
    assert got["nucleus_elongation"][0] == pytest.approx(2.0, rel=0.04)
    assert got["nucleus_perimeter_um"][0] == pytest.approx(29.07, rel=0.02)
    assert got["nucleus_irregularity"][0] < 0.03
    assert got["nucleus_circularity"][0] == pytest.approx(4 * np.pi * 56.55 / 29.07**2, rel=0.04)


def test_shape_of_a_circle_and_of_a_rough_outline() -> None:
    circle = outline_shape(np.full((1, 32), 4.0))
    assert circle["nucleus_elongation"][0] == pytest.approx(1.0, abs=1e-3)
    assert circle["nucleus_circularity"][0] == pytest.approx(1.0, abs=0.02)
    rough = outline_shape(4.0 + np.cos(np.arange(32) * 2.1)[None])
    assert rough["nucleus_irregularity"][0] > 0.1
    assert rough["nucleus_circularity"][0] < circle["nucleus_circularity"][0]


def test_colour_and_texture_by_hand() -> None:
    planes, nuclei = drawn(apart(2), [0.0, 0.0], [0.0, 0.0])
    blue = planes.haematoxylin
    first, second = nuclei.labels == 1, nuclei.labels == 2
    blue[first] = 0.3
    blue[second] = np.where(np.indices(blue.shape)[1][second] % 2 == 0, 0.2, 0.6)
    planes.second[second] = 0.25
    got = colour_and_texture(planes, nuclei.labels, 2, MPP)
    assert got["nucleus_haematoxylin"] == pytest.approx([0.3, blue[second].mean()], abs=1e-5)
    assert got["nucleus_haematoxylin_sd"] == pytest.approx([0.0, blue[second].std()], abs=1e-3)
    assert got["nucleus_dab"] == pytest.approx([0.0, 0.25], abs=1e-6)
    assert got["nucleus_dab_sd"] == pytest.approx([0.0, 0.0], abs=1e-3)
    assert got["nucleus_gradient"][0] > 0


def test_area_and_contrast_of_measured_cells() -> None:
    planes, nuclei = drawn(apart(3), [0.0, 0.5, 1.0], [0.5] * 3)
    got = measure_cells(planes, nuclei, Scale(), MPP)
    assert got["area_um2"] == pytest.approx(nuclei.area_px * MPP**2)
    assert got["nucleus_contrast"] == pytest.approx([0.4] * 3, abs=0.02)
    assert (got["cell_spacing_um"] > 20).all()
