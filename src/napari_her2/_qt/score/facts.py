"""What the result card says, made of the document's numbers: pure words, no widget."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from napari_her2._qt import numbers
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import NUCLEAR_CLASSES, TUMOUR_CLASSES
from napari_her2.scoring.cases import differ

__all__ = [
    "FEW",
    "ClassShare",
    "RuleLine",
    "ScoreFacts",
    "class_short",
    "facts_of",
    "score_words",
]

FEW: Final = 30
"""With fewer cells their number is told instead of a percentage."""

_SHORT: Final[dict[str, str]] = {
    "tumour 0": "0", "tumour 1+": "1+", "tumour 2+": "2+", "tumour 3+": "3+",
}  # fmt: skip


def class_short(name: str) -> str:
    """Name of a class on the dock: ``2+``, ``stroma``."""
    return _SHORT.get(name, name)


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class of the bar.

    Attributes
    ----------
    share : float
        From 0 to 1, of the classes shown together.
    text : str
        ``9.8 %``, or the number of cells where there are few.
    """

    name: str
    n: int
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class RuleLine:
    """One rule of the table.

    Attributes
    ----------
    differs : bool
        Whether it says something else than the rule chosen.
    """

    rule: str
    title: str
    score: str
    share: str
    cut: str
    margin: str
    sentence: str
    source: str
    chosen: bool = False
    differs: bool = False


@dataclass(frozen=True, slots=True)
class ScoreFacts:
    """The card in words.

    Attributes
    ----------
    title : str
        ``3,248 tumour cells in 41 mm2``.
    verdict, evidence : str
        What the rule yields, and the share it rests on with interval, cut and margin.
    reason : str
        Why there is no score; empty if there is one.
    """

    title: str = ""
    verdict: str = ""
    evidence: str = ""
    reason: str = ""
    classes: tuple[ClassShare, ...] = ()
    disagree: str = ""
    indices: str = ""
    rules: tuple[RuleLine, ...] = ()
    warnings: tuple[str, ...] = ()
    notes: str = ""


def facts_of(
    said: Mapping[str, Any], *, complete: bool, area_mm2: float | None, nuclear: bool = False
) -> ScoreFacts:
    """Put a document (or what is known so far) into words.

    Parameters
    ----------
    said : mapping
        Keys of the command's document; what is missing is left out.
    complete : bool
        While a run goes on there is no score, and numbers are ``so far``.
    area_mm2 : float or None
        Tissue looked at.
    nuclear : bool
        Nuclear IHC instead of HER2.
    """
    names = NUCLEAR_CLASSES[:4] if nuclear else TUMOUR_CLASSES
    counts = {str(k): int(v) for k, v in dict(said.get("counts") or {}).items()}
    classes = _shares(counts, names)
    n = sum(c.n for c in classes)
    title = ui("nuclei_in" if nuclear else "tumour_cells_in", n=numbers.count(n))
    if area_mm2 is not None:
        title = ui("in_area", what=title, area=numbers.area_mm2(area_mm2))
    warnings = tuple(str(w) for w in said.get("warnings") or ())
    if nuclear:
        return ScoreFacts(
            title, *_nuclear_verdict(said, n, complete), classes=classes,
            indices=_nuclear_indices(said, n), warnings=warnings,
        )  # fmt: skip
    chosen = chosen_score(said)
    rules = tuple(_rule_line(s, chosen, n) for s in _scores(said))
    verdict = evidence = reason = notes = ""
    if complete and chosen is not None and _assessable(said, chosen):
        # A demo classifier's cells make a score that is no status; the document has the words.
        demo = chosen.get("status") is None
        verdict = str(chosen["sentence"]) if demo else ui("rule_yields", score=score_words(chosen))
        evidence = _evidence(chosen, n)
        notes = _notes(chosen)
    elif complete:
        verdict = ui("not_assessable")
        reason = _reason(said, chosen)
    elif n:
        evidence = ui("score_later")
    disagree = ""
    if complete and said.get("rules_disagree") and not reason:
        why = said.get("rules_disagree_why")
        disagree = str(why) if why else ui("rules_disagree")
    return ScoreFacts(
        title, verdict, evidence, reason, classes, disagree, _indices(said, n), rules, warnings,
        notes,
    )  # fmt: skip


