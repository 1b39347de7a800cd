"""The scores of a run while they grow: heatmaps, and the tiles behind them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_her2.pipelines.plan import ModelGroup
from napari_her2.results.heatmap import Heatmap
from napari_her2.results.journal import ScoredBatch
from napari_her2.results.tiles import TileScores
from napari_her2.tiles.spec import TileGrid
from napari_her2.types import Probs

__all__ = ["GroupScores"]


@dataclass(slots=True)
class GroupScores:
    """Scores of the models that share a grid.

    Parameters
    ----------
    group : ModelGroup
        The models.
    grid : TileGrid
        Their cells.
    cells : ndarray
        Shape (n, 2): cells to be scored, row-major order.
    batches : list of ndarray
        The same cells in the order of scoring, cut into batches.
    first : int
        Number of the first batch within the run.
    names : dict of str to str
        What each model's heatmap is called.
    slide_id : str
        For the heatmaps.
    """

    group: ModelGroup
    grid: TileGrid
    cells: NDArray[np.intp]
    batches: list[NDArray[np.intp]]
    first: int
    names: dict[str, str]
    slide_id: str
    heatmaps: dict[str, Heatmap] = field(init=False)
    failed: NDArray[np.bool_] = field(init=False)
    reasons: dict[tuple[int, int], str] = field(init=False, default_factory=dict)
    done: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.heatmaps = {
            m.card.id: Heatmap.blank(
                self.grid,
                class_names=m.card.class_names,
                class_roles=m.card.class_roles,
                biomarker=m.card.biomarker or self.names[m.card.id],
                model_id=m.card.id,
                model_status=m.card.status,
                slide_id=self.slide_id,
            )
            for m in self.group.models
        }
        self.failed = np.zeros(self.grid.shape, np.bool_)
        self.done = np.zeros(len(self.batches), np.bool_)

    def holds(self, index: int) -> bool:
        """Whether a batch of the run belongs to this group."""
        return self.first <= index < self.first + len(self.batches)

    def add(self, batch: ScoredBatch) -> None:
        """Enter a batch."""
        rows, cols = batch.cells[:, 0], batch.cells[:, 1]
        self.failed[rows, cols] = batch.failed
        for model_id, heatmap in self.heatmaps.items():
            heatmap.fill(batch.cells, batch.probs[model_id], batch.failed)
        for cell, reason in zip(batch.cells.tolist(), batch.reasons, strict=True):
            if reason is not None:
                self.reasons[cell[0], cell[1]] = reason
        self.done[batch.index - self.first] = True

    @property
    def todo(self) -> list[int]:
        """Batches that are not scored yet, by their place in ``batches``."""
        return [int(i) for i in np.flatnonzero(~self.done)]

    @property
    def tiles_done(self) -> int:
        """Cells tried so far, read or not."""
        return sum(len(b) for b, d in zip(self.batches, self.done, strict=True) if d)

    @property
    def tiles_failed(self) -> int:
        """Cells that could not be read."""
        return int(np.count_nonzero(self.failed))

    def probs(self, model_id: str) -> Probs:
        """Scored tiles of a model, shape (n, n_classes), in row-major order of the cells.

        The order does not depend on the order of scoring, so neither do sums over it.
        """
        at_cells = self.heatmaps[model_id].data[:, self.cells[:, 0], self.cells[:, 1]].T
        return np.ascontiguousarray(at_cells[np.isfinite(at_cells).all(axis=1)])

    def table(self, model_id: str) -> TileScores:
        """All tiles of a model, for ``tiles.parquet``."""
        heatmap = self.heatmaps[model_id]
        rows, cols = self.cells[:, 0], self.cells[:, 1]
        return TileScores(
            model_id=model_id,
            biomarker=heatmap.biomarker,
            class_names=heatmap.class_names,
            grid=self.grid,
            cells=self.cells,
            probs=np.ascontiguousarray(heatmap.data[:, rows, cols].T),
            failed=self.failed[rows, cols],
            reasons=[self.reasons.get((int(r), int(c))) for r, c in self.cells],
        )
