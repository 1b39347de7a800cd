"""What a training run tells those who watch it, and what they may ask of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["EpochDone", "Silent", "Watcher", "Wish"]

Wish = Literal["go", "pause", "cancel"]
"""Go on; stop and keep a checkpoint; stop and make a model of the best weights so far."""


@dataclass(frozen=True, slots=True)
class EpochDone:
    """One pass over the training items is done.

    Attributes
    ----------
    epoch, epochs : int
        The first is 1; how many there are at most.
    loss : float
        Mean over the epoch's batches.
    tune_metrics : mapping of str to float
        On the items kept apart for tuning; empty where there are none.
    seconds_left : float or None
        At the pace so far.
    best_epoch : int
        The epoch whose weights are kept so far.
    """

    epoch: int
    epochs: int
    loss: float
    tune_metrics: Mapping[str, float]
    seconds_left: float | None = None
    best_epoch: int = 0


class Watcher(Protocol):
    """Somebody who looks on. Called from the loop that trains."""

    def stage(self, name: str) -> None:
        """Another part of the work begins: ``loading``, ``training``, ``testing``, ``saving``."""
        ...

    def step(self, done: int, total: int) -> None:
        """So many batches of so many are done."""
        ...

    def epoch(self, event: EpochDone) -> None:
        """An epoch is done."""
        ...

    def wish(self) -> Wish:
        """Whether to go on. Asked after every batch."""
        ...


class Silent:
    """Looks on without a word and never wishes to stop."""

    def stage(self, name: str) -> None:
        """Nothing."""

    def step(self, done: int, total: int) -> None:
        """Nothing."""

    def epoch(self, event: EpochDone) -> None:
        """Nothing."""

    def wish(self) -> Wish:
        """Go on."""
        return "go"
