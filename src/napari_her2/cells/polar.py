"""Rays from the centres of nuclei: what lies along them, for many cells at once.

Every cell is looked at in a grid of its own: 32 directions times steps of one working pixel. The
centre is rounded to a whole pixel, so that the grid is the same list of offsets for all cells and
sampling is one look-up in a flat array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import RAYS

__all__ = ["PolarField", "Rays", "ray_angles"]

CHUNK: Final = 1024
"""Cells looked at together: their samples stay in the cache."""


def ray_angles() -> NDArray[np.float64]:
    """Angles of the rays, shape (32,): from x (right) towards y (down), radians."""
    return np.asarray(2 * np.pi * np.arange(RAYS) / RAYS)


@dataclass(frozen=True, slots=True)
class Rays:
    """Samples of some cells.

    Attributes
    ----------
    index : ndarray of int
        Shape (m,): rows of the cells.
    flat : ndarray of int32
        Shape (m, 32, steps): where the samples lie in the padded planes; step ``s`` is ``s``
        working pixels from the centre.
    """

    index: NDArray[np.intp]
    flat: NDArray[np.int32]

    @property
    def steps(self) -> int:
        """Samples along each ray."""
        return int(self.flat.shape[2])


class PolarField:
    """Planes of one window, framed so that no ray leaves them.

    Parameters
    ----------
    labels : ndarray of int32
        Shape (height, width): nucleus ``i`` has label ``i + 1``, 0 is none.
    centres_yx : ndarray of float64
        Shape (n, 2): row and column in the window, 0 = centre of the first pixel.
    longest_px : int
        No ray is longer.
    """

    def __init__(
        self, labels: NDArray[np.int32], centres_yx: NDArray[np.float64], longest_px: int
    ) -> None:
        self._longest = longest_px
        self._pad = longest_px + 2
        self.labels = self.framed(labels)
        self._width = labels.shape[1] + 2 * self._pad
        centre = np.rint(centres_yx).astype(np.int64) + self._pad
        self._centre = (centre[:, 0] * self._width + centre[:, 1]).astype(np.int32)
        angle = ray_angles()[:, None]
        step = np.arange(longest_px + 1)[None]
        rows = np.rint(np.sin(angle) * step).astype(np.int64)
        self._offset = (rows * self._width + np.rint(np.cos(angle) * step)).astype(np.int32)

    def framed(self, plane: NDArray[Any]) -> NDArray[Any]:
        """A plane of the window as the flat array that :attr:`Rays.flat` points into."""
        p = self._pad
        wide = cv2.copyMakeBorder(plane, p, p, p, p, cv2.BORDER_CONSTANT, value=0)
        return np.asarray(wide).reshape(-1)

    def chunks(self, length_px: NDArray[Any]) -> Iterator[Rays]:
        """Rays of all cells, cells of similar reach together.

        Parameters
        ----------
        length_px : ndarray
            Shape (n,): how far each cell's rays have to reach.
        """
        steps = np.clip(np.ceil(length_px).astype(np.int64) + 1, 2, self._longest + 1)
        order = np.argsort(steps, kind="stable")
        for start in range(0, len(order), CHUNK):
            index = order[start : start + CHUNK]
            offset = self._offset[:, : int(steps[index[-1]])]
            yield Rays(index, self._centre[index][:, None, None] + offset)

    def points(self, step: NDArray[np.int32]) -> NDArray[np.int32]:
        """Where the rays of all cells are after so many steps.

        Parameters
        ----------
        step : ndarray of int32
            Shape (n, 32).

        Returns
        -------
        ndarray of int32
            Shape (n, 32): places in the flat planes.
        """
        ray = np.arange(RAYS)[None]
        offset = self._offset[ray, np.clip(step, 0, self._longest)]
        return np.asarray(self._centre[:, None] + offset)
