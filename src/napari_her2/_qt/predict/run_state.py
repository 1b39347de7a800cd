"""What is known of one run while it grows: scores on the grid, slide results, places to look at.

Plain arrays; no Qt, no viewer. The same numbers as the pipeline: probabilities are kept as they
come and the slide result is made by the model's own aggregator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.models.card import ModelCard
from napari_her2.models.protocols import SlideAggregator, SlideScore
from napari_her2.pipelines.events import Partial
from napari_her2.results.heatmap import Heatmap
from napari_her2.tiles.spec import TileGrid
from napari_her2.types import BIOMARKERS

__all__ = ["SORTS", "ModelScores", "Place", "RunState", "Sheet", "SortKey", "Tile"]

SortKey = Literal["strongest", "doubtful", "mixed", "weakest", "random"]
SORTS: Final[tuple[SortKey, ...]] = ("strongest", "doubtful", "mixed", "weakest", "random")


@dataclass(frozen=True, slots=True)
class Tile:
    """One cell of the map: where it is, its number in reading order and its three probabilities."""

    row: int
    col: int
    index: int
    positive: float
    negative: float
    non_tumour: float


@dataclass(frozen=True, slots=True)
class Place:
    """A tile worth looking at and the numbers that say why."""

    tile: Tile
    neighbours: int = 0
    low: float = 0.0
    high: float = 0.0


@dataclass(slots=True)
class Sheet:
    """The cells that some models share: which there are, which were scored, which could not be.

    Attributes
    ----------
    cells : ndarray
        Shape (n, 2), row then column, row-major order: what the run covers.
    scored, failed : ndarray of bool
        Shape (rows, columns).
    """

    grid: TileGrid
    cells: NDArray[np.intp]
    scored: NDArray[np.bool_] = field(init=False)
    failed: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        self.scored = np.zeros(self.grid.shape, dtype=bool)
        self.failed = np.zeros(self.grid.shape, dtype=bool)


@dataclass(slots=True)
class ModelScores:
    """Scores of one model on its grid.

    Attributes
    ----------
    raw : ndarray of float32
        Shape (rows, columns, n_classes) in the card's order: what the aggregator takes; NaN where
        nothing was scored.
    roles : (int, int, int or None)
        Index of positive, negative and non-tumour in the last axis.
    """

    card: ModelCard
    aggregator: SlideAggregator | None
    sheet: Sheet
    raw: NDArray[np.float32]
    roles: tuple[int, int, int | None]

    @property
    def name(self) -> str:
        """What the docks call it: its biomarker, else its name."""
        return self.card.biomarker or self.card.name

    @property
    def positive(self) -> NDArray[np.float32]:
        """Shape (rows, columns): p+."""
        return self.raw[..., self.roles[0]]

    @property
    def negative(self) -> NDArray[np.float32]:
        """Shape (rows, columns): p-."""
        return self.raw[..., self.roles[1]]

    @property
    def non_tumour(self) -> NDArray[np.float32]:
        """Shape (rows, columns): probability of non-tumour; zero for models without that class."""
        if self.roles[2] is None:
            return np.where(np.isnan(self.positive), np.float32(np.nan), np.float32(0))
        return self.raw[..., self.roles[2]]

    @property
    def doubt(self) -> NDArray[np.float32]:
        """Shape (rows, columns): 0 = sure, 1 = positive and negative are even; NaN where unscored.

        A tile called non-tumour is no doubt about the biomarker, so doubt is scaled by the
        probability of tumour.
        """
        p = self.positive
        tumour = np.maximum(p + self.negative, np.float32(1e-6))
        return np.asarray((1 - np.abs(2 * p / tumour - 1)) * tumour, dtype=np.float32)

    def tumour(self) -> NDArray[np.bool_]:
        """Shape (rows, columns): tiles where tumour is the likelier reading."""
        return np.asarray(np.nan_to_num(self.positive + self.negative) > 0.5)

    def heatmap(self, slide_id: str) -> Heatmap:
        """The scores as a heatmap, to be shown as the store's heatmaps are."""
        card = self.card
        return Heatmap(
            np.moveaxis(self.raw, -1, 0),
            self.sheet.grid,
            self.sheet.failed,
            card.class_names,
            card.class_roles,
            self.name,
            card.id,
            card.status,
            slide_id,
        )

    def tile_probs(self) -> NDArray[np.float32]:
        """Shape (n, n_classes): scored tiles in row-major order, as the pipeline takes them."""
        rows, cols = self.sheet.cells[:, 0], self.sheet.cells[:, 1]
        at_cells = self.raw[rows, cols]
        return np.ascontiguousarray(at_cells[np.isfinite(at_cells).all(axis=1)])


