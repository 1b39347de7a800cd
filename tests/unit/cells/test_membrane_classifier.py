"""Classes from measurements: cuts, grades between them, both organs."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.membrane_classifier import MembraneClassifier
from napari_her2.cells.membrane_cuts import DEFAULT_CUTS, GEA_CUTS, MembraneCuts, default_cuts
from napari_her2.cells.protocols import CellClassifier
from napari_her2.cells.table import CellTable

_TUMOUR = {
    "area_um2": 55.0,
    "nucleus_elongation": 1.3,
    "nucleus_contrast": 0.2,
    "nucleus_dab": 0.02,
    "nucleus_haematoxylin": 0.2,
    "nucleus_gradient": 0.06,
    "nucleus_darkness": 0.6,
    "nucleus_density": 1.0,
    "nucleus_relative_area": 1.1,
    "cell_spacing_um": 16.0,
    "cell_body": 0.4,
    "membrane_od": 0.0,
    "membrane_completeness": 0.0,
    "membrane_contrast": 0.03,
}


def _table(*cells: dict[str, float]) -> CellTable:
    rows = [_TUMOUR | c for c in cells]
    columns = {k: np.array([r[k] for r in rows], np.float32) for k in _TUMOUR}
    place = np.zeros(len(rows))
    return CellTable({"x_px": place, "y_px": place, **columns})


def _names(*cells: dict[str, float], organ: str = "breast") -> list[str]:
    probs = MembraneClassifier(organ=organ).classify(_table(*cells))  # type: ignore[arg-type]
    return [CELL_CLASSES[k] for k in probs.argmax(1)]


def _membrane(od: float, share: float) -> dict[str, float]:
    return {"membrane_od": od, "membrane_completeness": share}


def test_a_faint_border_is_the_neighbours_where_the_nucleus_is_clear_of_brown() -> None:
    faint = _membrane(0.13, 0.3)
    among_strong = faint | {"membrane_contrast": 0.2}
    assert _names(
        among_strong | {"nucleus_dab": 0.0}, among_strong, faint | {"nucleus_dab": 0.0}
    ) == ["tumour 0", "tumour 1+", "tumour 1+"]
    strong = _membrane(0.4, 0.95) | {"membrane_contrast": 0.2, "nucleus_dab": 0.0}
    assert _names(strong) == ["tumour 2+"]


def test_scores_follow_strength_and_share() -> None:
    assert _names(
        {}, _membrane(0.15, 0.4), _membrane(0.36, 0.95), _membrane(1.0, 0.98), _membrane(0.3, 0.05)
    ) == ["tumour 0", "tumour 1+", "tumour 2+", "tumour 3+", "tumour 0"]


def test_partial_strong_staining_counts_in_gea_only() -> None:
    lateral = _membrane(1.0, 0.35)
    assert _names(lateral) == ["tumour 1+"]
    assert _names(lateral, organ="gea") == ["tumour 3+"]


def test_kinds_by_the_nucleus() -> None:
    assert _names(
        {"nucleus_elongation": 3.2, "area_um2": 35.0},
        {"nucleus_density": 1.4, "nucleus_darkness": 1.3},
        {"nucleus_darkness": 1.3},
        {"nucleus_density": 1.4, "nucleus_darkness": 1.3, "nucleus_relative_area": 2.5},
        {"nucleus_elongation": 1.8},
        {"nucleus_elongation": 1.8, "cell_spacing_um": 30.0},
        {"cell_body": 0.05, "area_um2": 32.0},
        {"cell_body": 0.05},
        {"cell_body": 0.05, "area_um2": 18.0},
        {"area_um2": 12.0, "nucleus_darkness": 0.9},
        {"area_um2": 3.0},
        {"area_um2": 900.0},
        {"nucleus_dab": 1.0},
    ) == [
        "stroma", "immune", "tumour 0", "tumour 0", "tumour 0", "stroma", "stroma", "tumour 0",
        "immune", "artefact", "artefact", "artefact", "artefact",
    ]  # fmt: skip


def test_debris_is_small_uneven_and_as_dense_as_other_nuclei() -> None:
    debris = {
        "nucleus_gradient": 0.14,
        "nucleus_relative_area": 0.6,
        "nucleus_dab": 0.05,
        "area_um2": 28.0,
        **_membrane(0.08, 0.15),
    }
    assert _names(
        debris,
        debris | {"nucleus_gradient": 0.07},
        debris | {"nucleus_relative_area": 1.5},
        debris | {"nucleus_dab": 0.0},
        debris | {"cell_body": 1.2},
        debris | _membrane(0.2, 0.2),
        debris | _membrane(0.9, 0.9),
    ) == ["artefact", *["tumour 1+"] * 5, "tumour 3+"]
    # Where all nuclei are pale, a slope is noise.
    assert _names(debris | {"nucleus_haematoxylin": 0.06, "nucleus_gradient": 0.06}) == [
        "tumour 1+"
    ]


def test_a_stained_membrane_makes_a_tumour_cell_of_any_shape() -> None:
    stained = _membrane(0.9, 0.9)
    assert _names({"nucleus_elongation": 3.2, **stained}, {"area_um2": 18.0, **stained}) == [
        "tumour 3+",
        "tumour 3+",
    ]


def test_grades_sum_to_one_and_are_even_on_a_cut() -> None:
    rng = np.random.default_rng(3)
    cells = [_membrane(float(a), float(b)) for a, b in rng.random((200, 2))]
    probs = MembraneClassifier().classify(_table(*cells))
    assert probs.dtype == np.float32
    assert probs.sum(1) == pytest.approx(np.ones(200), abs=1e-5)
    assert (probs >= 0).all()
    cut = MembraneClassifier().classify(_table(_membrane(DEFAULT_CUTS.strong_od, 1.0)))[0]
    two, three = (CELL_CLASSES.index(n) for n in ("tumour 2+", "tumour 3+"))
    assert cut[two] == pytest.approx(cut[three], abs=1e-4)
    far = MembraneClassifier().classify(_table(_membrane(2 * DEFAULT_CUTS.strong_od, 1.0)))[0]
    assert far[three] > 0.95


def test_more_stain_never_lowers_the_score() -> None:
    strengths = [_membrane(float(od), 0.9) for od in np.linspace(0, 1.5, 61)]
    scores = MembraneClassifier().classify(_table(*strengths))[:, :4] @ np.arange(4)
    assert (np.diff(scores) >= -1e-4).all()
    shares = [_membrane(0.9, float(s)) for s in np.linspace(0, 1, 61)]
    scores = MembraneClassifier().classify(_table(*shares))[:, :4] @ np.arange(4)
    assert (np.diff(scores) >= -1e-4).all()


def test_no_cells() -> None:
    table = _table({}).take(np.zeros(0, np.intp))
    assert MembraneClassifier().classify(table).shape == (0, 7)


def test_it_is_a_classifier_and_its_digest_follows_the_cuts() -> None:
    one = MembraneClassifier()
    assert isinstance(one, CellClassifier)
    assert one.digest == MembraneClassifier().digest
    assert one.digest != MembraneClassifier(organ="gea").digest
    assert one.digest != MembraneClassifier(MembraneCuts(strong_od=0.7)).digest


def test_cuts_survive_json() -> None:
    for cuts in (DEFAULT_CUTS, GEA_CUTS, MembraneCuts(strong_od=0.71, some=0.2)):
        assert MembraneCuts.from_json(json.loads(json.dumps(cuts.to_json()))) == cuts
    assert default_cuts("gea") is GEA_CUTS
    with pytest.raises(TypeError):
        MembraneCuts.from_json({"no_such_cut": 1.0})


@pytest.mark.parametrize(
    "wrong",
    [
        {"strong_od": 0.1},
        {"some": 0.9},
        {"enough": 1.2},
        {"most_area_um2": 5.0},
        {"faint_od": 0},
        {"debris_slope": 0},
    ],
)
def test_cuts_that_do_not_rise_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="rise"):
        MembraneCuts(**wrong)
