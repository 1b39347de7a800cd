"""Which of our layers lies over which, and how they are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

__all__ = ["RANKS", "add_in_order", "her2", "kind_of", "rank_of"]

RANKS: Final[dict[str, int]] = {
    "label": 0, "macro": 0,
    "slide": 1,
    "tissue": 2,
    "qc": 3,
    "dab": 4, "attention": 4, "disagreement": 4,
    "heatmap": 5,
    "unreadable": 6, "waiting": 6, "doubt": 6,
    "attribution": 7,
    "density": 8,
    "tma": 9, "tiles": 9,
    "region": 10, "labels": 10, "brush": 10, "dots": 10,
    "carried": 11,
    "cells": 12,
    "marks": 13, "drawing": 13,
}  # fmt: skip
"""Bottom to top, by the ``kind`` in a layer's metadata."""


def her2(layer: Layer) -> dict[str, Any]:
    """Our part of a layer's metadata; empty for layers that are not ours."""
    found = layer.metadata.get("her2")
    return found if isinstance(found, dict) else {}


def kind_of(layer: Layer) -> str | None:
    """What one of our layers shows; None for layers that are not ours."""
    kind = her2(layer).get("kind")
    return str(kind) if kind is not None else None


def rank_of(layer: Layer) -> int | None:
    """Place of a layer in the order; None for layers that are not ours."""
    kind = kind_of(layer)
    return None if kind is None else RANKS.get(kind)


def add_in_order(viewer: ViewerModel, layer: Layer) -> Layer:
    """Add a layer over those that belong below it, leaving camera and selection as they are.

    Parameters
    ----------
    viewer : ViewerModel
        Where it goes.
    layer : Layer
        One of ours, with ``metadata["her2"]["kind"]``.

    Returns
    -------
    Layer
        The same layer.
    """
    rank = rank_of(layer)
    index = len(viewer.layers)
    if rank is not None:
        ranks = [rank_of(other) for other in viewer.layers]
        below = [i for i, r in enumerate(ranks) if r is not None and r <= rank]
        if below:
            index = below[-1] + 1
    active = viewer.layers.selection.active
    viewer.layers.insert(index, layer)
    if active is not None and active in viewer.layers:
        viewer.layers.selection.active = active
    return layer
