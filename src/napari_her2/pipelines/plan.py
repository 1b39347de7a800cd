"""What a request comes down to on one slide: models that can run and the checks before they do."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from napari_her2.errors import Her2Error, StainMismatchError, UnknownMppError, WrongMppError
from napari_her2.messages import tr
from napari_her2.models.card import ModelCard
from napari_her2.pipelines.request import PredictRequest
from napari_her2.slides.base import PixelSize, Slide
from napari_her2.stains.guess import check_stain
from napari_her2.tiles.reading import UPSAMPLE_LIMIT
from napari_her2.tiles.spec import TileSpec

if TYPE_CHECKING:
    from napari_her2.models.protocols import SlideAggregator, TileModel
    from napari_her2.stains.guess import StainGuess

__all__ = [
    "FailedModel",
    "Loaded",
    "ModelGroup",
    "ModelSource",
    "Plan",
    "make_plan",
    "pixel_size",
    "screen_stain",
]

BATCH_CUDA: Final = 32


def cpu_batch() -> int:
    """Tiles at once on a processor: a few for each core, fixed for a computer.

    Fixed, so that a resumed run makes the same batches; small, so that the map grows visibly.
    """
    return min(32, max(4, 2 * (os.cpu_count() or 1)))


class Loaded(Protocol):
    """A model ready to run, as the registry gives it."""

    @property
    def card(self) -> ModelCard:
        """Its card."""
        ...

    @property
    def tile_model(self) -> TileModel:
        """Its tile scores."""
        ...

    @property
    def aggregator(self) -> SlideAggregator | None:
        """Its slide level."""
        ...


class _Installed(Protocol):
    @property
    def card(self) -> ModelCard: ...
    @property
    def digest(self) -> str: ...


class ModelSource(Protocol):
    """What a pipeline needs of the registry."""

    def resolve(self, name: str) -> _Installed:
        """Find a model by id or biomarker."""
        ...

    def load(self, name: str, device: str = "auto") -> Loaded:
        """Load it."""
        ...


@dataclass(frozen=True, slots=True)
class FailedModel:
    """A model that can't run here; the others do."""

    name: str
    card: ModelCard | None
    error: Her2Error


@dataclass(frozen=True, slots=True)
class ModelGroup:
    """Models that see the same tiles, so that each tile is read once."""

    spec: TileSpec
    selector: str
    models: tuple[Loaded, ...]

    @property
    def model_ids(self) -> tuple[str, ...]:
        """Ids of its models."""
        return tuple(m.card.id for m in self.models)


@dataclass(slots=True)
class Plan:
    """Models of a request, grouped by the tiles they see.

    Attributes
    ----------
    groups : tuple of ModelGroup
        In the order of the request.
    failed : list of FailedModel
        Models that can't run, with the reason.
    digests : dict of str to str
        By model id: hash of all that decides its numbers.
    names : dict of str to str
        By model id: name of its heatmap; its biomarker, or its id where that is taken or absent.
    device : str
        ``cpu`` or ``cuda``, as resolved.
    batch_size : int
        Tiles at once.
    """

    groups: tuple[ModelGroup, ...]
    failed: list[FailedModel]
    digests: dict[str, str]
    names: dict[str, str]
    device: str
    batch_size: int
    warnings: list[str] = field(default_factory=list)

    @property
    def models(self) -> tuple[Loaded, ...]:
        """All models that run."""
        return tuple(m for g in self.groups for m in g.models)

    def keep(self, models: Sequence[Loaded]) -> None:
        """Leave the other models out."""
        ids = {m.card.id for m in models}
        kept = (
            ModelGroup(g.spec, g.selector, tuple(m for m in g.models if m.card.id in ids))
            for g in self.groups
        )
        self.groups = tuple(g for g in kept if g.models)

    def identity(self) -> tuple[str, ...]:
        """What besides request and slide decides the bytes, for the request's hash."""
        return (
            *(f"{m}={d}" for m, d in self.digests.items()),
            *(f"failed {f.name}={f.error.sentence}" for f in self.failed),
            f"device={self.device}",
            f"batch={self.batch_size}",
        )

    def classes(self) -> dict[str, int]:
        """Number of classes by model id, for the journal."""
        return {m.card.id: m.card.num_classes for m in self.models}


