"""The membrane of each cell along 32 rays: where it runs, how brown it is, what stands out.

No weights are involved. Along each ray the membrane is the brownest place between the cell's own
nucleus and the next one (or a free border as far away as the cell's other borders are). What makes
it a *stained membrane* is that it stands out from both sides within two micrometres: brown
cytoplasm and brown nuclei do not. Neighbours share what is seen between them; see
:mod:`napari_her2.cells.sharing`.

Lengths are in working pixels here (about 0.5 µm) and in level-0 pixels in the columns of a table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.neighbours import half_way
from napari_her2.cells.polar import PolarField, ray_angles
from napari_her2.cells.table import RAYS

__all__ = ["MembraneRings", "measure_rings", "stained_rays"]

Floats = NDArray[np.float32]
Steps = NDArray[np.int16]

LEVELS_PER_OD: Final = 100
"""Optical density is sampled in bytes of 1/100; 2.55 is the largest."""

SMOOTH_PX: Final = 0.6
"""Standard deviation of the smoothing before sampling, working pixels."""

FAR_UM: Final = 16.0
"""Nuclei further apart than this share no border."""

FREE_UM: Final = (3.0, 6.0, 10.0)
"""How far beyond the nucleus a free border is looked for: at least, where the cell has no
neighbour, at most."""

SIDE_UM: Final = 2.0
"""Within this distance on both sides a membrane has to stand out."""

BAND_UM: Final = 1.0
"""Half the width of the band across the membrane over which stain is averaged."""

LONGEST_UM: Final = 30.0

CENTRE_PULL: Final = 1.0
"""Optical density in 1/100 that a place loses for each µm it lies off the middle between two nuclei
(or off the expected free border): noise then leaves an unstained membrane half-way."""

LEAST_OD: Final = 0.06
UNEVEN: Final = 0.2
LEAST_CONTRAST: Final = (0.03, 0.05)
"""A ray shows a stained membrane from this much DAB, if it stands out from both sides by this share
of it; by this much at least, and more than the last is never asked."""

_NEVER = -20_000
_STEP_BITS = 8
_LAST_STEP = 2**_STEP_BITS - 1
"""A ray has fewer steps than this."""

_OUTSIDE = 2**22
"""More than stain and pull can make up for, those bits included."""


class _Planes(Protocol):
    @property
    def haematoxylin(self) -> NDArray[np.float32]: ...
    @property
    def second(self) -> NDArray[np.float32]: ...


class _Nuclei(Protocol):
    @property
    def labels(self) -> NDArray[np.int32]: ...
    @property
    def centres_yx(self) -> NDArray[np.float64]: ...
    @property
    def area_px(self) -> NDArray[Any]: ...


@dataclass(frozen=True, slots=True)
class MembraneRings:
    """What was seen along the rays of each cell; arrays have shape (n, 32) unless said.

    Attributes
    ----------
    nucleus_px : ndarray of float32
        Distance from the centre to the border of the nucleus, working pixels.
    membrane_px : ndarray of float32
        Distance from the centre to the membrane, working pixels.
    od : ndarray of float32
        DAB at the membrane, optical density.
    contrast : ndarray of float32
        DAB at the membrane above the paler of what lies within 2 µm inside, and the same outside;
        the smaller of both differences, at least 0.
    band : ndarray of float32
        DAB averaged 1 µm to both sides of the membrane.
    neighbour : ndarray of int32
        Row of the cell on the other side; -1 at a free border.
    weight : ndarray of float32
        Share of the perimeter that the ray stands for; rows sum to 1.
    cytoplasm_dab, cytoplasm_haematoxylin : ndarray of float32
        Stains half-way between nucleus and membrane, or 1 µm beyond the nucleus if that is nearer,
        optical density.
    spacing_px : ndarray of float32
        Shape (n,): mean distance of the nearest centres.
    """

    nucleus_px: Floats
    membrane_px: Floats
    od: Floats
    contrast: Floats
    band: Floats
    neighbour: NDArray[np.int32]
    weight: Floats
    cytoplasm_dab: Floats
    cytoplasm_haematoxylin: Floats
    spacing_px: Floats

    def __len__(self) -> int:
        return len(self.od)


def measure_rings(planes: _Planes, nuclei: _Nuclei, mpp: float) -> MembraneRings:
    """Find the membrane of each nucleus of a window.

    Parameters
    ----------
    planes : StainPlanes
        DAB is ``second``: optical density, base 10, shape (height, width).
    nuclei : FoundNuclei
        Nuclei of the window.
    mpp : float
        Micrometres per working pixel.
    """
    n = len(nuclei.area_px)
    px = 1.0 / mpp
    field = PolarField(nuclei.centres_yx, round(LONGEST_UM * px))
    radius = np.sqrt(np.asarray(nuclei.area_px, np.float64) / np.pi)
    nucleus = _nuclei_along_rays(field, nuclei.labels, radius)
    reach = half_way(nuclei.centres_yx, radius, FAR_UM * px)
    middle, last, shared = _search(nucleus, reach.border_px, px)
    dab = _levels(planes.second)
    found = [np.zeros((n, RAYS), np.float32) for _ in range(4)]
    side = max(2, round(SIDE_UM * px))
    for i, steps in field.chunks(last.max(1, initial=0) + side + 1.0):
        limits = [np.ascontiguousarray(v[i].T) for v in (nucleus, middle, last)]
        parts = _membrane(field.along(dab, i, steps), limits[0], limits[1], limits[2], px)
        for out, part in zip(found, parts, strict=True):
            out[i] = part.T
    place, od, contrast, band = found
    blue = _levels(planes.haematoxylin)
    room = np.maximum(place - nucleus, 0)
    between = np.rint(nucleus + np.minimum(room / 2, px)).astype(np.int32)
    return MembraneRings(
        # The border lies half a step beyond the last sample inside.
        nucleus_px=nucleus - np.float32(0.5),
        membrane_px=place,
        od=od,
        contrast=contrast,
        band=band,
        neighbour=np.where(shared, reach.neighbour, np.int32(-1)),
        weight=_weights(place),
        cytoplasm_dab=_at(field, dab, between),
        cytoplasm_haematoxylin=_at(field, blue, between),
        spacing_px=reach.spacing_px,
    )


def _nuclei_along_rays(
    field: PolarField, labels: NDArray[np.int32], radius: NDArray[np.float64]
) -> Steps:
    """Number of steps of each ray that lie in the cell's own nucleus, shape (n, 32)."""
    out = np.zeros((len(radius), RAYS), np.int16)
    # Small numbers take half the room in the cache.
    kind = np.uint16 if len(radius) < np.iinfo(np.uint16).max else np.int32
    labels_seen = labels.astype(kind)
    # An elongated nucleus reaches further than the circle of its area: 1.8 is 3.2 to 1.
    for i, steps in field.chunks(1.8 * radius + 2):
        own = (i + 1).astype(kind)
        count = np.zeros((RAYS, len(i)), np.uint8)
        for seen in field.along(labels_seen, i, steps):
            count += (seen == own).view(np.uint8)
        out[i] = count.T
    return out


