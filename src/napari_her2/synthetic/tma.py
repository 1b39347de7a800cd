"""A tissue microarray: HER2-stained cores on a grid, some missing, some torn."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import UsageError
from napari_her2.synthetic.ihc import GENERATOR, SCORES, IhcScene, case_score
from napari_her2.synthetic.layout import CORE_MARGIN_UM
from napari_her2.synthetic.pyramid import SlideSpec, write_pyramid
from napari_her2.synthetic.stain import StainSet, her2_stains
from napari_her2.synthetic.truth import (
    RegionTruth,
    Truth,
    truth_paths,
    write_cells,
    write_json,
    write_regions,
)
from napari_her2.types import IhcScore, RgbImage

__all__ = ["Core", "tma_slide"]

_LARGEST_CORE_UM = 1200.0
_SMALLEST_CORE_UM = 250.0
_KEPT_SCENES = 16


@dataclass(frozen=True, slots=True)
class Core:
    """One place of the grid; pixels are level-0 pixels."""

    row: int
    col: int
    x: float
    y: float
    diameter: float
    state: Literal["present", "torn", "missing"]
    score: IhcScore
    seed: int

    @property
    def name(self) -> str:
        """Row letter and column number, e.g. ``B-3``."""
        return f"{chr(ord('A') + self.row % 26)}-{self.col + 1}"


class _Cores:
    """Pixels of all cores; keeps the scenes of about two rows of them."""

    def __init__(
        self, seed: int, cores: list[Core], side: int, mpp: float, stains: StainSet
    ) -> None:
        self._seed, self._cores, self._side, self._mpp = seed, cores, side, mpp
        self._stains = stains
        self._scenes: dict[tuple[int, int], IhcScene] = {}

    def scene(self, core: Core) -> IhcScene:
        """The scene of a core, drawn when first needed."""
        key = (core.row, core.col)
        if key not in self._scenes:
            while len(self._scenes) >= _KEPT_SCENES:
                self._scenes.pop(next(iter(self._scenes)))
            self._scenes[key] = IhcScene(
                core.seed, self._side * self._mpp, core.score,
                core="torn" if core.state == "torn" else "whole", tumour_share=0.75,
                stains=self._stains,
            )  # fmt: skip
        return self._scenes[key]

    def corner(self, core: Core) -> tuple[int, int]:
        """Level-0 pixel of the scene's top-left corner."""
        return round(core.x - self._side / 2), round(core.y - self._side / 2)

    def pixels(self, left: int, top: int, width: int, height: int) -> RgbImage:
        """A window in level-0 pixels."""
        rng = np.random.default_rng([401, self._seed, left, top])
        glass = np.array(self._stains.background, np.float32)
        grain = rng.standard_normal((height, width, 1), dtype=np.float32) * self._stains.noise
        out = np.clip(np.rint(glass + grain), 0, 255).astype(np.uint8)
        for core in self._cores:
            if core.state == "missing":
                continue
            x, y = self.corner(core)
            x0, x1 = max(left, x), min(left + width, x + self._side)
            y0, y1 = max(top, y), min(top + height, y + self._side)
            if x0 < x1 and y0 < y1:
                out[y0 - top : y1 - top, x0 - left : x1 - left] = self.scene(core).pixels(
                    self._mpp, x0 - x, y0 - y, x1 - x0, y1 - y0
                )
        return out


