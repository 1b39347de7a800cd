"""Brings the colours of every tile to those a model was trained on, where its card asks for it.

Tile by tile, so that a tile's score does not depend on which others were read: its stains are
measured on the tile itself (Macenko 2009), as they were in training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import BadModelError
from napari_her2.stains.normalise import StainLook, measure_look, normalise

if TYPE_CHECKING:
    from napari_her2.models.card import ModelCard

__all__ = ["REFERENCE", "StainStep", "stain_step"]

REFERENCE: Final = "stain_reference"
"""Key of a card's ``tile_model``: the look of the reference (``StainLook.to_json``)."""

_EVERY: Final = 8


class StainStep:
    """Gives tiles the colours of a reference.

    Parameters
    ----------
    reference : StainLook
        How the reference looks.
    """

    def __init__(self, reference: StainLook) -> None:
        self.reference = reference

    def __call__(self, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Tiles, shape (n, side, side, 3), in the reference's colours."""
        stain, glass = self.reference.vectors.stain, self.reference.vectors.glass
        out = np.empty_like(tiles)
        for tile, new in zip(tiles, out, strict=True):
            some = np.ascontiguousarray(tile[::_EVERY, ::_EVERY]).reshape(-1, 3)
            new[:] = normalise(tile, measure_look(some, glass, stain), self.reference)
        return out


def stain_step(card: ModelCard) -> StainStep | None:
    """The step that a card asks for, or None.

    Raises
    ------
    BadModelError
        If the card's reference is damaged.
    """
    described = card.tile_model.get(REFERENCE)
    if described is None:
        return None
    try:
        return StainStep(StainLook.from_json(described))
    except (KeyError, TypeError, ValueError, AttributeError):
        reason = "its stain reference is wrong"
        raise BadModelError("bad_weights", model=card.id, reason=reason) from None
