"""Figures that the papers print, worked out again by our own functions: sums, P2's agreement.

Where a paper contradicts itself the row is a slip: it shows what is printed beside what the paper's
own data give, and is in order if ours is the latter.
"""

from __future__ import annotations

import math
from typing import Final

from napari_her2.scoring.agreement import agreement_of_table, rank_sum_p
from napari_her2.scoring.cases import disagreement, score_percent
from napari_her2.scoring.checks import Check, close, exact
from napari_her2.scoring.indices import MAX_ENTROPY, shannon_entropy
from napari_her2.scoring.intervals import Interval
from napari_her2.scoring.published_status import check_p3, check_p5

__all__ = ["check_papers"]

P2_LABELS: Final = ("negative", "equivocal", "positive")
P2_TABLE: Final = ((41, 3, 0), (2, 8, 1), (0, 6, 10))
"""Vandenberghe 2017, Table 2. Rows deep learning, columns pathologist."""

P1_PATCHES: Final = {
    "ER": ((71.2, 25.5, 204.8), (31.7, 3.6, 71.2), (24.5, 18.3, 101.8)),
    "PR": ((79.5, 16.1, 198.2), (31.5, 2.6, 72.4), (35.0, 7.9, 93.0)),
    "HER2": ((34.7, 64.3, 196.8), (10.5, 28.6, 66.5), (15.0, 29.4, 99.1)),
}
"""Gamble 2021, Table 2, millions: train, tune, test; positive, negative, other."""


def check_papers() -> list[Check]:
    """Work out again what P1, P2, P3 and P5 print.

    Returns
    -------
    list of Check
        In the order of the papers. Nothing is read from a file and nothing is learnt; it takes
        well under a second.
    """
    return [*check_p1(), *check_p2(), *check_p3(), *check_p5()]


def check_p1() -> list[Check]:
    """Sums of Gamble 2021, Tables 1 and 2."""
    developed = sum(sum(p) for train, tune, _ in P1_PATCHES.values() for p in (train, tune))
    tested = [sum(test) for _, _, test in P1_PATCHES.values()]
    a_slide = 135 / 181
    step_px = math.sqrt(200 / a_slide) / 2
    return [
        exact("P1 stage 1, slides to train and tune", 576, 205 + 80 + 206 + 85),
        exact("P1 stage 1, cases to train and tune", 200, 70 + 30 + 70 + 30),
        exact("P1 stage 2, slides to train and tune", 2134, 466 + 291 + 1377),
        exact("P1 stage 2, slides to train", 757, 466 + 291),
        exact("P1 stage 2, slides to test", 3274, 2313 + 961),
        exact("P1 stage 2, cases to train", 264, 164 + 100),
        exact("P1 stage 2, cases to test", 1249, 340 + 909),
        exact("P1 sites of the test set", 37, 1 + 36),
        close("P1 patches to train and tune, millions", 1209.7, developed, 0.05,
              "printed as 1.21 billion"),
        exact("P1 smallest test set above 135 million patches", True, min(tested) > 135),
        close("P1 test patches a slide, millions", 0.75, a_slide, 0.005,
              "135 million of 181 slides"),
        close("P1 step of the patches at 2 µm/px, px", 8, step_px, 0.5, "if 200 mm2 are tissue"),
        exact("P1 clusters in the four groups", 25, 10 + 6 + 2 + 7),
        exact("P1 second window of a 512 px patch starts at", 213, 512 - 299),
    ]  # fmt: skip


