"""Fields of painted cells with known centres: apart, touching, pale, walled in by DAB, clumps."""

from __future__ import annotations

import cv2
import numpy as np

from napari_her2.stains.deconvolution import STAIN_VECTORS

GLASS = np.array([241.0, 241.0, 244.0])


def paint(haematoxylin, second, name="dab", noise=1.0, seed=0, glass=GLASS):
    """Amounts of two stains (optical density) as a picture."""
    od = haematoxylin[..., None] * np.array(STAIN_VECTORS["haematoxylin"])
    od = od + second[..., None] * np.array(STAIN_VECTORS[name])
    rng = np.random.default_rng(seed)
    levels = glass * 10**-od + rng.normal(0, noise, od.shape)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)


def field(
    height=600, width=600, *, um=0.5, pitch_um=22.0, blue=0.5, ground=0.06, brown=0.0, seed=0
):
    """Round nuclei of 8 µm on a jittered grid; ``brown`` is DAB of a wall round each.

    Returns the picture and the centres, x then y, pixels from the corner.
    """
    rng = np.random.default_rng(seed)
    scale = 8
    haematoxylin = np.full((height, width), ground, np.float32)
    second = np.full((height, width), 0.02, np.float32)
    pitch = pitch_um / um
    centres = []
    for y in np.arange(pitch * 0.6, height - pitch * 0.4, pitch):
        for x in np.arange(pitch * 0.6, width - pitch * 0.4, pitch):
            at = np.array([x, y]) + rng.uniform(-0.12, 0.12, 2) * pitch
            centres.append(at)
            where = tuple(int(v) for v in np.rint((at - 0.5) * scale))
            cv2.circle(haematoxylin, where, round(4 / um * scale), blue, -1, cv2.LINE_8, 3)
            if brown:
                cv2.circle(second, where, round(6.5 / um * scale), brown, round(1.5 / um),
                           cv2.LINE_8, 3)  # fmt: skip
    for plane in (haematoxylin, second):
        plane[:] = cv2.GaussianBlur(plane, (0, 0), 0.4 / um)
    return paint(haematoxylin, second, seed=seed), np.array(centres)


def hits(found_xy, true_xy, reach):
    """Number of true centres that are the nearest to a found one within reach, each once."""
    if not len(found_xy):
        return 0
    apart = np.linalg.norm(found_xy[:, None] - true_xy[None], axis=2)
    nearest = apart.argmin(axis=1)
    return len(np.unique(nearest[apart.min(axis=1) < reach]))
