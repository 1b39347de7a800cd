"""The package's own detection, measurement and classification behind the pipeline's seam."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.calibration import Calibration, calibrate
from napari_her2.cells.classes import NUCLEUS_CLASS, CellMode
from napari_her2.cells.detection import FoundNuclei
from napari_her2.cells.detection_settings import SETTINGS
from napari_her2.cells.stain_planes import StainPlanes
from napari_her2.cells.stitching import Measure, TileCells, cell_tiles, detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_parts import Classifying, TileScorer
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.slides.base import Slide
from napari_her2.tiles.tissue import TissueMask

if TYPE_CHECKING:
    from napari_her2.cells.protocols import CellClassifier

__all__ = ["RealParts"]

_UNCLASSIFIED: Final = Classifying(
    id="none",
    name="Nuclei only",
    version="1",
    status=None,
    classes=(NUCLEUS_CLASS,),
    digest=hashlib.sha256(f"nuclei only {SETTINGS['he']!r}".encode()).hexdigest(),
)

Columns = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class RealParts:
    """See :class:`~napari_her2.pipelines.cells_parts.CellParts`."""

    def classifier(self, request: CellsRequest) -> Classifying:
        """Load what tells the cells of this stain apart; nuclei in H&E are not told apart."""
        if request.stain == "he":
            return _UNCLASSIFIED
        if request.stain == "nuclear-ihc":
            from napari_her2.cells.nuclear import NuclearClassifier

            return _introduced(NuclearClassifier(), request.stain)
        from napari_her2.cells.classifiers import load_classifier

        # Each worker has one core; alone, the network may take them all.
        threads = 1 if request.workers else None
        return _introduced(
            load_classifier(
                request.classifier, runtime=request.runtime, organ=request.organ, threads=threads
            ),
            request.stain,
        )

    def calibrate(self, slide: Slide, tissue: TissueMask, request: CellsRequest) -> Calibration:
        """Measure the whole slide, whatever part of it is asked for."""
        return calibrate(slide, tissue, request.stain)

    def tiles(
        self,
        slide: Slide,
        tissue: TissueMask,
        calibration: Any,
        region: Region | None,
        request: CellsRequest,
    ) -> list[Region]:
        """Tiles with tissue in them."""
        return cell_tiles(slide, tissue, calibration, request.tile_px, region)

    def scorer(
        self, slide: Slide, calibration: Any, classifier: Classifying, request: CellsRequest
    ) -> TileScorer:
        """Detect, measure and classify block by block."""
        measure = _measure(calibration, classifier, request)

        def score(tile: Region) -> tuple[CellTable, str | None]:
            found = detect_tile(slide, calibration, tile, measure)
            columns = dict(found.columns)
            if classifier.model is None:
                columns["probs"] = np.ones((len(found), 1), np.float32)
                columns["class"] = np.zeros(len(found), np.uint8)
            table = TileCells(columns, classifier.classes, found.failed, found.unreadable)
            return table, found.failed

        return score


def _introduced(model: CellClassifier, stain: CellMode) -> Classifying:
    runtime: str | None = getattr(model, "runtime", None)
    # Cells found in another way are other cells, whoever classifies them.
    found = hashlib.sha256(f"{model.digest} {SETTINGS[stain]!r}".encode()).hexdigest()
    return Classifying(
        model.id, model.name, model.version, model.status, model.classes, found, model, runtime
    )


def _measure(
    calibration: Calibration, classifier: Classifying, request: CellsRequest
) -> Measure | None:
    """Measure and classify in one go: crops of one block are dropped before the next."""
    model = classifier.model
    if model is None:
        return None
    columns_of = _columns_of(calibration, request)

    def measure(planes: StainPlanes, nuclei: FoundNuclei, kept: NDArray[np.intp]) -> Columns:
        columns = dict(columns_of(planes, nuclei, kept))
        area = nuclei.area_px[kept] * (calibration.mpp_x * calibration.mpp_y)
        centres = nuclei.centres_yx[kept]
        table = CellTable(
            {
                "x_px": centres[:, 1],
                "y_px": centres[:, 0],
                "area_um2": area.astype(np.float32),
                **columns,
            }
        )
        crops = None
        if model.needs_crops:
            from napari_her2.cells.crops import cut_crops

            crops = cut_crops(planes, centres, calibration.mpp, model.channels)
        columns["probs"] = model.classify(table, crops)
        columns["class"] = columns["probs"].argmax(axis=1).astype(np.uint8)
        return columns

    return measure


def _columns_of(
    calibration: Calibration, request: CellsRequest
) -> Callable[[StainPlanes, FoundNuclei, NDArray[np.intp]], Columns]:
    if request.stain == "nuclear-ihc":
        from napari_her2.cells.nuclear import measure_nuclear

        return measure_nuclear
    from napari_her2.cells.membrane import measure_cells

    def measured(planes: StainPlanes, nuclei: FoundNuclei, kept: NDArray[np.intp]) -> Columns:
        return measure_cells(planes, nuclei, calibration, calibration.mpp, kept)

    return measured
