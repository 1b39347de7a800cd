"""What a pipeline says while it works: it is a generator of these and knows no threads or Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event as _Event
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import Her2Error
from napari_her2.tiles.spec import TileGrid
from napari_her2.types import Probs, RunStatus

__all__ = [
    "CancelToken",
    "Event",
    "Outcome",
    "Partial",
    "Progress",
    "ProgressStage",
    "Started",
]

ProgressStage = str
"""``opening``, ``tissue``, ``loading``, ``scoring``, ``saving``."""


class CancelToken(Protocol):
    """Something that says whether to stop; :class:`threading.Event` is one."""

    def is_set(self) -> bool:
        """Whether the work should stop after the current batch."""
        ...


NEVER: CancelToken = _Event()
"""A token that is never set."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the work is. ``done`` and ``total`` count tiles (of all models together, once)."""

    stage: ProgressStage
    slide_id: str = ""
    done: int = 0
    total: int = 0
    tiles_per_second: float | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Started:
    """The tiles are known: layers can be laid out before the first score arrives."""

    slide_id: str
    grid: TileGrid
    cells: NDArray[np.intp]
    """Shape (n, 2), row then column: the cells that will be scored, in row-major order."""
    model_ids: tuple[str, ...]
    run_dir: Path | None


@dataclass(frozen=True, slots=True)
class Partial:
    """Scores of one batch of tiles."""

    slide_id: str
    cells: NDArray[np.intp]
    """Shape (n, 2), row then column."""
    probs: Mapping[str, Probs]
    """By model id, shape (n, n_classes); NaN rows where the tile could not be read."""
    failed: NDArray[np.bool_]
    """Shape (n,)."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one slide. The last event a slide's pipeline yields."""

    status: RunStatus
    slide_id: str
    document: Mapping[str, Any] = field(default_factory=dict)
    """The JSON document of the command (contract: ``predict``)."""
    error: Her2Error | None = None


Event = Progress | Started | Partial | Outcome

EventStream = Iterator[Event]
