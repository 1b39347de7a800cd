"""HER2 IHC of gastro-oesophageal adenocarcinoma: resection and biopsy.

Complete, basolateral and lateral staining all count here, so the grades of the cells must not come
from the breast's completeness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from napari_her2.scoring.breast import cumulative
from napari_her2.scoring.evidence import GRADES, Evidence
from napari_her2.scoring.result import STATUS_OF, Cut, Verdict
from napari_her2.types import IhcScore

__all__ = ["MIN_CLUSTER", "biopsy", "largest_clusters_at_least", "resection"]

MIN_CLUSTER: Final = 5
"""Tumour cells that make a cluster."""


def resection(evidence: Evidence) -> Verdict:
    """Score a resection: the strongest grade that reaches 10 % of tumour cells (>= 10 %).

    3+: strong, complete, basolateral or lateral. 2+: weak to moderate, likewise. 1+: faint, part of
    the membrane. 0: none, or in less than 10 %.

    Parameters
    ----------
    evidence : Evidence
        Shares of tumour cells.

    Notes
    -----
    Hofmann 2008 (Histopathology 52:797), Rueschoff 2010 (Virchows Arch 457:299), CAP/ASCP/ASCO
    2016 (Bartley, Arch Pathol Lab Med 140:1345). Mind the boundary: exactly 10 % is enough here
    and not enough in breast.
    """
    ihc, cuts = cumulative(evidence.shares, inclusive=True)
    return Verdict(ihc, STATUS_OF[ihc], cuts)


def largest_clusters_at_least(clusters: Mapping[str, int]) -> dict[IhcScore, int]:
    """Make cluster sizes cumulative: a cluster of 3+ cells is also one of 2+ "or stronger".

    Parameters
    ----------
    clusters : mapping of str to int
        Tumour cells in the largest cluster of each grade ("1+", "2+", "3+"); missing = 0.
    """
    sizes = {str(k).removeprefix("tumour "): int(v) for k, v in clusters.items()}
    largest: dict[IhcScore, int] = {}
    so_far = 0
    for grade in reversed(GRADES[1:]):
        so_far = max(so_far, sizes.get(grade, 0))
        largest[grade] = so_far
    return largest


def biopsy(evidence: Evidence) -> Verdict:
    """Score a biopsy: the strongest grade with a cluster of 5 or more tumour cells, at any percent.

    Parameters
    ----------
    evidence : Evidence
        Sizes of the largest clusters.

    Notes
    -----
    Rueschoff 2010 and 2012 (Mod Pathol 25:637), CAP/ASCP/ASCO 2016. No percentage decides, so the
    distances are in cells and there is no margin in points.
    """
    sizes = largest_clusters_at_least(evidence.clusters or {})
    cuts = tuple(
        Cut(grade, "cells in a cluster", MIN_CLUSTER, True, sizes[grade], "cells")
        for grade in reversed(GRADES[1:])
    )
    ihc: IhcScore = next((c.grade for c in cuts if c.met), "0")
    return Verdict(ihc, STATUS_OF[ihc], cuts)
