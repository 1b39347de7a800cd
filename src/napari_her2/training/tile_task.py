"""Stage 1 of Gamble 2021: Inception-V3 learns from labelled tiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_her2.errors import CannotTrainError
from napari_her2.models.networks.inception import MIN_INPUT_PX, InceptionV3
from napari_her2.training.augment import HE_FULL, Augmentation, augment_rgb
from napari_her2.training.figures import macro_auc
from napari_her2.training.learner import Batch, seed_of
from napari_her2.training.material import Material
from napari_her2.training.sampling import one_cycle

__all__ = ["FINE", "PAPER", "QUICK", "Crops", "TileRecipe", "TileTask"]

_TUNED: Final = 64
_SETTLED: Final = 32
_AT_ONCE: Final = 8


@dataclass(frozen=True, slots=True)
class Crops:
    """Part of a run: up to which share of the steps, how large crops and batches are.

    ``px`` None stands for whole tiles.
    """

    until: float
    px: int | None
    batch: int


@dataclass(frozen=True, slots=True)
class TileRecipe:
    """How the network is trained; the paper's main text names neither optimiser nor rate.

    Attributes
    ----------
    epochs, steps : int
        Epochs at most, and batches of each.
    rate : float
        Of AdamW: the largest of a cycle, or always.
    cycle : bool
        Whether the rate rises and falls once over the run.
    crops : tuple of Crops
        From small crops, which are cheap, to whole tiles.
    dense : float
        Weight of the loss at each position of the last feature map. Pooling and head are linear,
        so a position's logits are the tile's in small: it tells where to look.
    weight_decay, dropout, patience
        Of weights with two axes or more; before the head; epochs without a better tuning AUC.
    """

    epochs: int
    steps: int
    rate: float
    cycle: bool
    crops: tuple[Crops, ...]
    dense: float = 0.0
    weight_decay: float = 0.02
    dropout: float = 0.2
    patience: int = 6


QUICK: Final = TileRecipe(
    epochs=10, steps=40, rate=4e-3, cycle=True, dense=0.5, patience=10,
    crops=(Crops(0.6, 192, 32), Crops(0.9, 256, 24), Crops(1.0, None, 8)),
)  # fmt: skip
"""For a network of a quarter of the width, from new weights. It never stops early: while the rate
is high the tuning figure jumps about, and it settles as the rate falls."""

FINE: Final = TileRecipe(
    epochs=10, steps=40, rate=3e-4, cycle=True, crops=(Crops(1.0, None, 16),), dropout=0.5
)
"""From weights that have seen pictures before."""

PAPER: Final = TileRecipe(
    epochs=40, steps=200, rate=1e-4, cycle=False, crops=(Crops(1.0, None, 16),), dropout=0.5,
    weight_decay=0.0, patience=10,
)  # fmt: skip
"""Whole tiles drawn at random over the training set; Adam at a fixed rate is our choice."""


class TileTask:
    """See :class:`~napari_her2.training.learner.Task`.

    Parameters
    ----------
    material : Material
        Labelled tiles.
    recipe : TileRecipe
        How.
    seed : int
        Of weights, sampling and augmentation.
    augmentation : Augmentation
        How tiles are changed.
    width : float
        Of the network; 1 as published.
    balance : bool
        Draw the classes equally often; the paper draws tiles as they come.
    start : mapping, optional
        Weights to begin with; names left out start new.
    levels : tuple, optional
        Mean and spread of the channels the weights to begin with are used to.

    Raises
    ------
    CannotTrainError
        If the tiles are too small for the network.
    """

    score = "auc"
    clip: float | None = 2.0

    def __init__(
        self,
        material: Material,
        recipe: TileRecipe = QUICK,
        seed: int = 1,
        augmentation: Augmentation = HE_FULL,
        *,
        width: float = 0.25,
        balance: bool = True,
        start: Mapping[str, Tensor] | None = None,
        levels: tuple[tuple[float, ...], tuple[float, ...]] | None = None,
    ) -> None:
        if material.side < MIN_INPUT_PX:
            raise CannotTrainError("small_tiles", px=material.side, least=MIN_INPUT_PX)
        self.material, self.recipe, self.seed, self.width = material, recipe, seed, width
        self._augmentation = augmentation
        self._train, tune = material.rows("train"), material.rows("tune")
        own = material.label[self._train]
        classes = range(len(material.classes))
        self._pools = [self._train[own == k] for k in classes] if balance else [self._train]
        self._tune = _spread(tune, material.label, _TUNED, seed)
        self._settling = _spread(self._train, material.label, _SETTLED, seed)
        self.epochs, self.steps_per_epoch = recipe.epochs, recipe.steps
        self.mean, self.std = levels or _levels(material, self._settling)
        self._shift = torch.tensor(self.mean).view(1, 3, 1, 1)
        self._factor = torch.tensor(self.std).reciprocal().view(1, 3, 1, 1)
        self.network = _network(len(material.classes), width, recipe.dropout, seed)
        if start is not None:
            self.network.load_state_dict(dict(start), strict=False)

    def batch(self, step: int, rank: int = 0, ranks: int = 1) -> Batch:
        """Crops (n, 3, px, px) and their classes (n,)."""
        total = self.epochs * self.steps_per_epoch
        now = next(c for c in self.recipe.crops if step < c.until * total or c.until >= 1)
        rng = np.random.Generator(np.random.Philox(seed_of(self.seed, 1, step)))
        pools = [self._pools[k] for k in rng.integers(len(self._pools), size=now.batch)]
        rows = np.array([pool[rng.integers(len(pool))] for pool in pools], np.intp)
        side = self.material.side
        px = min(now.px or side, side)
        corner = rng.integers(side - px + 1, size=(now.batch, 2))
        tiles = np.stack(
            [
                self.material.pixels(rows[i : i + 1])[0][y : y + px, x : x + px]
                for i, (y, x) in enumerate(corner)
            ]
        )
        changed = augment_rgb(tiles, self._augmentation, self.seed, step)
        mine = slice(rank, None, ranks)
        label = torch.from_numpy(self.material.label[rows[mine]])
        return self._input(changed[mine]), label

    def loss(self, batch: Batch) -> Tensor:
        """Log loss of the tile, plus that of each position seen through the same head."""
        x, label = batch
        network = self.network
        features = network.features(x).float()
        with torch.autocast(x.device.type, enabled=False):
            loss = F.cross_entropy(network.head(features), label)
            if self.recipe.dense:
                places = network.dropout(features)
                local = torch.einsum("nchw,kc->nkhw", places, network.fc.weight)
                local = local + network.fc.bias.view(1, -1, 1, 1)
                everywhere = label.view(-1, 1, 1).expand(-1, *local.shape[2:])
                loss = loss + self.recipe.dense * F.cross_entropy(local, everywhere)
        return loss

    def optimiser(self) -> torch.optim.Optimizer:
        """AdamW; biases and batch norms do not decay."""
        decayed = [p for p in self.network.parameters() if p.ndim >= 2]
        plain = [p for p in self.network.parameters() if p.ndim < 2]
        groups: list[dict[str, Any]] = [
            {"params": decayed, "weight_decay": self.recipe.weight_decay},
            {"params": plain},
        ]
        return torch.optim.AdamW(groups, self.recipe.rate, weight_decay=0.0)

    def rate(self, step: int) -> float:
        """Cycle or constant."""
        if not self.recipe.cycle:
            return self.recipe.rate
        return one_cycle(step, self.epochs * self.steps_per_epoch, self.recipe.rate)

    def settle(self, network: nn.Module) -> None:
        """Statistics of whole tiles in float32, as the network will meet them."""
        kept = {}
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):
                kept[module] = module.momentum
                module.reset_running_stats()
                module.momentum = None
        network.train()
        device = next(network.parameters()).device
        for start in range(0, len(self._settling), _AT_ONCE):
            rows = self._settling[start : start + _AT_ONCE]
            if len(rows) > 1:
                network(self._plain(rows).to(device))
        for module, momentum in kept.items():
            module.momentum = momentum

    def tune(self, network: nn.Module) -> dict[str, float]:
        """Macro AUC and log loss on whole tuning tiles."""
        if not len(self._tune):
            return {}
        device = next(network.parameters()).device
        parts = [
            network(self._plain(self._tune[start : start + _AT_ONCE]).to(device)).float().cpu()
            for start in range(0, len(self._tune), _AT_ONCE)
        ]
        logits = torch.cat(parts)
        truth = self.material.label[self._tune]
        figures = {
            "auc": macro_auc(truth, logits.softmax(1).numpy()),
            "accuracy": float((logits.argmax(1).numpy() == truth).mean()),
            "log_loss": float(F.cross_entropy(logits, torch.from_numpy(truth))),
        }
        if len(np.unique(truth)) < len(self.material.classes):
            # Blind for a class: it may be drawn, but must not choose the weights.
            figures["auc_of_some"] = figures.pop("auc")
        return figures

    def card_parts(self) -> dict[str, Any]:
        """What a card must say for the weights to be used."""
        normalise = {"mean": list(self.mean), "std": list(self.std)}
        return {
            "architecture": "inception_v3",
            "class_names": self.material.classes,
            "class_roles": self.material.roles,
            "tile_model": {"width": self.width, "dropout": self.recipe.dropout},
            "transform": [{"name": "ToTensor"}, {"name": "Normalize", "arguments": normalise}],
            "selector": {"kind": "tissue"},
        }

    def _plain(self, rows: NDArray[np.intp]) -> Tensor:
        return self._input(self.material.pixels(rows).astype(np.float32) / np.float32(255))

    def _input(self, tiles: NDArray[np.float32]) -> Tensor:
        x = torch.from_numpy(np.ascontiguousarray(tiles)).permute(0, 3, 1, 2)
        return ((x - self._shift) * self._factor).contiguous(memory_format=torch.channels_last)


def _spread(
    rows: NDArray[np.intp], label: NDArray[np.int64], most: int, seed: int
) -> NDArray[np.intp]:
    """At most so many rows, of the classes as evenly as there are."""
    if len(rows) <= most:
        return rows
    rng = np.random.Generator(np.random.Philox(seed_of(seed, 4)))
    rows = rng.permutation(rows)
    order = np.argsort(label[rows], kind="stable")
    kinds = label[rows][order]
    turn = np.arange(len(rows)) - np.searchsorted(kinds, kinds)
    return np.sort(rows[order][np.argsort(turn, kind="stable")][:most])


def _levels(
    material: Material, rows: NDArray[np.intp]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and spread of the colours of some tiles, as shares of 255."""
    tiles = material.pixels(rows).reshape(-1, 3)
    mean = tiles.mean(0, dtype=np.float64) / 255
    std = np.maximum(tiles.std(0, dtype=np.float64) / 255, 0.01)
    return tuple(float(v) for v in mean.round(4)), tuple(float(v) for v in std.round(4))


def _network(classes: int, width: float, dropout: float, seed: int) -> InceptionV3:
    """With weights of the seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed_of(seed, 0))
        network = InceptionV3(classes, width, dropout)
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        nn.init.normal_(network.fc.weight, std=0.02)
        nn.init.zeros_(network.fc.bias)
    # torch's stubs do not know this overload.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
