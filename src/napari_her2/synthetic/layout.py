"""Where tissue, tumour, fat and glass lie on a slide."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.fields import FloatImage
from napari_her2.synthetic.morphology import Morphology, Statuses, draw_morphology, draw_statuses

__all__ = [
    "COARSE_UM",
    "CORE_MARGIN_UM",
    "CoreShape",
    "Layout",
    "TumourRegion",
    "make_layout",
    "smooth_field",
]

COARSE_UM = 16.0
"""Pixel of the region map, micrometres."""

CoreShape = Literal["whole", "torn"]

CORE_MARGIN_UM = 60.0
"""Glass between a microarray core and the edge of its scene."""

_SMALLEST_MM2 = 0.2


@dataclass(frozen=True, slots=True)
class TumourRegion:
    """One connected tumour area: number in the region map (from 1), status and appearance."""

    number: int
    statuses: Statuses
    morphology: Morphology
    area_mm2: float
    outlines_um: tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """Coarse maps of a scene, all of shape (rows, columns) with pixels of 16 µm.

    Attributes
    ----------
    tissue : ndarray of float32
        Height of the tissue outline; tissue where > 0.
    region : ndarray of uint8
        0 outside tumour, else the number of the tumour region.
    fat : ndarray of float32
        Fat where > 0.
    regions : tuple of TumourRegion
        In the order of their numbers.
    """

    tissue: FloatImage
    region: NDArray[np.uint8]
    fat: FloatImage
    regions: tuple[TumourRegion, ...]


def smooth_field(
    rng: np.random.Generator, shape: tuple[int, int], grain_um: float, um: float = COARSE_UM
) -> FloatImage:
    """Zero-mean, unit-variance smooth field that does not repeat."""
    step = max(1, int(grain_um / um / 3))
    small = rng.standard_normal((shape[0] // step + 8, shape[1] // step + 8)).astype(np.float32)
    soft = cv2.GaussianBlur(small, (0, 0), grain_um / um / step)
    big = np.asarray(
        cv2.resize(soft, None, fx=step, fy=step, interpolation=cv2.INTER_CUBIC), np.float32
    )
    out = big[2 * step : 2 * step + shape[0], 2 * step : 2 * step + shape[1]]
    return np.asarray((out - out.mean()) / (out.std() + 1e-6), dtype=np.float32)


def _edge_distance(shape: tuple[int, int]) -> FloatImage:
    """Distance to the nearest edge as a share of the shorter side."""
    y = np.minimum(np.arange(shape[0]) + 0.5, shape[0] - np.arange(shape[0]) - 0.5)
    x = np.minimum(np.arange(shape[1]) + 0.5, shape[1] - np.arange(shape[1]) - 0.5)
    return np.asarray(np.minimum(y[:, None], x[None]) / min(shape), dtype=np.float32)


def _outlines(mask: NDArray[np.bool_]) -> tuple[NDArray[np.float64], ...]:
    """Outer outlines in µm, smoothed to less than one pixel of the map."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = []
    for contour in found:
        ring = contour[:, 0].astype(np.float64)
        if len(ring) < 8:
            continue
        ring = (np.roll(ring, 1, 0) + 2 * ring + np.roll(ring, -1, 0)) / 4
        out.append((ring[::2] + 0.5) * COARSE_UM)
    return tuple(out)


def _core_outline(seed: int, shape: tuple[int, int], core: CoreShape) -> FloatImage:
    """A disc with an uneven edge; torn: without what lies beyond a wavy chord."""
    rng = np.random.default_rng([107, seed])
    y = (np.arange(shape[0]) + 0.5 - shape[0] / 2)[:, None]
    x = (np.arange(shape[1]) + 0.5 - shape[1] / 2)[None]
    radius = min(shape) / 2 - CORE_MARGIN_UM / COARSE_UM
    wave = smooth_field(rng, shape, 60)
    out = (radius - np.hypot(x, y)) / 4 + 0.2 * wave
    if core == "torn":
        angle = rng.uniform(0, 2 * np.pi)
        chord = x * np.cos(angle) + y * np.sin(angle) + 2.5 * wave
        out = np.minimum(out, (rng.uniform(0.0, 0.45) * radius - chord) / 4)
    return np.asarray(out, dtype=np.float32)


