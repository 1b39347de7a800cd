"""Trains the cell network; SGD as we chose it, since the paper names no optimiser."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from cell_training.pool import Cells
from napari_her2.models.networks.cell_convnet import CellConvNet
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS

MEAN = (0.033, 0.047)
STD = (0.035, 0.098)
"""Of haematoxylin and DAB in the crops, as shares of 255; close to those of the training cells."""

ROWS_AT_ONCE = 512


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes
    ----------
    epochs : int
        70 in the paper with a fixed rate, as far as it says; a rate that rises and falls once over
        the run gets there in far fewer.
    augment : bool
        Turned, mirrored and stained a little stronger or weaker. The paper states none.
    """

    epochs: int = 8
    augment: bool = False
    batch: int = 128
    rate: float = 0.03
    momentum: float = 0.9
    weight_decay: float = 5e-4
    stain_spread: float = 0.10


@dataclass(frozen=True)
class Extra:
    """Measured features beside the crops, scaled by what the training cells have."""

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @staticmethod
    def of(values: NDArray[np.float32]) -> Extra:
        """Scale of some cells; what could not be measured is left out."""
        return Extra(
            np.nanmean(values.astype(np.float64), 0), np.nanstd(values.astype(np.float64), 0)
        )

    def scaled(self, values: NDArray[np.float32]) -> Tensor:
        """For the network."""
        out = np.nan_to_num((values - self.mean) / self.scale, nan=0.0)
        return torch.from_numpy(out.astype(np.float32))


def train(cells: Cells, recipe: Recipe, seed: int, extra: Extra | None = None) -> CellConvNet:
    """Train a network in bfloat16 with float32 weights."""
    torch.manual_seed(seed)
    n_extra = 0 if extra is None else cells.extra.shape[1]
    network = CellConvNet(CELL_NETWORKS["paper-466283"], n_extra)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)
    network = network.to(memory_format=torch.channels_last).train()
    rows = torch.Generator().manual_seed(seed)
    labels = torch.from_numpy(cells.label)
    beside = None if extra is None else extra.scaled(cells.extra)
    per_epoch = len(cells) // recipe.batch
    optimiser = torch.optim.SGD(
        network.parameters(), recipe.rate, recipe.momentum, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, recipe.rate, total_steps=recipe.epochs * per_epoch, pct_start=0.25
    )
    began = time.process_time()
    for epoch in range(recipe.epochs):
        order, total = torch.randperm(len(cells), generator=rows), 0.0
        for step in range(per_epoch):
            some = order[step * recipe.batch : (step + 1) * recipe.batch]
            x = _input(cells.crops[some.numpy()], recipe if recipe.augment else None, rows)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = network(x, None if beside is None else beside[some])
            loss = F.cross_entropy(logits.float(), labels[some])
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(loss.detach())
        if epoch + 1 == recipe.epochs:
            took = time.process_time() - began
            print(f"  seed {seed}: loss {total / per_epoch:.3f}, {took:.0f} CPU s", flush=True)
    return network.eval()


def predict(network: CellConvNet, cells: Cells, extra: Extra | None = None) -> NDArray[np.int64]:
    """Class of each cell, in float32."""
    beside = None if extra is None else extra.scaled(cells.extra)
    out = []
    with torch.inference_mode():
        for start in range(0, len(cells), ROWS_AT_ONCE):
            some = slice(start, start + ROWS_AT_ONCE)
            logits = network(_input(cells.crops[some]), None if beside is None else beside[some])
            out.append(logits.argmax(1).numpy())
    return np.concatenate(out)


def _input(
    crops: NDArray[np.uint8], recipe: Recipe | None = None, rows: torch.Generator | None = None
) -> Tensor:
    x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255
    if recipe is not None and rows is not None:
        turn = int(torch.randint(8, (1,), generator=rows))
        x = torch.rot90(x, turn % 4, (2, 3))
        x = x.flip(3) if turn >= 4 else x
        x = x * (1 + recipe.stain_spread * torch.randn(len(x), 2, 1, 1, generator=rows))
    x = (x - torch.tensor(MEAN).view(2, 1, 1)) / torch.tensor(STD).view(2, 1, 1)
    return x.contiguous(memory_format=torch.channels_last)
