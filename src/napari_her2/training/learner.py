"""What is learned, and Lightning's module around it.

Everything that chance decides in a step (which items, how they are turned and stained, which units
drop out) is a function of the seed and the number of the step. So there is no state of a random
generator that a checkpoint could miss: a run that was killed and goes on from any checkpoint ends
with the same weights, bit for bit, on the same machine and number of threads.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.optim import Optimizer

from napari_her2.training.learned import Ending

__all__ = ["Batch", "Learner", "Steps", "Task", "seed_of"]

Batch = tuple[Tensor, ...]
"""Inputs and targets of one step."""


class Task(Protocol):
    """What to learn from, by which loss and at which rate.

    Attributes
    ----------
    epochs, steps_per_epoch : int
        How long at most.
    seed : int
        Of everything.
    score : str
        The figure of :meth:`tune` that should grow.
    clip : float or None
        Largest norm of the gradient.
    """

    epochs: int
    steps_per_epoch: int
    seed: int
    score: str
    clip: float | None

    @property
    def network(self) -> nn.Module:
        """What learns."""
        ...

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """Items of a step; of several devices each takes its share. A pure function."""
        ...

    def loss(self, batch: Batch) -> Tensor:
        """Of one batch."""
        ...

    def optimiser(self) -> Optimizer:
        """With its constant settings; the rate is set before every step."""
        ...

    def rate(self, step: int) -> float:
        """Rate of learning in a step."""
        ...

    def settle(self, network: nn.Module) -> None:
        """Bring statistics of batches into the state in which the network will be used."""
        ...

    def tune(self, network: nn.Module) -> dict[str, float]:
        """Figures on the items kept apart for tuning; empty where there are none."""
        ...


def seed_of(seed: int, *numbers: int) -> int:
    """One seed below 2**63 of a seed and some numbers, the same everywhere."""
    # A mixing step of splitmix64: neighbouring steps get unlike seeds.
    mask = (1 << 64) - 1
    value = seed & mask
    for number in numbers:
        value = (value + 0x9E3779B97F4A7C15 * (number + 1)) & mask
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & mask
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & mask
        value ^= value >> 31
    return value >> 1


class Steps:
    """The batches of a run, from the first that is not done yet. Lightning iterates over it."""

    def __init__(self, task: Task, rank: int = 0, ranks: int = 1) -> None:
        self._task, self._rank, self._ranks = task, rank, ranks
        self._given = 0

    def __len__(self) -> int:
        return self._task.epochs * self._task.steps_per_epoch

    def __iter__(self) -> Iterator[Batch]:
        for step in range(self._given, len(self)):
            self._given = step + 1
            yield self._task.batch(step, self._rank, self._ranks)

    def state_dict(self) -> dict[str, int]:
        """How many batches were given."""
        return {"given": self._given}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on after so many batches."""
        self._given = int(state["given"])


class Learner(LightningModule):
    """Lightning's module: hands the task's parts to its loop.

    Parameters
    ----------
    task : Task
        What is learned.
    """

    def __init__(self, task: Task) -> None:
        super().__init__()
        self.task = task
        self.network = task.network
        self.history: list[dict[str, Any]] = []
        self.loss_sum = 0.0
        self.best: dict[str, Any] = {}
        self.ending: Ending = "finished"

    def train_dataloader(self) -> Steps:
        """The batches; of several processes each asks for its own share."""
        return Steps(self.task, self.trainer.global_rank, self.trainer.world_size)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Loss of a batch, with units dropped out as the number of the step decides."""
        torch.manual_seed(seed_of(self.task.seed, 2, batch_idx, self.global_rank))
        return self.task.loss(batch)

    def configure_optimizers(self) -> Optimizer:
        """The task's."""
        return self.task.optimiser()

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Set the rate of the step."""
        del batch
        rate = self.task.rate(batch_idx)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the course of the run too."""
        checkpoint["course"] = {
            "history": self.history, "loss_sum": self.loss_sum, "best": self.best,
            "ending": self.ending,
        }  # fmt: skip

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take the course up."""
        course = copy.deepcopy(checkpoint["course"])
        self.history, self.loss_sum = course["history"], course["loss_sum"]
        self.best = course["best"]
