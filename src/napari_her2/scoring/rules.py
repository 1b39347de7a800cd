"""The rules by name: which there are, where each comes from, and which fits a tissue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from napari_her2.errors import UsageError
from napari_her2.scoring import breast, gastro_oesophageal
from napari_her2.scoring.evidence import Evidence
from napari_her2.scoring.result import Verdict

__all__ = ["RULES", "Organ", "Rule", "Specimen", "default_rule", "find_rule", "rules_for"]

Organ = Literal["breast", "gea"]
Specimen = Literal["resection", "biopsy"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be chosen.

    Attributes
    ----------
    id : str
        Name in files and on the command line.
    label, short : str
        Names on the screen: "ASCO/CAP breast 2018", "CAP 2018".
    version : str
        Version of our reading of it; a change of outcome changes it.
    source : str
        Guideline or paper, with year.
    organ : {"breast", "gea"}
        Tissue it is for. It is refused for the other.
    read : callable
        The rule itself: a pure function from evidence to verdict.
    specimen : {"resection", "biopsy"} or None
        Specimen it is for; None = any.
    """

    id: str
    label: str
    short: str
    version: str
    source: str
    organ: Organ
    read: Callable[[Evidence], Verdict] = field(repr=False)
    specimen: Specimen | None = None


_ALL = (
    Rule(
        "asco-cap-breast-2018", "ASCO/CAP breast 2018", "CAP 2018", "1.0",
        "ASCO/CAP 2018: Wolff et al., J Clin Oncol 36:2105 (affirmed 2023)", "breast",
        breast.asco_cap,
    ),
    Rule(
        "asco-cap-breast-2023", "ASCO/CAP breast 2023", "CAP 2023", "1.0",
        "ASCO/CAP 2023: Wolff et al., J Clin Oncol 41:3867", "breast",
        breast.asco_cap_2023,
    ),
    Rule(
        "asco-cap-breast-2013", "ASCO/CAP breast 2013", "CAP 2013", "1.0",
        "ASCO/CAP 2013: Wolff et al., J Clin Oncol 31:3997", "breast",
        breast.asco_cap,
    ),
    Rule(
        "p2-2017", "Vandenberghe 2017 (P2)", "P2 2017", "1.0",
        "Vandenberghe et al. 2017, Sci Rep 7:45938, Methods, HER2 scoring", "breast",
        breast.vandenberghe_2017,
    ),
    Rule(
        "gea-resection-2016", "Gastro-oesophageal resection 2016", "GEA 2016 resection", "1.0",
        "CAP/ASCP/ASCO 2016: Bartley et al., Arch Pathol Lab Med 140:1345; Hofmann 2008; "
        "Rueschoff 2010", "gea",
        gastro_oesophageal.resection, "resection",
    ),
    Rule(
        "gea-biopsy-2016", "Gastro-oesophageal biopsy 2016", "GEA 2016 biopsy", "1.0",
        "CAP/ASCP/ASCO 2016: Bartley et al., Arch Pathol Lab Med 140:1345; Rueschoff 2010", "gea",
        gastro_oesophageal.biopsy, "biopsy",
    ),
)  # fmt: skip

RULES: Final[Mapping[str, Rule]] = {rule.id: rule for rule in _ALL}
"""Every rule by id, the one to start with first for each organ."""


def rules_for(organ: Organ, specimen: Specimen = "resection") -> tuple[Rule, ...]:
    """Rules that may be chosen for a tissue, the default first."""
    return tuple(r for r in RULES.values() if r.organ == organ and r.specimen in (None, specimen))


def default_rule(organ: Organ = "breast", specimen: Specimen = "resection") -> str:
    """Id of the rule that is used unless another is chosen."""
    return rules_for(organ, specimen)[0].id


def find_rule(name: str | None, organ: Organ, specimen: Specimen) -> Rule:
    """Look a rule up and refuse it where it does not belong.

    Raises
    ------
    UsageError
        ``unknown_rule``; ``breast_rule_on_gea`` and ``gea_rule_on_breast`` for the wrong organ;
        ``rule_specimen`` for the wrong specimen.
    """
    rule = RULES.get(default_rule(organ, specimen) if name is None else name)
    if rule is None:
        names = ", ".join(r.id for r in rules_for(organ, specimen))
        raise UsageError("unknown_rule", name=name, available=names)
    if rule.organ != organ:
        raise UsageError("breast_rule_on_gea" if organ == "gea" else "gea_rule_on_breast")
    if rule.specimen not in (None, specimen):
        raise UsageError("rule_specimen", rule=rule.label, needed=rule.specimen, given=specimen)
    return rule
