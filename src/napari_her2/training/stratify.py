"""Shares groups out so that each class is on each side in about the wished share."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["share_out"]

_ABSENT: Final = np.array([[4.0], [0.25], [1.0]])
"""What it costs that a class is absent: to learn from, to tune on, to test on. Off by a whole class
costs at most about 1, so a class of a single group is learnt from."""

_WORK: Final = 2000
"""Groups placed in all over the attempts."""


def share_out(
    counts: NDArray[np.integer[Any]],
    shares: tuple[float, float, float],
    rng: np.random.Generator,
) -> NDArray[np.intp]:
    """Give each group a side.

    Groups are placed from the weightiest to the lightest, each where its classes are wanted most
    (iterative stratification of Sechidis 2011, by group), from several random orders; then single
    groups move and change places as long as that helps. The best attempt counts.

    Parameters
    ----------
    counts : ndarray of int
        Shape (groups, classes): labels of each class in each group. Groups of zeros are learnt
        from.
    shares : (float, float, float)
        Wished share of each class to learn from, tune on and test on; 0 leaves a side empty.
    rng : numpy.random.Generator
        Draws the orders.

    Returns
    -------
    ndarray of int
        Shape (groups,): 0 to learn from, 1 to tune on, 2 to test on.
    """
    n = len(counts)
    total = counts.sum(0)
    used = np.flatnonzero(total)
    weight = counts[:, used] / total[used]
    wished = np.asarray(shares, np.float64)
    best, least = np.zeros(n, np.intp), np.inf
    tries = int(np.clip(_WORK // max(n, 1), 1, 8))
    for _ in range(tries):
        side = _place(weight, wished, rng)
        if n <= 64:
            side = _improve(weight, wished, side)
        cost = _cost(_sums(weight, side), wished)
        if cost < least - 1e-12:
            best, least = side, cost
    return best


def _place(
    weight: NDArray[np.float64], wished: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.intp]:
    side = np.zeros(len(weight), np.intp)
    have = np.zeros((3, weight.shape[1]))
    heaviest = weight.max(1, initial=0) * rng.uniform(0.7, 1.3, len(weight))
    open_sides = wished > 0
    for g in np.argsort(-heaviest, kind="stable"):
        if not weight[g].any():
            continue
        want = ((wished[:, None] - have) * weight[g]).sum(1)
        want[~open_sides] = -np.inf
        side[g] = int(want.argmax())
        have[side[g]] += weight[g]
    return side


def _sums(weight: NDArray[np.float64], side: NDArray[np.intp]) -> NDArray[np.float64]:
    have = np.zeros((3, weight.shape[1]))
    np.add.at(have, side, weight)
    return have


def _cost(have: NDArray[np.float64], wished: NDArray[np.float64]) -> float:
    target = wished[:, None]
    missing = _ABSENT * ((have <= 0) & (target > 0))
    return float(((have - target) ** 2 + missing).sum())


def _improve(
    weight: NDArray[np.float64], wished: NDArray[np.float64], side: NDArray[np.intp]
) -> NDArray[np.intp]:
    """Move single groups, then exchange two, until nothing helps any more."""
    side = side.copy()
    have = _sums(weight, side)
    cost = _cost(have, wished)
    sides = np.flatnonzero(wished > 0)
    moving = np.flatnonzero(weight.any(1))
    for _ in range(8):
        before = cost
        for g in moving:
            for to in sides:
                if to == side[g]:
                    continue
                trial = have.copy()
                trial[side[g]] -= weight[g]
                trial[to] += weight[g]
                trial[trial < 1e-12] = 0
                new = _cost(trial, wished)
                if new < cost - 1e-12:
                    have, cost, side[g] = trial, new, to
        if len(moving) <= 32:
            have, cost = _exchange(weight, wished, side, have, cost, moving)
        if cost >= before - 1e-12:
            break
    return side


def _exchange(
    weight: NDArray[np.float64],
    wished: NDArray[np.float64],
    side: NDArray[np.intp],
    have: NDArray[np.float64],
    cost: float,
    moving: NDArray[np.intp],
) -> tuple[NDArray[np.float64], float]:
    for i, a in enumerate(moving):
        for b in moving[i + 1 :]:
            if side[a] == side[b]:
                continue
            change = weight[b] - weight[a]
            trial = have.copy()
            trial[side[a]] += change
            trial[side[b]] -= change
            trial[trial < 1e-12] = 0
            new = _cost(trial, wished)
            if new < cost - 1e-12:
                side[a], side[b] = side[b], side[a]
                have, cost = trial, new
    return have, cost
