"""Figures of staining that are not a guideline's score: H-score, Allred, entropy, TILs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MAX_ENTROPY",
    "Allred",
    "allred",
    "h_score",
    "h_score_of_totals",
    "proportion_score",
    "shannon_entropy",
    "stromal_tils",
    "weighted_intensity",
]

MAX_ENTROPY: Final = float(np.log(4))
"""Entropy of four equal shares, natural logarithm: 1.386."""

_WEIGHT: Final[Mapping[str, int]] = {
    "0": 0, "1+": 1, "2+": 2, "3+": 3,
    "tumour 0": 0, "tumour 1+": 1, "tumour 2+": 2, "tumour 3+": 3,
    "negative": 0, "weak": 1, "moderate": 2, "strong": 3,
}  # fmt: skip

_PROPORTION_CUTS = (1.0, 10.0, 33.0, 66.0)
_ALLRED_POSITIVE = 3


def h_score(percent: Mapping[str, float]) -> float:
    """Sum of intensity times percent: 0 (nothing stained) to 300 (everything strong).

    Parameters
    ----------
    percent : mapping of str to float
        Percent of cells by grade ("0" to "3+", with or without "tumour ") or by intensity
        ("negative", "weak", "moderate", "strong").

    Notes
    -----
    1 x % weak + 2 x % moderate + 3 x % strong (McCarty 1985).
    """
    return float(sum(_WEIGHT[name] * value for name, value in percent.items()))


def h_score_of_totals(totals: ArrayLike) -> NDArray[np.float64]:
    """H-score of many count vectors at once, for the bootstrap.

    Parameters
    ----------
    totals : array_like, shape (..., k >= 4)
        Cells of grade 0, 1+, 2+, 3+ in the first four places; NaN comes out where there are none.
    """
    counts = np.asarray(totals, np.float64)[..., :4]
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(100.0 * (counts @ np.arange(4.0)) / counts.sum(axis=-1))


def shannon_entropy(percent: Mapping[str, float] | ArrayLike) -> NDArray[np.float64] | float:
    """How mixed the staining of a case is, in nats.

    Parameters
    ----------
    percent : mapping of str to float, or array_like, shape (..., 4)
        Shares or counts of tumour cells graded 0, 1+, 2+, 3+; only their ratios count.

    Returns
    -------
    float or ndarray, shape (...)
        0 (one grade only) to ln 4 = 1.386 (four equal shares); NaN without a cell.

    Notes
    -----
    Vandenberghe 2017, Statistical analysis, gives no base; its median of 1.04 needs one of e or 2,
    and the natural logarithm is taken here.
    """
    values = list(percent.values()) if isinstance(percent, Mapping) else percent
    share = np.asarray(values, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = share / share.sum(axis=-1, keepdims=True)
        terms = np.where(share > 0, share * np.log(np.where(share > 0, share, 1.0)), 0.0)
    entropy = np.where(np.isnan(share).any(axis=-1), np.nan, -terms.sum(axis=-1) + 0.0)
    return float(entropy) if entropy.ndim == 0 else entropy


@dataclass(frozen=True, slots=True)
class Allred:
    """Allred score of nuclear staining.

    Attributes
    ----------
    proportion : int
        0 to 5, from the percent of stained nuclei.
    intensity : int
        0 to 3, mean intensity of the stained nuclei.
    total : int
        Their sum: 0, or 2 to 8.
    positive : bool
        Total of 3 or more.
    """

    proportion: int
    intensity: int
    total: int
    positive: bool

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "proportion": self.proportion,
            "intensity": self.intensity,
            "total": self.total,
            "positive": self.positive,
        }


def proportion_score(positive_percent: float) -> int:
    """Allred's proportion score.

    0: none. 1: below 1 %. 2: 1 to 10 %. 3: above 10 to 33 %. 4: above 33 to 66 %. 5: above 66 %.

    Notes
    -----
    Allred 1998 (Mod Pathol 11:155) wrote 1/100, 1/10, 1/3 and 2/3; thirds are taken as 33 % and
    66 %, as laboratories print them.
    """
    if not 0 <= positive_percent <= 100:
        msg = f"{positive_percent} is no percentage"
        raise ValueError(msg)
    if positive_percent == 0:
        return 0
    one, ten, third, two_thirds = _PROPORTION_CUTS
    if positive_percent < one:
        return 1
    return 2 + sum(positive_percent > cut for cut in (ten, third, two_thirds))


def weighted_intensity(percent: Mapping[str, float]) -> float:
    """Mean intensity of the stained nuclei: 1 (all weak) to 3 (all strong); 0 if none is stained.

    Parameters
    ----------
    percent : mapping of str to float
        Shares or counts by intensity, as for :func:`h_score`.
    """
    stained = sum(v for k, v in percent.items() if _WEIGHT[k] > 0)
    return h_score(percent) / stained if stained else 0.0


def allred(percent: Mapping[str, float]) -> Allred:
    """Allred score from the percent of nuclei of each intensity.

    Parameters
    ----------
    percent : mapping of str to float
        Percent of nuclei: "weak", "moderate", "strong" ("negative" may be left out).

    Notes
    -----
    The intensity score is the mean intensity of the stained nuclei, rounded to 1, 2 or 3 (halves
    go up): our reading of "average intensity". A total of 3 or more counts as positive
    (Harvey 1999, J Clin Oncol 17:1474).
    """
    stained = sum(v for k, v in percent.items() if _WEIGHT[k] > 0)
    proportion = proportion_score(min(round(stained, 9), 100.0))
    intensity = int(np.floor(round(weighted_intensity(percent), 9) + 0.5)) if proportion else 0
    total = proportion + intensity
    return Allred(proportion, intensity, total, total >= _ALLRED_POSITIVE)


def stromal_tils(lymphocyte_area: float, stroma_area: float) -> float | None:
    """Percent of the stroma inside the invasive border that is covered by mononuclear cells.

    A continuous figure: there is no agreed cut (Salgado 2015, Ann Oncol 26:259), and none is
    shipped.

    Parameters
    ----------
    lymphocyte_area, stroma_area : float
        Areas in one unit.

    Returns
    -------
    float or None
        0 to 100; None where there is no stroma.
    """
    if stroma_area <= 0:
        return None
    return min(100.0, 100.0 * max(0.0, lymphocyte_area) / stroma_area)
