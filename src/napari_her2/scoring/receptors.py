"""Nuclear IHC: positive fraction, H-score and Allred; the ER and PgR rule of 2020."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from napari_her2.messages import NOTICE, tr
from napari_her2.scoring.evidence import MIN_TUMOUR_CELLS
from napari_her2.scoring.indices import Allred, allred, h_score
from napari_her2.scoring.result import NOT_ASSESSABLE

__all__ = [
    "INTENSITIES",
    "RECEPTOR_RULE",
    "NuclearMarker",
    "NuclearResult",
    "ReceptorStatus",
    "receptor_status",
    "score_nuclei",
]

NuclearMarker = Literal["ER", "PR", "Ki67"]
ReceptorStatus = Literal["negative", "low positive", "positive", "not assessable"]

INTENSITIES: Final = ("negative", "weak", "moderate", "strong")
"""Intensity of a nucleus, weakest first; all but the first are positive."""

RECEPTOR_RULE: Final = "asco-cap-er-pgr-2020"
_VERSION = "1.0"
_SOURCE = "ASCO/CAP 2020: Allison et al., J Clin Oncol 38:1346"
_POSITIVE_FROM, _LOW_TO = 1.0, 10.0


def receptor_status(positive_percent: float, marker: NuclearMarker) -> ReceptorStatus | None:
    """Status by the share of stained tumour nuclei, of any intensity.

    Below 1 % negative; ER in 1 to 10 % low positive; above that positive. PgR has no low category.
    Ki67 has no status here: its cuts differ between uses.

    Parameters
    ----------
    positive_percent : float
        0 to 100.
    marker : {"ER", "PR", "Ki67"}
        What was stained.

    Notes
    -----
    Allison 2020, J Clin Oncol 38:1346: exactly 1 % is positive, exactly 10 % still low positive.
    """
    if not 0 <= positive_percent <= 100:
        msg = f"{positive_percent} is no percentage"
        raise ValueError(msg)
    if marker == "Ki67":
        return None
    if positive_percent < _POSITIVE_FROM:
        return "negative"
    if marker == "ER" and positive_percent <= _LOW_TO:
        return "low positive"
    return "positive"


@dataclass(frozen=True, slots=True)
class NuclearResult:
    """What stained nuclei come to.

    Attributes
    ----------
    marker : str or None
        What was stained, if known.
    nuclei : int
        Nuclei counted, artefacts left out.
    positive_percent : float or None
        Percent of them stained, weak ones too; None without a nucleus.
    percent : mapping of str to float
        Percent by intensity.
    h_score : float or None
        0 to 300.
    allred : Allred or None
        Proportion and intensity score.
    status : str or None
        ER, PgR: status. "not assessable" with too few nuclei. None for Ki67 or no marker.
    sentence : str
        What is said, or why nothing is.
    reason : str or None
        Message id of why there is no score.
    notes : tuple of str
        Sentences that go with it.
    """

    marker: NuclearMarker | None
    nuclei: int
    positive_percent: float | None
    percent: Mapping[str, float]
    h_score: float | None
    allred: Allred | None
    status: ReceptorStatus | None
    sentence: str
    reason: str | None = None
    notes: tuple[str, ...] = field(default=())

    @property
    def assessable(self) -> bool:
        """Whether enough nuclei were counted."""
        return self.reason is None

    @property
    def positive_fraction(self) -> float | None:
        """0 to 1."""
        return None if self.positive_percent is None else self.positive_percent / 100

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "rule": RECEPTOR_RULE if self.marker in ("ER", "PR") else None,
            "version": _VERSION,
            "source": _SOURCE if self.marker in ("ER", "PR") else None,
            "marker": self.marker,
            "assessable": self.assessable,
            "nuclei": self.nuclei,
            "positive_fraction": self.positive_fraction,
            "percent": dict(self.percent),
            "h_score": self.h_score,
            "allred": None if self.allred is None else self.allred.to_json(),
            "status": self.status,
            "sentence": self.sentence,
            "reason": self.reason,
            "notes": list(self.notes),
            "notice": NOTICE,
        }


def score_nuclei(counts: Mapping[str, int], marker: NuclearMarker | None = None) -> NuclearResult:
    """Score nuclear staining from counted nuclei.

    Parameters
    ----------
    counts : mapping of str to int
        "negative", "weak", "moderate", "strong"; "artefact" is left out.
    marker : {"ER", "PR", "Ki67"}, optional
        What was stained; ER and PR get a status.

    Returns
    -------
    NuclearResult
        Below 100 nuclei (the guideline, too, asks for 100) figures are kept and no status is given.
    """
    unknown = set(counts) - {*INTENSITIES, "artefact"}
    if unknown or any(v < 0 for v in counts.values()):
        msg = f"no counts of nuclear staining: {dict(counts)}"
        raise ValueError(msg)
    numbers = [int(counts.get(name, 0)) for name in INTENSITIES]
    n = sum(numbers)
    if n == 0:
        only_artefact = counts.get("artefact", 0) > 0
        reason = "all_artefact" if only_artefact else "no_cells"
        sentence = tr("all_artefact") if only_artefact else tr("no_cells")
        return NuclearResult(marker, 0, None, {}, None, None, NOT_ASSESSABLE, sentence, reason)
    percent = {name: 100 * k / n for name, k in zip(INTENSITIES, numbers, strict=True)}
    positive = 100 * sum(numbers[1:]) / n
    figures = (marker, n, positive, percent, h_score(percent), allred(percent))
    if n < MIN_TUMOUR_CELLS:
        sentence = tr("few_nuclei", n=n, minimum=MIN_TUMOUR_CELLS)
        return NuclearResult(*figures, NOT_ASSESSABLE, sentence, "few_nuclei")
    status = None if marker is None else receptor_status(positive, marker)
    if marker is None or status is None:
        return NuclearResult(*figures, None, f"{positive:.1f} % of {n} nuclei are positive")
    notes = []
    if status == "low positive":
        notes.append(tr("er_low"))
    if marker == "ER" and positive <= _LOW_TO:
        notes.append(tr("er_controls"))
    return NuclearResult(*figures, status, f"Rule yields {marker} {status}", notes=tuple(notes))
