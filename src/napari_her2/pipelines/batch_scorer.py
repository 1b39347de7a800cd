"""Scores batches of tiles with every model of a group; gets by with less memory if it must."""

from __future__ import annotations

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


class BatchScorer:
    """Runs the models of a group over tiles.

    Parameters
    ----------
    group : ModelGroup
        The models.
    cancel : CancelToken
        Asked before each model, so that a slow model delays a stop by one call at most.

    Attributes
    ----------
    notes : list of str
        Sentences about smaller batches, each once.
    """

    def __init__(self, group: ModelGroup, cancel: CancelToken) -> None:
        self._group = group
        self._cancel = cancel
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
            chunk = tiles[at : at + self._limits.get(model_id, len(tiles))]
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
            at += len(chunk)
        return out

    def _halve(self, model_id: str, n: int) -> None:
        if n <= 1:
            raise TooLittleMemoryError("mem", n=0)
        self._limits[model_id] = n // 2
        note = tr("mem_retry", n=n, smaller=n // 2)
        if note not in self.notes:
            self.notes.append(note)
