"""Models on disk: their files, and whether these belong together. Imports no torch by itself."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from napari_her2.errors import BadModelError
from napari_her2.models.aggregators import aggregator_from_json
from napari_her2.models.architectures import (
    TABLE_ARCHITECTURES,
    WHOLE_NUMBERS,
    expected_shapes,
)
from napari_her2.models.card import ModelCard, read_card
from napari_her2.models.intake import AGGREGATOR, CARD, MAX_SMALL_BYTES, WEIGHTS
from napari_her2.models.weights import (
    check_against,
    check_hash,
    parse_header,
    read_bytes,
    sha256_of,
)
from napari_her2.models.wsinfer import CONFIG, SCRIPT, read_config, slug, wrap

if TYPE_CHECKING:
    from napari_her2.models.protocols import SlideAggregator, TileModel

__all__ = ["InstalledModel", "LoadedModel", "aggregator_of", "card_of", "check_files"]


@dataclass(frozen=True, slots=True)
class InstalledModel:
    """A model on disk.

    Attributes
    ----------
    card : ModelCard
        Its card; for a WSInfer folder the wrapped configuration.
    folder : Path
        Where its files are.
    built_in : bool
        Whether it comes with the program.
    """

    card: ModelCard
    folder: Path
    built_in: bool

    @property
    def is_torchscript(self) -> bool:
        """Whether it holds program code, so that it runs only after it is trusted."""
        return self.card.tile_model.get("kind") == "torchscript"

    @property
    def weights_path(self) -> Path:
        """The weights file."""
        return self.folder / (SCRIPT if self.is_torchscript else WEIGHTS)

    @property
    def digest(self) -> str:
        """SHA-256 of all that decides a number: weights hash, transform, classes, aggregator."""
        decides = self.card.model_dump(
            mode="json",
            include={
                "architecture", "num_classes", "patch_size_pixels", "spacing_um_px", "class_names",
                "class_roles", "transform", "selector", "tile_model", "aggregator",
                "weights_sha256",
            },
        )  # fmt: skip
        return sha256_of(json.dumps(decides, sort_keys=True, separators=(",", ":")).encode())


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """A model ready to run: card, tile scores, slide level."""

    card: ModelCard
    tile_model: TileModel
    aggregator: SlideAggregator | None


def card_of(folder: Path) -> ModelCard:
    """The card of a folder; a WSInfer folder put there by hand is wrapped on the fly.

    Raises
    ------
    BadModelError
        If there is no usable card or configuration.
    """
    if (folder / CARD).exists() or not (folder / CONFIG).exists():
        return read_card(folder / CARD)
    config = read_config(folder / CONFIG)
    model_id = slug(folder.name)
    sha256 = sha256_of(read_bytes(folder / SCRIPT, model_id))
    return wrap(config, model_id, sha256, f"folder {folder.name}")


def check_files(model: InstalledModel) -> None:
    """Check weights and aggregator against card and architecture; nothing is run.

    Raises
    ------
    ModelIntegrityError, BadModelError
        If something does not fit.
    """
    aggregator_of(model)
    data = read_bytes(model.weights_path, model.card.id)
    check_hash(data, model.card.weights_sha256, model.card.id)
    if not model.is_torchscript:
        entries = parse_header(data, model.card.id)
        whole = WHOLE_NUMBERS if model.card.architecture in TABLE_ARCHITECTURES else frozenset()
        check_against(entries, expected_shapes(model.card), model.card.id, whole)


def aggregator_of(model: InstalledModel) -> SlideAggregator | None:
    """The slide-level part of a model: named in the card, or read from ``aggregator.json``.

    Raises
    ------
    ModelIntegrityError, BadModelError
        If the file is not the card's, is damaged, or reads a class that does not exist.
    """
    described = model.card.aggregator
    if described is None:
        return None
    if "file" in described:
        # The name is fixed: a card can't point at another file.
        data = read_bytes(model.folder / AGGREGATOR, model.card.id, limit=MAX_SMALL_BYTES)
        check_hash(data, described.get("sha256"), model.card.id)
        aggregator = aggregator_from_json(data, model.card.id)
    else:
        aggregator = aggregator_from_json(described, model.card.id)
    columns = getattr(aggregator, "positive", 0), getattr(aggregator, "negative", 0)
    if max(columns) >= model.card.num_classes:
        reason = "its aggregator reads a class that does not exist"
        raise BadModelError("bad_weights", model=model.card.id, reason=reason)
    return aggregator
