"""Clusters of stained tumour cells, which decide the score of a biopsy."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from napari_her2.scoring.evidence import GRADES
from napari_her2.types import IhcScore

__all__ = ["REACH_UM", "largest_clusters"]

REACH_UM: Final = 25.0
"""Tumour cells whose nuclei are this near (centre to centre) belong together: about one and a half
cell diameters. Our choice; the guideline says "cluster" and gives no distance."""


def largest_clusters(
    points_um: ArrayLike, grades: ArrayLike, reach_um: float = REACH_UM
) -> dict[IhcScore, int]:
    """Count the tumour cells of the largest cluster of each grade "or stronger".

    Parameters
    ----------
    points_um : array_like, shape (n, 2)
        Centres of tumour cells in micrometres, in either axis order.
    grades : array_like of int, shape (n,)
        0 to 3.
    reach_um : float
        Cells whose centres are this near are neighbours; a cluster is what neighbours connect.

    Returns
    -------
    dict
        For "1+", "2+" and "3+": cells in the largest cluster, 0 if there is no such cell.
    """
    points = np.asarray(points_um, np.float64).reshape(-1, 2)
    grade = np.asarray(grades)
    if len(points) != len(grade):
        msg = f"{len(points)} points and {len(grade)} grades"
        raise ValueError(msg)
    largest: dict[IhcScore, int] = {}
    for rank, name in enumerate(GRADES[1:], start=1):
        chosen = points[grade >= rank]
        largest[name] = _largest(chosen, reach_um)
    return largest


def _largest(points: np.ndarray, reach_um: float) -> int:
    n = len(points)
    if n == 0:
        return 0
    pairs = cKDTree(points).query_pairs(reach_um, output_type="ndarray")
    links = coo_array((np.ones(len(pairs), bool), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    _, labels = connected_components(links, directed=False)
    return int(np.bincount(labels).max())
