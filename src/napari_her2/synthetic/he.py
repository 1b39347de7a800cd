"""H&E: receptor status shows in form only, never in colour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.draw import FINE_UM, draw_borders, draw_holes, draw_nuclei
from napari_her2.synthetic.equalise import Amounts, Balance, balance_colours
from napari_her2.synthetic.fields import FloatImage, Window, noise
from napari_her2.synthetic.morphology import Statuses
from napari_her2.synthetic.scene import Scene, step
from napari_her2.synthetic.stain import StainSet, he_stains
from napari_her2.synthetic.tissue import Tissue, make_tissue
from napari_her2.types import Biomarker

__all__ = ["GENERATOR", "HeScene"]

_DARKEST = np.float32(1.95)
"""Haematoxylin amount of byte 255 in the plane of nuclei."""

_PALE = 0.42

GENERATOR = "he-1"
"""Name of this way of drawing; changes whenever pixels or labels of a seed change."""


class HeScene(Scene):
    """A piece of H&E-stained breast tissue with tumour of known receptor status.

    Parameters
    ----------
    seed : int
        Same seed, same scene.
    size_um : float or (float, float)
        Side, or width and height, µm.
    statuses : mapping, optional
        Status of the main tumour, e.g. ``{"ER": True, "PR": False, "HER2": False}``; drawn where
        not given.
    heterogeneous : bool, optional
        Whether part of the tumour has another status; by default one scene in six.
    tissue : Tissue, optional
        Use this tissue instead of drawing one.
    stains : StainSet, optional
        Colours; drawn where not given.

    Attributes
    ----------
    slide_statuses : dict
        Positive where the majority of the tumour area is.
    tissue : Tissue
        Everything that was drawn, in µm.
    """

    def __init__(
        self,
        seed: int,
        size_um: float | tuple[float, float],
        statuses: Mapping[Biomarker, bool] | None = None,
        *,
        heterogeneous: bool | None = None,
        tumour_share: float = 0.55,
        full: bool = False,
        tissue: Tissue | None = None,
        stains: StainSet | None = None,
    ) -> None:
        width, height = (size_um, size_um) if isinstance(size_um, int | float) else size_um
        rng = np.random.default_rng([104, seed])
        colours = he_stains(rng)
        drawn = tissue or make_tissue(
            seed, float(width), float(height), statuses, heterogeneous, tumour_share, full
        )
        super().__init__(seed, drawn, stains or colours, coarsest_um=1.0)
        self._fine = noise(0.25, 0.45, 1024, 41).shifted(rng)
        self._chromatin = noise(0.25, 0.75, 1024, 42).shifted(rng)
        self._mottle = noise(1.0, 4.5, 1024, 43).shifted(rng)
        self._cloud = noise(8.0, 55.0, 512, 44).shifted(rng)
        self._balance: Balance | None = None

    @property
    def slide_statuses(self) -> Statuses:
        """Status per biomarker: that of the majority of the tumour area."""
        return self.tissue.slide_statuses

    def label_map(self, um_per_px: float) -> dict[Biomarker, NDArray[np.int8]]:
        """Truth per biomarker: 0 positive tumour, 1 negative tumour, 2 other tissue, -1 glass.

        Parameters
        ----------
        um_per_px : float
            Pixel of the returned maps, µm.

        Returns
        -------
        dict of ndarray of int8
            Shape (ceil(height / um_per_px), ceil(width / um_per_px)).
        """
        return self.tissue.label_map(um_per_px)

    def amounts_drawn(self, win: Window) -> tuple[FloatImage, FloatImage]:
        """Haematoxylin and eosin of a window as drawn: colours balanced."""
        if self._balance is None:
            self._balance = balance_colours(
                self.seed, self.width_um, self.height_um, self.stains, self.amounts,
                self.tissue.outline,
            )  # fmt: skip
        return self._balance.apply(self.amounts(win), win)

    def amounts(self, win: Window) -> Amounts:
        """Haematoxylin and eosin of a window before colours are balanced."""
        tissue = self.tissue
        shape = (win.height, win.width)
        outline = step(tissue.outline.window(win) + 0.05 * self._mottle.window(win), 0.06)
        if not outline.any():
            none = np.zeros(shape, np.float32)
            return Amounts(none, none, none)
        fine, mottle = self._fine.window(win), self._mottle.window(win)
        cloud = self._cloud.window(win)
        first, second, clear = self._stroma(win, fine, cloud)

        e = step(tissue.epithelium.window(win) + 0.9 * mottle, 2.2)
        cytoplasm = 0.35 + 0.06 * mottle + 0.05 * fine + 0.04 * cloud
        if win.mpp <= FINE_UM:
            borders = np.zeros(shape, np.uint8)
            draw_borders(borders, tissue.nuclei, win)
            cytoplasm -= 0.13 * (borders * np.float32(1 / 255))
        second += e * (cytoplasm - second)
        first += e * (0.28 + 0.05 * mottle + 0.03 * cloud - first)
        clear *= 1 - e

        dead = step(tissue.necrosis.window(win) + 1.5 * mottle, 4.0)
        second += dead * (0.62 + 0.16 * fine + 0.16 * mottle - second)
        first += dead * (0.12 + 0.05 * mottle - first)

        np.maximum(clear, step(tissue.lumen.window(win) + 0.7 * mottle, 1.6), out=clear)
        holes = np.zeros(shape, np.uint8)
        draw_holes(holes, tissue.holes, win)
        np.maximum(clear, holes * np.float32(1 / 255), out=clear)
        body = outline * (1 - 0.97 * clear)
        first *= body
        second *= body
        # Empty ground takes up little stain: the tinge goes where there is substance.
        body *= np.clip(second * np.float32(3.4), 0.12, 1)

        plane = np.zeros(shape, np.uint8)
        draw_nuclei(plane, tissue.red_cells, win, 0.8)
        red = plane * np.float32(1 / 255)
        second += np.minimum(red * 1.6, 1) * (0.95 * red - second)
        plane[:] = 0
        draw_nuclei(plane, tissue.nuclei, win, _PALE)
        nuclear = plane.astype(np.float32) * (_DARKEST / np.float32(255))
        cover = np.clip(nuclear * np.float32(2.2), 0, 1)
        if win.mpp <= FINE_UM:
            nuclear *= 1 + np.float32(0.27) * self._chromatin.window(win)
        first += cover * (nuclear - first)
        second *= 1 - np.float32(0.35) * cover
        np.maximum(first, 0, out=first)
        np.maximum(second, 0, out=second)
        return Amounts(first, second, np.maximum(body, cover * np.float32(0.6)))

    def _stroma(
        self, win: Window, fine: FloatImage, cloud: FloatImage
    ) -> tuple[FloatImage, FloatImage, FloatImage]:
        """Collagen, ground substance and the clefts that opened between fibres."""
        tissue = self.tissue
        along, across = tissue.fibres.course(win)
        thin = tissue.fibres.sample(along, across, 0.8, 0.6)
        thick = tissue.fibres.sample(along, across, 2.2, 1.0)
        dense = tissue.desmoplasia.window(win)
        bundle = np.clip((thick - np.float32(0.30)) * np.float32(3.0), 0, 1)
        loose = 0.13 + 0.36 * thin + 0.04 * fine + 0.05 * cloud
        reactive = 0.08 + bundle * (0.36 + 0.42 * thin + 0.04 * fine)
        if win.mpp <= FINE_UM:
            hair = tissue.fibres.sample(along, across, 0.3, 0.5) - np.float32(0.5)
            loose += 0.12 * hair
            reactive += 0.22 * bundle * hair
        second = loose + dense * (reactive - loose)
        first = 0.05 + 0.05 * thin + 0.02 * cloud
        # Clefts open where both textures are low; more of them where collagen is dense.
        gap = np.float32(0.42) - thin - np.float32(0.35) * (thick - np.float32(0.5))
        gap += np.float32(0.05) * cloud - np.float32(0.26) + np.float32(0.07) * dense
        clear = np.float32(0.85) * np.clip(gap * np.float32(9), 0, 1)
        mucin = step(tissue.mucin.window(win), 8.0)
        if mucin.any():
            second += mucin * (0.03 + 0.07 * thick - second)
            first += mucin * (0.12 + 0.10 * thick - first)
            clear *= 1 - mucin
        return first, second, clear