def _grid(rng: np.random.Generator, spec: SlideSpec, mpp: float) -> tuple[list[Core], int]:
    """Places and states of the cores; also the side of a core's scene in pixels."""
    extent = min(spec.width, spec.height) * mpp
    diameter = float(np.clip(extent / 5, _SMALLEST_CORE_UM, _LARGEST_CORE_UM))
    pitch = diameter * 1.45
    cols, rows = int(spec.width * mpp / pitch), int(spec.height * mpp / pitch)
    if cols < 1 or rows < 1:
        raise UsageError(
            "usage",
            detail=f"A tissue microarray needs at least {_SMALLEST_CORE_UM * 1.45:.0f} µm of "
            "glass: give a larger --size or --mpp.",
        )
    left = (spec.width - (cols - 1) * pitch / mpp) / 2
    top = (spec.height - (rows - 1) * pitch / mpp) / 2
    cores = []
    for row in range(rows):
        for col in range(cols):
            u = rng.random()
            state: Literal["present", "torn", "missing"] = (
                "missing" if u < 0.10 else "torn" if u < 0.20 else "present"
            )
            wobble = rng.normal(0, 0.025 * diameter / mpp, 2)
            cores.append(
                Core(
                    row,
                    col,
                    left + col * pitch / mpp + float(wobble[0]),
                    top + row * pitch / mpp + float(wobble[1]),
                    diameter / mpp,
                    state,
                    SCORES[int(rng.integers(4))],
                    int(rng.integers(2**31)),
                )
            )
    return cores, round((diameter + 2 * CORE_MARGIN_UM) / mpp)


def tma_slide(seed: int, spec: SlideSpec, mpp: float, out: Path) -> Truth:
    """Draw a HER2 tissue microarray and write it with the truth of every core and cell."""
    rng = np.random.default_rng([402, seed])
    cores, side = _grid(rng, spec, mpp)
    stains = her2_stains(rng)
    source = _Cores(seed, cores, side, mpp, stains)
    write_pyramid(source, spec, out)
    rows: list[dict[str, Any]] = []
    regions: list[RegionTruth] = []
    paths = truth_paths(out)

    def cells() -> Iterator[dict[str, NDArray[Any]]]:
        for core in cores:
            record: dict[str, Any] = {
                "name": core.name, "row": core.row, "col": core.col, "x_px": round(core.x, 2),
                "y_px": round(core.y, 2), "diameter_px": round(core.diameter, 2),
                "state": core.state, "score": None, "percent": None, "tumour_cells": 0,
            }  # fmt: skip
            if core.state != "missing":
                scene = source.scene(core)
                table = scene.cell_table()
                corner = np.array(source.corner(core), np.float64)
                xy = np.stack([table.pop("x_um"), table.pop("y_um")], 1) / mpp + corner
                percent = {k: round(v, 3) for k, v in scene.percent().items()}
                tumour = int(np.char.startswith(table["class"], "tumour").sum())
                record.update(percent=percent, tumour_cells=tumour)
                record["score"] = case_score(percent) if tumour else None
                n = len(xy)
                yield {
                    "x_px": xy[:, 0], "y_px": xy[:, 1], **table, "core": np.full(n, core.name)
                }  # fmt: skip
            rows.append(record)
            regions.append(_core_region(core, record))

    count = write_cells(paths[2], cells())
    write_regions(paths[1], regions)
    document = write_json(
        paths[0],
        {
            "slide": out.name,
            "kind": "tma",
            "generator": GENERATOR,
            "seed": seed,
            "width": spec.width,
            "height": spec.height,
            "mpp": {"x": mpp, "y": mpp, "stated": spec.mpp is not None},
            "downsamples": list(spec.downsamples),
            "stain": "H-DAB",
            "stains": stains.describe(),
            "cores": rows,
            "regions": len(regions),
            "cells": count,
        },
    )
    return Truth(out, *paths, statuses={}, document=document)


def _core_region(core: Core, record: dict[str, Any]) -> RegionTruth:
    t = np.linspace(0, 2 * np.pi, 65)[:-1]
    ring = np.stack(
        [core.x + core.diameter / 2 * np.cos(t), core.y + core.diameter / 2 * np.sin(t)], 1
    )
    name = "missing" if core.state == "missing" else str(record["score"])
    return RegionTruth(
        name,
        "core",
        (ring,),
        {
            "objectType": "tmaCore",
            "name": core.name,
            "isMissing": core.state == "missing",
            "state": core.state,
        },
    )
