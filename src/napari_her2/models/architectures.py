"""Which network a card asks for: the shapes it needs, and the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_her2.errors import BadModelError

if TYPE_CHECKING:
    from torch import nn

    from napari_her2.models.card import ModelCard

__all__ = ["ARCHITECTURES", "build_network", "expected_shapes"]

ARCHITECTURES = ("inception_v3",)
"""Names a card's ``architecture`` may hold; TorchScript folders need none of them."""


def build_network(card: ModelCard, *, meta: bool = False) -> nn.Module:
    """Build the network of a card with arbitrary weights.

    Parameters
    ----------
    card : ModelCard
        ``architecture``, ``num_classes`` and ``tile_model`` (``width``, ``dropout``) are used.
    meta : bool
        Build shapes only, without memory.

    Raises
    ------
    BadModelError
        If the architecture is unknown or its parameters make no sense.
    """
    import torch

    if card.architecture not in ARCHITECTURES:
        reason = f"architecture {card.architecture[:40]!r} is unknown"
        raise BadModelError("bad_weights", model=card.id, reason=reason)
    options = _inception_options(card.id, card.tile_model)
    with torch.device("meta" if meta else "cpu"):
        from napari_her2.models.networks.inception import InceptionV3

        return InceptionV3(card.num_classes, options["width"], options["dropout"])


def expected_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the state dict that a card's architecture needs."""
    network = build_network(card, meta=True)
    return {name: tuple(t.shape) for name, t in network.state_dict().items()}


def _inception_options(name: str, tile_model: Mapping[str, Any]) -> dict[str, float]:
    try:
        width = float(tile_model.get("width", 1.0))
        dropout = float(tile_model.get("dropout", 0.5))
    except (TypeError, ValueError):
        width, dropout = 0.0, 0.0
    # A width from a stranger's card decides how much memory is asked for.
    if not 0.05 <= width <= 2.0 or not 0.0 <= dropout < 1.0:
        raise BadModelError("bad_weights", model=name, reason="its width or dropout is wrong")
    return {"width": width, "dropout": dropout}
