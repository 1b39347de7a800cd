"""What the search for cells says while it works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.events import Outcome, Progress

__all__ = ["CellsEvent", "CellsPartial", "CellsStarted"]


@dataclass(frozen=True, slots=True)
class CellsStarted:
    """Where cells will be looked for."""

    slide_id: str
    tiles: tuple[Region, ...]
    """Level-0 pixels, in the order of work."""
    area_mm2: float | None
    """Usable tissue in them."""
    run_dir: Path | None


@dataclass(frozen=True, slots=True)
class CellsPartial:
    """The cells of one tile (or of several, where they were found earlier)."""

    slide_id: str
    table: CellTable
    """Classified cells; may be empty."""
    tile: Region
    """Level-0 pixels."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """All cells so far: ``cells_detected``, ``counts``, ``tumour_cells``, ``percent``."""
    reason: str | None = None
    """Why the tile could not be read; None where it was."""


CellsEvent = Progress | CellsStarted | CellsPartial | Outcome
