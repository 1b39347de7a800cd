"""Recipe ``stage1``: from labelled tiles to a tile model that ``predict`` takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.models.card import ModelCard
from napari_her2.models.installed import InstalledModel
from napari_her2.models.registry import Registry
from napari_her2.models.stain_step import REFERENCE
from napari_her2.models.tile_models import load_tile_model
from napari_her2.models.weights import write_weights
from napari_her2.training.augment import GEOMETRY, HE_FULL, NOTHING
from napari_her2.training.hardware import Hardware
from napari_her2.training.initialise import start_of
from napari_her2.training.learned import Learned
from napari_her2.training.loop import Limits, fit
from napari_her2.training.material import Material
from napari_her2.training.request import TrainRequest
from napari_her2.training.stain_reference import normalised, reference_look
from napari_her2.training.tile_task import FINE, PAPER, QUICK, TileTask
from napari_her2.training.watch import Watcher
from napari_her2.types import Probs

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["IMAGENET_LEVELS", "NEW_WIDTH", "learn_stage1", "tile_task", "width_of"]

IMAGENET_LEVELS = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""What the public Inception-V3 weights are used to: colours from -1 to 1."""

NEW_WIDTH = 0.25
"""Of a network with new weights."""

_AT_ONCE = 32


def tile_task(request: TrainRequest, material: Material) -> TileTask:
    """The task that a request means."""
    paper = request.mode == "paper"
    recipe = PAPER if paper else FINE if request.start_from else QUICK
    if request.epochs:
        recipe = replace(recipe, epochs=request.epochs)
    kinds = {"auto": HE_FULL, "none": NOTHING, "geometry": GEOMETRY, "full": HE_FULL}
    # Gamble 2021 draws patches at random over the training set, without enrichment.
    balance = not paper if request.balance is None else request.balance
    return TileTask(
        material, recipe, request.seed, kinds[request.augment], width=width_of(request),
        balance=balance, start=_start(request, len(material.classes)), levels=_levels(request),
    )  # fmt: skip


def width_of(request: TrainRequest) -> float:
    """Width of the network: as asked, or as the weights it starts from have it.

    Raises
    ------
    CannotTrainError
        If another width was asked for than that of the model it starts from.
    """
    if not request.start_from:
        return request.width or NEW_WIDTH
    cards = {m.card.id: m.card for m in Registry().list()}
    card = cards.get(request.start_from)
    if card is None or card.architecture != "inception_v3":
        return request.width or 1.0
    own = float(card.tile_model.get("width", 1.0))
    if request.width is not None and abs(request.width - own) > 1e-9:
        raise CannotTrainError(
            "start_width", model=card.id, own=f"{own:g}", asked=f"{request.width:g}"
        )
    return own


def learn_stage1(
    request: TrainRequest, material: Material, folder: Path, hardware: Hardware, watcher: Watcher
) -> Learned:
    """Train the network; see :func:`napari_her2.training.loop.fit`."""
    plain, extra = material, {}
    if request.stain_normalise:
        reference = reference_look(material)
        material = normalised(material, reference, folder)
        extra = {REFERENCE: reference.to_json()}
    task = tile_task(request, material)
    limits = Limits(task.recipe.patience, request.max_seconds, request.checkpoint_seconds)
    course = fit(task, folder, hardware, limits, watcher)

    def write(path: Path) -> str:
        return write_weights(path, course.weights)

    def predict(model: InstalledModel, rows: NDArray[np.intp]) -> Probs:
        tile_model = load_tile_model(model.card, model.folder, request.device)
        parts = [
            tile_model.predict(plain.pixels(rows[start : start + _AT_ONCE]))
            for start in range(0, len(rows), _AT_ONCE)
        ]
        return np.concatenate(parts)

    card = task.card_parts()
    card["tile_model"] |= extra
    biomarker = request.biomarker or material.biomarker
    return Learned(
        course.ending, course.epochs, course.best_epoch, course.history,
        {**card, "biomarker": biomarker, "stain": material.stain}, write, predict,
        details={"parameters": sum(p.numel() for p in task.network.parameters()),
                 "mode": request.mode, "rate": task.recipe.rate, "start_from": request.start_from},
    )  # fmt: skip


def _start(request: TrainRequest, classes: int) -> dict[str, Tensor] | None:
    if not request.start_from:
        return None
    import torch

    from napari_her2.models.networks.inception import InceptionV3

    with torch.device("meta"):
        blank = InceptionV3(classes, width_of(request))
    shapes = {name: tuple(t.shape) for name, t in blank.state_dict().items()}
    return start_of(request, shapes, head=("fc.",))


def _levels(request: TrainRequest) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
    """Colours that the weights to begin with are used to."""
    if not request.start_from:
        return None
    cards: dict[str, ModelCard] = {m.card.id: m.card for m in Registry().list()}
    card = cards.get(request.start_from)
    if card is None:
        return IMAGENET_LEVELS
    for step in card.transform:
        if step.name == "Normalize" and step.arguments:
            mean, std = (tuple(float(v) for v in step.arguments[k]) for k in ("mean", "std"))
            return mean, std
    return None