def _levels(plane: Floats) -> NDArray[np.uint8]:
    smooth = cv2.GaussianBlur(plane, (0, 0), SMOOTH_PX)
    levels = cv2.addWeighted(smooth, LEVELS_PER_OD, smooth, 0, 0, dtype=cv2.CV_8U)
    return np.asarray(levels, np.uint8)


def _at(field: PolarField, plane: NDArray[np.uint8], step: NDArray[np.int32]) -> Floats:
    """Optical density of a plane at one step of each ray."""
    return np.asarray(field.at(plane, step) / np.float32(LEVELS_PER_OD), np.float32)


def _search(nucleus: Steps, border: Floats, px: float) -> tuple[Steps, Steps, NDArray[np.bool_]]:
    """Where membranes are expected, where they are looked for at most, and which are shared."""
    room = np.maximum(border - nucleus, 0)
    least, alone, most = (v * px for v in FREE_UM)
    near = room <= most
    usual = np.where(near, room, 0).sum(1) / np.maximum(near.sum(1), 1)
    # A border without a neighbour lies about as far out as the borders with neighbours do.
    free = np.where(near.any(1), np.clip(1.6 * usual + 2 * px, least, most), alone)[:, None]
    shared = room <= free
    middle = nucleus + np.where(shared, room, 0.6 * free)
    last = nucleus + np.where(shared, 1.4 * room + px, free)
    return np.rint(middle).astype(np.int16), np.ceil(last).astype(np.int16), shared


