"""Annotations as an indexed mask, tile by tile: memory does not grow with the slide.

A pixel gets the class of the area in which its centre lies. Where areas overlap, the smaller one is
on top (drawn after the larger one; of two equal ones the later), so that a region inside a region
stays visible. 0 is "nothing drawn".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.class_index import ClassIndex
from napari_her2.annotations.rasterise import fill

__all__ = ["MAX_CLASSES_8_BIT", "MaskPlan", "Window"]

MAX_CLASSES_8_BIT: Final = 255

Window = tuple[int, int, int, int]
"""x, y, width, height in pixels of the mask."""


class MaskPlan:
    """What is drawn where.

    Parameters
    ----------
    annotations : sequence of Annotation
        Areas with a class count; others are listed by :meth:`left_out`.
    index : ClassIndex
        Numbers of the classes.
    size : (int, int)
        Width and height of level 0.
    step : (float, float)
        Level-0 pixels in a pixel of the mask, in x and y.

    Attributes
    ----------
    width, height : int
        Of the mask; the last row and column may reach over the slide's edge.
    dtype : dtype
        uint8 for up to 255 classes, uint16 for more.
    """

    def __init__(
        self,
        annotations: Sequence[Annotation],
        index: ClassIndex,
        size: tuple[int, int],
        step: tuple[float, float],
    ) -> None:
        self.index = index
        self.step = step
        # A pixel more would come from rounding alone.
        self.width = max(1, math.ceil(size[0] / step[0] - 1e-6))
        self.height = max(1, math.ceil(size[1] / step[1] - 1e-6))
        self.dtype: Any = np.dtype(np.uint8 if len(index.names) <= MAX_CLASSES_8_BIT else np.uint16)
        drawn = [a for a in annotations if a.is_area and a.class_name is not None]
        drawn.sort(key=lambda a: -a.area_px)
        self._shapes = np.array([a.geometry for a in drawn], dtype=object)
        self._values = np.array([0, *(index.number(a.class_name) for a in drawn)], self.dtype)
        self._tree = shapely.STRtree(self._shapes)
        shapely.prepare(self._shapes)
        self._written = np.zeros(len(drawn) + 1, np.int64)
        self._seen = np.zeros(len(drawn) + 1, np.int64)
        bounds = shapely.bounds(self._shapes).reshape(-1, 4)
        beside = (bounds[:, 2:] <= 0).any(1) | (bounds[:, :2] >= size).any(1)
        self._left_out = Counter(
            points_and_lines=sum(not a.is_area for a in annotations),
            without_class=sum(a.is_area and a.class_name is None for a in annotations),
            outside=int(beside.sum()),
        )
        self._inside = ~beside

    def render(self, window: Window, *, count: bool = False) -> NDArray[Any]:
        """Draw one window.

        Parameters
        ----------
        window : tuple of int
            x, y, width, height in pixels of the mask; may reach over its edge.
        count : bool
            Whether objects drawn here count as written; once for each pixel of the mask.

        Returns
        -------
        ndarray
            Shape (height, width), class numbers.
        """
        x, y, width, height = window
        sx, sy = self.step
        x0, y0 = x * sx, y * sy
        box = shapely.box(x0, y0, x0 + width * sx, y0 + height * sy)
        found = np.sort(self._tree.query(box))
        if not len(found):
            return np.zeros((height, width), self.dtype)
        # Most windows of a large region lie wholly inside it: nothing to find out there.
        whole = shapely.covers(self._shapes[found], box)
        if not count and whole.any():
            last = int(np.flatnonzero(whole)[-1])
            found, whole = found[last:], whole[last:]
        objects = np.zeros((height, width), np.intp)
        for i, covered in zip(found, whole, strict=True):
            if covered:
                objects[:] = i + 1
                n = objects.size
            else:
                n = fill(objects, self._shapes[i], i + 1, x0, y0, self.step)
            if count:
                self._written[i + 1] += n
        if whole[-1]:
            last = int(found[-1]) + 1
            if count:
                self._seen[last] += objects.size
            return np.full((height, width), self._values[last], self.dtype)
        if count:
            self._seen += np.bincount(objects.ravel(), minlength=len(self._seen))
        return np.asarray(self._values[objects])

    def tiles(self, tile: int, *, count: bool = False) -> Iterator[tuple[Window, NDArray[Any]]]:
        """All windows of one size, row after row; those at the edge are cut."""
        for y in range(0, self.height, tile):
            for x in range(0, self.width, tile):
                window = x, y, min(tile, self.width - x), min(tile, self.height - y)
                yield window, self.render(window, count=count)

    @property
    def drawn(self) -> int:
        """Objects of which at least one pixel is seen."""
        return int((self._seen[1:] > 0).sum())

    def left_out(self) -> Counter[str]:
        """Objects that are not in the mask, by reason; after all windows were counted."""
        unwritten = (self._written[1:] == 0) & self._inside
        covered = (self._written[1:] > 0) & (self._seen[1:] == 0)
        return self._left_out + Counter(too_small=int(unwritten.sum()), overlap=int(covered.sum()))
