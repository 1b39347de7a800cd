"""Takes the status out of the colour.

Dense sheets are bluer than tubules in collagen, so a mean colour would give a tumour's status
away. Here the stain amounts of a scene are scaled (and, where that does not suffice, given an even
tinge) place by place, until the mean colour of every neighbourhood follows a target that was drawn
without knowing any status. What is left to tell tumours apart is form.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from napari_her2.synthetic.fields import FloatImage, Raster, Window
from napari_her2.synthetic.layout import smooth_field
from napari_her2.synthetic.stain import StainSet

__all__ = ["Amounts", "Balance", "balance_colours"]

_GRID_UM = 64.0
_SAMPLE = 4
_BLOCK = 512
_REACH_CELLS = 2.6
"""Standard deviation of the neighbourhood, in grid cells: about 170 µm."""


@dataclass(frozen=True, slots=True)
class Amounts:
    """Stain amounts of a window before balancing, each of shape (height, width).

    Attributes
    ----------
    first, second : ndarray of float32
        Haematoxylin and eosin.
    body : ndarray of float32
        0 on glass and in clear spaces to 1 in tissue: where a tinge may go.
    """

    first: FloatImage
    second: FloatImage
    body: FloatImage


@dataclass(frozen=True, slots=True)
class Balance:
    """Gains and tinges as maps over the scene."""

    first_gain: Raster
    second_gain: Raster
    first_tinge: Raster
    second_tinge: Raster

    def apply(self, amounts: Amounts, win: Window) -> tuple[FloatImage, FloatImage]:
        """Balanced amounts of a window."""
        first = amounts.first * self.first_gain.window(win)
        first += amounts.body * self.first_tinge.window(win)
        second = amounts.second * self.second_gain.window(win)
        second += amounts.body * self.second_tinge.window(win)
        return first, second


def _cells(values: FloatImage, shape: tuple[int, int]) -> FloatImage:
    """Mean over grid cells, then over the neighbourhood."""
    small = cv2.resize(values, (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (0, 0), _REACH_CELLS, borderType=cv2.BORDER_CONSTANT)
    return np.asarray(blurred, dtype=np.float32)


def balance_colours(
    seed: int,
    width_um: float,
    height_um: float,
    stains: StainSet,
    amounts: Callable[[Window], Amounts],
    outline: Raster,
) -> Balance:
    """Find the maps that give each neighbourhood its target colour.

    Parameters
    ----------
    seed : int
        Draws the targets: one level per slide plus a smooth variation.
    width_um, height_um : float
        Extent of the scene.
    stains : StainSet
        Colours of the slide.
    amounts : callable
        Gives the unbalanced amounts of a window.
    outline : Raster
        Tissue where > 0: glass does not count.
    """
    rng = np.random.default_rng([103, seed])
    grid = (int(np.ceil(height_um / _GRID_UM)), int(np.ceil(width_um / _GRID_UM)))
    per = int(_GRID_UM / _SAMPLE)
    shape = (grid[0] * per, grid[1] * per)
    first, second, body, tissue = (np.zeros(shape, np.float32) for _ in range(4))
    step = _BLOCK // _SAMPLE
    for r in range(0, shape[0], step):
        for c in range(0, shape[1], step):
            win = Window(c * _SAMPLE, r * _SAMPLE, _BLOCK, _BLOCK, 1.0)
            part = amounts(win)
            here = (slice(r, min(r + step, shape[0])), slice(c, min(c + step, shape[1])))
            h, w = here[0].stop - r, here[1].stop - c
            pick = (slice(None, None, _SAMPLE), slice(None, None, _SAMPLE))
            first[here] = part.first[pick][:h, :w]
            second[here] = part.second[pick][:h, :w]
            body[here] = part.body[pick][:h, :w]
            tissue[here] = outline.window(win)[pick][:h, :w] > 0

    matrix = stains.matrix().astype(np.float32)
    weight = np.maximum(_cells(tissue, grid), np.float32(1e-4))
    level = rng.normal(0, 1, 2)
    vary = [smooth_field(rng, grid, 420, _GRID_UM) for _ in range(2)]
    # Optical depth of the mean red and green light of a neighbourhood.
    red = 0.34 + 0.04 * level[0] + 0.028 * vary[0]
    green = 0.70 + 0.06 * level[1] + 0.045 * vary[1] + 0.6 * (red - 0.34)
    target = [red.astype(np.float32), green.astype(np.float32)]

    gain = [np.ones(grid, np.float32), np.ones(grid, np.float32)]
    tinge = [np.zeros(grid, np.float32), np.zeros(grid, np.float32)]
    mean = [_cells(first * tissue, grid) / weight, _cells(second * tissue, grid) / weight]
    for turn in range(10):
        big = [
            cv2.resize(m, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR)
            for m in (*gain, *tinge)
        ]
        one = first * big[0] + body * big[2]
        two = second * big[1] + body * big[3]
        depth = []
        for channel in (0, 1):
            light = cv2.exp(-(one * matrix[0, channel] + two * matrix[1, channel])) * tissue
            depth.append(-np.log(np.maximum(_cells(light, grid) / weight, 1e-3)))
        miss_red, miss_green = target[0] - depth[0], target[1] - depth[1]
        determinant = matrix[0, 0] * matrix[1, 1] - matrix[0, 1] * matrix[1, 0]
        need = [
            (miss_red * matrix[1, 1] - miss_green * matrix[1, 0]) / determinant,
            (miss_green * matrix[0, 0] - miss_red * matrix[0, 1]) / determinant,
        ]
        for k in range(2):
            if turn < 5:
                factor = np.exp(np.clip(need[k] / (mean[k] + 0.08), -0.5, 0.5))
                gain[k] = np.clip(gain[k] * factor, 0.62, 1.5).astype(np.float32)
            else:
                tinge[k] = np.clip(tinge[k] + need[k], 0, 0.6).astype(np.float32)
    return Balance(
        Raster(gain[0], _GRID_UM, 0.6, 1.52),
        Raster(gain[1], _GRID_UM, 0.6, 1.52),
        Raster(tinge[0], _GRID_UM, 0, 0.6),
        Raster(tinge[1], _GRID_UM, 0, 0.6),
    )
