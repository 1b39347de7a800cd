"""Which network a card asks for: the shapes it needs, and the network itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from napari_her2.errors import BadModelError
from napari_her2.models.networks.cell_shapes import (
    CELL_NETWORKS,
    CROP_PX,
    CellShape,
    ExtraAt,
    state_shapes,
)

if TYPE_CHECKING:
    from torch import nn

    from napari_her2.models.card import ModelCard

__all__ = [
    "ARCHITECTURES",
    "TABLE_ARCHITECTURES",
    "WHOLE_NUMBERS",
    "build_network",
    "cell_network_parts",
    "expected_shapes",
]

ARCHITECTURES = ("inception_v3", *CELL_NETWORKS)
"""Networks a card's ``architecture`` may name; TorchScript folders need none of them."""

TABLE_ARCHITECTURES = ("linear-svm", "random-forest")
"""What a card may name beside networks: classifiers of cells from measured features."""

WHOLE_NUMBERS = frozenset({"feature", "link", "tree_size"})
"""Arrays of a random forest that hold whole numbers."""

_MAX_FEATURES = 256
_MAX_TREES = 5000
_MAX_NODES = 50_000_000


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
    if card.architecture != "inception_v3":
        return _cell_network(card, meta)
    options = _inception_options(card.id, card.tile_model)
    with torch.device("meta" if meta else "cpu"):
        from napari_her2.models.networks.inception import InceptionV3

        return InceptionV3(card.num_classes, options["width"], options["dropout"])


def expected_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays that a card's architecture needs."""
    if card.architecture in TABLE_ARCHITECTURES:
        return _table_shapes(card)
    if card.architecture in CELL_NETWORKS:
        shape, extra, at = cell_network_parts(card)
        return state_shapes(shape, len(extra), at)
    network = build_network(card, meta=True)
    return {name: tuple(t.shape) for name, t in network.state_dict().items()}


def cell_network_parts(card: ModelCard) -> tuple[CellShape, tuple[str, ...], ExtraAt]:
    """Shape of a card's cell network, names of its measured features, and where these join.

    Raises
    ------
    BadModelError
        If the card's numbers do not fit the network.
    """
    shape = CELL_NETWORKS[card.architecture]
    if (card.num_classes, card.patch_size_pixels) != (shape.used, CROP_PX):
        reason = f"it must have {shape.used} classes and crops of {CROP_PX} px"
        raise BadModelError("bad_weights", model=card.id, reason=reason)
    extra = card.tile_model.get("extra_features", ())
    at = card.tile_model.get("extra_at", "hidden")
    if not isinstance(extra, list | tuple) or len(extra) > 64 or at not in ("hidden", "output"):
        raise BadModelError("bad_weights", model=card.id, reason="its extra features are wrong")
    return shape, tuple(str(name) for name in extra), at


def _cell_network(card: ModelCard, meta: bool) -> nn.Module:
    import torch

    from napari_her2.models.networks.cell_convnet import CellConvNet

    shape, extra, at = cell_network_parts(card)
    with torch.device("meta" if meta else "cpu"):
        return CellConvNet(shape, len(extra), at)


def _table_shapes(card: ModelCard) -> dict[str, tuple[int, ...]]:
    features = card.tile_model.get("features", ())
    if not isinstance(features, list | tuple) or not 1 <= len(features) <= _MAX_FEATURES:
        raise BadModelError("bad_weights", model=card.id, reason="its list of features is wrong")
    k, n = card.num_classes, len(features)
    if card.architecture == "linear-svm":
        return {"coefficients": (k, n), "intercepts": (k,), "mean": (n,), "scale": (n,)}
    try:
        trees, nodes, splits, leaves = (
            int(card.tile_model[name]) for name in ("trees", "nodes", "splits", "leaf_kinds")
        )
    except (KeyError, TypeError, ValueError):
        trees = nodes = splits = leaves = 0
    # Numbers of a stranger's card decide how much memory is asked for.
    sound = 1 <= trees <= _MAX_TREES and trees <= nodes <= _MAX_NODES and 0 <= splits < nodes
    if not sound or not 1 <= leaves <= 65_535:
        raise BadModelError("bad_weights", model=card.id, reason="its number of trees is wrong")
    return {
        "feature": (nodes,), "link": (nodes,), "threshold": (splits,),
        "tree_size": (trees,), "leaf_share": (leaves, k),
    }  # fmt: skip


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
