"""Trains a network with Lightning: checkpoints, early stopping, pause, cancel, resume.

Lightning sees the run as one pass over all steps, and what we call an epoch is a number of steps
of it. A run that goes on therefore always goes on in the middle of a pass, at the end of a batch:
one way to resume, whenever the last checkpoint was written, instead of one for each of the many
moments of Lightning's own epochs.
"""

from __future__ import annotations

import contextlib
import copy
import logging
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from napari_her2.errors import CannotTrainError
from napari_her2.settings import LOGGER
from napari_her2.training.checkpoint_io import SafeCheckpointIO, read_checkpoint
from napari_her2.training.hardware import Hardware
from napari_her2.training.learned import Ending
from napari_her2.training.learner import Batch, Learner, Task
from napari_her2.training.watch import EpochDone, Silent, Watcher

__all__ = ["BEST", "LAST", "Course", "Limits", "fit", "kept_epoch"]

LAST: Final = "last.safetensors"
BEST: Final = "best.safetensors"


@dataclass(frozen=True, slots=True)
class Limits:
    """When a run ends before its last epoch, and how often it is kept.

    Attributes
    ----------
    patience : int or None
        Epochs without a better figure on the tuning items after which it stops early.
    seconds : float or None
        After so long it stops at the end of the epoch.
    checkpoint_seconds : float
        Within an epoch a checkpoint is written this often; at the end of each in any case.
    """

    patience: int | None = None
    seconds: float | None = None
    checkpoint_seconds: float = 60.0


@dataclass(slots=True)
class Course:
    """How a run went.

    Attributes
    ----------
    ending : str
        ``finished``, ``early``, ``time``, ``paused`` or ``cancelled``.
    epochs : int
        Epochs done.
    best_epoch : int
        Whose weights are in ``weights``; 0 = no epoch was done.
    weights : dict of str to Tensor
        Of the best epoch on the tuning items, of the last where there are none.
    history : list of dict
        ``epoch, loss, rate, seconds`` and the tuning figures of each epoch.
    """

    ending: Ending
    epochs: int
    best_epoch: int
    weights: dict[str, Tensor] = field(repr=False)
    history: list[dict[str, Any]]


def fit(
    task: Task,
    folder: Path,
    hardware: Hardware,
    limits: Limits = Limits(),
    watcher: Watcher | None = None,
) -> Course:
    """Train until the end, or until there is a reason to stop.

    Parameters
    ----------
    task : Task
        What is learned. Its network is changed.
    folder : Path
        Holds the checkpoints. If it holds one, the run goes on from there.
    hardware : Hardware
        Where and how exactly.
    limits : Limits
        When to stop early.
    watcher : Watcher, optional
        Is told what happens.

    Raises
    ------
    CannotTrainError
        If the loss is no number any more.
    DiskFullError, CannotWriteError
        If a checkpoint can't be written; the one before it stays.
    """
    learner = Learner(task)
    last = folder / LAST
    keeper = _Keeper(folder, limits, watcher or Silent())
    with _quiet(), hardware.applied():
        trainer = Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            strategy=hardware.strategy,
            precision=hardware.precision,
            max_epochs=1,
            gradient_clip_val=task.clip,
            deterministic="warn",
            benchmark=False,
            logger=False,
            callbacks=[keeper],
            plugins=[SafeCheckpointIO()],
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            barebones=False,
        )
        trainer.fit(learner, ckpt_path=last if _usable(last) else None)
    history, ending = copy.deepcopy(learner.history), learner.ending
    if hardware.devices > 1:
        # The run was in processes of its own, and this one saw nothing of it.
        course = read_checkpoint(last)["course"]
        history, ending = course["history"], course["ending"]
    best = kept_epoch(folder)
    weights = task.network.state_dict()
    if best:
        weights = read_checkpoint(folder / BEST)["weights"]
    return Course(ending, len(history), best, dict(weights), history)


def kept_epoch(folder: Path) -> int:
    """Number of the epoch whose weights are kept; 0 = none."""
    path = folder / BEST
    if not path.exists():
        return 0
    try:
        return int(read_checkpoint(path)["epoch"])
    except CannotTrainError:
        return 0


