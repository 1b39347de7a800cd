"""One H&E slide: pixels, regions, nuclei."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.synthetic.he import GENERATOR, HeScene
from napari_her2.synthetic.morphology import draw_statuses
from napari_her2.synthetic.mosaic import Mosaic, turn_points
from napari_her2.synthetic.nuclei import Kind, Nuclei
from napari_her2.synthetic.pyramid import PixelSource, SlideSpec, write_pyramid
from napari_her2.synthetic.sources import SceneSource
from napari_her2.synthetic.tissue import Tissue
from napari_her2.synthetic.truth import (
    RegionTruth,
    Truth,
    truth_paths,
    write_cells,
    write_json,
    write_regions,
)
from napari_her2.types import BIOMARKERS, Biomarker

__all__ = ["cell_columns", "he_slide", "on_slide", "tumour_regions"]

_WHOLE_PX = 16_384
_WHOLE_UM = 9_000.0
_BLOCK_UM = 6_000.0
_KIND_NAMES = {
    Kind.TUMOUR: "tumour", Kind.MITOSIS: "tumour", Kind.STROMA: "stroma", Kind.IMMUNE: "immune",
    Kind.NORMAL: "normal", Kind.ENDOTHELIUM: "stroma", Kind.DEBRIS: "artefact",
}  # fmt: skip


def tumour_regions(
    tissue: Tissue, mpp: float, mpp_y: float, first_number: int = 0
) -> list[RegionTruth]:
    """Tumour regions in level-0 pixels, all statuses in the properties."""
    scale = np.array([1 / mpp, 1 / mpp_y])
    out = []
    for region in tissue.layout.regions:
        look = region.morphology
        out.append(
            RegionTruth(
                status_name(region.statuses),
                "tumour",
                tuple(o * scale for o in region.outlines_um),
                {
                    "region": first_number + region.number,
                    "statuses": {b: "positive" if region.statuses[b] else "negative"
                                 for b in BIOMARKERS},
                    "area_mm2": round(region.area_mm2, 4),
                    "morphology": {
                        "architecture": look.architecture,
                        "comedo_necrosis": look.comedo,
                        "nucleus_um": round(look.nucleus_um, 2),
                        "desmoplasia": round(look.desmoplasia, 2),
                        "tils_per_mm2": round(look.tils),
                        "in_situ_ducts_per_mm2": round(look.dcis, 2),
                    },
                },
            )
        )  # fmt: skip
    return out


def status_name(statuses: Mapping[Biomarker, bool]) -> str:
    """Class name of a tumour region, e.g. ``ER+ PR- HER2-``."""
    return " ".join(f"{b}{'+' if statuses[b] else '-'}" for b in BIOMARKERS)


def cell_columns(cells: Nuclei, mpp: float, mpp_y: float) -> dict[str, NDArray[Any]]:
    """Columns of the cell table that every stain has, level-0 pixels."""
    names = np.array([_KIND_NAMES.get(k, "other") for k in Kind])
    return {
        "x_px": cells.x / mpp,
        "y_px": cells.y / mpp_y,
        "class": names[cells.kind],
        "nucleus_area_um2": cells.area_um2,
        "region": cells.region.astype(np.int32),
    }


def on_slide(columns: Mapping[str, NDArray[Any]], width: int, height: int) -> dict[str, Any]:
    """Rows whose point lies on the slide."""
    x, y = columns["x_px"], columns["y_px"]
    ok = (x >= 0) & (y >= 0) & (x < width) & (y < height)
    return {k: v[ok] for k, v in columns.items()}


def he_slide(
    seed: int,
    spec: SlideSpec,
    mpp: float,
    mpp_y: float,
    out: Path,
    statuses: Mapping[Biomarker, bool] | None,
    heterogeneous: bool | None,
    tumour_share: float,
) -> Truth:
    """Draw an H&E slide and write it with its truth. See ``write_slide``."""
    extent = (spec.width * mpp, spec.height * mpp_y)
    whole = max(spec.width, spec.height) <= _WHOLE_PX and max(extent) <= _WHOLE_UM
    paths = truth_paths(out)
    source: PixelSource
    if whole or mpp != mpp_y:
        scene = HeScene(
            seed, extent, statuses, heterogeneous=heterogeneous, tumour_share=tumour_share
        )
        source = SceneSource(scene, mpp, mpp_y)
        regions = tumour_regions(scene.tissue, mpp, mpp_y)
        cells = iter(
            [on_slide(cell_columns(scene.tissue.nuclei, mpp, mpp_y), spec.width, spec.height)]
        )
        slide_statuses, layout = scene.slide_statuses, "whole"
        stains = scene.stains
    else:
        block = int(min(6144, _BLOCK_UM / mpp) // 512 * 512)
        main = dict(statuses) if statuses else draw_statuses(np.random.default_rng([106, seed]))
        stains = HeScene(seed, 400.0).stains
        scenes = [
            HeScene(
                seed * 1009 + k, block * mpp, main, heterogeneous=False,
                tumour_share=tumour_share, full=True, stains=stains,
            )
            for k in range(2)
        ]  # fmt: skip
        mosaic = Mosaic(
            seed, scenes, block, mpp, spec.width, spec.height,
            stains.background,
        )  # fmt: skip
        source = mosaic
        regions = list(_mosaic_regions(mosaic, scenes, mpp))
        cells = _mosaic_cells(mosaic, scenes, mpp)
        slide_statuses, layout = main, "mosaic"
    write_pyramid(source, spec, out)
    write_regions(paths[1], regions)
    count = write_cells(paths[2], cells)
    document = write_json(
        paths[0],
        {
            "slide": out.name,
            "kind": "he",
            "generator": GENERATOR,
            "seed": seed,
            "width": spec.width,
            "height": spec.height,
            "mpp": {"x": mpp, "y": mpp_y, "stated": spec.mpp is not None},
            "downsamples": list(spec.downsamples),
            "stain": "H&E",
            "stains": stains.describe(),
            "layout": layout,
            "statuses": {b: "positive" if slide_statuses[b] else "negative" for b in BIOMARKERS},
            "heterogeneous": len({r.name for r in regions}) > 1,
            "regions": len(regions),
            "cells": count,
        },
    )
    return Truth(out, *paths, statuses=dict(slide_statuses), document=document)


def _mosaic_regions(mosaic: Mosaic, scenes: list[HeScene], mpp: float) -> Iterator[RegionTruth]:
    number = 0
    for place in mosaic.each():
        for region in tumour_regions(scenes[place.scene].tissue, mpp, mpp):
            corner = np.array([place.left, place.top])
            outlines = tuple(
                turn_points(o, mosaic.block_px, place.variant) + corner for o in region.outlines
            )
            centre = np.concatenate(outlines).mean(0, keepdims=True)
            if mosaic.inside(centre)[0]:
                number += 1
                yield RegionTruth(
                    region.name, region.kind, outlines, {**region.properties, "region": number}
                )


def _mosaic_cells(
    mosaic: Mosaic, scenes: list[HeScene], mpp: float
) -> Iterator[dict[str, NDArray[Any]]]:
    tables = [cell_columns(s.tissue.nuclei, mpp, mpp) for s in scenes]
    side = mosaic.block_px
    for place in mosaic.each():
        table = tables[place.scene]
        xy = np.stack([table["x_px"], table["y_px"]], 1)
        own = (xy >= 0).all(1) & (xy < side).all(1)
        xy = turn_points(xy, side, place.variant) + np.array([place.left, place.top])
        ok = own & mosaic.inside(xy)
        part = {k: v[ok] for k, v in table.items()}
        part["x_px"], part["y_px"] = xy[ok, 0], xy[ok, 1]
        yield part
