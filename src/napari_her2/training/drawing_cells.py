"""Cells of the drawn regions of one slide, as the program finds, measures and crops them.

Detection is the one that scores slides, block by block of the same lattice: a cell of a label set
is, to the last bit, the cell that a run finds there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.cells.calibration import Calibration, calibrate
from napari_her2.cells.crops import CROP_MPP, CROP_PX, cut_crops
from napari_her2.cells.detection import FoundNuclei
from napari_her2.cells.features import feature_matrix
from napari_her2.cells.membrane import measure_cells
from napari_her2.cells.stain_planes import StainPlanes
from napari_her2.cells.stitching import block_size, detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.slides.base import Slide
from napari_her2.tiles.tissue import TissueMask
from napari_her2.training.assigning import Assigned, assign_cells
from napari_her2.training.label_regions import LabelMark, LabelRegion

__all__ = ["CROP_UM", "CellDrawing", "CellsFound", "draw_cells"]

CROP_UM: Final = CROP_PX * CROP_MPP
"""Side of what the network sees of a cell, micrometres."""


@dataclass(frozen=True)
class CellsFound:
    """Labelled cells of one slide; the first axis of all arrays.

    Attributes
    ----------
    x_px, y_px : ndarray of float64
        Centres, level-0 pixels.
    crops : ndarray of uint8
        Shape (n, 44, 44, 2): haematoxylin and DAB.
    rgb : ndarray of uint8 or None
        Shape (n, 44, 44, 3), where asked for.
    features : ndarray of float32
        Shape (n, 18): :data:`~napari_her2.cells.features.FEATURES`.
    assigned : Assigned
        Their labels, and conflicts.
    unreadable : tuple of str
        Why parts of the regions could not be read, one for each part: no cell was found there.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    crops: NDArray[np.uint8]
    rgb: NDArray[np.uint8] | None
    features: NDArray[np.float32]
    assigned: Assigned
    unreadable: tuple[str, ...] = ()


class CellDrawing:
    """Works through the blocks of one slide that hold regions or marks.

    Parameters
    ----------
    slide : Slide
        The open slide.
    tissue : TissueMask
        Its tissue: stains and thresholds are measured there. Regions beside it count too.
    regions, marks : sequence
        What labels cells.
    reach_um : float
        How far a mark may lie from the centre of its cell.
    rgb : bool
        Whether to crop the colours too.
    """

    def __init__(
        self,
        slide: Slide,
        tissue: TissueMask,
        regions: Sequence[LabelRegion],
        marks: Sequence[LabelMark] = (),
        *,
        reach_um: float = 6.0,
        rgb: bool = False,
    ) -> None:
        self.slide = slide
        self.regions, self.marks = regions, marks
        self.rgb = rgb
        self.calibration = calibrate(slide, tissue, "her2-ihc")
        c = self.calibration
        self.reach_px = (reach_um * c.scale_x / c.mpp_x, reach_um * c.scale_y / c.mpp_y)
        self.blocks = _blocks(c, regions, marks, self.reach_px)
        self._tree = shapely.STRtree([r.geometry for r in regions])
        at = np.array([[m.x_px, m.y_px] for m in marks])
        self._mark_tree = cKDTree(at / self.reach_px) if marks else None
        self._parts: list[CellTable] = []
        self._unreadable: list[str] = []

    def run(self) -> Iterator[int]:
        """Look at one block after another; gives the number of blocks done after each."""
        for i, block in enumerate(self.blocks, start=1):
            found = detect_tile(self.slide, self.calibration, block, self._measure)
            if found.failed is not None:
                self._unreadable.append(found.failed)
            near = self._near(block, found["x_px"], found["y_px"])
            if near.any():
                self._parts.append(CellTable(found.columns).take(near))
            yield i

    def finish(self) -> CellsFound:
        """Label what was found; cells without a label and conflicts are left out."""
        if not self._parts:
            # Beside the slide there is no cell, but there are the columns.
            nowhere = detect_tile(self.slide, self.calibration, Region(-2, -2, 1, 1), self._measure)
            self._parts.append(CellTable(nowhere.columns))
        table = CellTable.join(self._parts)
        x, y = np.asarray(table["x_px"]), np.asarray(table["y_px"])
        # By place alone, so that the file does not depend on how the work was shared out.
        table = table.take(np.lexsort((x, y)))
        x, y = np.asarray(table["x_px"]), np.asarray(table["y_px"])
        assigned = assign_cells(x, y, self.regions, self.marks, self.reach_px)
        kept = np.flatnonzero(assigned.label >= 0)
        return CellsFound(
            x[kept],
            y[kept],
            np.asarray(table["crops"])[kept],
            np.asarray(table["crops_rgb"])[kept] if self.rgb else None,
            feature_matrix(table)[kept],
            assigned.take(kept),
            tuple(self._unreadable),
        )

    def _measure(
        self, planes: StainPlanes, nuclei: FoundNuclei, kept: NDArray[np.intp]
    ) -> Mapping[str, NDArray[Any]]:
        c = self.calibration
        columns = dict(measure_cells(planes, nuclei, c, c.mpp, kept))
        centres = nuclei.centres_yx[kept]
        columns["crops"] = cut_crops(planes, centres, c.mpp)
        if self.rgb:
            columns["crops_rgb"] = cut_crops(planes, centres, c.mpp, "rgb")
        return columns

    def _near(
        self, block: Region, x: NDArray[np.float64], y: NDArray[np.float64]
    ) -> NDArray[np.bool_]:
        """Cells that may get a label: the crops of all others are dropped at once."""
        near = np.zeros(len(x), np.bool_)
        here = shapely.box(block.x, block.y, block.right, block.bottom)
        for k in self._tree.query(here):
            left, top, right, bottom = self.regions[k].geometry.bounds
            near |= (x >= left) & (x <= right) & (y >= top) & (y <= bottom)
        if self._mark_tree is not None and len(x):
            # Every cell a mark may choose from, so that the nearest is the nearest of all.
            at = np.stack([x, y], 1) / self.reach_px
            near |= np.isfinite(self._mark_tree.query(at, distance_upper_bound=1.0)[0])
        return near


