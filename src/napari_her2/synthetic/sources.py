"""Level-0 pixels of a slide from a scene, square pixels or not."""

from __future__ import annotations

import cv2
import numpy as np

from napari_her2.synthetic.scene import Scene
from napari_her2.types import RgbImage

__all__ = ["SceneSource"]


class SceneSource:
    """Level-0 pixels of a scene; rows may be taller or lower than columns are wide.

    Parameters
    ----------
    scene : Scene
        What is drawn.
    mpp, mpp_y : float
        Micrometres per pixel in x and y.
    """

    def __init__(self, scene: Scene, mpp: float, mpp_y: float) -> None:
        self._scene, self._mpp, self._ratio = scene, mpp, mpp_y / mpp

    def pixels(self, left: int, top: int, width: int, height: int) -> RgbImage:
        """A window in level-0 pixels."""
        if self._ratio == 1:
            return self._scene.pixels(self._mpp, left, top, width, height)
        first = int(np.floor((top + 0.5) * self._ratio - 0.5)) - 1
        last = int(np.ceil((top + height - 0.5) * self._ratio - 0.5)) + 2
        rows = self._scene.pixels(self._mpp, left, max(first, 0), width, last - max(first, 0))
        offset = (top + 0.5) * self._ratio - 0.5 - max(first, 0)
        matrix = np.array([[1, 0, 0], [0, self._ratio, offset]], np.float64)
        return np.asarray(
            cv2.warpAffine(
                rows, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            dtype=np.uint8,
        )  # fmt: skip
