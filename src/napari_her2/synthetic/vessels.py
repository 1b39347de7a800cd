"""Small blood vessels with their lining and the red cells inside."""

from __future__ import annotations

import numpy as np

from napari_her2.synthetic.canvas import Canvas, blob_radius, ring_points
from napari_her2.synthetic.fibres import FibreField
from napari_her2.synthetic.nuclei import Kind, Nuclei, hex_points, join, nuclei

__all__ = ["draw_vessels"]

_PITCH_UM = 330.0


def draw_vessels(
    rng: np.random.Generator, canvas: Canvas, fibres: FibreField
) -> tuple[Nuclei, Nuclei]:
    """Open vessels where the plan has no epithelium.

    Returns
    -------
    (Nuclei, Nuclei)
        Endothelium and red cells.
    """
    height, width = canvas.shape
    x, y = hex_points(rng, (0, 0, width * 2.0, height * 2.0), _PITCH_UM, 0.25)
    turn = fibres.angle_at(x, y)
    lining, red = [], []
    for px, py, angle in zip(x, y, turn, strict=True):
        radius = float(rng.uniform(5.5, 15))
        stretch = float(rng.uniform(1.1, 2.6))
        wall = ring_points(px, py, (radius + 9) * np.ones(48), stretch, angle)
        if canvas.is_set(canvas.epithelium, wall[:, 0], wall[:, 1]).any():
            continue
        if canvas.is_set(canvas.lumen, wall[:, 0], wall[:, 1]).any():
            continue
        relative = blob_radius(rng, 0.12)
        canvas.fill(canvas.lumen, ring_points(px, py, radius * relative, stretch, angle))
        rim = ring_points(px, py, radius * relative + 1.0, stretch, angle)
        pick = rng.choice(48, int(rng.integers(3, 8)), replace=False)
        along = np.roll(rim, -1, 0) - np.roll(rim, 1, 0)
        lining.append(
            nuclei(
                rng, rim[pick, 0], rim[pick, 1], Kind.ENDOTHELIUM, diameter=4.6, spread=0.12,
                aspect=(0.16, 0.3), angle=np.arctan2(along[pick, 1], along[pick, 0]),
                dark=(0.72, 0.08),
            )
        )  # fmt: skip
        count = int(rng.poisson(0.012 * np.pi * radius**2 * stretch))
        r = (radius - 3.2) * np.sqrt(rng.uniform(0, 1, count))
        t = rng.uniform(0, 2 * np.pi, count)
        u, v = r * np.cos(t) * stretch, r * np.sin(t)
        c, s = np.cos(angle), np.sin(angle)
        red.append(
            nuclei(
                rng, px + u * c - v * s, py + u * s + v * c, Kind.RED_CELL, diameter=5.6,
                spread=0.08, aspect=(0.7, 1.0), dark=(0.9, 0.06), rough=0.02,
            )
        )  # fmt: skip
    none = np.zeros(0)
    empty = nuclei(rng, none, none, Kind.RED_CELL, diameter=1, spread=0, aspect=(1, 1), dark=(1, 0))
    return join([*lining, empty]), join([*red, empty])