def _middling(look: Morphology) -> Morphology:
    return replace(
        look,
        nucleus_um=min(look.nucleus_um, 9.6),
        pleomorphism=min(look.pleomorphism, 0.18),
        cytoplasm_um=min(max(look.cytoplasm_um, 2.6), 4.4),
        tils=min(look.tils, 1200.0),
    )


def make_layout(
    seed: int,
    width_um: float,
    height_um: float,
    statuses: Statuses | None = None,
    heterogeneous: bool | None = None,
    tumour_share: float = 0.55,
    full: bool = False,
    core: CoreShape | None = None,
    compact: bool = False,
) -> Layout:
    """Draw tissue outline, tumour regions and fat.

    Parameters
    ----------
    seed : int
        Same seed, same layout.
    width_um, height_um : float
        Extent of the scene.
    statuses : dict, optional
        Status of the main tumour; drawn where not given.
    heterogeneous : bool, optional
        Whether a second part of the tumour has another status; by default one slide in six.
    tumour_share : float
        Share of the tissue that is tumour.
    full : bool
        No glass: tissue reaches over every edge (one block of a larger slide).
    core : {"whole", "torn"}, optional
        A round tissue-microarray core with glass around it; a torn one lacks a part.
    compact : bool
        Tumour cells of middling size and spacing, fewer lymphocytes, whatever the status: for
        stains that show the status themselves.
    """
    rng = np.random.default_rng([101, seed])
    shape = (max(8, round(height_um / COARSE_UM)), max(8, round(width_um / COARSE_UM)))
    extent = min(width_um, height_um)
    main = statuses if statuses is not None else draw_statuses(rng)
    mixed = bool(rng.random() < 1 / 6) if heterogeneous is None else heterogeneous

    outline = smooth_field(rng, shape, extent / 9) * 0.5 + smooth_field(rng, shape, 120) * 0.12
    tissue = outline + np.float32(0.95) - 2.6 * np.exp(-_edge_distance(shape) / 0.035)
    if full:
        tissue = np.full(shape, 3, np.float32)
    if core is not None:
        tissue = _core_outline(seed, shape, core)
    inside = tissue > 0
    if not inside.any():
        tissue, inside = np.abs(tissue) + 1, np.ones(shape, bool)

    grain = max(380.0, min(extent / 6.5, 900.0))
    site = smooth_field(rng, shape, grain) + 0.35 * smooth_field(rng, shape, grain / 3)
    cut = np.quantile(site[inside], 1 - tumour_share)
    tumour = (site > cut) & (tissue > 0.05)
    tumour = cv2.morphologyEx(tumour.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    if core is not None:  # a core was punched out of the tumour
        share = 0.88 if tumour_share > 0.5 else tumour_share
        tumour = ((site > np.quantile(site[inside], 1 - share)) & inside).astype(np.uint8)
    split = smooth_field(rng, shape, grain * 1.3)
    second = split > np.quantile(split[tumour > 0], 0.58) if tumour.any() else split > 9
    parts = tumour * np.where(second & mixed, 2, 1).astype(np.uint8)

    other = dict(main)
    flipped = rng.permutation(("ER", "PR", "HER2"))[: 1 + int(rng.random() < 0.5)]
    for name in flipped:
        other[name] = not other[name]
    looks = {1: draw_morphology(rng, main), 2: draw_morphology(rng, other)}

    if compact:
        looks = {part: _middling(look) for part, look in looks.items()}
    region = np.zeros(shape, np.uint8)
    regions: list[TumourRegion] = []
    for part, status in ((1, main), (2, other)):
        count, labels, stats, _ = cv2.connectedComponentsWithStats((parts == part).astype(np.uint8))
        for i in range(1, count):
            area = stats[i, cv2.CC_STAT_AREA] * COARSE_UM**2 / 1e6
            if area < min(_SMALLEST_MM2, 0.08 * width_um * height_um / 1e6) or len(regions) == 250:
                continue
            mask = labels == i
            number = len(regions) + 1
            region[mask] = number
            regions.append(
                TumourRegion(number, dict(status), looks[part], float(area), _outlines(mask))
            )
    fat = smooth_field(rng, shape, 150) + 0.6 * smooth_field(rng, shape, 600) - np.float32(1.35)
    return Layout(tissue.astype(np.float32), region, fat, tuple(regions))
