"""Nuclei are graded by how brown they are, and nothing found is not negative."""

from __future__ import annotations

import json
import pickle
from types import SimpleNamespace

import numpy as np
import pytest

from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES
from napari_her2.cells.nuclear import (
    DEFAULT_NUCLEAR_CUTS,
    NUCLEAR_OD,
    NuclearClassifier,
    NuclearCuts,
    measure_nuclear,
    nuclear_classes,
    nucleus_means,
)
from napari_her2.cells.nuclear_summary import nuclear_summary
from napari_her2.cells.protocols import CellClassifier
from napari_her2.cells.table import CellTable
from napari_her2.messages import tr


def graded(density, area=60.0):
    n = len(density)
    table = CellTable(
        {
            "x_px": np.arange(n, dtype=float),
            "y_px": np.zeros(n),
            "area_um2": np.full(n, area, np.float32),
            NUCLEAR_OD: np.asarray(density, np.float32),
        }
    )
    probs = NuclearClassifier().classify(table)
    cls = probs.argmax(axis=1).astype(np.uint8)
    return table.with_columns({"class": cls, "probs": probs}, NUCLEAR_CLASSES)


@pytest.mark.parametrize("cuts", [DEFAULT_NUCLEAR_CUTS, NuclearCuts(0.2, 0.25, 1.4)])
def test_the_likeliest_class_is_the_one_the_cuts_name(cuts):
    od = np.linspace(-0.3, 3, 20_001)
    probs = nuclear_classes(od, cuts=cuts)
    assert probs.shape == (len(od), 5)
    assert probs.sum(axis=1) == pytest.approx(np.ones(len(od)), abs=1e-6)
    assert probs.min() >= 0
    edges = [cuts.weak, cuts.moderate, cuts.strong]
    clear = np.abs(od[:, None] - edges).min(axis=1) > 1e-6
    assert (probs.argmax(axis=1) == np.searchsorted(edges, od))[clear].all()
    rising = probs @ np.arange(5)
    assert (np.diff(rising) >= -1e-6).all()


def test_a_nucleus_on_a_cut_belongs_half_to_each_side():
    probs = nuclear_classes([DEFAULT_NUCLEAR_CUTS.weak, DEFAULT_NUCLEAR_CUTS.strong])
    assert probs[0] == pytest.approx([0.5, 0.5, 0, 0, 0])
    assert probs[1] == pytest.approx([0, 0, 0.5, 0.5, 0])


def test_what_was_not_measured_or_is_no_nucleus_is_artefact():
    probs = nuclear_classes([np.nan, np.inf, 0.5, 0.5, 0.5], [60, 60, 1, 5000, np.nan])
    assert (probs.argmax(axis=1) == NUCLEAR_CLASSES.index("artefact")).all()
    assert np.isfinite(probs).all()


@pytest.mark.parametrize(
    "values",
    [
        {"weak": 0.35},
        {"weak": 0.0},
        {"strong": np.inf},
        {"moderate": np.nan},
        {"min_area_um2": 900},
    ],
)
def test_cuts_that_do_not_rise_are_refused(values):
    with pytest.raises(ValueError, match="cuts must rise"):
        NuclearCuts(**values)


def test_means_are_taken_inside_the_outlines():
    labels = np.zeros((40, 50), np.int32)
    labels[5:15, 5:15] = 1
    labels[20:30, 20:40] = 3
    plane = np.full((40, 50), 9.0, np.float32)
    plane[labels == 1] = 0.25
    plane[labels == 3] = np.linspace(0, 1, 200)
    assert nucleus_means(plane, labels, 3) == pytest.approx([0.25, 0, 0.5])
    assert nucleus_means(plane, labels * 0, 0).shape == (0,)


def test_only_the_kept_rows_are_measured():
    labels = np.repeat(np.arange(1, 4, dtype=np.int32), 10)[None].repeat(10, 0)
    planes = SimpleNamespace(second=labels * 0.1, haematoxylin=labels * 0.2)
    nuclei = SimpleNamespace(labels=labels, area_px=np.full(3, 100))
    columns = measure_nuclear(planes, nuclei, np.array([2, 0]))
    assert columns[NUCLEAR_OD] == pytest.approx([0.3, 0.1])
    assert columns["nucleus_haematoxylin_od"] == pytest.approx([0.6, 0.2])
    assert measure_nuclear(planes, nuclei, np.zeros(0, np.intp))[NUCLEAR_OD].shape == (0,)


