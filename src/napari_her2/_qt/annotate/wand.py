"""The wand: what belongs together round a click, by the tissue mask, a map, or colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.tools import At, Sketch, Tool
from napari_her2.annotations.rasterise import polygons_of_mask
from napari_her2.types import BoolMask

__all__ = ["SOURCES", "Grid", "WandTool", "flooded", "outline_of", "similar", "tidied"]

SOURCES: Final = ("tissue", "map", "colour")
"""What the wand can look at."""

_REACH_PX: Final = 75.0
"""Colours are compared so far round the cursor, pixels of the screen."""
_STEP_PX: Final = 6.0
_SMALLEST_HOLE: Final = 80
"""Smaller specks and holes, in pixels of what is compared, are noise."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A mask or picture over a part of a slide.

    Attributes
    ----------
    values : ndarray
        Shape (h, w) or (h, w, 3).
    x, y : float
        Its top-left corner, level-0 pixels.
    width, height : float
        Extent of one of its pixels, level-0 pixels.
    """

    values: NDArray[np.generic]
    x: float
    y: float
    width: float
    height: float

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of a place; None outside."""
        row, col = int((y - self.y) // self.height), int((x - self.x) // self.width)
        h, w = self.values.shape[:2]
        return (row, col) if 0 <= row < h and 0 <= col < w else None


def flooded(mask: BoolMask, cell: tuple[int, int]) -> BoolMask | None:
    """The piece of a mask that holds a pixel; None if the pixel is not in it."""
    if not mask[cell]:
        return None
    _, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)
    return np.asarray(labels == labels[cell])


def similar(rgb: NDArray[np.uint8], cell: tuple[int, int], tolerance: float) -> BoolMask:
    """Pixels that hang together with one and are about as coloured as it and its neighbours.

    Parameters
    ----------
    rgb : ndarray of uint8
        Shape (h, w, 3).
    cell : (int, int)
        Row and column.
    tolerance : float
        Greatest difference in the CIELAB space, 0 to 100.
    """
    lab = cv2.cvtColor(rgb.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (5, 5), 0)
    row, col = cell
    near = lab[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2].reshape(-1, 3)
    alike = np.linalg.norm(lab - np.median(near, axis=0), axis=2) <= tolerance
    alike[cell] = True
    piece = flooded(alike, cell)
    assert piece is not None
    return piece


def outline_of(mask: BoolMask, grid: Grid, *, smooth: bool) -> BaseGeometry | None:
    """A mask over a slide as one geometry with holes; None if it is empty."""
    found = polygons_of_mask(mask, grid.x, grid.y, (grid.width, grid.height))
    if not found:
        return None
    whole = shapely.union_all(found)
    step = max(grid.width, grid.height)
    return shapely.simplify(whole, 0.75 * step, preserve_topology=True) if smooth else whole


@dataclass
class WandTool(Tool):
    """A click takes what belongs together there; with colours a drag takes more and more.

    Attributes
    ----------
    source : str
        One of :data:`SOURCES`.
    tolerance : float
        Colour: difference from 0 to 100.
    threshold : float
        Map: probability from which on it belongs together.
    look : callable
        Gives the grid of a source.
    hint : callable
        Told why nothing was found.
    """

    name: str = "wand"
    source: str = "tissue"
    tolerance: float = 12.0
    threshold: float = 0.7
    look: Callable[[str], Grid | None] = field(default=lambda _: None)
    hint: Callable[[str], None] = field(default=lambda _: None)
    _grid: Grid | None = field(default=None, init=False)
    _mask: BoolMask | None = field(default=None, init=False)
    _last: At | None = field(default=None, init=False)

    def press(self, at: At) -> None:
        """Take it."""
        self._grid = self.look(self.source)
        cell = None if self._grid is None else self._grid.cell(at.x, at.y)
        if self._grid is None or cell is None:
            self.hint("annotate_no_map" if self.source == "map" else "annotate_no_tissue")
            return
        if self.source == "colour":
            self.busy = True
            self._mask = np.zeros(self._grid.values.shape[:2], np.bool_)
            self._grow(at)
            return
        values = np.asarray(self._grid.values)
        wanted = values if values.dtype == np.bool_ else np.nan_to_num(values) >= self.threshold
        mask = flooded(np.asarray(wanted, np.bool_), cell)
        if mask is None:
            missing = "annotate_no_tissue" if self.source == "tissue" else "annotate_wand_none"
            self.hint(missing)
            return
        found = outline_of(mask, self._grid, smooth=self.source != "map")
        if found is not None and not found.is_empty:
            self.drawing.commit(found, self.drawing.how(at))

    def drag(self, at: At) -> None:
        """Take what is here too."""
        if self.busy and self._last is not None and not at.near(self._last.xy, _STEP_PX):
            self._grow(at)

    def release(self, at: At) -> None:
        """It is a region now."""
        grid, mask = self._grid, self._mask
        if not self.drop() or grid is None or mask is None:
            return
        found = outline_of(tidied(mask), grid, smooth=True)
        if found is not None and not found.is_empty:
            self.drawing.commit(found, self.drawing.how(at))

    def drop(self) -> bool:
        """Forget what was taken so far."""
        self._mask = self._last = None
        return super().drop()

    def _grow(self, at: At) -> None:
        grid, mask = self._grid, self._mask
        cell = None if grid is None else grid.cell(at.x, at.y)
        if grid is None or mask is None or cell is None:
            return
        self._last = at
        # Near the cursor only, as in QuPath: a flood over the whole view is no region.
        reach = max(4, round(_REACH_PX * at.screen_px / grid.width))
        top, left = max(cell[0] - reach, 0), max(cell[1] - reach, 0)
        part = np.asarray(grid.values)[top : cell[0] + reach + 1, left : cell[1] + reach + 1]
        alike = similar(part, (cell[0] - top, cell[1] - left), self.tolerance)
        mask[top : top + part.shape[0], left : left + part.shape[1]] |= alike
        rings, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        scale = np.array([grid.width, grid.height])
        lines = [
            ((cv2.approxPolyDP(r, 1.0, True)[:, 0] + 0.5) * scale + (grid.x, grid.y), True)
            for r in rings
            if len(r) > 2
        ]
        self.drawing.sketch(Sketch(lines, filled=True))


def tidied(mask: BoolMask) -> BoolMask:
    """A mask without specks and without holes that are too small to be meant."""
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    whole = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
    whole = cv2.morphologyEx(whole, cv2.MORPH_OPEN, kernel)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(1 - whole, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < _SMALLEST_HOLE
    small[0] = False
    whole[small[labels]] = 1
    n, labels, stats, _ = cv2.connectedComponentsWithStats(whole, connectivity=4)
    if n > 1:
        large = stats[:, cv2.CC_STAT_AREA] >= _SMALLEST_HOLE
        large[0] = False
        large[1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())] = True
        whole = large[labels].astype(np.uint8)
    return np.asarray(whole > 0)
