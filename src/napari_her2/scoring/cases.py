"""Scoring a case: one rule or all that fit its tissue, with intervals, and where rules disagree."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.messages import tr
from napari_her2.scoring.evidence import (
    GRADES,
    MIN_TUMOUR_CELLS,
    CellCounts,
    Evidence,
    count_cells,
    shares_from_percent,
)
from napari_her2.scoring.intervals import interval_of, resampled_totals
from napari_her2.scoring.result import MEASURED, NOT_ASSESSABLE, Cut, RuleResult, yields
from napari_her2.scoring.rules import Organ, Rule, Specimen, find_rule, rules_for

__all__ = ["differ", "disagreement", "score_all", "score_case", "score_percent"]


def score_case(
    counts: Mapping[str, int],
    *,
    organ: Organ = "breast",
    specimen: Specimen = "resection",
    rule: str | None = None,
    tiles: ArrayLike | None = None,
    clusters: Mapping[str, int] | None = None,
    incomplete_intense: int = 0,
    seed: int = 0,
) -> RuleResult:
    """Score a case by one rule.

    Parameters
    ----------
    counts : mapping of str to int
        Cells of each class: "tumour 0" to "tumour 3+", "stroma", "immune", "artefact".
    organ, specimen : str
        Tissue.
    rule : str, optional
        Id of one of :data:`RULES`; the default of that tissue without it.
    tiles : array_like, shape (tiles, k >= 4), optional
        The same counts tile by tile, the four tumour classes first: gives each share its bootstrap
        interval. Tiles without a tumour cell say nothing of a share and are left out.
    clusters : mapping of str to int, optional
        Only for biopsies: tumour cells in the largest cluster stained with "1+", "2+", "3+" or
        stronger.
    incomplete_intense : int
        Tumour cells with moderate to intense but incomplete staining (breast).
    seed : int
        Of the bootstrap.

    Returns
    -------
    RuleResult
        Not assessable, never negative, if fewer than :data:`MIN_TUMOUR_CELLS` tumour cells were
        counted or everything is artefact.

    Raises
    ------
    UsageError
        If the rule does not fit the tissue, see :func:`find_rule`.
    """
    chosen = find_rule(rule, organ, specimen)
    counted = count_cells(counts)
    reason = _why_not(counted)
    if reason is None and chosen.specimen == "biopsy" and clusters is None:
        reason = ("no_clusters", tr("no_clusters"))
    if reason is not None:
        return _not_assessable(chosen, counted, *reason)
    if not 0 <= incomplete_intense <= counted.tumour_cells:
        msg = f"{incomplete_intense} of {counted.tumour_cells} tumour cells"
        raise ValueError(msg)
    unusual = 100 * incomplete_intense / counted.tumour_cells
    result = _apply(chosen, Evidence(counted.shares, clusters, unusual))
    return result if tiles is None else _with_intervals(result, *_tile_totals(tiles, seed))


def score_percent(
    percent: Mapping[str, float],
    *,
    organ: Organ = "breast",
    specimen: Specimen = "resection",
    rule: str | None = None,
    clusters: Mapping[str, int] | None = None,
) -> RuleResult:
    """Score percentages that a reader estimated, or the mean of several readings.

    Parameters
    ----------
    percent : mapping of str to float
        Percent of tumour cells by grade "0" to "3+"; they sum to 100 (half a point of rounding).
    organ, specimen, rule, clusters
        As for :func:`score_case`.

    Raises
    ------
    UsageError
        ``percent_sum``, ``percent_range``, or a rule that does not fit the tissue.
    """
    chosen = find_rule(rule, organ, specimen)
    shares = shares_from_percent(percent)
    if chosen.specimen == "biopsy" and clusters is None:
        return _not_assessable(chosen, None, "no_clusters", tr("no_clusters"))
    return _apply(chosen, Evidence(shares, clusters))


def score_all(
    counts: Mapping[str, int],
    *,
    organ: Organ = "breast",
    specimen: Specimen = "resection",
    tiles: ArrayLike | None = None,
    clusters: Mapping[str, int] | None = None,
    incomplete_intense: int = 0,
    seed: int = 0,
) -> list[RuleResult]:
    """Score a case by every rule that fits its tissue, the default first.

    Parameters
    ----------
    counts, organ, specimen, tiles, clusters, incomplete_intense, seed
        As for :func:`score_case`.
    """
    results = [
        score_case(
            counts, organ=organ, specimen=specimen, rule=rule.id, clusters=clusters,
            incomplete_intense=incomplete_intense,
        )
        for rule in rules_for(organ, specimen)
    ]  # fmt: skip
    if tiles is None:
        return results
    totals, n = _tile_totals(tiles, seed)
    return [_with_intervals(r, totals, n) for r in results]


def differ(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two scores of a document contradict each other.

    Parameters
    ----------
    a, b : mapping
        ``status`` and ``ihc`` of two results, as :meth:`RuleResult.to_json` writes them.

    Returns
    -------
    bool
        A rule that gives only a status (P2's "negative") agrees with every score of that status,
        and what is not assessable contradicts nothing.
    """
    if NOT_ASSESSABLE in (a.get("status"), b.get("status")):
        return False
    pairs = ((a.get(key), b.get(key)) for key in ("status", "ihc"))
    return any(x is not None and y is not None and x != y for x, y in pairs)


