"""The wand: what belongs together round a click, by the tissue mask, a map, or colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.tools import At, Tool
from napari_her2.annotations.rasterise import polygons_of_mask
from napari_her2.types import BoolMask

__all__ = ["SOURCES", "Grid", "WandSource", "WandTool", "flooded", "outline_of", "similar"]

SOURCES: Final = ("tissue", "map", "colour")
"""What the wand can look at."""


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


class WandSource(Protocol):
    """Gives the wand what it looks at."""

    def grid(self, source: str) -> Grid | None:
        """The mask of tissue, the map shown, or the pixels in view; None if there is none."""


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
    whole = cv2.morphologyEx(piece.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return np.asarray(whole > 0)


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
    """A click takes what belongs together there.

    Attributes
    ----------
    source : str
        One of :data:`SOURCES`.
    tolerance : float
        Colour: difference from 0 to 100.
    threshold : float
        Map: probability from which on it belongs together.
    """

    name: str = "wand"
    source: str = "tissue"
    tolerance: float = 12.0
    threshold: float = 0.7
    look: Callable[[str], Grid | None] = field(default=lambda _: None)
    hint: Callable[[str], None] = field(default=lambda _: None)

    def press(self, at: At) -> None:
        """Take it."""
        found = self.find(at)
        if found is not None and not found.is_empty:
            self.drawing.commit(found, self.drawing.how(at))

    def find(self, at: At) -> BaseGeometry | None:
        """What belongs together at a place; None with a hint why not."""
        grid = self.look(self.source)
        cell = None if grid is None else grid.cell(at.x, at.y)
        if grid is None or cell is None:
            self.hint("annotate_no_map" if self.source == "map" else "annotate_no_tissue")
            return None
        if self.source == "colour":
            mask: BoolMask | None = similar(np.asarray(grid.values, np.uint8), cell, self.tolerance)
        else:
            values = np.asarray(grid.values)
            wanted = values if values.dtype == np.bool_ else np.nan_to_num(values) >= self.threshold
            mask = flooded(np.asarray(wanted, np.bool_), cell)
        if mask is None:
            missing = "annotate_no_tissue" if self.source == "tissue" else "annotate_wand_none"
            self.hint(missing)
            return None
        return outline_of(mask, grid, smooth=self.source != "map")
