"""Stage 1: trains one network on crops, the way the card says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from demo_training.export import DROPOUT, WIDTH
from demo_training.pool import Slide
from demo_training.sampling import Sampler
from napari_her2.models.networks.inception import InceptionV3


@dataclass(frozen=True)
class Stage:
    """Some steps on crops of one size under one one-cycle schedule."""

    crop_px: int
    batch: int
    steps: int
    rate: float


@dataclass(frozen=True)
class Recipe:
    """From small crops, which are cheap, to whole tiles; our choice, the paper gives none."""

    stages: tuple[Stage, ...] = (
        Stage(192, 32, 420, 4e-3),
        Stage(256, 32, 180, 2e-3),
        Stage(512, 10, 40, 3e-4),
    )
    weight_decay: float = 0.02
    dense_weight: float = 0.5


LONGER = Recipe(
    stages=(Stage(192, 32, 420, 4e-3), Stage(256, 32, 440, 2e-3), Stage(512, 10, 40, 3e-4))
)
RECIPES = {"ER": LONGER, "PR": Recipe(), "HER2": LONGER}
"""ER and HER2 rest on finer differences of form than PR and go on learning for longer."""


def fresh_network(seed: int) -> InceptionV3:
    """A network with seeded weights."""
    torch.manual_seed(seed)
    network = InceptionV3(3, WIDTH, DROPOUT)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    nn.init.normal_(network.fc.weight, std=0.02)
    nn.init.zeros_(network.fc.bias)
    return network


def loss_of(
    network: InceptionV3, x: Tensor, shares: Tensor, maps: Tensor, dense_weight: float
) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the tile, plus that of each position seen through the same head.

    Pooling and head are linear, so a position's logits are the tile's in small: the auxiliary term
    tells the network where the tumour is instead of only that there is some.
    """
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = network.features(x)
    features = features.float()
    logits = network.head(features)
    local = torch.einsum("nchw,kc->nkhw", network.dropout(features), network.fc.weight)
    local = local + network.fc.bias.view(1, -1, 1, 1)
    tile = F.cross_entropy(logits, shares)
    return tile + dense_weight * F.cross_entropy(local, maps), logits


def train(
    slides: Sequence[Slide], biomarker: str, recipe: Recipe, seed: int, budget_s: float = 1e9
) -> InceptionV3:
    """Train a network for one biomarker.

    Parameters
    ----------
    slides : sequence of Slide
        Training slides only.
    biomarker : str
        ``ER``, ``PR`` or ``HER2``.
    recipe : Recipe
        How long and how fast.
    seed : int
        Of weights, crops and augmentation.
    budget_s : float
        Said loudly when exceeded; never changes the result.
    """
    torch.manual_seed(seed)
    network = fresh_network(seed).to(memory_format=torch.channels_last)
    started = time.monotonic()
    for number, stage in enumerate(recipe.stages):
        sampler = Sampler(slides, biomarker, stage.crop_px, seed + number)
        _run(network, sampler, stage, recipe, biomarker, started)
    _settle_batch_norm(network, sampler, stage.batch)
    if time.monotonic() - started > budget_s:
        print(f"{biomarker}: took longer than {budget_s:.0f} s")
    return network.eval()


def _run(
    network: InceptionV3,
    sampler: Sampler,
    stage: Stage,
    recipe: Recipe,
    name: str,
    started: float,
) -> None:
    network.train()
    decayed = [p for p in network.parameters() if p.ndim >= 2]
    plain = [p for p in network.parameters() if p.ndim < 2]
    optimiser = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": recipe.weight_decay}, {"params": plain}],
        lr=stage.rate,
        weight_decay=0.0,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, stage.rate, total_steps=stage.steps)
    recent: list[tuple[float, float]] = []
    for step in range(1, stage.steps + 1):
        x, shares, maps = sampler.batch(stage.batch)
        loss, logits = loss_of(network, x, shares, maps, recipe.dense_weight)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        right = (logits.argmax(1) == shares.argmax(1)).float().mean()
        recent = [*recent[-49:], (float(loss.detach()), float(right))]
        if step % 50 == 0 or step == stage.steps:
            mean = np.mean(recent, axis=0)
            took = time.monotonic() - started
            print(
                f"{name} {sampler.crop} px {step}/{stage.steps}: loss {mean[0]:.3f}, "
                f"right {mean[1]:.3f}, {took:.0f} s",
                flush=True,
            )


def _settle_batch_norm(network: InceptionV3, sampler: Sampler, batch: int) -> None:
    """Statistics of whole tiles in float32, as the network will meet them."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    network.train()
    with torch.no_grad():
        for _ in range(12):
            network(sampler.batch(batch)[0])
