"""Where the tissue is: saturation and brightness at low resolution, and what spoils it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import threshold_otsu
from skimage.measure import label, regionprops_table

from napari_her2.geometry import Region
from napari_her2.slides.base import Slide
from napari_her2.tiles.background import (
    Background,
    density_and_chroma,
    estimate_background,
    local_spread,
)
from napari_her2.tiles.coverage import Coverage
from napari_her2.tiles.focus import find_blur
from napari_her2.tiles.outlines import feature, outline
from napari_her2.tiles.overview import NOMINAL_UM, Overview, read_overview
from napari_her2.tiles.quality import find_folds, find_pen, folds_can_be_told
from napari_her2.types import BoolMask

__all__ = ["TissueMask", "find_tissue"]

SMOOTH_UM = 6.0
"""Tissue is judged on a scale of a cell, so that nuclei and lumens do not fray the mask."""

CLOSE_UM = 24.0
"""Radius that joins the membranes of fat cells."""

HOLE_UM2 = 20_000.0
SPECK_UM2 = 10_000.0
"""Holes and specks below these areas are filled and removed."""

FIELD_SHARE = 0.05
"""In a photograph of a few cells no piece is that large: there, these shares of it count."""

DENSITY_LIMITS = (0.010, 0.060)
CHROMA_LIMITS = (0.010, 0.045)
"""Otsu always finds two classes: on a blank slide it splits the noise, in a field that is all
tissue it splits the tissue. Held between these optical densities it does neither."""

MIN_TEXTURE = 1.5
TEXTURE_FACTOR = 2.5
"""Glass is flat. Where it is in the field, what varies this much more than glass (standard
deviation over 5 x 5 pixels, grey levels) is tissue however pale."""

MIN_DENSITY = 0.006
MIN_CHROMA = 0.040
"""A piece is kept if it has texture and this mean density (shading of the lamp has the one, not the
other; the palest immunostained cores have both), or if it is plainly coloured beside glass."""


@dataclass(frozen=True, slots=True)
class _Thresholds:
    density: float
    chroma: float
    texture: float


@dataclass(frozen=True)
class TissueMask:
    """Tissue of a slide at low resolution.

    Attributes
    ----------
    mask : BoolMask
        Shape (height, width); tissue, bare glass and pixels under pen or unreadable left out.
    downsample : (float, float)
        Level-0 pixels per mask pixel in x and y.
    size : (int, int)
        Width and height of level 0, pixels.
    um_per_px : (float, float) or None
        Micrometres per mask pixel; None where the pixel size is unknown.
    missing : BoolMask
        What could not be read.
    qc : mapping of str to BoolMask
        ``pen``, ``blur``, ``fold``, each like ``mask``.
    background : (float, float, float)
        Colour of bare glass, for stain measurements.
    flags : tuple of str
        What a user should know: ``no-tissue``, ``no-background``, ``coloured-background``,
        ``pen``, ``blur``, ``fold``, ``blur-not-assessed``, ``fold-not-assessed``, ``unreadable``.
    """

    mask: BoolMask
    downsample: tuple[float, float]
    size: tuple[int, int]
    um_per_px: tuple[float, float] | None
    missing: BoolMask
    qc: Mapping[str, BoolMask] = field(default_factory=dict)
    background: tuple[float, float, float] = (255.0, 255.0, 255.0)
    flags: tuple[str, ...] = ()

    @cached_property
    def usable(self) -> BoolMask:
        """Tissue that is neither under pen nor blurred: what is worth scoring."""
        out = self.mask.copy()
        for name in ("pen", "blur"):
            if name in self.qc:
                out &= ~self.qc[name]
        return out

    @property
    def fraction(self) -> float:
        """Tissue as a share of what could be read."""
        readable = self._area(~self.missing)
        return self._area(self.mask) / readable if readable else 0.0

    @property
    def area_mm2(self) -> float | None:
        """Area of tissue in mm²; None where the pixel size is unknown."""
        return self._mm2(self.mask)

    @property
    def qc_area_mm2(self) -> dict[str, float | None]:
        """Areas of pen, blur and folds in mm²."""
        return {name: self._mm2(m) for name, m in self.qc.items()}

    @cached_property
    def coverage(self) -> Coverage:
        """Fast areas of the usable tissue in rectangles."""
        return Coverage(self.usable, self.downsample)

    def fraction_in(self, region: Region) -> float:
        """Share of a region (level-0 pixels) that is usable tissue; its part beyond the slide
        does not count.
        """
        return self.coverage.fraction_in(region)

    def to_geojson(self) -> dict[str, Any]:
        """Outlines as QuPath annotations: Tissue, Pen, Blur, Fold; level-0 pixels.

        Returns
        -------
        dict
            A FeatureCollection; classes with nothing in them are left out.
        """
        spoilt = [n for n in ("pen", "blur", "fold") if n in self.qc]
        named = [("Tissue", self.mask), *((n.capitalize(), self.qc[n]) for n in spoilt)]
        shapes = [(name, outline(m, self.downsample, self.size)) for name, m in named if m.any()]
        features = [feature(name, shape) for name, shape in shapes if not shape.is_empty]
        return {"type": "FeatureCollection", "features": features}

    def _area(self, mask: BoolMask) -> float:
        """Level-0 pixels; the last row and column count as far as they lie on the slide."""
        height, width = mask.shape
        rows = np.ones(height)
        cols = np.ones(width)
        rows[-1] = self.size[1] / self.downsample[1] - (height - 1)
        cols[-1] = self.size[0] / self.downsample[0] - (width - 1)
        pixels = float(rows @ mask.astype(np.float64) @ cols)
        return pixels * self.downsample[0] * self.downsample[1]

    def _mm2(self, mask: BoolMask) -> float | None:
        if self.um_per_px is None:
            return None
        um2 = self.um_per_px[0] * self.um_per_px[1] / (self.downsample[0] * self.downsample[1])
        return self._area(mask) * um2 / 1e6


def find_tissue(
    slide: Slide, *, target_um_per_px: float = NOMINAL_UM, qc: bool = True
) -> TissueMask:
    """Find tissue and what spoils it.

    Saturation and brightness are taken as optical density relative to bare glass, so that pale
    immunostained tissue, strange white balance and false colours are treated alike; each is cut
    by Otsu's threshold within fixed limits (see :data:`DENSITY_LIMITS`).

    Parameters
    ----------
    slide : Slide
        The slide. Unreadable pixels are left out and never tissue.
    target_um_per_px : float
        Wanted resolution, micrometres per mask pixel.
    qc : bool
        Whether to look for pen, blur and folds.

    Returns
    -------
    TissueMask
        An empty mask (flag ``no-tissue``) where there is none.
    """
    view = read_overview(slide, target_um_per_px=target_um_per_px)
    readable = ~view.missing
    glass = estimate_background(view.rgb, readable)
    sigma = max(SMOOTH_UM / view.size_um, 0.7)
    smooth = np.asarray(cv2.GaussianBlur(view.rgb, (0, 0), sigma), np.uint8)
    density, chroma = density_and_chroma(smooth, glass.rgb)
    spread = local_spread(view.rgb.mean(axis=2, dtype=np.float32))
    texture = np.asarray(cv2.GaussianBlur(spread, (0, 0), sigma), np.float32)
    pen = find_pen(view, glass) if qc else np.zeros_like(readable)
    usable = readable & ~pen
    cut = _thresholds(density, chroma, usable, glass)
    # The window of the texture reaches two pixels beyond the tissue's edge: taken back.
    rough = cv2.erode((texture > cut.texture).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    mask = (density > cut.density) | (chroma > cut.chroma) | rough
    mask = _tidy(mask & usable, view) & usable
    mask = _keep_real_pieces(mask, density, chroma, texture, glass)
    masks: dict[str, BoolMask] = {}
    flags: list[str] = []
    if qc:
        blur, assessed = find_blur(slide, mask, view.downsample)
        masks = {"pen": pen, "blur": blur, "fold": find_folds(view, mask, glass)}
        flags += [name for name, m in masks.items() if m.any()]
        if not assessed:
            flags.append("blur-not-assessed")
        if not folds_can_be_told(view, glass):
            flags.append("fold-not-assessed")
    if not mask.any():
        flags.insert(0, "no-tissue")
    elif not glass.found:
        flags.append("no-background")
    if glass.found and glass.saturation > 0.15:
        flags.append("coloured-background")
    if view.missing.any():
        flags.append("unreadable")
    size = slide.size
    return TissueMask(
        mask=mask,
        downsample=view.downsample,
        size=(size.width, size.height),
        um_per_px=view.um_per_px,
        missing=view.missing,
        qc=masks,
        background=glass.rgb,
        flags=tuple(flags),
    )


def _thresholds(
    density: NDArray[np.float32],
    chroma: NDArray[np.float32],
    usable: BoolMask,
    glass: Background,
) -> _Thresholds:
    """Otsu within limits; above the noise of glass, and low where no glass is in the field."""
    if not usable.any():
        return _Thresholds(np.inf, np.inf, np.inf)
    cuts = []
    for values, limits in ((density, DENSITY_LIMITS), (chroma, CHROMA_LIMITS)):
        # A few dark nuclei or ink must not pull the threshold up.
        v = np.minimum(values[usable], 4 * limits[1])
        otsu = limits[1]
        if float(np.ptp(v)) > 0:
            otsu = float(threshold_otsu(v))  # type: ignore[no-untyped-call]
        low = max(limits[0], 5 * glass.noise)
        cuts.append(min(max(otsu, low), max(limits[1], low)))
    texture = max(MIN_TEXTURE, TEXTURE_FACTOR * glass.spread) if glass.found else 0.0
    return _Thresholds(cuts[0], cuts[1], texture)


def _tidy(mask: BoolMask, view: Overview) -> BoolMask:
    """Join fat cells, fill small holes, remove specks."""
    side = view.size_um
    radius = max(1, round(CLOSE_UM / side))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    # A border of copies, so that closing does not open a gap along the slide's edge.
    pad = cv2.copyMakeBorder(
        mask.astype(np.uint8), radius, radius, radius, radius, cv2.BORDER_REFLECT
    )
    closed = cv2.morphologyEx(pad, cv2.MORPH_CLOSE, disc)[radius:-radius, radius:-radius]
    share = FIELD_SHARE * mask.size
    glass = _drop_small(closed == 0, min(HOLE_UM2 / side**2, share), keep_at_edge=True)
    return _drop_small(~glass, min(SPECK_UM2 / side**2, share))


def _drop_small(mask: BoolMask, pixels: float, *, keep_at_edge: bool = False) -> BoolMask:
    n, labels, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=4)
    keep = stats[:, cv2.CC_STAT_AREA] >= pixels
    if keep_at_edge:
        edge = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        keep[np.unique(np.concatenate(edge))] = True
    keep[0] = False
    return np.asarray(keep[labels], np.bool_) if n > 1 else np.zeros_like(mask)


def _keep_real_pieces(
    mask: BoolMask,
    density: NDArray[np.float32],
    chroma: NDArray[np.float32],
    texture: NDArray[np.float32],
    glass: Background,
) -> BoolMask:
    """Drop pieces that are hardly darker than glass: shading, dust, the film under a coverslip."""
    if not mask.any():
        return mask
    pieces = label(mask, connectivity=1)  # type: ignore[no-untyped-call]
    table = regionprops_table(  # type: ignore[no-untyped-call]
        pieces,
        intensity_image=np.stack([density, chroma, texture], axis=-1),
        properties=("label", "intensity_mean"),
    )
    textured = table["intensity_mean-2"] >= max(MIN_TEXTURE, TEXTURE_FACTOR * glass.spread)
    keep = np.zeros(int(pieces.max()) + 1, np.bool_)
    dense = table["intensity_mean-0"] >= MIN_DENSITY
    coloured = glass.found & (table["intensity_mean-1"] >= MIN_CHROMA)
    keep[table["label"]] = (textured & dense) | coloured
    return np.asarray(keep[pieces])
