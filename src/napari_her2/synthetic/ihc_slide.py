"""One HER2 slide: pixels, regions of one class each, cells with their membranes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.he_slide import on_slide
from napari_her2.synthetic.ihc import CLASSES, GENERATOR, MIXED, SCORES, IhcScene, case_score
from napari_her2.synthetic.layout import COARSE_UM
from napari_her2.synthetic.mosaic import Mosaic, turn_points
from napari_her2.synthetic.nuclei import Kind
from napari_her2.synthetic.pyramid import PixelSource, SlideSpec, write_pyramid
from napari_her2.synthetic.sources import SceneSource
from napari_her2.synthetic.truth import (
    SPECK_UM2,
    RegionTruth,
    Truth,
    specks,
    truth_paths,
    write_cells,
    write_json,
    write_regions,
)
from napari_her2.types import BIOMARKERS, Biomarker, IhcScore

__all__ = ["class_regions", "ihc_slide", "ihc_truth", "write_ihc"]

Floats = NDArray[np.float64]
Mapper = Callable[[Floats], Floats]
"""Maps points (n, 2), x then y, from µm of the scene to level-0 pixels."""

_WHOLE_PX = 10_240
_WHOLE_UM = 6_000.0
_BLOCK_UM = 3_000.0
_SMALLEST_CELLS = 60
"""Regions under this many pixels of the coarse map (256 µm² each) are left out."""


def class_regions(scene: IhcScene, to_px: Mapper) -> list[RegionTruth]:
    """Areas that hold one class each: tumour scores, stroma, immune aggregates, artefacts."""
    layout = scene.tissue.layout
    tissue = layout.tissue > 0
    tumour = (layout.region > 0) & tissue
    cells = scene.tissue.nuclei
    shape = layout.region.shape
    immune = _density(cells.x, cells.y, cells.kind == Kind.IMMUNE, shape) > 2200
    normal = _density(cells.x, cells.y, cells.kind == Kind.NORMAL, shape) > 150
    masks: list[tuple[str, str, NDArray[np.bool_]]] = [
        (f"tumour {s}", "tumour", tumour & (scene.patches == k)) for k, s in enumerate(SCORES)
    ]
    masks.append(("tumour mixed", "tumour", tumour & (scene.patches == MIXED)))
    masks.append(("stroma", "stroma", tissue & ~tumour & ~immune & ~normal & (layout.fat < 0)))
    masks.append(("immune", "immune", tissue & ~tumour & immune))
    masks.append(("artefact", "artefact", scene.artefact_map))
    out = []
    for name, kind, mask in masks:
        clean = mask & ~scene.artefact_map if kind != "artefact" else mask
        least = 6 if kind == "artefact" else _SMALLEST_CELLS
        opened = cv2.morphologyEx(
            clean.astype(np.uint8),
            cv2.MORPH_OPEN,
            np.ones((3, 3) if kind != "artefact" else (1, 1)),
        )
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
        for i in range(1, count):
            if stats[i, cv2.CC_STAT_AREA] < least:
                continue
            outline = _outline(labels == i)
            if outline is not None:
                area = stats[i, cv2.CC_STAT_AREA] * COARSE_UM**2 / 1e6
                out.append(
                    RegionTruth(name, kind, (to_px(outline),), {"area_mm2": round(float(area), 5)})
                )
    return out


def _density(
    x: Floats, y: Floats, chosen: NDArray[np.bool_], shape: tuple[int, ...]
) -> NDArray[np.float64]:
    """Cells per mm², smoothed over about 40 µm."""
    grid, _, _ = np.histogram2d(
        y[chosen], x[chosen], bins=shape,
        range=((0, shape[0] * COARSE_UM), (0, shape[1] * COARSE_UM)),
    )  # fmt: skip
    return np.asarray(cv2.GaussianBlur(grid, (0, 0), 2.5) / (COARSE_UM**2 / 1e6))


def _outline(mask: NDArray[np.bool_]) -> Floats | None:
    """Outer outline in µm along the pixel edges' inner side."""
    found, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    ring = max(found, key=len)[:, 0].astype(np.float64)
    if len(ring) < 4:
        return None
    return np.asarray((ring + 0.5) * COARSE_UM)


def _columns(scene: IhcScene, to_px: Mapper) -> dict[str, NDArray[Any]]:
    table = scene.cell_table()
    xy = to_px(np.stack([table.pop("x_um"), table.pop("y_um")], 1))
    return {"x_px": xy[:, 0], "y_px": xy[:, 1], **table}


def _percent(counts: Mapping[str, int]) -> dict[IhcScore, float]:
    total = max(1, sum(counts[f"tumour {s}"] for s in SCORES))
    return {s: round(100 * counts[f"tumour {s}"] / total, 3) for s in SCORES}


def _count(columns: Mapping[str, NDArray[Any]]) -> dict[str, int]:
    return {name: int((columns["class"] == name).sum()) for name in CLASSES}


