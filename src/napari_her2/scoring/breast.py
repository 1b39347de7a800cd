"""HER2 IHC of breast carcinoma: the ASCO/CAP guideline's editions, and the rule of P2.

The classes of the cells carry the quality of staining (3+ complete and intense, 2+ complete and
weak to moderate, 1+ incomplete and faint); the rules here add up how many cells there are of each.
A share is always read as "this grade or a stronger one": a cell that stains more strongly than a
grade asks cannot count against it.
"""

from __future__ import annotations

from typing import Final

from napari_her2.messages import tr
from napari_her2.scoring.evidence import GRADES, Evidence, Shares
from napari_her2.scoring.result import STATUS_OF, Cut, Descriptor, Verdict
from napari_her2.types import IhcScore

__all__ = ["INTENSE_MINIMUM", "asco_cap", "asco_cap_2023", "cumulative", "vandenberghe_2017"]

CUT: Final = 10.0
"""Percent of tumour cells; more than this is needed (> 10 %), in every edition since 2013."""

INTENSE_MINIMUM: Final = 3.0
"""Percent of 3+ cells above which "intense, but in 10 % or less" counts as a pattern. Our choice:
the guideline names no lower limit, and without one a few mistaken cells would make every case
equivocal. Of the cells of real fields of score 0 and 1+ (n = 4, each at three pixel sizes) measured
membranes put 2 % or less into 3+ in eleven of twelve readings, 4 % in one."""


def cumulative(shares: Shares, *, inclusive: bool) -> tuple[IhcScore, tuple[Cut, Cut, Cut]]:
    """Find the strongest grade that, with everything stronger, reaches 10 % of tumour cells.

    Parameters
    ----------
    shares : Shares
        Percent of tumour cells by grade.
    inclusive : bool
        Whether exactly 10 % is enough.

    Returns
    -------
    ihc : str
        The score.
    cuts : tuple of Cut
        Those of 3+, 2+ and 1+.
    """

    def cut(grade: IhcScore, measure: str) -> Cut:
        return Cut(grade, measure, CUT, inclusive, shares.at_least[GRADES.index(grade)])

    cuts = (cut("3+", "3+"), cut("2+", "2+ and 3+"), cut("1+", "1+ to 3+"))
    ihc: IhcScore = next((c.grade for c in cuts if c.met), "0")
    return ihc, cuts


def vandenberghe_2017(evidence: Evidence) -> Verdict:
    """Score as P2 writes it: 3+ above 10 % positive; else 2+ above 10 % equivocal; else negative.

    Parameters
    ----------
    evidence : Evidence
        Shares of tumour cells.

    Notes
    -----
    Vandenberghe 2017, Sci Rep 7:45938, Methods, "HER2 scoring". 2+ cells are taken alone: 3+ in
    8 % and 2+ in 5 % is negative here and 2+ under ASCO/CAP, and a 2+ cell that turns 3+ can make
    an equivocal case negative.
    """
    shares = evidence.shares
    three = Cut("3+", "3+", CUT, False, shares.percent[3])
    two = Cut("2+", "2+", CUT, False, shares.percent[2], counts=not three.met)
    if three.met:
        return Verdict("3+", "positive", (three, two))
    if two.met:
        return Verdict("2+", "equivocal", (three, two))
    return Verdict(None, "negative", (three, two))


def asco_cap(evidence: Evidence) -> Verdict:
    """Score by the ASCO/CAP guideline for breast, 2013 and 2018.

    3+: complete and intense in > 10 % of tumour cells. 2+: complete, weak to moderate, in > 10 %.
    1+: incomplete and faint in > 10 %. 0: none, or incomplete and faint in 10 % or less.

    Parameters
    ----------
    evidence : Evidence
        Shares of tumour cells, and how many stain in the unusual incomplete way.

    Notes
    -----
    Wolff 2013 (J Clin Oncol 31:3997) counts complete intense staining in 10 % or less as 2+; Wolff
    2018 (J Clin Oncol 36:2105, Fig 1) lists it, with moderate to intense but incomplete staining,
    among the unusual patterns that are to be called 2+. From counted cells the two editions differ
    in nothing else, so they share this function.
    """
    shares, incomplete = evidence.shares, evidence.incomplete_intense
    ihc: IhcScore
    cuts: tuple[Cut, ...]
    ihc, cuts = cumulative(shares, inclusive=False)
    notes: list[str] = []
    if ihc in ("0", "1+"):
        few = Cut("2+", "3+", INTENSE_MINIMUM, False, shares.at_least[3], pattern=True)
        odd = Cut("2+", "incomplete but intense", CUT, False, incomplete, pattern=True)
        cuts = (*cuts, *(c for c in (few, odd) if c.value > 0))
        if few.met:
            notes.append(tr("unusual_intense", share=f"{few.value:.1f}"))
        if odd.met:
            notes.append(tr("unusual_incomplete", share=f"{odd.value:.1f}"))
        if notes:
            ihc = "2+"
        else:
            notes.append(tr("low_range"))
    return Verdict(ihc, STATUS_OF[ihc], cuts, notes=tuple(notes))


def asco_cap_2023(evidence: Evidence) -> Verdict:
    """Score as in 2018 and add the research descriptors null, ultralow and low.

    Null: no stained tumour cell. Ultralow: score 0 with some. Low: 1+, or 2+ once ISH is negative
    (see :func:`napari_her2.scoring.ish.with_ish`).

    Parameters
    ----------
    evidence : Evidence
        As for :func:`asco_cap`.

    Notes
    -----
    Wolff 2023 (J Clin Oncol 41:3867) affirms the categories of 2018 and declines "HER2-low" as a
    category, asking for care between 0 and 1+. Low as in Modi 2022 (N Engl J Med 387:9), ultralow
    as in Bardia 2024 (N Engl J Med 391:2110).
    """
    seen = asco_cap(evidence)
    descriptor: Descriptor | None = None
    notes = list(seen.notes)
    if seen.ihc == "0":
        descriptor = "ultralow" if evidence.shares.at_least[1] > 0 else "null"
    elif seen.ihc == "1+":
        descriptor = "low"
    elif seen.ihc == "2+":
        notes.append(tr("low_needs_ish"))
    if descriptor is not None:
        notes.append(tr("descriptor", descriptor=descriptor))
    return Verdict(seen.ihc, seen.status, seen.cuts, descriptor, tuple(notes))
