"""The cell network of Vandenberghe 2017 learns from labelled crops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.features import FEATURES
from napari_her2.errors import CannotTrainError
from napari_her2.models.networks.cell_convnet import CellConvNet
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS
from napari_her2.training.augment import NOTHING, Augmentation, augment_stains
from napari_her2.training.figures import macro_f1
from napari_her2.training.learner import Batch, seed_of
from napari_her2.training.material import Material
from napari_her2.training.sampling import Sampler, one_cycle

__all__ = ["MEMBRANE", "PAPER", "QUICK", "CellRecipe", "CellTask"]

MEMBRANE: Final = ("membrane_od", "membrane_completeness")
"""Measured columns that can join the crop: the paper's remedy for 2+ against 3+."""

_ROWS_AT_ONCE: Final = 512


@dataclass(frozen=True, slots=True)
class CellRecipe:
    """How the network is trained. The paper gives epochs and loss; the rest is ours.

    Attributes
    ----------
    epochs : int
        At most.
    steps : int
        With so few cells that the epochs have fewer steps altogether, there are more epochs.
    rate : float
        Of stochastic gradient descent: the largest of a cycle, or always.
    cycle : bool
        Whether the rate rises and falls once over the run.
    momentum, weight_decay, batch
        Of the descent.
    patience : int
        Epochs without a better tuning F1 after which it stops.
    """

    epochs: int
    rate: float
    cycle: bool
    steps: int = 0
    batch: int = 128
    momentum: float = 0.9
    weight_decay: float = 0.0
    patience: int = 6


QUICK: Final = CellRecipe(epochs=8, rate=0.03, cycle=True, steps=250, weight_decay=5e-4)
PAPER: Final = CellRecipe(epochs=70, rate=0.01, cycle=False, patience=20)


