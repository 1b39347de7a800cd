"""How far a figure would move had other tiles been counted: the bootstrap over tiles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "MIN_TILES",
    "RESAMPLES",
    "Interval",
    "IntervalMethod",
    "bootstrap_over_tiles",
    "interval_of",
    "resampled_totals",
]

IntervalMethod = Literal["percentile", "normal"]
"""``percentile``: the middle 95 % of the resampled values. ``normal``: mean and 1.96 standard
deviations of a normal curve fitted to them (Vandenberghe 2017, Statistical analysis)."""

RESAMPLES: Final = 1000

MIN_TILES: Final = 5
"""With fewer tiles (or cases) resampling says next to nothing, so no limits are given."""

_Z95 = 1.959963984540054
_CHUNK = 8


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure and the 95 % interval round it.

    Attributes
    ----------
    value : float or None
        The figure from all units; None if undefined (agreement when all say the same).
    low, high : float or None
        Limits; None with fewer than :data:`MIN_TILES` units, or where the figure is undefined.
    n : int
        Units that were resampled: tiles, or cases.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    def holds(self, point: float) -> bool:
        """Whether a point lies between the limits, both included; False without limits."""
        if self.low is None or self.high is None:
            return False
        return self.low <= point <= self.high

    def to_json(self) -> dict[str, Any]:
        """JSON-ready: ``value``, ``ci95`` (two numbers or null), ``n``."""
        limits = None if self.low is None else [self.low, self.high]
        return {"value": self.value, "ci95": limits, "n": self.n}


def resampled_totals(
    counts_by_tile: ArrayLike, n: int = RESAMPLES, seed: int = 0
) -> NDArray[np.float64]:
    """Draw as many tiles as there are, with replacement, and add up their counts.

    Parameters
    ----------
    counts_by_tile : array_like, shape (tiles, k)
        Whole numbers. A tile without a cell counts as a tile.
    n : int
        How often.
    seed : int
        The same seed gives the same totals on every computer.

    Returns
    -------
    ndarray, shape (n, k)
        Total counts of each resample.
    """
    counts = np.asarray(counts_by_tile, np.float64)
    if counts.ndim != 2:
        msg = f"counts by tile need two axes, not {counts.ndim}"
        raise ValueError(msg)
    tiles = len(counts)
    totals = np.zeros((n, counts.shape[1]))
    if tiles == 0:
        return totals
    # Twice as quick as Generator.integers and a gather of rows: 32 random bits times the number of
    # tiles, whose upper half is the tile; then how often each was drawn, times its counts.
    source = np.random.SFC64(seed)
    weights = np.empty((_CHUNK, tiles))
    for start in range(0, n, _CHUNK):
        rows = min(_CHUNK, n - start)
        for row in range(rows):
            bits = source.random_raw((tiles + 1) // 2).view(np.uint32)[:tiles].astype(np.uint64)
            drawn = (bits * np.uint64(tiles)) >> np.uint64(32)
            weights[row] = np.bincount(drawn.view(np.int64), minlength=tiles)
        totals[start : start + rows] = weights[:rows] @ counts
    return totals


def interval_of(
    value: float | None,
    resampled: ArrayLike,
    n: int,
    method: IntervalMethod = "percentile",
) -> Interval:
    """Put the interval round a figure whose resampled values are known.

    Parameters
    ----------
    value : float or None
        The figure itself.
    resampled : array_like, shape (resamples,)
        Values of it; those that are not finite (undefined in that resample) are left out.
    n : int
        Units that were resampled.
    method : {"percentile", "normal"}
        How the limits are taken.
    """
    values = np.asarray(resampled, np.float64)
    values = values[np.isfinite(values)]
    if value is None or not math.isfinite(value):
        return Interval(None, None, None, n)
    if n < MIN_TILES or values.size < 2:
        return Interval(float(value), None, None, n)
    if method == "normal":
        centre, spread = float(values.mean()), _Z95 * float(values.std(ddof=1))
        return Interval(float(value), centre - spread, centre + spread, n)
    low, high = np.percentile(values, (2.5, 97.5))
    return Interval(float(value), float(low), float(high), n)


def bootstrap_over_tiles(
    counts_by_tile: ArrayLike,
    function: Callable[[NDArray[np.float64]], ArrayLike],
    n: int = RESAMPLES,
    seed: int = 0,
    method: IntervalMethod = "percentile",
) -> Interval:
    """Say how far a figure of the slide rests on which tiles were counted.

    Tiles, not cells, are drawn: neighbouring cells look alike, so drawing single cells would make
    any interval far too narrow.

    Parameters
    ----------
    counts_by_tile : array_like, shape (tiles, k)
        Cells of each class in each tile.
    function : callable
        Takes total counts, shape (..., k), and gives the figure, shape (...).
    n, seed : int
        Resamples, and the seed of their drawing.
    method : {"percentile", "normal"}
        How the limits are taken.

    Returns
    -------
    Interval
        ``n`` of it is the number of tiles.
    """
    counts = np.asarray(counts_by_tile, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.asarray(function(counts.sum(axis=0))))
        resampled = function(resampled_totals(counts, n, seed))
    return interval_of(value, resampled, len(counts), method)
