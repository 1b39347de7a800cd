"""Painted IHC at 0.5 µm/px: blue nuclei on a grid, some with a brown ring, some brown inside."""

from __future__ import annotations

import cv2
import numpy as np

from napari_her2.stains.deconvolution import STAIN_VECTORS

GLASS = (244, 243, 245)


def ihc_field(
    height=512,
    width=512,
    *,
    step=30,
    nucleus=(8, 7),
    blue=0.45,
    ring=0.0,
    brown=0.0,
    pale=0.03,
    margin=0,
    noise=1.0,
    glass=GLASS,
    second="dab",
    wash=0.0,
    seed=0,
):
    """Paint a field.

    ``ring``: amount of DAB on the membranes. ``brown``: share of nuclei with DAB inside.
    ``second`` may be eosin instead, ``wash`` an even amount of it. ``margin``: bare glass along all
    edges. Returns the picture, uint8, and the number of nuclei.
    """
    rng = np.random.default_rng(seed)
    haematoxylin = np.full((height, width), pale, np.float32)
    dab = np.full((height, width), wash, np.float32)
    n = 0
    for y in range(margin + step, height - margin - step // 2, step):
        for x in range(margin + step, width - margin - step // 2, step):
            at = (x + int(rng.integers(-3, 4)), y + int(rng.integers(-3, 4)))
            turn = float(rng.uniform(0, 180))
            stained = rng.random() < brown
            cv2.ellipse(haematoxylin, at, nucleus, turn, 0, 360, blue, -1, cv2.LINE_AA)
            if stained:
                cv2.ellipse(dab, at, nucleus, turn, 0, 360, 0.9, -1, cv2.LINE_AA)
            if ring:
                cv2.circle(dab, at, max(nucleus) + 4, ring, 2, cv2.LINE_AA)
            n += 1
    if margin:
        for plane in (haematoxylin, dab):
            inside = plane[margin:-margin, margin:-margin].copy()
            plane[:] = 0
            plane[margin:-margin, margin:-margin] = inside
    haematoxylin = cv2.GaussianBlur(haematoxylin, (0, 0), 0.8)
    dab = cv2.GaussianBlur(dab, (0, 0), 0.8)
    od = haematoxylin[..., None] * np.array(STAIN_VECTORS["haematoxylin"]) + dab[
        ..., None
    ] * np.array(STAIN_VECTORS[second])
    levels = np.array(glass) * 10**-od + rng.normal(0, noise, od.shape)
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8), n
