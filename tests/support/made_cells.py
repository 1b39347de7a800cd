"""Cells without detection: dark squares of a made slide, told apart by their shade."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_her2.cells.classes import CELL_CLASSES, NUCLEAR_CLASSES, NUCLEUS_CLASS
from napari_her2.cells.table import RAYS, CellTable
from napari_her2.errors import TileReadError
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_parts import Classifying

CLASSES = {"her2-ihc": CELL_CLASSES, "nuclear-ihc": NUCLEAR_CLASSES, "he": (NUCLEUS_CLASS,)}
STEP = 32
"""Cells stand on a lattice of this step, level-0 pixels."""


@dataclass(frozen=True)
class FakeParts:
    """Finds a cell at each lattice point where the slide is tinted.

    Its class is drawn from ``shares`` by a hash of its place, so that it depends on nothing else.
    """

    shares: tuple[float, ...] = (0.3, 0.3, 0.2, 0.1, 0.05, 0.04, 0.01)
    tile: int = 512
    step: int = STEP
    pause: float = 0.0
    unreadable: tuple[int, ...] = ()
    crash_at: tuple[float, float] | None = None
    once: str | None = None
    """A file that says that the crash happened already."""

    def classifier(self, request) -> Classifying:
        classes = CLASSES[request.stain]
        digest = hashlib.sha256(repr((self.shares, classes)).encode()).hexdigest()
        return Classifying("fake", "Fake cells", "1", None, classes, digest)

    def calibrate(self, slide, tissue, request) -> Any:
        return tissue.background

    def tiles(self, slide, tissue, calibration, region, request) -> list[Region]:
        size = slide.size
        step = self.tile * max(1, round(request.tile_px / 2000))
        out = []
        for y in range(0, size.height, step):
            for x in range(0, size.width, step):
                tile = Region(x, y, min(step, size.width - x), min(step, size.height - y))
                cut = tile if region is None else tile.intersect(region)
                if cut is not None and tissue.fraction_in(cut) > 0:
                    out.append(cut)
        return out

    def scorer(self, slide, calibration, classifier, request):
        seen = [0]

        def score(tile: Region) -> tuple[CellTable, str | None]:
            time.sleep(self.pause)
            self._crash(tile)
            index = seen[0]
            seen[0] += 1
            if index in self.unreadable:
                raise TileReadError("tile_unreadable", name="made", reason="made unreadable")
            return cells_in(slide, tile, classifier.classes, self.shares, self.step), None

        return score

    def _crash(self, tile: Region) -> None:
        if self.crash_at is None or (tile.x, tile.y) != self.crash_at:
            return
        if self.once is not None:
            mark = Path(self.once)
            if mark.exists():
                return
            mark.touch()
        import os

        os._exit(9)


def cells_in(slide, tile: Region, classes, shares, step=STEP) -> CellTable:
    x, y = np.meshgrid(
        np.arange(np.ceil((tile.x - 0.5) / step) * step + 0.5, tile.right, step),
        np.arange(np.ceil((tile.y - 0.5) / step) * step + 0.5, tile.bottom, step),
    )
    x, y = x.ravel(), y.ravel()
    left, top = int(tile.x), int(tile.y)
    pixels = slide.read(
        0, left, top, int(np.ceil(tile.right)) - left, int(np.ceil(tile.bottom)) - top
    )
    if pixels.faulty:
        raise TileReadError("tile_unreadable", name=slide.path.name, reason=pixels.reason)
    tint = pixels.rgb[(y - top).astype(int), (x - left).astype(int)].max(axis=1) < 230
    x, y = x[tint], y[tint]
    n = len(x)
    cut = np.cumsum(np.array(shares[: len(classes)]) / sum(shares[: len(classes)]))
    draw = ((x * 7919 + y * 104729).astype(np.int64) * 2654435761 % 2**32) / 2**32
    winner = np.minimum(np.searchsorted(cut, draw, side="right"), len(classes) - 1)
    probs = np.full((n, len(classes)), 0.1 / max(len(classes) - 1, 1), np.float32)
    probs[np.arange(n), winner] = 0.9
    return CellTable(
        {
            "x_px": x,
            "y_px": y,
            "area_um2": np.full(n, 40, np.float32),
            "nucleus_radii": np.full((n, RAYS), 7.03, np.float32),
            "membrane_radii": np.full((n, RAYS), 9.0, np.float32),
            "membrane_stained": np.tile(np.arange(RAYS) % 2 == 0, (n, 1)),
            "membrane_od": (winner * 0.2).astype(np.float32),
            "membrane_completeness": (winner * 0.1).astype(np.float32),
            "nucleus_dab_od": (winner * 0.2).astype(np.float32),
            "class": winner.astype(np.uint8),
            "probs": probs,
        },
        tuple(classes),
    )


def write_ihc(path: Path, width: int = 2048, height: int = 1536, margin: int = 150) -> Path:
    """A tiled slide: blue-grey tissue with brown spots on glass, 0.5 µm/px."""
    rng = np.random.default_rng(5)
    image = np.full((height, width, 3), 243, np.uint8)
    inside = np.s_[margin : height - margin, margin : width - margin]
    image[inside] = (186, 190, 208)
    brown = np.zeros((height, width), bool)
    brown[inside] = np.kron(
        rng.random((height // 16 + 1, width // 16 + 1)) < 0.4, np.ones((16, 16))
    )[: height - 2 * margin, : width - 2 * margin]
    image[brown] = (150, 110, 74)
    image = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    per_cm = 1e4 / 0.5
    with tifffile.TiffWriter(path) as f:
        f.write(
            image, tile=(256, 256), photometric="rgb", compression="jpeg",
            resolution=(per_cm, per_cm), resolutionunit="CENTIMETER",
        )  # fmt: skip
    return path
