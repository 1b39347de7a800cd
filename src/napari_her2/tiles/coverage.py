"""How much of a rectangle a mask covers, exactly and for many rectangles at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_her2.geometry import Region
from napari_her2.types import BoolMask

__all__ = ["Coverage"]


class Coverage:
    """Summed-area table of a mask, read between its nodes.

    A mask pixel is a square of constant value, so bilinear interpolation of the table gives the
    exact area for any rectangle, however its edges cut the pixels.

    Parameters
    ----------
    mask : BoolMask
        Shape (height, width).
    downsample : (float, float)
        Level-0 pixels per mask pixel in x and y.
    """

    def __init__(self, mask: BoolMask, downsample: tuple[float, float]) -> None:
        height, width = mask.shape
        self._sum = np.zeros((height + 1, width + 1), np.int64)
        np.cumsum(np.cumsum(mask, axis=0, dtype=np.int64), axis=1, out=self._sum[1:, 1:])
        self._downsample = downsample

    def fraction_in(self, region: Region) -> float:
        """Covered share of the part of a region (level-0 pixels) that lies on the mask."""
        x = np.array([region.x, region.right])
        y = np.array([region.y, region.bottom])
        return float(self.fractions(x, y)[0, 0])

    def fractions(
        self, x_edges: NDArray[np.float64], y_edges: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Covered share of each cell of a grid.

        Parameters
        ----------
        x_edges, y_edges : ndarray
            Rising positions of the grid lines, level-0 pixels; lengths n + 1 and m + 1.

        Returns
        -------
        ndarray of float64
            Shape (m, n): covered share of the part of each cell that lies on the mask; 0 for
            cells beside it.
        """
        height, width = (n - 1 for n in self._sum.shape)
        u = np.clip(np.asarray(x_edges, np.float64) / self._downsample[0], 0, width)
        v = np.clip(np.asarray(y_edges, np.float64) / self._downsample[1], 0, height)
        i, j = np.minimum(v.astype(np.intp), height - 1), np.minimum(u.astype(np.intp), width - 1)
        fv, fu = (v - i)[:, None], (u - j)[None, :]
        s = self._sum
        rows = s[i] * (1 - fv) + s[i + 1] * fv
        table = rows[:, j] * (1 - fu) + rows[:, j + 1] * fu
        covered = np.diff(np.diff(table, axis=0), axis=1)
        area = np.diff(v)[:, None] * np.diff(u)[None, :]
        share = covered / np.where(area > 0, area, np.inf)
        # Sums of a large table differ in the last bits: no share may leave 0 to 1 for that.
        return np.asarray(np.clip(np.round(share, 12), 0, 1), np.float64)