def check_p2() -> list[Check]:
    """Agreement, prevalence, rule, entropy and density cell of Vandenberghe 2017."""
    found = agreement_of_table(P2_TABLE, P2_LABELS)
    table = found.table
    checks = [
        exact("P2 Table 2, cases", 71, found.n),
        exact("P2 concordant cases", 59, int(table.trace())),
        exact("P2 discordant cases", 12, found.n - int(table.trace())),
        exact("P2 equivocal for the pathologist, positive for the network", 6, int(table[2, 1])),
        exact("P2 equivocal for the pathologist, negative for the network", 3, int(table[0, 1])),
        *_figure("P2 overall agreement", 0.83, 0.8310, found.overall, (0.74, 0.92)),
        *_figure("P2 Cohen's kappa, unweighted", 0.69, 0.6942, found.kappa, (0.55, 0.84)),
        *_figure("P2 Kendall's tau-b", 0.84, 0.8407, found.tau_b, (0.75, 0.93)),
        close("P2 Cohen's kappa, linear weights", 0.785, _value(found.kappa_linear), 0.0005,
              "not printed: shows that the paper's is unweighted"),
        close("P2 Cohen's kappa, quadratic weights", 0.865, _value(found.kappa_quadratic), 0.0005,
              "not printed: shows that the paper's is unweighted"),
        close("P2 overall agreement without the 18 training slides", 0.83, 44 / 53, 0.005,
              "44 of 53 is the only count that rounds to it"),
        exact("P2 counts of 53 that round to 0.83", [44],
              [k for k in range(54) if round(k / 53, 2) == 0.83]),
        exact("P2 reads changed by the review of discordant cases", 8, 12 - 4),
    ]  # fmt: skip
    printed = {"network": (62, 15, 23), "pathologist": (61, 24, 15)}
    sums = {"network": table.sum(axis=1), "pathologist": table.sum(axis=0)}
    for reader, shares in printed.items():
        for label, share, cases in zip(P2_LABELS, shares, sums[reader], strict=True):
            got = 100 * int(cases) / found.n
            checks.append(close(f"P2 prevalence, {reader}, {label}, %", share, got, 0.5))
    return [*checks, *_p2_rule(), *_p2_entropy(), *_p2_sizes()]


def _p2_rule() -> list[Check]:
    """The paper's sentence against the guideline's reading of the same shares."""
    percent = {"0": 67.0, "1+": 20.0, "2+": 5.0, "3+": 8.0}
    ours = score_percent(percent, rule="p2-2017")
    guideline = score_percent(percent, rule="asco-cap-breast-2018")
    said = disagreement([ours, guideline])
    where = "3+ 8 %, 2+ 5 %, 1+ 20 %"
    return [
        exact(f"P2 rule, {where}", "negative", ours.status),
        exact(f"ASCO/CAP 2018, {where}", "2+", guideline.ihc,
              "complete staining (2+ and 3+) is summed: 13 %"),
        exact("rules that disagree there", True, said is not None, said or ""),
    ]  # fmt: skip


def _p2_entropy() -> list[Check]:
    evenly = dict.fromkeys(("0", "1+", "2+", "3+"), 25.0)
    medians = {"pathologist, concordant": 0.42, "pathologist, discordant": 0.69,
               "network, concordant": 0.71, "network, discordant": 1.04}  # fmt: skip
    return [
        close("largest entropy of four grades, natural logarithm", 1.386,
              float(shannon_entropy(evenly)), 0.0005),
        exact("P2 medians of entropy that exceed it", [],
              [name for name, value in medians.items() if value > MAX_ENTROPY]),
        exact("P2 medians of entropy that base 10 could not give", 3,
              sum(value > math.log10(4) for value in medians.values())),
        close("P2 entropy by the pathologist, W = 186, p", 0.01, rank_sum_p(186, 59, 12), 0.005),
        close("P2 entropy by the network, W = 162, p", 0.003, rank_sum_p(162, 59, 12), 0.0005),
    ]  # fmt: skip


def _p2_sizes() -> list[Check]:
    cell_um = 250 * 0.49
    return [
        close("P2 density cell of 250 px at 0.49 µm/px, mm2", 0.015, cell_um**2 / 1e6, 0.0005),
        exact("P2 density cells along a tile of 2000 px", 8, 2000 // 250),
        close("P2 crop of 44 px at 0.49 µm/px, µm", 21.6, 44 * 0.49, 0.05),
        close("P2 slides a day at 45 min each", 30, 24 * 60 / 45, 2.0, "printed as about 30"),
        close("P2 annotated cells a class, mean", 1743, 12200 / 7, 0.5,
              "12,200 cells in 7 classes", printed=1600),
    ]  # fmt: skip


def _value(figure: Interval) -> float:
    return float("nan") if figure.value is None else figure.value


def _figure(
    name: str, printed: float, recomputed: float, got: Interval, limits: tuple[float, float]
) -> list[Check]:
    """One figure with its interval: as printed (two decimals), and more exactly."""
    low = float("nan") if got.low is None else got.low
    high = float("nan") if got.high is None else got.high
    note = "1000 bootstraps, normal curve fitted; differs a little with the seed"
    return [
        close(name, printed, _value(got), 0.005),
        close(f"{name}, four decimals", recomputed, _value(got), 0.00005),
        close(f"{name}, lower limit", limits[0], low, 0.01, note),
        close(f"{name}, upper limit", limits[1], high, 0.01, note),
    ]