def _membrane(
    dab: NDArray[np.uint8], nucleus: Steps, middle: Steps, last: Steps, px: float
) -> tuple[Floats, Floats, Floats, Floats]:
    """Place, optical density, contrast and band of the membrane along each ray, shape (32, m)."""
    low = np.maximum(nucleus - np.int16(1), np.int16(1))
    # Sixteenths of a level, so that the pull counts in whole numbers.
    pull = max(1, round(16 * CENTRE_PULL / px))
    first = _best_steps(dab, low, middle, last, pull)
    # A membrane is a closed line: a ray that leapt to another one is brought back to its fellows.
    usual = _median_of_five(*(np.roll(first, k, axis=0) for k in (-2, -1, 0, 1, 2)))
    leap = np.abs(first - usual) > 1.5 * px
    if leap.any():
        step = np.arange(len(dab), dtype=np.int16)[:, None]
        value = dab[:, leap].astype(np.int16) << 4
        value -= np.abs(step - middle[leap]) * np.int16(pull)
        value[(step < low[leap]) | (step > last[leap])] = _NEVER
        far = np.abs(step - usual[leap]) > 1.5 * px
        first[leap] = np.where(far, value - np.int16(5000), value).argmax(0)
    side = max(2, round(SIDE_UM * px))
    profile = _profile(dab, first, side)
    at = profile[side].astype(np.float32)
    sides = np.maximum(profile[:side].min(0), profile[side + 1 :].min(0))
    band = max(1, round(BAND_UM * px))
    total = profile[side - band : side + band + 1].sum(0, dtype=np.uint16)
    mean = total.astype(np.float32) / np.float32(2 * band + 1)
    scale = np.float32(1 / LEVELS_PER_OD)
    contrast = np.maximum(at - sides, 0)
    return first.astype(np.float32), at * scale, contrast * scale, mean * scale


def _best_steps(dab: NDArray[np.uint8], low: Steps, middle: Steps, last: Steps, pull: int) -> Steps:
    """Step of each ray, from ``low`` to ``last``, that looks most like its membrane.

    Stain less the pull to the middle. The step is written behind that number, so that the largest
    one says where it was found (the nearest of equals): choosing by masks would take fifty times
    as long.
    """
    pull <<= _STEP_BITS
    towards = middle.astype(np.int32) * pull
    begin, end = low.astype(np.int32) * _OUTSIDE, last.astype(np.int32) * _OUTSIDE
    best = np.full(low.shape, np.iinfo(np.int32).min, np.int32)
    value, less, other = np.empty_like(best), np.empty_like(best), np.empty_like(best)
    for step in range(int(low.min()), min(int(last.max()) + 1, len(dab))):
        np.abs(np.subtract(towards, step * pull, out=less), out=less)
        np.maximum(less, np.subtract(begin, step * _OUTSIDE, out=other), out=less)
        np.maximum(less, np.subtract(step * _OUTSIDE, end, out=other), out=less)
        np.copyto(value, dab[step])
        np.left_shift(value, 4 + _STEP_BITS, out=value)
        np.subtract(value, less, out=value)
        np.add(value, _LAST_STEP - step, out=value)
        np.maximum(best, value, out=best)
    found = _LAST_STEP - (best & _LAST_STEP)
    # Nothing but steps outside.
    found *= best > -_OUTSIDE // 2
    return np.asarray(found, np.int16)


def _median_of_five(a: Steps, b: Steps, c: Steps, d: Steps, e: Steps) -> Steps:
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    between = np.maximum(np.minimum(low, high), np.minimum(np.maximum(low, high), e))
    return np.asarray(between, np.int16)


def _profile(dab: NDArray[np.uint8], first: Steps, side: int) -> NDArray[np.uint8]:
    """What lies within ``side`` steps of a place of each ray, shape (2 side + 1, 32, m)."""
    n = first.size
    # The ends go on, so that no place has to be asked whether it lies beyond them.
    ends = (np.repeat(dab[k : k + 1], side, axis=0) for k in (0, len(dab) - 1))
    before, after = ends
    flat = np.concatenate([before, dab, after]).reshape(-1)
    place = first.ravel().astype(np.intp) * n + np.arange(n)
    out = np.empty((2 * side + 1, n), np.uint8)
    for k, row in enumerate(out):
        np.take(flat[k * n :], place, out=row, mode="clip")
    profile: NDArray[np.uint8] = out.reshape(-1, *first.shape)
    return profile


def _weights(radius: Floats) -> Floats:
    """Share of the perimeter that each ray stands for: half of the stretch to either side."""
    angle = ray_angles().astype(np.float32)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    stretch = np.hypot(np.roll(x, -1, 1) - x, np.roll(y, -1, 1) - y)
    length = stretch + np.roll(stretch, 1, 1)
    total = length.sum(1, keepdims=True)
    even = np.float32(1 / RAYS)
    return np.where(total > 0, length / np.maximum(total, 1e-6), even).astype(np.float32)


def stained_rays(rings: MembraneRings) -> NDArray[np.bool_]:
    """Rays along which a stained membrane is seen, shape (n, 32).

    It has some DAB, and more than both sides: the browner the place, the more, since brown
    cytoplasm is not even.
    """
    least = np.clip(UNEVEN * rings.od, *LEAST_CONTRAST)
    return np.asarray((rings.od >= LEAST_OD) & (rings.contrast >= least))