def ihc_truth(
    scene: IhcScene,
    spec: SlideSpec,
    mpp: float,
    mpp_y: float,
    counts: Mapping[str, int],
    speck_count: int,
) -> dict[str, Any]:
    """What the JSON of a HER2 slide holds."""
    percent = _percent(counts)
    statuses = scene.tissue.slide_statuses
    return {
        "generator": GENERATOR,
        "seed": scene.seed,
        "width": spec.width,
        "height": spec.height,
        "mpp": {"x": mpp, "y": mpp_y, "stated": spec.mpp is not None},
        "downsamples": list(spec.downsamples),
        "stain": "H-DAB",
        "stains": scene.stains.describe(),
        "statuses": {b: "positive" if statuses[b] else "negative" for b in BIOMARKERS},
        "counts": dict(counts),
        "specks": speck_count,
        "tumour_cells": sum(counts[f"tumour {s}"] for s in SCORES),
        "percent": percent,
        "score": case_score(percent),
        "score_rule": "breast 2018: more than 10 % of tumour cells",
        "units": {
            "membrane_od": "absorbance, base 10, along the unit DAB vector, before blur",
            "membrane_completeness": "stained share of the perimeter, 0 to 1",
            "specks": f"artefacts under {SPECK_UM2:g} µm², flagged: neither to be found nor missed",
        },
    }


def write_ihc(
    scene: IhcScene,
    source: PixelSource,
    to_px: Mapper,
    spec: SlideSpec,
    mpp: float,
    mpp_y: float,
    out: Path,
    more: Mapping[str, Any],
) -> Truth:
    """Write pixels, regions, cells and JSON of a scene seen through ``to_px``."""
    paths = truth_paths(out)
    columns = on_slide(_columns(scene, to_px), spec.width, spec.height)
    write_pyramid(source, spec, out)
    regions = write_regions(paths[1], class_regions(scene, to_px))
    cells = write_cells(paths[2], [columns])
    document = write_json(
        paths[0],
        {
            "slide": out.name,
            "kind": "her2-ihc",
            **ihc_truth(scene, spec, mpp, mpp_y, _count(columns), int(specks(columns).sum())),
            "regions": regions,
            "cells": cells,
            **more,
        },
    )
    return Truth(out, *paths, statuses=scene.tissue.slide_statuses, document=document)


def ihc_slide(
    seed: int,
    spec: SlideSpec,
    mpp: float,
    mpp_y: float,
    out: Path,
    score: IhcScore | None,
    statuses: Mapping[Biomarker, bool] | None,
    tumour_share: float,
) -> Truth:
    """Draw a HER2 slide and write it with its truth. See ``write_slide``."""
    extent = (spec.width * mpp, spec.height * mpp_y)
    small = max(spec.width, spec.height) <= _WHOLE_PX and max(extent) <= _WHOLE_UM
    if small or mpp != mpp_y:
        scene = IhcScene(seed, extent, score, statuses=statuses, tumour_share=tumour_share)
        scale = np.array([1 / mpp, 1 / mpp_y])
        return write_ihc(
            scene, SceneSource(scene, mpp, mpp_y), lambda p: p * scale, spec, mpp, mpp_y, out,
            {"layout": "whole"},
        )  # fmt: skip
    return _mosaic_slide(seed, spec, mpp, out, score, statuses, tumour_share)


def _mosaic_slide(
    seed: int,
    spec: SlideSpec,
    mpp: float,
    out: Path,
    score: IhcScore | None,
    statuses: Mapping[Biomarker, bool] | None,
    tumour_share: float,
) -> Truth:
    block = int(min(6144, _BLOCK_UM / mpp) // 512 * 512)
    first = IhcScene(
        seed, block * mpp, score, statuses=statuses, full=True, tumour_share=tumour_share
    )
    second = IhcScene(
        seed + 1_000_003, block * mpp, score, statuses=statuses, full=True,
        tumour_share=tumour_share, stains=first.stains,
    )  # fmt: skip
    scenes = [first, second]
    mosaic = Mosaic(seed, scenes, block, mpp, spec.width, spec.height, first.stains.background)
    tables = [_columns(s, lambda p: p / mpp) for s in scenes]
    areas = [class_regions(s, lambda p: p / mpp) for s in scenes]
    parts, regions = [], []
    counts = dict.fromkeys(CLASSES, 0)
    for place in mosaic.each():
        corner = np.array([place.left, place.top])
        table = tables[place.scene]
        xy = np.stack([table["x_px"], table["y_px"]], 1)
        own = (xy >= 0).all(1) & (xy < block).all(1)
        xy = turn_points(xy, block, place.variant) + corner
        ok = own & mosaic.inside(xy)
        part = {k: v[ok] for k, v in table.items()}
        part["x_px"], part["y_px"] = xy[ok, 0], xy[ok, 1]
        for name, n in _count(part).items():
            counts[name] += n
        parts.append(part)
        for area in areas[place.scene]:
            rings = tuple(turn_points(o, block, place.variant) + corner for o in area.outlines)
            if mosaic.inside(np.concatenate(rings)).all():
                regions.append(RegionTruth(area.name, area.kind, rings, area.properties))
    paths = truth_paths(out)
    write_pyramid(mosaic, spec, out)
    document = write_json(
        paths[0],
        {
            "slide": out.name,
            "kind": "her2-ihc",
            **ihc_truth(first, spec, mpp, mpp, counts, sum(int(specks(p).sum()) for p in parts)),
            "regions": write_regions(paths[1], regions),
            "cells": write_cells(paths[2], parts),
            "layout": "mosaic",
        },
    )
    return Truth(out, *paths, statuses=first.tissue.slide_statuses, document=document)
