"""What a rule says of a case: score, status, distance to each cut, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from napari_her2.messages import NOTICE
from napari_her2.scoring.evidence import GRADES
from napari_her2.scoring.intervals import Interval
from napari_her2.types import IhcScore

__all__ = [
    "MEASURED",
    "NOT_ASSESSABLE",
    "STATUS_OF",
    "Cut",
    "Descriptor",
    "RuleResult",
    "Status",
    "Verdict",
    "yields",
]

Status = Literal["positive", "equivocal", "negative", "not assessable"]
Descriptor = Literal["null", "ultralow", "low"]
"""Research descriptors below positive. They are no category of any guideline."""

NOT_ASSESSABLE: Final = "not assessable"

STATUS_OF: Final[Mapping[IhcScore, Status]] = {
    "0": "negative",
    "1+": "negative",
    "2+": "equivocal",
    "3+": "positive",
}

MEASURED: Final[Mapping[str, slice]] = {
    "3+": slice(3, 4),
    "2+": slice(2, 3),
    "2+ and 3+": slice(2, 4),
    "1+ to 3+": slice(1, 4),
}
"""Grades that each measured share adds up, as places in :data:`GRADES`."""

_NEGATIVE_IN_WORDS = "0 or 1+"


@dataclass(frozen=True, slots=True)
class Cut:
    """One limit of a rule, and how far the case is from it.

    Attributes
    ----------
    grade : str
        Score that needs this limit.
    measure : str
        What is compared with it: "3+", "2+ and 3+", "1+ to 3+", or "cells in a cluster".
    threshold : float
        The limit.
    inclusive : bool
        Whether the limit itself is enough (>=) or must be exceeded (>).
    value : float
        The case's figure.
    unit : {"%", "cells"}
        Of threshold, value and distance.
    interval : Interval or None
        Tile-bootstrap interval of the value, if tiles were given.
    counts : bool
        Whether crossing this cut alone could change the result. Only such cuts make the margin.
    pattern : bool
        Whether it is the limit of an unusual pattern, not one of the guideline's own. It makes the
        margin only where the result rests on it; otherwise every case without any such cells
        would seem to lie beside a cut.
    """

    grade: IhcScore
    measure: str
    threshold: float
    inclusive: bool
    value: float
    unit: Literal["%", "cells"] = "%"
    interval: Interval | None = None
    counts: bool = True
    pattern: bool = False

    @property
    def met(self) -> bool:
        """Whether the case reaches it."""
        return self.value >= self.threshold if self.inclusive else self.value > self.threshold

    @property
    def distance(self) -> float:
        """Value minus limit; negative below it. Points for %."""
        return self.value - self.threshold

    @property
    def spanned(self) -> bool:
        """Whether the interval holds the limit: other tiles could have given the other answer."""
        return self.interval is not None and self.interval.holds(self.threshold)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "grade": self.grade,
            "measure": self.measure,
            "threshold": self.threshold,
            "inclusive": self.inclusive,
            "value": self.value,
            "unit": self.unit,
            "distance": self.distance,
            "interval": self.interval.to_json() if self.interval else None,
            "at_the_cut": self.spanned,
            "counts": self.counts,
            "pattern": self.pattern,
        }


@dataclass(frozen=True, slots=True)
class RuleResult:
    """A case seen through one rule.

    Attributes
    ----------
    rule, label, short, version, source : str
        Id, full and short name, version of our reading, and the guideline with its year.
    ihc : str or None
        "0" to "3+". None where the rule gives only a status, or is not assessable.
    status : str
        "positive", "equivocal", "negative" or "not assessable": a case that could not be assessed
        is never negative.
    sentence : str
        ``Rule yields 2+ (equivocal)``, or the sentence that says why there is no score.
    reason : str or None
        Message id of that sentence; None if there is a score.
    cells : int or None
        Tumour cells counted; None for percentages that were estimated.
    percent : mapping of str to float
        Percent of tumour cells by grade.
    cuts : tuple of Cut
        Each limit of the rule with its distance.
    descriptor : str or None
        "null", "ultralow" or "low" (research), for rules that carry them.
    notes : tuple of str
        Sentences to be shown with the score.
    inputs : mapping
        Further inputs the rule used: clusters, ISH, unusual patterns.
    """

    rule: str
    label: str
    short: str
    version: str
    source: str
    ihc: IhcScore | None
    status: Status
    sentence: str
    cells: int | None
    percent: Mapping[str, float] = field(default_factory=dict)
    cuts: tuple[Cut, ...] = ()
    descriptor: Descriptor | None = None
    notes: tuple[str, ...] = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    reason: str | None = None

    @property
    def assessable(self) -> bool:
        """Whether there is a score."""
        return self.status != NOT_ASSESSABLE

    @property
    def nearest(self) -> Cut | None:
        """The cut in percent that is nearest among those that could change the result."""
        cuts = [c for c in self.cuts if c.counts and c.unit == "%" and (c.met or not c.pattern)]
        if not cuts:
            return None
        grade = self.ihc or "0"
        # Equally far (all stained cells are 3+): the cut of the score that was given speaks.
        return min(cuts, key=lambda c: (abs(c.distance), abs(_rank(c.grade) - _rank(grade))))

    @property
    def margin(self) -> float | None:
        """Points between the nearest cut and the case; None where no percentage decides."""
        nearest = self.nearest
        return None if nearest is None else abs(nearest.distance)

    @property
    def share(self) -> float | None:
        """Percent that is compared with the nearest cut."""
        return None if self.nearest is None else self.nearest.value

    @property
    def share_of(self) -> str | None:
        """Of which cells that share is: "2+ and 3+"."""
        return None if self.nearest is None else self.nearest.measure

    @property
    def interval(self) -> Interval | None:
        """Tile-bootstrap interval of that share."""
        return None if self.nearest is None else self.nearest.interval

    @property
    def at_cut(self) -> Cut | None:
        """The cut that an interval spans although crossing it could change the result."""
        spanned = [c for c in self.cuts if c.counts and c.spanned]
        return self.nearest if self.nearest in spanned else next(iter(spanned), None)

    @property
    def at_the_cut(self) -> bool:
        """Whether there is such a cut: other tiles could have given another result."""
        return self.at_cut is not None

    @property
    def outcome(self) -> str:
        """Shortest name of the result: "2+", "negative", "not assessable"."""
        return self.ihc or self.status

    @property
    def detail(self) -> str:
        """The figures behind the score in one line, with a full stop as decimal sign.

        ``2+ and 3+ 13.4 % of 3248 (11.9–15.0), cut 10 %, margin 3.4 points``
        """
        cut = self.nearest
        if not self.assessable:
            return ""
        if cut is None:
            # Score 0: the largest cluster of any stained cells, which was too small.
            speaks = self.ihc if self.ihc != "0" else "1+"
            reached = next(c for c in self.cuts if c.grade == speaks)
            cells = "cell" if reached.value == 1 else "cells"
            return f"largest cluster {reached.value:g} {cells}, cut {reached.threshold:g} cells"
        of = "" if self.cells is None else f" of {self.cells}"
        limits = cut.interval
        spread = (
            "" if limits is None or limits.low is None else f" ({limits.low:.1f}–{limits.high:.1f})"
        )
        at, tail = self.at_cut, ""
        if at is not None:
            where = (
                "" if at is cut else f" of {at.threshold:g} % with {at.measure} {at.value:.1f} %"
            )
            tail = f", at the cut{where}"
        return (
            f"{cut.measure} {cut.value:.1f} %{of}{spread}, cut {cut.threshold:g} %, "
            f"margin {abs(cut.distance):.1f} points{tail}"
        )

    def to_json(self) -> dict[str, Any]:
        """JSON-ready, with everything the result rests on."""
        return {
            "rule": self.rule,
            "label": self.label,
            "version": self.version,
            "source": self.source,
            "assessable": self.assessable,
            "ihc": self.ihc,
            "status": self.status,
            "descriptor": self.descriptor,
            "margin": self.margin,
            "share": self.share,
            "share_of": self.share_of,
            "cut": None if self.nearest is None else self.nearest.threshold,
            "interval": self.interval.to_json() if self.interval else None,
            "at_the_cut": self.at_the_cut,
            "cuts": [c.to_json() for c in self.cuts],
            "tumour_cells": self.cells,
            "percent": dict(self.percent),
            "inputs": dict(self.inputs),
            "sentence": self.sentence,
            "detail": self.detail,
            "notes": list(self.notes),
            "reason": self.reason,
            "notice": NOTICE,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a rule makes of shares, before names and words are added.

    Attributes
    ----------
    ihc : str or None
        Score, if the rule gives one.
    status : str
        Status.
    cuts : tuple of Cut
        Every limit.
    descriptor : str or None
        Research descriptor.
    notes : tuple of str
        Sentences to go with it.
    """

    ihc: IhcScore | None
    status: Status
    cuts: tuple[Cut, ...]
    descriptor: Descriptor | None = None
    notes: tuple[str, ...] = ()


def yields(ihc: IhcScore | None, status: Status) -> str:
    """Say what a rule comes to: ``Rule yields 2+ (equivocal)``."""
    if ihc is None:
        return f"Rule yields {status} ({_NEGATIVE_IN_WORDS})"
    return f"Rule yields {ihc} ({status})"


def _rank(grade: IhcScore) -> int:
    return GRADES.index(grade)