def pixel_size(slide: Slide) -> PixelSize:
    """The slide's pixel size.

    Raises
    ------
    UnknownMppError
        If it is not known; it is never guessed.
    """
    if slide.mpp is None:
        raise UnknownMppError("no_mpp_cli", name=slide.path.name)
    return slide.mpp


def make_plan(request: PredictRequest, mpp: PixelSize, source: ModelSource) -> Plan:
    """Load the models of a request.

    Raises
    ------
    Her2Error
        The first model's error, if none of them can run.
    """
    loaded: dict[str, Loaded] = {}
    digests: dict[str, str] = {}
    failed: list[FailedModel] = []
    for name in dict.fromkeys(request.model_ids):
        card = None
        try:
            installed = source.resolve(name)
            card = installed.card
            if card.id in loaded:
                continue
            _check_mpp(card, mpp)
            loaded[card.id] = source.load(card.id, request.device)
            digests[card.id] = installed.digest
        except Her2Error as e:
            failed.append(FailedModel(name, card, e))
    if not loaded:
        raise failed[0].error
    device = _device(next(iter(loaded.values())).tile_model)
    batch = request.batch_size or (cpu_batch() if device == "cpu" else BATCH_CUDA)
    groups = _group(list(loaded.values()), request.stride_um)
    return Plan(groups, failed, digests, _names(loaded), device, max(1, batch))


def screen_stain(plan: Plan, guess: StainGuess, ignore: bool) -> None:
    """Take out models that are made for another stain; an override becomes a warning.

    What counts as another stain is decided by :func:`napari_her2.stains.guess.check_stain`.

    Raises
    ------
    StainMismatchError
        If no model is left.
    """
    verdicts = [check_stain(guess, m.card.stain) for m in plan.models]
    paired = list(zip(plan.models, verdicts, strict=True))
    unsure = [m for m, verdict in paired if verdict == "unsure"]
    others = [m for m, verdict in paired if verdict == "mismatch"]
    found = {"found": guess.stain, "confidence": f"{guess.confidence:.2f}"}
    warned = {"stain_unknown": unsure, "stain_override": others if ignore else []}
    for message_id, concerned in warned.items():
        for needed in dict.fromkeys(m.card.stain for m in concerned):
            models = ", ".join(m.card.name for m in concerned if m.card.stain == needed)
            plan.warnings.append(tr(message_id, needed=needed, models=models, **found))
    if ignore or not others:
        return
    remedy = "tick “Run anyway” (--ignore-stain)"
    errors = [
        StainMismatchError(
            "wrong_stain", model=m.card.name, needed=m.card.stain, remedy=remedy, **found
        )
        for m in others
    ]
    plan.failed += [FailedModel(m.card.id, m.card, e) for m, e in zip(others, errors, strict=True)]
    if len(others) == len(plan.models):
        raise errors[0]
    plan.keep([m for m, verdict in paired if verdict != "mismatch"])


def _check_mpp(card: ModelCard, mpp: PixelSize) -> None:
    offered = max(mpp.x, mpp.y)
    if offered > card.spacing_um_px * (1 + UPSAMPLE_LIMIT):
        raise WrongMppError(
            "wrong_mpp",
            model=card.name,
            needed=f"{card.spacing_um_px:.3g}",
            offered=f"{offered:.3g}",
        )


def _group(models: Sequence[Loaded], stride_um: float | None) -> tuple[ModelGroup, ...]:
    groups: dict[tuple[TileSpec, str], list[Loaded]] = {}
    for model in models:
        card = model.card
        field_um = card.patch_size_pixels * card.spacing_um_px
        spec = TileSpec(card.patch_size_pixels, card.spacing_um_px, stride_um or field_um / 2)
        kind = str(card.selector.get("kind", "tissue"))
        groups.setdefault((spec, kind), []).append(model)
    return tuple(ModelGroup(spec, kind, tuple(found)) for (spec, kind), found in groups.items())


def _names(loaded: dict[str, Loaded]) -> dict[str, str]:
    names: dict[str, str] = {}
    for model_id, model in loaded.items():
        name = model.card.biomarker or model_id
        names[model_id] = name if name not in names.values() else f"{name}-{model_id}"
    return names


def _device(model: TileModel) -> str:
    device = getattr(model, "device", "cpu")
    return str(getattr(device, "type", device)).split(":")[0]
