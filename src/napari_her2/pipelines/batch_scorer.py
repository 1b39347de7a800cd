"""Scores batches of tiles with every model of a group; gets by with less memory if it must."""

from __future__ import annotations

import os
import time
from typing import Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import BadModelError, TooLittleMemoryError
from napari_her2.messages import tr
from napari_her2.pipelines.events import CancelToken
from napari_her2.pipelines.plan import Loaded, ModelGroup
from napari_her2.results.journal import ScoredBatch
from napari_her2.tiles.reading import TileBatch
from napari_her2.types import Probs

__all__ = ["BatchScorer"]


_CALL_SECONDS: Final = 0.7
"""A call of a model should take no longer, so that a stop is heard within two seconds."""


class BatchScorer:
    """Runs the models of a group over tiles.

    On a processor a tile's score is the same in any batch, so slow models get fewer tiles at a
    time; on other devices a batch stays whole, because there its size shows in the last digits.

    Parameters
    ----------
    group : ModelGroup
        The models.
    device : str
        ``cpu`` or another.
    cancel : CancelToken
        Asked before each model, so that a slow model delays a stop by one call at most.

    Attributes
    ----------
    notes : list of str
        Sentences about smaller batches, each once.
    """

    def __init__(self, group: ModelGroup, device: str, cancel: CancelToken) -> None:
        self._group = group
        self._cancel = cancel
        self._may_cut = device == "cpu"
        self._at_once = os.cpu_count() or 1
        self._steps: dict[str, int] = {}
        self._limits: dict[str, int] = {}
        self.notes: list[str] = []

    def score(self, index: int, batch: TileBatch) -> ScoredBatch | None:
        """Score one batch; None if the run was cancelled meanwhile (nothing of it is kept).

        Parameters
        ----------
        index : int
            Number of the batch within the run.
        batch : TileBatch
            Its tiles. Those that could not be read get NaN and are shown to no model.

        Raises
        ------
        TooLittleMemoryError
            If not even one tile fits.
        BadModelError
            If a model gives something that is no probability.
        """
        read = ~np.asarray(batch.failed, dtype=np.bool_)
        tiles = batch.rgb if read.all() else batch.rgb[read]
        probs: dict[str, Probs] = {}
        for model in self._group.models:
            scored = self._run(model, tiles)
            if scored is None:
                return None
            full = np.full((len(read), model.card.num_classes), np.nan, np.float32)
            full[read] = scored
            probs[model.card.id] = full
        reasons = tuple(
            None if ok else (reason or "it could not be read")
            for ok, reason in zip(read, batch.reasons, strict=True)
        )
        return ScoredBatch(index, batch.cells, probs, ~read, reasons)

    def _run(self, model: Loaded, tiles: NDArray[np.uint8]) -> Probs | None:
        model_id, n_classes = model.card.id, model.card.num_classes
        out = np.empty((len(tiles), n_classes), np.float32)
        at = 0
        while at < len(tiles):
            if self._cancel.is_set():
                return None
            chunk = tiles[at : at + self._step(model_id, len(tiles))]
            began = time.perf_counter()
            try:
                scored = model.tile_model.predict(chunk)
            except MemoryError:
                self._halve(model_id, len(chunk))
                continue
            if scored.shape != (len(chunk), n_classes) or not np.isfinite(scored).all():
                raise BadModelError(
                    "bad_weights", model=model_id, reason="what it gives are no probabilities"
                )
            out[at : at + len(chunk)] = scored
            if self._may_cut:
                per_tile = max(time.perf_counter() - began, 1e-6) / len(chunk)
                self._steps[model_id] = max(self._at_once, int(_CALL_SECONDS / per_tile))
            at += len(chunk)
        return out

    def _step(self, model_id: str, n: int) -> int:
        return min(n, self._limits.get(model_id, n), self._steps.get(model_id, n))

    def _halve(self, model_id: str, n: int) -> None:
        if n <= 1:
            raise TooLittleMemoryError("mem", n=0)
        self._limits[model_id] = n // 2
        note = tr("mem_retry", n=n, smaller=n // 2)
        if note not in self.notes:
            self.notes.append(note)
