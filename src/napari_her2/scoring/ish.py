"""HER2 in situ hybridisation: groups 1 to 5, single probe, the gastro-oesophageal reading, and what
they make of an IHC 2+.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from napari_her2.errors import UsageError
from napari_her2.messages import NOTICE, tr
from napari_her2.scoring.result import RuleResult
from napari_her2.types import IhcScore

__all__ = [
    "IshResult",
    "IshStatus",
    "dual_probe",
    "dual_probe_group",
    "gastro_oesophageal_ish",
    "single_probe",
    "with_ish",
]

IshStatus = Literal["positive", "negative", "recount needed", "IHC needed", "dual probe needed"]
"""The last three are no result yet: something has to be done first."""

_RATIO, _LOW, _HIGH = 2.0, 4.0, 6.0
_BREAST = "ASCO/CAP 2018: Wolff et al., J Clin Oncol 36:2105 (affirmed 2023)"
_GEA = "Pisula et al. 2023, Br J Cancer, Methods: ratio >= 2.0 or HER2 signals >= 6.0"


@dataclass(frozen=True, slots=True)
class IshResult:
    """What ISH comes to.

    Attributes
    ----------
    rule, source : str
        Id of the rule and where it is from.
    status : str
        "positive", "negative", or what is still needed.
    group : int or None
        1 to 5, for dual probes in breast.
    inputs : mapping
        Ratio, copies, IHC and recount as given.
    notes : tuple of str
        Sentences that go with it.
    """

    rule: str
    source: str
    status: IshStatus
    group: int | None
    inputs: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def decided(self) -> bool:
        """Whether there is a result."""
        return self.status in ("positive", "negative")

    @property
    def sentence(self) -> str:
        """``ISH positive (group 1)``, or what is still needed."""
        if not self.decided:
            return self.notes[0]
        return f"ISH {self.status}" + (f" (group {self.group})" if self.group else "")

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "rule": self.rule,
            "source": self.source,
            "status": self.status,
            "group": self.group,
            "inputs": dict(self.inputs),
            "sentence": self.sentence,
            "notes": list(self.notes),
            "notice": NOTICE,
        }


def dual_probe_group(ratio: float, copies: float) -> int:
    """Group of a dual-probe result.

    1: ratio >= 2, copies >= 4. 2: ratio >= 2, copies < 4. 3: ratio < 2, copies >= 6.
    4: ratio < 2, copies 4 to below 6. 5: ratio < 2, copies < 4.

    Parameters
    ----------
    ratio : float
        HER2 / CEP17.
    copies : float
        Mean HER2 signals a cell.

    Raises
    ------
    UsageError
        ``ish_not_numbers``.
    """
    _check(ratio, copies)
    if ratio >= _RATIO:
        return 1 if copies >= _LOW else 2
    if copies >= _HIGH:
        return 3
    return 4 if copies >= _LOW else 5


_UNEQUIVOCAL: Final[Mapping[int, IshStatus]] = {1: "positive", 5: "negative"}


def dual_probe(
    ratio: float, copies: float, ihc: IhcScore | None = None, *, recounted: bool = False
) -> IshResult:
    """Read a dual-probe ISH of breast together with IHC.

    Groups 1 and 5 speak for themselves. Groups 2, 3 and 4 are positive with IHC 3+ and negative
    with IHC 0 or 1+. With IHC 2+ a second, blinded observer recounts at least 20 cells; if the
    group stands, group 3 is positive and groups 2 and 4 are negative.

    Parameters
    ----------
    ratio : float
        HER2 / CEP17.
    copies : float
        Mean HER2 signals a cell.
    ihc : str, optional
        IHC score of the same tissue.
    recounted : bool
        Whether these are the figures of that second count.

    Notes
    -----
    Wolff 2018, J Clin Oncol 36:2105, Figs 3 to 6.
    """
    group = dual_probe_group(ratio, copies)
    inputs = {"ratio": ratio, "copies": copies, "ihc": ihc, "recounted": recounted}
    status: IshStatus
    notes: tuple[str, ...] = ()
    if group in _UNEQUIVOCAL:
        status = _UNEQUIVOCAL[group]
    elif ihc is None:
        status, notes = "IHC needed", (tr("ish_needs_ihc", group=group),)
    elif ihc == "3+":
        status = "positive"
    elif ihc in ("0", "1+"):
        status = "negative"
    elif not recounted:
        status, notes = "recount needed", (tr("ish_recount", group=group),)
    else:
        status = "positive" if group == 3 else "negative"
    return IshResult("asco-cap-ish-dual-2018", _BREAST, status, group, inputs, notes)


def single_probe(copies: float, ihc: IhcScore | None = None) -> IshResult:
    """Read a single-probe ISH of breast: 6 copies or more positive, below 4 negative.

    Between them IHC decides (3+ positive, 0 or 1+ negative); with 2+ or without IHC a dual probe
    is needed.

    Parameters
    ----------
    copies : float
        Mean HER2 signals a cell.
    ihc : str, optional
        IHC score of the same tissue.

    Notes
    -----
    Wolff 2018, J Clin Oncol 36:2105, Fig 2.
    """
    _check(copies)
    status: IshStatus
    notes: tuple[str, ...] = ()
    if copies >= _HIGH:
        status = "positive"
    elif copies < _LOW:
        status = "negative"
    elif ihc == "3+":
        status = "positive"
    elif ihc in ("0", "1+"):
        status = "negative"
    else:
        status, notes = "dual probe needed", (tr("ish_dual_probe"),)
    inputs = {"copies": copies, "ihc": ihc}
    return IshResult("asco-cap-ish-single-2018", _BREAST, status, None, inputs, notes)


def gastro_oesophageal_ish(ratio: float, copies: float) -> IshResult:
    """Read a dual-probe ISH of gastro-oesophageal tissue as P5 does: ratio >= 2 or copies >= 6.

    Parameters
    ----------
    ratio : float
        HER2 / CEP17.
    copies : float
        Mean HER2 signals a cell.

    Notes
    -----
    Pisula 2023, Methods. The breast's groups are not used for this tissue.
    """
    _check(ratio, copies)
    status: IshStatus = "positive" if ratio >= _RATIO or copies >= _HIGH else "negative"
    inputs = {"ratio": ratio, "copies": copies}
    return IshResult("gea-ish-2023", _GEA, status, None, inputs)


def with_ish(result: RuleResult, ish: IshResult) -> RuleResult:
    """Let ISH decide an equivocal IHC.

    Parameters
    ----------
    result : RuleResult
        Any result; only IHC 2+ is changed.
    ish : IshResult
        ISH of the same tissue. One that is not decided yet changes nothing.

    Returns
    -------
    RuleResult
        2+ with ISH positive: positive. 2+ with ISH negative: negative, and "low" as research
        descriptor where the rule carries descriptors.
    """
    inputs = {**result.inputs, "ish": ish.to_json()}
    if result.ihc != "2+" or not result.assessable:
        return replace(result, inputs=inputs)
    if not ish.decided:
        return replace(result, inputs=inputs, notes=(*result.notes, *ish.notes))
    pending = tr("low_needs_ish")
    notes = tuple(n for n in result.notes if n != pending)
    if ish.status == "positive":
        return replace(
            result, status="positive", inputs=inputs, notes=notes,
            sentence="Rule yields 2+ with ISH positive (positive)",
        )  # fmt: skip
    low = pending in result.notes
    if low:
        notes = (*notes, tr("descriptor", descriptor="low"))
    return replace(
        result, status="negative", inputs=inputs, notes=notes,
        descriptor="low" if low else None,
        sentence="Rule yields 2+ with ISH negative (negative)",
    )  # fmt: skip


def _check(*numbers: float) -> None:
    if not all(math.isfinite(n) and n > 0 for n in numbers):
        raise UsageError("ish_not_numbers")