class CellTask:
    """See :class:`~napari_her2.training.learner.Task`.

    Parameters
    ----------
    material : Material
        Labelled cells with crops of the two stains.
    recipe : CellRecipe
        How.
    seed : int
        Of weights, order and augmentation.
    augmentation : Augmentation
        How crops are changed.
    balance : bool
        Draw the classes equally often.
    membrane : bool
        Give the network the measured membrane.
    start : mapping, optional
        Weights to begin with.

    Raises
    ------
    CannotTrainError
        If the classes or the crops are not those of the network.
    """

    score = "macro_f1"
    clip: float | None = None

    def __init__(
        self,
        material: Material,
        recipe: CellRecipe = QUICK,
        seed: int = 1,
        augmentation: Augmentation = NOTHING,
        *,
        balance: bool = True,
        membrane: bool = False,
        start: Mapping[str, Tensor] | None = None,
    ) -> None:
        foreign = [c for c in material.classes if c not in CELL_CLASSES]
        if foreign:
            raise CannotTrainError("other_classes", name=foreign[0], recipe="cells-convnet")
        self.material, self.recipe, self.seed = material, recipe, seed
        self.architecture = "paper-466283"
        self._augmentation = augmentation
        own = np.array([CELL_CLASSES.index(c) for c in material.classes], np.int64)
        self._label = own[material.label]
        self._train = material.rows("train")
        self._tune = material.rows("tune")
        self._sampler = Sampler(self._label[self._train], recipe.batch, seed, balance)
        self.steps_per_epoch = self._sampler.steps
        self.epochs = max(recipe.epochs, math.ceil(recipe.steps / self.steps_per_epoch))
        self.patience = max(recipe.patience, self.epochs // 4)
        self.mean, self.std = _levels(material, self._train)
        self._shift = torch.tensor(self.mean).view(1, 2, 1, 1)
        self._factor = torch.tensor(self.std).reciprocal().view(1, 2, 1, 1)
        self.extra_mean: tuple[float, ...] = ()
        self.extra_scale: tuple[float, ...] = ()
        self._extra: Tensor | None = None
        if membrane:
            self._measure()
        self.network = _network(self.architecture, len(self.extra_mean), seed)
        if start is not None:
            self.network.load_state_dict(dict(start))

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """Crops (n, 2, 44, 44), classes (n,) and, where asked for, measurements (n, 2)."""
        rows = self._train[self._sampler.rows(step)]
        crops = augment_stains(self.material.pixels(rows), self._augmentation, self.seed, step)
        mine = slice(rank, None, ranks)
        parts = [self._input(crops[mine]), torch.from_numpy(self._label[rows[mine]])]
        if self._extra is not None:
            parts.append(self._extra[rows[mine]])
        return tuple(parts)

    def loss(self, batch: Batch) -> Tensor:
        """Mean log loss over the cells (the paper's)."""
        logits = self.network(batch[0], batch[2] if len(batch) > 2 else None)
        return F.cross_entropy(logits.float(), batch[1])

    def optimiser(self) -> torch.optim.Optimizer:
        """Stochastic gradient descent."""
        r = self.recipe
        return torch.optim.SGD(
            self.network.parameters(), r.rate, r.momentum, weight_decay=r.weight_decay
        )

    def rate(self, step: int) -> float:
        """Cycle or constant."""
        if not self.recipe.cycle:
            return self.recipe.rate
        return one_cycle(step, self.epochs * self.steps_per_epoch, self.recipe.rate)

    def settle(self, network: nn.Module) -> None:
        """There is nothing to settle: no layer keeps statistics."""

    def tune(self, network: nn.Module) -> dict[str, float]:
        """Macro F1, accuracy and log loss on the tuning cells."""
        if not len(self._tune):
            return {}
        device = next(network.parameters()).device
        parts = []
        for start in range(0, len(self._tune), _ROWS_AT_ONCE):
            rows = self._tune[start : start + _ROWS_AT_ONCE]
            crops = self.material.pixels(rows).astype(np.float32) / np.float32(255)
            extra = None if self._extra is None else self._extra[rows].to(device)
            parts.append(network(self._input(crops).to(device), extra).float().cpu())
        logits, truth = torch.cat(parts), torch.from_numpy(self._label[self._tune])
        called = logits.argmax(1)
        figures = {
            "macro_f1": macro_f1(truth.numpy(), called.numpy()),
            "accuracy": float((called == truth).float().mean()),
            "log_loss": float(F.cross_entropy(logits, truth)),
        }
        if len(np.unique(truth)) < len(self.material.classes):
            # Blind for a class: it may be drawn, but must not choose the weights.
            figures["f1_of_some"] = figures.pop("macro_f1")
        return figures

    def card_parts(self) -> dict[str, Any]:
        """What a card must say for the weights to be used."""
        tile_model: dict[str, Any] = {
            "kind": "cell-network", "channels": ["haematoxylin", "dab"],
        }  # fmt: skip
        if self._extra is not None:
            tile_model |= {
                "extra_features": list(MEMBRANE), "extra_at": "hidden",
                "extra_mean": list(self.extra_mean), "extra_scale": list(self.extra_scale),
            }  # fmt: skip
        normalise = {"mean": list(self.mean), "std": list(self.std)}
        return {
            "architecture": self.architecture,
            "class_names": CELL_CLASSES,
            "tile_model": tile_model,
            "transform": [{"name": "ToTensor"}, {"name": "Normalize", "arguments": normalise}],
        }

    def _input(self, crops: NDArray[np.float32]) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2)
        return ((x - self._shift) * self._factor).contiguous(memory_format=torch.channels_last)

    def _measure(self) -> None:
        features = self.material.features
        if features is None:
            raise CannotTrainError("no_features", name=self.material.name)
        columns = features[:, [FEATURES.index(n) for n in MEMBRANE]].astype(np.float64)
        mean = np.nanmean(columns[self._train], 0).round(5)
        scale = np.maximum(np.nanstd(columns[self._train], 0).round(5), 1e-5)
        self.extra_mean = tuple(float(v) for v in mean)
        self.extra_scale = tuple(float(v) for v in scale)
        # What could not be measured counts as average, not as extreme.
        scaled = np.nan_to_num((columns - mean) / scale, nan=0.0)
        self._extra = torch.from_numpy(scaled.astype(np.float32))


def _levels(
    material: Material, rows: NDArray[np.intp]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of the channels over the training crops, as shares of 255."""
    total = np.zeros(2)
    squares = np.zeros(2)
    n = 0
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        crops = material.pixels(rows[start : start + _ROWS_AT_ONCE])
        if crops.ndim != 4 or crops.shape[3] != 2:
            raise CannotTrainError("no_stain_crops", name=material.name)
        # Exact whole numbers first, so that the order of adding up does not matter.
        counts = [np.bincount(crops[..., c].reshape(-1), minlength=256) for c in range(2)]
        levels = np.arange(256) / 255
        total += [float(c @ levels) for c in counts]
        squares += [float(c @ levels**2) for c in counts]
        n += crops[..., 0].size
    mean = total / n
    std = np.sqrt(np.maximum(squares / n - mean**2, 1e-6))
    return tuple(float(v) for v in mean.round(5)), tuple(float(v) for v in std.round(5))


def _network(architecture: str, extra: int, seed: int) -> CellConvNet:
    """With weights of the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(seed, 0))
        network = CellConvNet(CELL_NETWORKS[architecture], extra)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]
    # torch's stubs do not know this overload.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
