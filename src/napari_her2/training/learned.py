"""What a recipe hands over when it has learned: all that a model folder needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.models.installed import InstalledModel
from napari_her2.types import Probs

__all__ = ["Ending", "Learned"]

Ending = Literal["finished", "early", "time", "paused", "cancelled"]


@dataclass(frozen=True)
class Learned:
    """A trained model before it has a folder.

    Attributes
    ----------
    ending : str
        ``finished``, ``early``, ``time``, ``paused`` or ``cancelled``.
    epochs, best_epoch : int
        Done, and the one whose weights were kept; 0 where there are no epochs.
    history : list of dict
        Figures of each epoch.
    card : mapping
        The card's part on architecture, classes, transform and such.
    write : callable
        Writes the weights to a path and gives the SHA-256 of the file.
    predict : callable
        Installed model and rows of the material to probabilities of the card's classes.
    aggregator : mapping or None
        Document of ``aggregator.json``.
    details : mapping
        For ``training.json``: chosen parameters and the like.
    """

    ending: Ending
    epochs: int
    best_epoch: int
    history: list[dict[str, Any]]
    card: Mapping[str, Any]
    write: Callable[[Path], str]
    predict: Callable[[InstalledModel, NDArray[np.intp]], Probs]
    aggregator: Mapping[str, Any] | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