def chosen_score(said: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The entry of the rule asked for; the first one where none is named."""
    scores = _scores(said)
    rule = said.get("rule")
    return next((s for s in scores if s.get("rule") == rule), scores[0] if scores else None)


def score_words(score: Mapping[str, Any]) -> str:
    """``2+ (equivocal)``, or whichever of the two a rule gives."""
    ihc, status = score.get("ihc"), score.get("status")
    if ihc and status:
        return ui("score_status", ihc=ihc, status=status)
    if score.get("assessable") and not (ihc or status):
        return ui("demo_no_call")
    return str(ihc or status or ui("not_assessable"))


def _scores(said: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return [s for s in said.get("scores") or () if isinstance(s, Mapping)]


def _assessable(said: Mapping[str, Any], chosen: Mapping[str, Any]) -> bool:
    told = said.get("assessable")
    if told is None:
        told = chosen.get("assessable", bool(chosen.get("ihc") or chosen.get("status")))
    return bool(told)


def _reason(said: Mapping[str, Any], chosen: Mapping[str, Any] | None) -> str:
    for source in (said, chosen or {}):
        for key in ("reason", "sentence", "error"):
            if source.get(key):
                return str(source[key])
    return str(next(iter(said.get("warnings") or ()), ""))


def _shares(counts: Mapping[str, int], names: Sequence[str]) -> tuple[ClassShare, ...]:
    total = sum(counts.get(name, 0) for name in names)
    return tuple(
        ClassShare(
            name,
            counts.get(name, 0),
            counts.get(name, 0) / total if total else 0.0,
            share_text(counts.get(name, 0), total),
        )
        for name in names
    )


def share_text(n: int, total: int) -> str:
    """Percent with one decimal; the number itself where there are fewer than 30 cells."""
    if total < FEW:
        return numbers.count(n)
    return ui("percent", value=numbers.fixed(100 * n / total, 1))


def _interval(score: Mapping[str, Any]) -> tuple[float, float] | None:
    found = score.get("interval")
    if isinstance(found, Mapping):
        found = found.get("ci95")
    if not found or len(found) != 2:
        return None
    low, high = (math.nan if v is None else float(v) for v in found)
    return (low, high) if math.isfinite(low) and math.isfinite(high) else None


def _evidence(score: Mapping[str, Any], n: int) -> str:
    share, cut, margin = score.get("share"), score.get("cut"), score.get("margin")
    if share is None:
        return str(score.get("detail") or "")
    head = ui("percent", value=numbers.fixed(float(share), 1))
    name = score.get("share_of") or ""
    if n < FEW:
        head = ui("n_of", n=numbers.count(round(float(share) * n / 100)), total=numbers.count(n))
    text = f"{name} {head}".strip()
    span = _interval(score)
    if span is not None and n >= FEW:
        low, high = (numbers.fixed(v, 1) for v in span)
        text = ui("with_interval", value=text, low=low, high=high)
    parts = [text]
    if cut is not None:
        parts.append(ui("cut", cut=_short_percent(float(cut))))
        if score.get("at_the_cut") or (span is not None and span[0] <= float(cut) <= span[1]):
            parts.append(ui("at_the_cut"))
    if margin is not None and n >= FEW:
        parts.append(ui("margin", points=numbers.fixed(abs(float(margin)), 1)))
    return " · ".join(parts)


def _short_percent(value: float) -> str:
    decimals = 0 if float(value).is_integer() else 1
    return ui("percent", value=numbers.fixed(value, decimals))


def _rule_line(score: Mapping[str, Any], chosen: Mapping[str, Any] | None, n: int) -> RuleLine:
    share, cut, margin = score.get("share"), score.get("cut"), score.get("margin")
    return RuleLine(
        rule=str(score.get("rule", "")),
        title=str(score.get("label") or score.get("rule", "")),
        score=score_words(score),
        share="" if share is None else ui("percent", value=numbers.fixed(float(share), 1)),
        cut="" if cut is None else _short_percent(float(cut)),
        margin="" if margin is None or n < FEW else numbers.fixed(abs(float(margin)), 1),
        sentence=_sentences(score),
        source=str(score.get("source") or ""),
        chosen=score is chosen,
        differs=chosen is not None and differ(chosen, score),
    )


def _notes(score: Mapping[str, Any]) -> str:
    """What should be known with the score: its research descriptor, and the rule's own notes."""
    said = [ui("descriptor", name=score["descriptor"])] if score.get("descriptor") else []
    return "\n".join([*said, *(str(note) for note in score.get("notes") or ())])


def _sentences(score: Mapping[str, Any]) -> str:
    said = [str(score.get("sentence") or ""), *(str(n) for n in score.get("notes") or ())]
    return " ".join(f"{s.rstrip('.')}." for s in said if s)


def _indices(said: Mapping[str, Any], n: int) -> str:
    parts = []
    if said.get("h_score") is not None and n >= FEW:
        parts.append(ui("h_score", value=numbers.fixed(float(said["h_score"]), 0)))
    if said.get("entropy") is not None and n >= FEW:
        parts.append(ui("entropy", value=numbers.fixed(float(said["entropy"]), 2)))
    if said.get("mean_membrane_od") is not None:
        parts.append(ui("membrane_od", value=numbers.fixed(float(said["mean_membrane_od"]), 2)))
    return " · ".join(parts)


def _nuclear_verdict(said: Mapping[str, Any], n: int, complete: bool) -> tuple[str, str, str]:
    positive = said.get("positive_fraction")
    if positive is None and said.get("counts"):
        positive = _positive_so_far(said["counts"])
    if complete and said.get("assessable") is False:
        return ui("not_assessable"), "", _reason(said, None)
    if positive is None or not n:
        return "", "", ""
    percent = 100 * float(positive)
    if n < FEW:
        found = ui("n_of", n=numbers.count(round(percent * n / 100)), total=numbers.count(n))
    else:
        found = ui("percent", value=numbers.fixed(percent, 1))
    text = ui("positive_nuclei", found=found)
    span = _interval({"interval": (said.get("ci95") or {}).get("positive_percent")})
    if span is not None and n >= FEW:
        low, high = (numbers.fixed(v, 1) for v in span)
        text = ui("with_interval", value=text, low=low, high=high)
    if complete and said.get("marker_status"):
        return str(said["sentence"]), text, ""
    return text, "", ""


def _positive_so_far(counts: Mapping[str, int]) -> float | None:
    n = [int(counts.get(name, 0)) for name in NUCLEAR_CLASSES[:4]]
    return sum(n[1:]) / sum(n) if sum(n) else None


def _nuclear_indices(said: Mapping[str, Any], n: int) -> str:
    parts = []
    if said.get("h_score") is not None and n >= FEW:
        parts.append(ui("h_score", value=numbers.fixed(float(said["h_score"]), 0)))
    allred = said.get("allred")
    if isinstance(allred, Mapping) and allred.get("total") is not None and n >= FEW:
        slots = {k: allred.get(k) for k in ("total", "proportion", "intensity")}
        parts.append(ui("allred", **slots))
    return " · ".join(parts)