@dataclass(slots=True)
class RunState:
    """One run on one slide: what was scored, and what follows from it.

    Attributes
    ----------
    models : dict of str to ModelScores
        By model id, in the order they are shown.
    thresholds : dict of str to float
        t chosen by the reader, by model id.
    document : mapping
        The JSON document of the command, once the run ended.
    impressions : dict of str to str
        What the reader said before the number was shown, by model id.
    """

    slide_id: str
    models: dict[str, ModelScores] = field(default_factory=dict)
    run_dir: Path | None = None
    thresholds: dict[str, float] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    impressions: dict[str, str] = field(default_factory=dict)
    _version: int = 0
    _known: dict[tuple[str, float | None], tuple[int, SlideScore]] = field(default_factory=dict)

    def lay_out(
        self,
        grid: TileGrid,
        cells: NDArray[np.intp],
        cards: Sequence[tuple[ModelCard, SlideAggregator | None]],
    ) -> None:
        """Make room for models that share a grid.

        Parameters
        ----------
        grid : TileGrid
            Cells of the map.
        cells : ndarray
            Shape (n, 2), row then column: the cells that will be scored.
        cards : sequence of (card, aggregator)
            The models.
        """
        sheet = Sheet(grid, np.asarray(cells, dtype=np.intp))
        for card, aggregator in cards:
            raw = np.full((*grid.shape, card.num_classes), np.nan, dtype=np.float32)
            self.models[card.id] = ModelScores(card, aggregator, sheet, raw, _roles(card))
        # A stored run comes back by name of file; the card shows ER, PR, HER2 either way.
        self.models = dict(sorted(self.models.items(), key=lambda item: _place(item[1].card)))

    def add(self, partial: Partial) -> None:
        """Take in the scores of some tiles."""
        self._version += 1
        rows, cols = partial.cells[:, 0], partial.cells[:, 1]
        failed = np.asarray(partial.failed, dtype=bool)
        for model_id, probs in partial.probs.items():
            if model_id in self.models:
                scores = self.models[model_id]
                scores.raw[rows, cols] = probs
                scores.sheet.scored[rows, cols] = ~failed
                scores.sheet.failed[rows, cols] = failed

    @property
    def sheets(self) -> list[Sheet]:
        """The grids of the run, each once."""
        return list({id(m.sheet): m.sheet for m in self.models.values()}.values())

    @property
    def n_total(self) -> int:
        """Tiles that the run covers."""
        return sum(len(s.cells) for s in self.sheets)

    @property
    def n_done(self) -> int:
        """Tiles that were looked at, read or not."""
        return sum(int(s.scored.sum() + s.failed.sum()) for s in self.sheets)

    @property
    def n_failed(self) -> int:
        """Tiles that could not be read."""
        return sum(int(s.failed.sum()) for s in self.sheets)

    @property
    def complete(self) -> bool:
        """Whether the run went to its end."""
        return self.document.get("status") == "completed"

    @property
    def run_id(self) -> str | None:
        """Name of the run's folder; None where nothing is kept."""
        return None if self.run_dir is None else self.run_dir.name

    def result(self, model_id: str) -> Mapping[str, Any]:
        """What the document says of a model; empty while the run goes on."""
        for entry in self.document.get("results", ()):
            if entry.get("model_id") == model_id:
                return dict(entry)
        return {}

    def slide_score(self, model_id: str, threshold: float | None = None) -> SlideScore | None:
        """The slide result from the tiles there are.

        Parameters
        ----------
        model_id : str
            The model.
        threshold : float, optional
            A t other than the chosen one.

        Returns
        -------
        SlideScore or None
            None where the model has no slide-level part or nothing was scored yet.
        """
        scores = self.models[model_id]
        if scores.aggregator is None or not scores.sheet.scored.any():
            return None
        t = self.thresholds.get(model_id) if threshold is None else threshold
        # Card, counts and slider ask for the same number; it is worked out once.
        version, score = self._known.get((model_id, t), (-1, None))
        if score is None or version != self._version:
            score = scores.aggregator.aggregate(scores.tile_probs(), t)
            self._known[model_id, t] = (self._version, score)
        return score

    def tumour_tiles(self, model_id: str) -> tuple[int, int]:
        """Tiles where tumour is the likelier reading, and tiles scored."""
        scores = self.models[model_id]
        return int(scores.tumour().sum()), int(scores.sheet.scored.sum())

    def tile(self, model_id: str, row: int, col: int) -> Tile | None:
        """The tile of a cell; None where nothing was scored."""
        m = self.models[model_id]
        rows, cols = m.sheet.grid.shape
        if not (0 <= row < rows and 0 <= col < cols) or not m.sheet.scored[row, col]:
            return None
        return Tile(
            row,
            col,
            row * cols + col,
            float(m.positive[row, col]),
            float(m.negative[row, col]),
            float(m.non_tumour[row, col]),
        )

    def places(self, model_id: str, sort: SortKey, n: int = 12) -> list[Place]:
        """The tiles most worth looking at, not two of one spot.

        Parameters
        ----------
        model_id : str
            The model.
        sort : {"strongest", "doubtful", "mixed", "weakest", "random"}
            What makes a tile worth it. All but ``strongest`` look at tumour tiles only.
        n : int
            At most so many.
        """
        m = self.models[model_id]
        scored = m.sheet.scored
        tumour = m.tumour() & scored
        low, high = _neighbour_range(np.where(tumour, m.positive, np.nan))
        if sort == "strongest":
            allowed, key = scored, m.positive
        elif sort == "doubtful":
            allowed, key = tumour, m.doubt
        elif sort == "mixed":
            allowed, key = tumour & np.isfinite(low) & (high > low), high - low
        elif sort == "weakest":
            allowed, key = tumour, m.negative
        else:
            allowed = tumour
            key = np.random.default_rng(0).random(scored.shape, dtype=np.float32)
        chosen = _spread(np.where(allowed, key, np.nan), n, apart=0 if sort == "random" else 1)
        places: list[Place] = []
        for row, col in chosen:
            tile = self.tile(model_id, row, col)
            if tile is not None:
                places.append(
                    Place(
                        tile,
                        _within(m, row, col),
                        float(np.nan_to_num(low[row, col])),
                        float(np.nan_to_num(high[row, col])),
                    )
                )
        return places