def draw_cells(
    slide: Slide,
    tissue: TissueMask,
    regions: Sequence[LabelRegion],
    marks: Sequence[LabelMark] = (),
    *,
    reach_um: float = 6.0,
) -> CellsFound:
    """Find and label the cells of one slide in one go; see :class:`CellDrawing`."""
    drawing = CellDrawing(slide, tissue, regions, marks, reach_um=reach_um)
    for _ in drawing.run():
        pass
    return drawing.finish()


def _blocks(
    c: Calibration,
    regions: Sequence[LabelRegion],
    marks: Sequence[LabelMark],
    reach_px: tuple[float, float],
) -> list[Region]:
    """Blocks of the slide's lattice that regions or marks touch, row by row."""
    block_w, block_h = block_size(c)
    step_x, step_y = block_w * c.scale_x, block_h * c.scale_y
    right, bottom = c.width * c.scale_x, c.height * c.scale_y
    shapes = [r.geometry for r in regions]
    shapes += [
        shapely.box(m.x_px - reach_px[0], m.y_px - reach_px[1],
                    m.x_px + reach_px[0], m.y_px + reach_px[1])
        for m in marks
    ]  # fmt: skip
    wanted: set[tuple[int, int]] = set()
    for shape in shapes:
        x0, y0, x1, y1 = shape.bounds
        columns = range(max(0, int(x0 // step_x)), int(min(x1, right - 1e-9) // step_x) + 1)
        rows = range(max(0, int(y0 // step_y)), int(min(y1, bottom - 1e-9) // step_y) + 1)
        if len(columns) * len(rows) == 1:
            wanted.add((rows[0], columns[0]))
            continue
        for j in rows:
            for i in columns:
                box = shapely.box(i * step_x, j * step_y, (i + 1) * step_x, (j + 1) * step_y)
                if (j, i) not in wanted and shapely.intersects(box, shape):
                    wanted.add((j, i))
    return [
        Region(i * step_x, j * step_y,
               min(step_x, right - i * step_x), min(step_y, bottom - j * step_y))
        for j, i in sorted(wanted)
    ]  # fmt: skip
