"""Synthetic slides as training material: pixels at 2 µm/px and truth, kept in a cache folder."""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

TILE_MPP = 2.0
LABEL_UM = 16.0
LABEL_PX = round(LABEL_UM / TILE_MPP)
BIOMARKERS = ("ER", "PR", "HER2")


@dataclass(frozen=True)
class Split:
    """Seeds of one part of the material; parts share no seed.

    Sizes and source pixel sizes take turns. Slides of every source are reduced to 2 µm/px, so that
    the network learns from the same tissue as scanned at 20x, 10x and 5x.
    """

    seeds: tuple[int, ...]
    sizes_um: tuple[float, ...]
    sources_mpp: tuple[float, ...]


TRAIN = Split(tuple(range(1000, 1120)), (2400, 3200, 4000), (1.0, 2.0, 1.0, 2.0, 0.5))
TUNE = Split(tuple(range(2000, 2040)), (4000,), (1.0,))
TEST = Split(tuple(range(9000, 9048)), (4800,), (1.0, 1.0, 1.0, 0.5))


@dataclass(frozen=True)
class Slide:
    """One synthetic slide.

    Attributes
    ----------
    seed : int
        Of the generator.
    rgb : ndarray of uint8
        Shape (height, width, 3) at 2 µm/px; sides are multiples of 8.
    labels : ndarray of int8
        Shape (3, height / 8, width / 8), pixels of 16 µm, in the order ER, PR, HER2: 0 positive
        tumour, 1 negative tumour, 2 other tissue, -1 glass.
    statuses : dict of str to bool
        Truth of the slide.
    """

    seed: int
    rgb: NDArray[np.uint8]
    labels: NDArray[np.int8]
    statuses: dict[str, bool]


def _draw(job: tuple[int, float, float, Path]) -> Path:
    seed, size_um, mpp, target = job
    if target.with_name(target.name + ".json").exists():
        return target
    from napari_her2.synthetic.he import HeScene

    cv2.setNumThreads(1)
    scene = HeScene(seed, size_um)
    rgb = scene.render(mpp)
    over = round(TILE_MPP / mpp)
    side = int(size_um / LABEL_UM) * LABEL_PX
    if over > 1:
        rgb = rgb[: side * over, : side * over]
        rgb = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
    maps = scene.label_map(LABEL_UM)
    cells = side // LABEL_PX
    labels = np.stack([maps[b][:cells, :cells] for b in BIOMARKERS])
    np.save(target.with_name(target.name + ".rgb.npy"), rgb[:side, :side])
    np.save(target.with_name(target.name + ".labels.npy"), labels.astype(np.int8))
    truth = {b: bool(scene.slide_statuses[b]) for b in BIOMARKERS}
    target.with_name(target.name + ".json").write_text(
        json.dumps({"seed": seed, "mpp": mpp, **truth})
    )
    return target


def build(split: Split, cache: Path, processes: int = 2) -> list[Path]:
    """Draw the slides of a split that are not in the cache yet."""
    cache.mkdir(parents=True, exist_ok=True)
    jobs = []
    for i, seed in enumerate(split.seeds):
        size = split.sizes_um[i % len(split.sizes_um)]
        mpp = split.sources_mpp[i % len(split.sources_mpp)]
        jobs.append((seed, size, mpp, cache / f"{seed}-{size:g}-{mpp:g}"))
    started = time.monotonic()
    out = []
    with multiprocessing.get_context("spawn").Pool(processes) as workers:
        for i, path in enumerate(workers.imap(_draw, jobs), 1):
            out.append(path)
            if i % 20 == 0 or i == len(jobs):
                print(f"{i}/{len(jobs)} slides, {time.monotonic() - started:.0f} s", flush=True)
    return out


def cache_folder(given: Path | None) -> Path:
    """Where drawn slides are kept: outside the repository, one folder per generator version."""
    from napari_her2.settings import get_settings
    from napari_her2.synthetic.he import GENERATOR

    return (given or get_settings().cache_dir / "demo-training") / GENERATOR


def load(paths: Iterable[Path]) -> list[Slide]:
    """Read slides from the cache."""
    slides = []
    for path in paths:
        facts = json.loads(path.with_name(path.name + ".json").read_text())
        slides.append(
            Slide(
                facts["seed"],
                np.load(path.with_name(path.name + ".rgb.npy")),
                np.load(path.with_name(path.name + ".labels.npy")),
                {b: facts[b] for b in BIOMARKERS},
            )
        )
    return slides