class _Keeper(Callback):
    """After every batch: epochs, checkpoints, and the watcher's wishes."""

    def __init__(self, folder: Path, limits: Limits, watcher: Watcher) -> None:
        self._folder, self._limits, self._watcher = folder, limits, watcher
        self._io = SafeCheckpointIO()
        self._began = self._saved = self._epoch_began = time.monotonic()
        self._first: int | None = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The watcher hears where the run stands."""
        learner = _learner(pl_module)
        learner.ending = "finished"
        self._began = self._saved = self._epoch_began = time.monotonic()
        if self._stop_early(learner):
            trainer.should_stop = True

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Batch, batch_idx: int
    ) -> None:
        """Remember where this session began, for the pace."""
        del trainer, pl_module, batch
        if self._first is None:
            self._first = batch_idx

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Look at what has to be done at this point of the run."""
        del batch
        learner, done = _learner(pl_module), batch_idx + 1
        task = learner.task
        loss = float(outputs["loss"])
        if not loss < float("inf"):
            raise CannotTrainError("loss_lost", epoch=batch_idx // task.steps_per_epoch + 1)
        learner.loss_sum += loss
        total = task.epochs * task.steps_per_epoch
        # Of several processes one tells and asks.
        watcher = self._watcher if trainer.is_global_zero else Silent()
        watcher.step(done, total)
        at_end = done % task.steps_per_epoch == 0
        if at_end:
            watcher.epoch(self._end_epoch(trainer, learner, done))
        wish = trainer.strategy.broadcast(watcher.wish())
        if wish != "go" and done < total:
            learner.ending = "paused" if wish == "pause" else "cancelled"
            trainer.should_stop = True
        due = time.monotonic() - self._saved >= self._limits.checkpoint_seconds
        if trainer.strategy.broadcast(at_end or due or trainer.should_stop):
            trainer.save_checkpoint(self._folder / LAST)
            self._saved = time.monotonic()

    def _end_epoch(self, trainer: Trainer, learner: Learner, done: int) -> EpochDone:
        task, now = learner.task, time.monotonic()
        epoch = done // task.steps_per_epoch
        with _evaluating(task) as network:
            figures = task.tune(network)
            state = {k: v.detach().cpu() for k, v in network.state_dict().items()}
        loss = learner.loss_sum / task.steps_per_epoch
        learner.loss_sum = 0.0
        found = _found(figures, task.score)
        if found is None or not learner.best or found > learner.best["value"]:
            learner.best = {"epoch": epoch, "value": found}
            if trainer.is_global_zero:
                kept = {"epoch": epoch, "weights": state, "figures": dict(figures)}
                self._io.save_checkpoint(kept, self._folder / BEST)
        learner.history.append(
            {"epoch": epoch, "loss": loss, "rate": task.rate(done - 1),
             "seconds": now - self._epoch_began, **figures}
        )  # fmt: skip
        self._epoch_began = time.monotonic()
        pace = (self._epoch_began - self._began) / (done - (self._first or 0))
        left = pace * (task.epochs * task.steps_per_epoch - done)
        if epoch < task.epochs:
            over = self._limits.seconds and self._epoch_began - self._began > self._limits.seconds
            if self._stop_early(learner):
                trainer.should_stop = True
            elif trainer.strategy.broadcast(over):
                learner.ending = "time"
                trainer.should_stop = True
        return EpochDone(epoch, task.epochs, loss, figures, left, learner.best["epoch"])

    def _stop_early(self, learner: Learner) -> bool:
        patience = self._limits.patience
        if patience is None or not learner.best or learner.best["value"] is None:
            return False
        if len(learner.history) - learner.best["epoch"] < patience:
            return False
        learner.ending = "early"
        return True


def _found(figures: dict[str, float], score: str) -> list[float] | None:
    """What decides which epoch is best: equal to two decimals, the log loss tells them apart.

    None where the tuning items can't tell: there are none, or a class is missing among them.
    """
    if score not in figures:
        return None
    return [round(figures[score], 2), -figures.get("log_loss", 0.0)]


@contextlib.contextmanager
def _evaluating(task: Task) -> Iterator[nn.Module]:
    """A copy of the network as it would be used now; the run goes on as if nobody had looked."""
    network = copy.deepcopy(task.network)
    with torch.random.fork_rng(), torch.no_grad():
        task.settle(network)
        yield network.eval()


def _learner(module: LightningModule) -> Learner:
    assert isinstance(module, Learner)
    return module


def _usable(path: Path) -> bool:
    """Whether there is a checkpoint that can be read; a damaged one is said and left aside."""
    if not path.exists():
        return False
    try:
        read_checkpoint(path)
    except CannotTrainError as error:
        LOGGER.warning("%s", error)
        return False
    return True


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Lightning tells about devices and tips; our events say what a user needs."""
    logs = [logging.getLogger(n) for n in ("lightning.pytorch", "lightning.fabric")]
    levels = [log.level for log in logs]
    for log in logs:
        log.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            # Hints on data loader workers, unused devices and the like; what matters raises.
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            warnings.filterwarnings("ignore", message=".*does not have a deterministic.*")
            yield
    finally:
        for log, level in zip(logs, levels, strict=True):
            log.setLevel(level)
