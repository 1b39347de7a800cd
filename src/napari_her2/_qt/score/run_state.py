"""What is known of one run while it grows: cells, tiles, and what is said of them so far.

Plain arrays; no Qt, no viewer. Numbers are the pipeline's: nothing is counted again here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2._qt.score.growing import GrowingTable
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.layers.cells import doubt_of
from napari_her2.pipelines.cells_events import CellsPartial

__all__ = ["SHOWN_COLUMNS", "ScoreRun", "most_doubtful"]

SHOWN_COLUMNS: Final = (
    "x_px", "y_px", "area_um2", "class", "probs", "nucleus_radii",
    "membrane_od", "membrane_completeness", "membrane_radii", "membrane_stained",
    "nucleus_dab_od",
)  # fmt: skip
"""What is held of each cell in the window; the rest is in the run's file."""


@dataclass(slots=True)
class ScoreRun:
    """One run on one slide.

    Attributes
    ----------
    tiles : sequence of Region
        Where cells are looked for.
    area_mm2 : float or None
        Usable tissue in them.
    partly : bool
        Whether only a part of the slide was asked for.
    summary : mapping
        What is said of all cells so far.
    document : mapping
        The JSON document of the command, once the run ended.
    rescored : mapping
        What is said after corrections; empty before.
    rescored_version : int
        Which state of the corrections that rests on; 0 = none.
    classifier_asked : mapping
        What the form asked for, until the pipeline says what it took.
    """

    slide_id: str
    tiles: Sequence[Region] = ()
    area_mm2: float | None = None
    run_dir: Path | None = None
    stain: str = "her2-ihc"
    partly: bool = False
    summary: Mapping[str, Any] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)
    rescored: Mapping[str, Any] = field(default_factory=dict)
    rescored_version: int = 0
    classifier_asked: Mapping[str, Any] = field(default_factory=dict)
    done_tiles: int = 0
    failed_tiles: int = 0
    _cells: GrowingTable = field(default_factory=lambda: GrowingTable(SHOWN_COLUMNS))

    def add(self, partial: CellsPartial) -> None:
        """Take in the cells of a tile."""
        self._cells.add(partial.table)
        self.done_tiles += 1
        self.failed_tiles += partial.reason is not None
        if partial.summary:
            self.summary = partial.summary

    @property
    def table(self) -> CellTable:
        """All cells so far."""
        return self._cells.table

    @property
    def complete(self) -> bool:
        """Whether the run went to its end."""
        return self.document.get("status") == "completed"

    @property
    def run_id(self) -> str | None:
        """Name of the run's folder; None where nothing is kept."""
        return None if self.run_dir is None else self.run_dir.name

    @property
    def share_done(self) -> float:
        """From 0 to 1."""
        return self.done_tiles / len(self.tiles) if self.tiles else 0.0

    @property
    def done_mm2(self) -> float | None:
        """Tissue looked at so far, taken as even over the tiles; None without pixel size."""
        if self.area_mm2 is None:
            return None
        return self.area_mm2 * min(1.0, self.share_done)

    @property
    def said(self) -> Mapping[str, Any]:
        """What the card shows: after corrections, else the document, else so far."""
        if self.rescored:
            return {**self.document, **self.rescored}
        if self.document.get("counts") is not None:
            return self.document
        return self.summary

    @property
    def unread(self) -> list[Region]:
        """Tiles that could not be read, once the run ended; level-0 pixels."""
        return [
            Region(t["x"], t["y"], t["width"], t["height"])
            for t in self.document.get("failed_tiles") or ()
        ]

    @property
    def classifier(self) -> Mapping[str, Any]:
        """Id, name, version and status of the classifier; empty while it is unknown."""
        for source in (self.document, self.summary):
            found = source.get("classifier")
            if isinstance(found, Mapping):
                return found
            if found:
                return {"id": str(found)}
        return self.classifier_asked

    @property
    def is_demo(self) -> bool:
        """Whether a classifier that knows synthetic tissue only named the classes."""
        return self.classifier.get("status") == "synthetic-demo"


def most_doubtful(table: CellTable, n: int = 50) -> NDArray[np.intp]:
    """The cells most worth a second look.

    Parameters
    ----------
    table : CellTable
        Cells with ``probs`` and ``class``; artefacts are left out.
    n : int
        At most so many.

    Returns
    -------
    ndarray of int
        Row numbers, most doubtful first; equal ones in the order of the table.
    """
    if "probs" not in table or not len(table):
        return np.empty(0, np.intp)
    doubt = doubt_of(table["probs"])
    if "artefact" in table.classes:
        doubt = np.where(table["class"] == table.classes.index("artefact"), -1.0, doubt)
    n = min(n, len(doubt))
    picked = np.argpartition(-doubt, n - 1)[:n]
    picked = picked[doubt[picked] >= 0]
    return np.asarray(picked[np.lexsort((picked, -doubt[picked]))], np.intp)
