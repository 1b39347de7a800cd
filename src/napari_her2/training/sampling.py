"""Which items a step learns from: a function of the seed and the number of the step."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_her2.training.learner import seed_of

__all__ = ["Sampler", "one_cycle"]


class Sampler:
    """Deals out the training items, each once an epoch, or the classes equally often.

    Parameters
    ----------
    label : ndarray of int
        Class of each training item.
    batch : int
        Items of a step; fewer where there are not so many.
    seed : int
        Of the order.
    balance : bool
        Draw the classes equally often: items of a rare class come up several times an epoch,
        those of a frequent one not in every epoch.
    """

    def __init__(self, label: NDArray[np.int64], batch: int, seed: int, balance: bool) -> None:
        self._label, self._seed, self._balance = label, seed, balance
        self.batch = min(batch, len(label))
        self.steps = max(1, len(label) // self.batch)
        self._kept: tuple[int, NDArray[np.intp]] | None = None

    def rows(self, step: int) -> NDArray[np.intp]:
        """Places in ``label`` of the items of a step."""
        epoch, k = divmod(step, self.steps)
        order = self._order(epoch)
        return order[k * self.batch : (k + 1) * self.batch]

    def _order(self, epoch: int) -> NDArray[np.intp]:
        if self._kept is None or self._kept[0] != epoch:
            rng = np.random.Generator(np.random.Philox(seed_of(self._seed, 1, epoch)))
            n = len(self._label)
            order = self._balanced(rng) if self._balance else rng.permutation(n)
            self._kept = (epoch, order.astype(np.intp))
        return self._kept[1]

    def _balanced(self, rng: np.random.Generator) -> NDArray[np.intp]:
        classes = np.unique(self._label)
        share = math.ceil(len(self._label) / len(classes))
        chosen = []
        for k in classes:
            rows = np.flatnonzero(self._label == k)
            rounds = math.ceil(share / len(rows))
            chosen.append(np.concatenate([rng.permutation(rows) for _ in range(rounds)])[:share])
        return rng.permutation(np.concatenate(chosen))[: len(self._label)]


def one_cycle(step: int, total: int, largest: float, rise: float = 0.25) -> float:
    """A rate that rises once from a 25th and falls to nearly nothing, along cosines (Smith 2018).

    Parameters
    ----------
    step, total : int
        Which of how many.
    largest : float
        At the top.
    rise : float
        Share of the steps until there.
    """
    first, last = largest / 25, largest / 250_000
    top = max(1.0, rise * total) - 1
    if step <= top:
        return _cosine(first, largest, step / max(top, 1))
    return _cosine(largest, last, (step - top) / max(total - 1 - top, 1))


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * min(share, 1.0))) / 2
