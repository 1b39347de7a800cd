"""Clusters of stained cells for biopsies."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.scoring.cases import score_case
from napari_her2.scoring.clusters import largest_clusters


def test_neighbours_connect_and_gaps_divide():
    # Five in a row 20 µm apart, a gap of 60 µm, three more.
    x = [0, 20, 40, 60, 80, 140, 160, 180]
    points = np.stack([x, np.zeros(8)], axis=1)
    assert largest_clusters(points, [3] * 8) == {"1+": 5, "2+": 5, "3+": 5}
    assert largest_clusters(points, [3] * 8, reach_um=60) == {"1+": 8, "2+": 8, "3+": 8}
    assert largest_clusters(points, [3] * 8, reach_um=5) == {"1+": 1, "2+": 1, "3+": 1}


def test_a_stronger_cell_is_part_of_a_weaker_cluster():
    points = np.stack([np.arange(6) * 15.0, np.zeros(6)], axis=1)
    found = largest_clusters(points, [3, 2, 2, 1, 0, 3])
    assert found == {"1+": 4, "2+": 3, "3+": 1}


def test_no_cell_no_cluster():
    assert largest_clusters(np.zeros((0, 2)), []) == {"1+": 0, "2+": 0, "3+": 0}
    assert largest_clusters([[0.0, 0.0]], [0]) == {"1+": 0, "2+": 0, "3+": 0}
    with pytest.raises(ValueError, match="1 points"):
        largest_clusters([[0.0, 0.0]], [1, 2])


def test_a_small_strong_cluster_makes_a_biopsy_positive():
    rng = np.random.default_rng(0)
    points = np.vstack([rng.uniform(0, 3000, (2000, 2)), [[5000, 5000 + 12 * k] for k in range(5)]])
    grades = np.array([0] * 2000 + [3] * 5)
    clusters = largest_clusters(points, grades)
    assert clusters["3+"] == 5
    result = score_case(
        {"tumour 0": 2000, "tumour 3+": 5}, organ="gea", specimen="biopsy", clusters=clusters
    )
    assert (result.ihc, result.status) == ("3+", "positive")