def test_it_is_a_classifier_and_its_digest_follows_the_cuts():
    one = NuclearClassifier()
    assert isinstance(one, CellClassifier)
    assert one.digest == NuclearClassifier().digest
    assert one.digest != NuclearClassifier(NuclearCuts(weak=0.12)).digest
    assert pickle.loads(pickle.dumps(one)) == one
    cuts = NuclearCuts(weak=0.15)
    assert NuclearCuts.from_json(json.loads(json.dumps(cuts.to_json()))) == cuts


def test_a_mixed_field_adds_up():
    said = nuclear_summary(graded([0.0] * 120 + [0.2] * 20 + [0.45] * 20 + [1.5] * 40))
    assert said["counts"] == {
        "negative": 120, "weak": 20, "moderate": 20, "strong": 40, "artefact": 0,
    }  # fmt: skip
    assert said["nuclei"] == 200
    assert said["positive_fraction"] == pytest.approx(40.0)
    assert said["h_score"] == pytest.approx(10 + 20 + 60)
    assert said["allred"]["proportion"] == 4
    assert said["allred"]["total"] == 6
    assert said["mean_dab_od"] == pytest.approx((20 * 0.2 + 20 * 0.45 + 40 * 1.5) / 80, rel=1e-5)
    assert said["assessable"]
    assert said["status"] is None
    assert tr("all_nuclei") in said["warnings"]
    json.dumps(said)


@pytest.mark.parametrize(
    ("brown", "marker", "status"),
    [(0, "ER", "negative"), (1, "ER", "low positive"), (10, "ER", "low positive"),
     (11, "ER", "positive"), (0, "PR", "negative"), (5, "PR", "positive"), (50, "Ki67", None)],
)  # fmt: skip
def test_receptors_get_their_status(brown, marker, status):
    said = nuclear_summary(graded([0.8] * brown + [0.0] * (100 - brown)), marker)
    assert said["status"] == status
    assert said["marker"] == marker


def test_squares_of_tissue_give_limits():
    table = graded([0.8] * 60 + [0.0] * 140)
    even = np.tile([7, 0, 0, 3, 0], (20, 1))
    patchy = np.array([[14, 0, 0, 0, 1], [2, 0, 0, 12, 0]] * 10 + [[0, 0, 0, 0, 5]])
    low, high = nuclear_summary(table, tiles=even)["ci95"]["positive_percent"]
    assert low == high == pytest.approx(30)
    limits = nuclear_summary(table, tiles=patchy)["ci95"]
    assert limits["positive_percent"][0] < 40 < limits["positive_percent"][1]
    assert limits["h_score"][0] < limits["h_score"][1]
    assert nuclear_summary(table, tiles=even[:3])["ci95"]["positive_percent"] is None
    assert nuclear_summary(table)["ci95"] == {}
    assert nuclear_summary(graded([]), tiles=even[:0])["ci95"]["h_score"] is None


def test_few_nuclei_keep_their_figures_and_get_no_status():
    said = nuclear_summary(graded([0.0] * 60 + [0.8] * 20), "ER")
    assert said["positive_fraction"] == pytest.approx(25)
    assert not said["assessable"]
    assert said["status"] == "not assessable"
    assert said["reason_id"] == "few_nuclei"


@pytest.mark.parametrize(("density", "reason"), [([], "no_cells"), ([0.5] * 300, "all_artefact")])
def test_nothing_to_count_is_not_negative(density, reason):
    said = nuclear_summary(graded(density, area=2.0), "ER")
    assert said["positive_fraction"] is None
    assert said["h_score"] is None
    assert said["status"] == "not assessable"
    assert said["reason_id"] == reason
    assert said["reason"] == tr(reason)


def test_other_classes_are_refused():
    table = graded([0.1, 0.2]).with_columns({}, CELL_CLASSES)
    with pytest.raises(ValueError, match="not graded"):
        nuclear_summary(table)