def _within(scores: ModelScores, row: int, col: int, um: float = 1000) -> int:
    """Tiles within ``um`` whose p+ is no more than 0.1 below this one's; itself included."""
    positive = scores.positive
    reach = max(1, int(um // scores.sheet.grid.spec.stride_um))
    r0, c0 = max(0, row - reach), max(0, col - reach)
    block = positive[r0 : row + reach + 1, c0 : col + reach + 1]
    rr, cc = np.ogrid[: block.shape[0], : block.shape[1]]
    near = (rr + r0 - row) ** 2 + (cc + c0 - col) ** 2 <= reach**2
    return int(np.sum(near & (np.nan_to_num(block, nan=-1.0) >= positive[row, col] - 0.1)))


def _place(card: ModelCard) -> int:
    known = [str(b) for b in BIOMARKERS]
    return known.index(card.biomarker) if card.biomarker in known else len(known)


def _roles(card: ModelCard) -> tuple[int, int, int | None]:
    roles = card.class_roles
    positive = roles.get("positive", roles.get("tumour", 0))
    negative = roles.get("negative", roles.get("other", 1 if card.num_classes > 1 else 0))
    return positive, negative, roles.get("non_tumour")


def _neighbour_range(p: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Smallest and largest value in each 3 x 3 neighbourhood, NaN left out."""
    padded_low = np.pad(np.where(np.isnan(p), np.inf, p), 1, constant_values=np.inf)
    padded_high = np.pad(np.where(np.isnan(p), -np.inf, p), 1, constant_values=-np.inf)
    rows, cols = p.shape
    low = np.full(p.shape, np.inf, dtype=np.float32)
    high = np.full(p.shape, -np.inf, dtype=np.float32)
    for dr in range(3):
        for dc in range(3):
            np.minimum(low, padded_low[dr : dr + rows, dc : dc + cols], out=low)
            np.maximum(high, padded_high[dr : dr + rows, dc : dc + cols], out=high)
    return low, high


def _spread(key: NDArray[np.float32], n: int, apart: int) -> list[tuple[int, int]]:
    """Cells with the largest keys, first those further than ``apart`` cells from a better one."""
    flat = np.flatnonzero(np.isfinite(key))
    if flat.size == 0:
        return []
    order = flat[np.argsort(-key.ravel()[flat], kind="stable")]
    cols = key.shape[1]
    chosen: list[tuple[int, int]] = []
    near: list[tuple[int, int]] = []
    for index in order:
        row, col = divmod(int(index), cols)
        if all(abs(row - r) > apart or abs(col - c) > apart for r, c in chosen):
            chosen.append((row, col))
            if len(chosen) == n:
                return chosen
        elif len(near) < n:
            near.append((row, col))
    # A small slide has fewer spots than places: neighbours fill the list.
    return chosen + near[: n - len(chosen)]
