"""How a serial section lies relative to its neighbour: an affine map and a gentle bend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.synthetic.fields import Window
from napari_her2.synthetic.scene import Scene
from napari_her2.types import RgbImage

__all__ = ["Warp", "WarpedSource", "random_warp", "warp_from_dict"]

Floats = NDArray[np.float64]
_GRID_PX = 16


@dataclass(frozen=True, slots=True)
class Warp:
    """Smooth map from the fixed section (H&E) to the moving one (IHC), micrometres.

    ``moving = centre + A (fixed - centre) + shift + bends``, where each bend is
    ``amplitude * sin(wave . fixed + phase)``.

    Attributes
    ----------
    centre, shift : (float, float)
        x, y.
    matrix : tuple of four floats
        A, row by row: rotation, scale, a little shear.
    bends : tuple
        Rows of amplitude x, amplitude y (µm), wave x, wave y (radians per µm), phase.
    """

    centre: tuple[float, float]
    shift: tuple[float, float]
    matrix: tuple[float, float, float, float]
    bends: tuple[tuple[float, float, float, float, float], ...]

    def to_moving(self, fixed_um: ArrayLike) -> Floats:
        """Map points (..., 2), x then y, µm, from the fixed to the moving section."""
        p = np.asarray(fixed_um, np.float64)
        a = np.array(self.matrix).reshape(2, 2)
        out = (p - self.centre) @ a.T + self.centre + self.shift
        for ax, ay, wx, wy, phase in self.bends:
            s = np.sin(p[..., 0] * wx + p[..., 1] * wy + phase)
            out = out + np.stack([ax * s, ay * s], -1)
        return np.asarray(out)

    def to_fixed(self, moving_um: ArrayLike) -> Floats:
        """Inverse of :meth:`to_moving`, exact to far below a nanometre."""
        q = np.asarray(moving_um, np.float64)
        inverse = np.linalg.inv(np.array(self.matrix).reshape(2, 2))
        p = (q - self.centre - self.shift) @ inverse.T + self.centre
        for _ in range(30):
            miss = q - self.to_moving(p)
            p = p + miss @ inverse.T
            if np.abs(miss).max(initial=0) < 1e-7:
                break
        return np.asarray(p)

    def describe(self) -> dict[str, Any]:
        """Parameters for the truth file; :func:`warp_from_dict` reads them."""
        return {"direction": "fixed_um -> moving_um", **asdict(self)}


def warp_from_dict(values: Mapping[str, Any]) -> Warp:
    """Read a warp from a truth file."""
    return Warp(
        tuple(values["centre"]),
        tuple(values["shift"]),
        tuple(values["matrix"]),
        tuple(tuple(b) for b in values["bends"]),
    )


def random_warp(seed: int, width_um: float, height_um: float) -> Warp:
    """Draw the warp of a pair: some degrees, some hundredths of scale, bends of some 10 µm."""
    rng = np.random.default_rng([301, seed])
    angle = np.deg2rad(rng.uniform(-7, 7))
    scale = rng.uniform(0.985, 1.015)
    shear = rng.normal(0, 0.006)
    c, s = np.cos(angle) * scale, np.sin(angle) * scale
    matrix = (float(c + shear * -s), float(-s + shear * c), float(s), float(c))
    extent = min(width_um, height_um)
    shift = rng.uniform(-0.03, 0.03, 2) * extent
    bends = []
    for _ in range(4):
        length = rng.uniform(0.5, 1.3) * extent
        way = rng.uniform(0, 2 * np.pi)
        size = rng.uniform(0.3, 1.0) * min(30.0, 0.008 * extent)
        turn = rng.uniform(0, 2 * np.pi)
        k = 2 * np.pi / length
        bends.append(
            (
                float(size * np.cos(turn)),
                float(size * np.sin(turn)),
                float(k * np.cos(way)),
                float(k * np.sin(way)),
                float(rng.uniform(0, 2 * np.pi)),
            )
        )
    return Warp(
        (width_um / 2, height_um / 2), (float(shift[0]), float(shift[1])), matrix, tuple(bends)
    )


class WarpedSource:
    """Level-0 pixels of a scene seen through a warp.

    Parameters
    ----------
    scene : Scene
        Drawn in the frame of the fixed section.
    warp : Warp
        From there to the slide that is written.
    mpp : float
        Micrometres per pixel of that slide.
    """

    def __init__(self, scene: Scene, warp: Warp, mpp: float) -> None:
        self._scene, self._warp, self._mpp = scene, warp, mpp
        # A turned strip crosses a few rows of blocks; each is to be drawn once.
        across = int(scene.width_um / mpp / 512) + 3
        scene.kept_blocks = max(scene.kept_blocks, 4 * across)

    def pixels(self, left: int, top: int, width: int, height: int) -> RgbImage:
        """A window in level-0 pixels, put together from pieces of at most 512 px."""
        out = np.empty((height, width, 3), np.uint8)
        for y in range(0, height, 512):
            for x in range(0, width, 512):
                w, h = min(512, width - x), min(512, height - y)
                win = Window((left + x) * self._mpp, (top + y) * self._mpp, w, h, self._mpp)
                out[y : y + h, x : x + w] = self._piece(win)
        return out

    def _piece(self, win: Window) -> RgbImage:
        mpp = self._mpp
        cols = np.arange(0.0, win.width + 2 * _GRID_PX, _GRID_PX)
        rows = np.arange(0.0, win.height + 2 * _GRID_PX, _GRID_PX)
        nodes = np.stack(np.meshgrid(cols, rows), -1)
        moving = nodes * mpp + np.array([win.x_um + mpp / 2, win.y_um + mpp / 2])
        fixed = self._warp.to_fixed(moving) / mpp - 0.5  # pixel coordinates in the fixed frame
        left, top = np.floor(fixed.min((0, 1))).astype(int) - 2
        right, bottom = np.ceil(fixed.max((0, 1))).astype(int) + 3
        pixels = self._scene.pixels(mpp, int(left), int(top), int(right - left), int(bottom - top))
        local = _between_nodes(fixed - (left, top), win.width, win.height)
        return np.asarray(
            cv2.remap(
                pixels, np.ascontiguousarray(local[..., 0]), np.ascontiguousarray(local[..., 1]),
                cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE,
            ),
            dtype=np.uint8,
        )  # fmt: skip


def _between_nodes(nodes: Floats, width: int, height: int) -> NDArray[np.float32]:
    """Fill in a grid of nodes 16 px apart, linearly: shape (height, width, 2)."""
    col, row = np.arange(width) / _GRID_PX, np.arange(height) / _GRID_PX
    i, j = col.astype(np.intp), row.astype(np.intp)
    u, v = (col - i)[None, :, None], (row - j)[:, None, None]
    wide = nodes[:, i] * (1 - u) + nodes[:, i + 1] * u
    return np.asarray(wide[j] * (1 - v) + wide[j + 1] * v, dtype=np.float32)