def disagreement(results: Iterable[RuleResult]) -> str | None:
    """Name the rules that come to different results, or None if they agree.

    Two results agree unless :func:`differ` says otherwise; rules that are not assessable have no
    say.

    Returns
    -------
    str or None
        ``Rules disagree: P2 2017 negative, CAP 2018 2+``.
    """
    heard = [r for r in results if r.assessable]
    told = [{"status": r.status, "ihc": r.ihc} for r in heard]
    if not any(differ(a, b) for a, b in combinations(told, 2)):
        return None
    groups: dict[str, list[RuleResult]] = {}
    for result in heard:
        groups.setdefault(result.outcome, []).append(result)
    ranked = sorted(groups.items(), key=lambda g: (g[0] in GRADES, g[0]))
    named = ", ".join(f"{_names(members)} {outcome}" for outcome, members in ranked)
    return f"Rules disagree: {named}"


def _names(results: list[RuleResult]) -> str:
    """Short names, with the years of one family run together: ``CAP 2013/2018``."""
    families: dict[str, list[str]] = {}
    for result in sorted(results, key=lambda r: r.short):
        family, _, rest = result.short.partition(" ")
        families.setdefault(family, []).append(rest)
    return ", ".join(f"{family} {'/'.join(rest)}" for family, rest in families.items())


def _why_not(counted: CellCounts) -> tuple[str, str] | None:
    n = counted.tumour_cells
    if n >= MIN_TUMOUR_CELLS:
        return None
    if counted.found == 0:
        return "no_cells", tr("no_cells")
    if counted.all_artefact:
        return "all_artefact", tr("all_artefact")
    if n == 0:
        return "no_tumour_cells", tr("no_tumour_cells")
    if n == 1:
        return "few_tumour", tr("few_tumour_one", minimum=MIN_TUMOUR_CELLS)
    return "few_tumour", tr("few_tumour", n=n, minimum=MIN_TUMOUR_CELLS)


def _not_assessable(
    rule: Rule, counted: CellCounts | None, reason: str, sentence: str
) -> RuleResult:
    n = None if counted is None else counted.tumour_cells
    percent = counted.shares.named() if counted is not None and n else {}
    return RuleResult(
        rule.id, rule.label, rule.short, rule.version, rule.source, None, NOT_ASSESSABLE,
        sentence, n, percent, reason=reason,
    )  # fmt: skip


def _apply(rule: Rule, evidence: Evidence) -> RuleResult:
    verdict = rule.read(evidence)
    inputs: dict[str, Any] = {}
    if rule.specimen == "biopsy":
        inputs["clusters"] = {c.grade: int(c.value) for c in verdict.cuts}
    if evidence.incomplete_intense and rule.organ == "breast":
        inputs["incomplete_intense_percent"] = evidence.incomplete_intense
    return RuleResult(
        rule.id, rule.label, rule.short, rule.version, rule.source, verdict.ihc, verdict.status,
        yields(verdict.ihc, verdict.status), evidence.shares.cells, evidence.shares.named(),
        verdict.cuts, verdict.descriptor, verdict.notes, inputs,
    )  # fmt: skip


def _tile_totals(tiles: ArrayLike, seed: int) -> tuple[NDArray[np.float64], int]:
    counts = np.asarray(tiles)[:, :4]
    counts = counts[counts.sum(axis=1) > 0]
    return resampled_totals(counts, seed=seed), len(counts)


def _with_intervals(result: RuleResult, totals: NDArray[np.float64], n: int) -> RuleResult:
    with np.errstate(divide="ignore", invalid="ignore"):
        percent = 100 * totals / totals.sum(axis=1, keepdims=True)

    def widened(cut: Cut) -> Cut:
        grades = MEASURED.get(cut.measure)
        if grades is None:
            return cut
        values = percent[:, grades].sum(axis=1)
        return replace(cut, interval=interval_of(cut.value, values, n))

    return replace(result, cuts=tuple(widened(c) for c in result.cuts))
