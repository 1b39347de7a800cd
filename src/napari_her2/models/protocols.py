"""The three parts of every model: select tiles, score each tile, aggregate to the slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_her2.types import BoolMask, Probs

if TYPE_CHECKING:
    from napari_her2.models.card import ModelCard
    from napari_her2.tiles.spec import TileGrid

__all__ = ["SlideAggregator", "SlideScore", "TileModel", "TileSelector"]


@dataclass(frozen=True, slots=True)
class SlideScore:
    """What an aggregator says of a slide.

    Attributes
    ----------
    probability : float or None
        None where the slide is not assessable or the model has no slide-level part.
    assessable : bool
        False where no tumour tile was called: never to be read as negative.
    reason : str or None
        Message id (``no_tumour``) that says why it is not assessable.
    features : mapping of str to float
        Named inputs of the slide-level regression, in its order.
    weights : mapping of str to float
        Its coefficients under the same names.
    n_positive, n_negative : int
        N+ and N-: tiles with p+ >= t and p- >= t.
    ratio : float or None
        N+ / N-, capped.
    threshold : float or None
        The t that was used.
    intercept : float or None
        Constant of the slide-level regression: the log-odds are it plus features times weights.
    """

    probability: float | None
    assessable: bool
    reason: str | None = None
    features: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    n_positive: int = 0
    n_negative: int = 0
    ratio: float | None = None
    threshold: float | None = None
    intercept: float | None = None


@runtime_checkable
class TileSelector(Protocol):
    """Chooses the cells of a grid that are worth scoring."""

    def select(
        self, grid: TileGrid, tissue: BoolMask, tissue_downsample: tuple[float, float]
    ) -> NDArray[np.intp]:
        """Choose cells.

        Parameters
        ----------
        grid : TileGrid
            The cells.
        tissue : BoolMask
            Shape (height, width): tissue over the whole slide at low resolution.
        tissue_downsample : (float, float)
            Level-0 pixels per mask pixel in x and y.

        Returns
        -------
        ndarray
            Shape (n, 2), row then column, in row-major order.
        """
        ...


@runtime_checkable
class TileModel(Protocol):
    """Scores tiles. Holds weights; not to be shared between processes."""

    card: ModelCard

    def predict(self, tiles: NDArray[np.uint8]) -> Probs:
        """Score a batch.

        Parameters
        ----------
        tiles : ndarray of uint8
            Shape (n, tile_px, tile_px, 3), sRGB, contiguous.

        Returns
        -------
        ndarray of float32
            Shape (n, n_classes), in the order of ``card.class_names``; rows sum to 1.
        """
        ...


@runtime_checkable
class SlideAggregator(Protocol):
    """Turns tile scores into one statement about the slide; fast enough for a live slider."""

    def aggregate(self, probs: Probs, threshold: float | None = None) -> SlideScore:
        """Aggregate.

        Parameters
        ----------
        probs : ndarray of float32
            Shape (n, n_classes): the scored tiles of one slide, NaN rows left out.
        threshold : float, optional
            Replaces the model's own t.
        """
        ...

    def describe(self) -> Mapping[str, float | int | str | Sequence[float]]:
        """Parameters by name, for cards and reports."""
        ...
