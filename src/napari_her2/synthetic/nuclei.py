"""Nuclei as plain arrays: where they are, how large, how dark, of what kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Kind", "Nuclei", "hex_points", "join", "nuclei"]

Floats = NDArray[np.float64]


class Kind(IntEnum):
    """What a nucleus belongs to."""

    TUMOUR = 0
    STROMA = 1
    IMMUNE = 2
    NORMAL = 3
    MITOSIS = 4
    DEBRIS = 5
    ENDOTHELIUM = 6
    RED_CELL = 7


@dataclass(frozen=True, slots=True)
class Nuclei:
    """Nuclei of a scene; every array has the same length.

    Attributes
    ----------
    x, y : ndarray of float64
        Centres, µm.
    a, b : ndarray of float64
        Half axes, µm.
    angle : ndarray of float64
        Direction of the first axis, radians.
    dark : ndarray of float64
        Haematoxylin, 0 to 1.
    vesicular : ndarray of float64
        1 for pale nuclei with a dark rim and nucleoli, else 0.
    rough : ndarray of float64
        Irregularity of the outline, about 0 to 0.2.
    kind : ndarray of uint8
        See :class:`Kind`.
    region : ndarray of uint8
        Number of the tumour region, 0 outside.
    """

    x: Floats
    y: Floats
    a: Floats
    b: Floats
    angle: Floats
    dark: Floats
    vesicular: Floats
    rough: Floats
    kind: NDArray[np.uint8]
    region: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.x)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Nuclei:
        """Some of them, in the given order."""
        return Nuclei(*(getattr(self, f.name)[index] for f in fields(self)))

    @property
    def area_um2(self) -> Floats:
        """Areas of the ellipses."""
        return np.asarray(np.pi * self.a * self.b)


def nuclei(
    rng: np.random.Generator,
    x: Floats,
    y: Floats,
    kind: Kind,
    *,
    diameter: float | Floats,
    spread: float,
    aspect: tuple[float, float],
    angle: Floats | None = None,
    dark: tuple[float, float],
    vesicular: float = 0.0,
    rough: float = 0.05,
    region: int | NDArray[np.uint8] = 0,
) -> Nuclei:
    """Draw sizes and shapes for nuclei at given places.

    Parameters
    ----------
    diameter : float or ndarray
        Mean diameter (of the circle of equal area), µm.
    spread : float
        Coefficient of variation of the diameter (log-normal).
    aspect : (float, float)
        Range of short to long axis.
    angle : ndarray, optional
        Direction of the long axis; any direction where not given.
    dark : (float, float)
        Mean and standard deviation of the haematoxylin amount.
    vesicular : float
        Share of pale nuclei.
    """
    n = len(x)
    d = diameter * np.exp(rng.normal(0, spread, n) - spread**2 / 2)
    ratio = np.sqrt(rng.uniform(*aspect, n))
    turn = rng.uniform(0, np.pi, n) if angle is None else angle + rng.normal(0, 0.22, n)
    pale = (rng.random(n) < vesicular).astype(np.float64)
    amount = np.clip(rng.normal(*dark, n), 0.2, 1.0)
    return Nuclei(
        x,
        y,
        d / 2 / ratio,
        d / 2 * ratio,
        turn,
        amount,
        pale,
        rough * rng.uniform(0.5, 1.5, n),
        np.full(n, int(kind), np.uint8),
        np.broadcast_to(np.asarray(region, np.uint8), (n,)).copy(),
    )


def join(parts: Sequence[Nuclei]) -> Nuclei:
    """Put several lists into one."""
    return Nuclei(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Nuclei)))


def hex_points(
    rng: np.random.Generator,
    box: tuple[float, float, float, float],
    spacing: float,
    jitter: float = 0.2,
) -> tuple[Floats, Floats]:
    """Points of a bent, jittered hexagonal lattice in the box x0, y0, x1, y1 (µm)."""
    x0, y0, x1, y1 = box
    dy = spacing * np.sqrt(3) / 2
    ny, nx = int((y1 - y0) / dy) + 2, int((x1 - x0) / spacing) + 2
    gy, gx = np.mgrid[0:ny, 0:nx].astype(np.float64)
    x = x0 + (gx + 0.5 * (gy % 2)) * spacing
    y = y0 + gy * dy
    # Bends of a few cells' length hide the lattice without bringing neighbours too close.
    phase = rng.uniform(0, 2 * np.pi, 4)
    bend, wave = 0.6 * spacing, 2 * np.pi / (14 * spacing)
    bx = bend * np.sin(wave * y + phase[0]) + 0.6 * bend * np.sin(0.37 * wave * (x - y) + phase[1])
    by = bend * np.sin(wave * x + phase[2]) + 0.6 * bend * np.sin(0.41 * wave * (x + y) + phase[3])
    x = x + bx + rng.normal(0, jitter * spacing, x.shape)
    y = y + by + rng.normal(0, jitter * spacing, y.shape)
    keep = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
    return x[keep], y[keep]
