"""Where the pipeline meets detection, measurement and classification: one seam in one place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.slides.base import Slide
from napari_her2.tiles.tissue import TissueMask

__all__ = ["CellParts", "Classifying", "TileScorer"]

TileScorer = Callable[[Region], tuple[CellTable, str | None]]
"""Finds, measures and classifies the cells of one tile (level-0 pixels). The second value says why
part of the tile could not be read; the cells of the rest are there."""


@dataclass(frozen=True, slots=True)
class Classifying:
    """A classifier, ready to be used, and what is said of it.

    Attributes
    ----------
    id, name, version, status : str or None
        As on its card; ``status`` is None for a measurement that needs no weights.
    classes : tuple of str
        What it tells apart.
    digest : str
        Changes with anything that decides its numbers.
    runtime : str or None
        What runs its network: ``torch``, ``openvino``, or one in reduced precision.
    model : Any
        The classifier itself; None where cells are not classified by one.
    """

    id: str
    name: str
    version: str
    status: str | None
    classes: tuple[str, ...]
    digest: str
    model: Any = None
    runtime: str | None = None

    @property
    def is_demo(self) -> bool:
        """Whether it was trained on synthetic tissue."""
        return self.status == "synthetic-demo"

    def facts(self) -> dict[str, str | None]:
        """What documents say of it."""
        return {
            "id": self.id,
            "name": self.name,
            "version": self.version,
            "status": self.status,
            "runtime": self.runtime,
        }


class CellParts(Protocol):
    """The steps of finding cells. Pickles: workers get it with the request."""

    def classifier(self, request: CellsRequest) -> Classifying:
        """Load the classifier of a request."""
        ...

    def calibrate(self, slide: Slide, tissue: TissueMask, request: CellsRequest) -> Any:
        """Measure glass, stains and thresholds on the whole slide; pickles, has ``to_json()``."""
        ...

    def tiles(
        self,
        slide: Slide,
        tissue: TissueMask,
        calibration: Any,
        region: Region | None,
        request: CellsRequest,
    ) -> list[Region]:
        """Lay out the tiles that hold tissue; ``region`` limits them, None = whole slide."""
        ...

    def scorer(
        self, slide: Slide, calibration: Any, classifier: Classifying, request: CellsRequest
    ) -> TileScorer:
        """Give the function that works on one tile of an open slide."""
        ...
