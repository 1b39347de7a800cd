"""Rays from the centres of nuclei: what lies along them, for many cells at once.

Every cell is looked at in a grid of its own: 32 directions times steps of one working pixel. The
centre is rounded to a whole pixel, so that the grid is the same list of offsets for all cells.
Samples of one step and direction lie side by side for all cells: what is asked along the rays is
then asked of whole rows of memory, which is many times faster than ray by ray.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import RAYS

__all__ = ["PolarField", "ray_angles"]

CHUNK: Final = 1024
"""Cells looked at together: their samples stay in the cache."""

_ROWS: Final = 16384
"""OpenCV looks up tables of up to 32766 rows."""

_NO_FRACTIONS = np.empty(0, np.uint16)

Indices = NDArray[np.intp]


def ray_angles() -> NDArray[np.float64]:
    """Angles of the rays, shape (32,): from x (right) towards y (down), radians."""
    return np.asarray(2 * np.pi * np.arange(RAYS) / RAYS)


class PolarField:
    """The rays of the cells of one window; beyond its edge everything is 0.

    Parameters
    ----------
    centres_yx : ndarray of float64
        Shape (n, 2): row and column in the window, 0 = centre of the first pixel. Windows of up to
        32,766 px a side.
    longest_px : int
        No ray is longer.
    """

    def __init__(self, centres_yx: NDArray[np.float64], longest_px: int) -> None:
        self._longest = longest_px
        centre = np.rint(centres_yx).astype(np.int32)
        # x in the lower and y in the upper half of a number, as OpenCV wants them side by side:
        # one addition moves both. Left of the window x borrows one from y, where all is 0 anyway.
        self._centre = _packed(centre[:, 1], centre[:, 0])
        angle = ray_angles()
        step = np.arange(longest_px + 1)[:, None]
        x, y = (np.rint(step * f(angle)).astype(np.int32) for f in (np.cos, np.sin))
        self._offset = _packed(x, y)

    def chunks(self, length_px: NDArray[Any]) -> Iterator[tuple[Indices, int]]:
        """Groups of cells of similar reach.

        Parameters
        ----------
        length_px : ndarray
            Shape (n,): how far each cell's rays have to reach.

        Yields
        ------
        index : ndarray of int
            Shape (m,): rows of the cells.
        steps : int
            Samples along each ray that they need; sample ``s`` lies ``s`` working pixels from the
            centre.
        """
        steps = np.clip(np.ceil(length_px).astype(np.int64) + 1, 2, self._longest + 1)
        order = np.argsort(steps, kind="stable")
        for start in range(0, len(order), CHUNK):
            index = order[start : start + CHUNK]
            yield index, int(steps[index[-1]])

    def along(self, plane: NDArray[Any], index: Indices, steps: int) -> NDArray[Any]:
        """A plane along the rays of some cells.

        Parameters
        ----------
        plane : ndarray of uint8, uint16 or int32
            Shape (height, width).
        index : ndarray of int
            Shape (m,): which cells.
        steps : int
            Samples along each ray.

        Returns
        -------
        ndarray
            Shape (steps, 32, m), of the type of the plane.
        """
        places = self._offset[:steps].reshape(-1, 1) + self._centre[index]
        return _looked_up(plane, places).reshape(steps, RAYS, len(index))

    def at(self, plane: NDArray[Any], step: NDArray[np.int32]) -> NDArray[Any]:
        """A plane at one step of each ray of all cells.

        Parameters
        ----------
        plane : ndarray of uint8, uint16 or int32
            Shape (height, width).
        step : ndarray of int32
            Shape (n, 32).

        Returns
        -------
        ndarray
            Shape (n, 32), of the type of the plane.
        """
        offset = self._offset[np.clip(step, 0, self._longest), np.arange(RAYS)]
        places = offset + self._centre[:, None]
        out = np.empty(places.shape, plane.dtype)
        for start in range(0, len(places), _ROWS):
            rows = np.s_[start : start + _ROWS]
            out[rows] = _looked_up(plane, places[rows])
        return out


def _packed(x: NDArray[np.int32], y: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.asarray(x + (y << 16), np.int32)


def _looked_up(plane: NDArray[Any], places: NDArray[np.int32]) -> NDArray[Any]:
    """Pixels at packed places; 0 outside."""
    if not places.size:
        return np.zeros(places.shape, plane.dtype)
    # OpenCV has no table look-up of int32, but moves the same 4 bytes as float32.
    moved = plane.view(np.float32) if plane.dtype == np.int32 else plane
    where = places.view(np.int16).reshape(*places.shape, 2)
    found = cv2.remap(moved, where, _NO_FRACTIONS, cv2.INTER_NEAREST, borderValue=0)
    return np.asarray(found).view(plane.dtype)
