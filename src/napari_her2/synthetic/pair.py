"""Serial sections: one tissue as H&E and as HER2, with a known smooth warp between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import UsageError
from napari_her2.synthetic.he import GENERATOR, HeScene
from napari_her2.synthetic.he_slide import cell_columns, on_slide, tumour_regions
from napari_her2.synthetic.ihc import IhcScene
from napari_her2.synthetic.ihc_slide import write_ihc
from napari_her2.synthetic.pyramid import SlideSpec, write_pyramid
from napari_her2.synthetic.sources import SceneSource
from napari_her2.synthetic.truth import (
    Truth,
    truth_paths,
    write_cells,
    write_json,
    write_regions,
)
from napari_her2.synthetic.warp import WarpedSource, random_warp
from napari_her2.types import BIOMARKERS, Biomarker

__all__ = ["pair_slides", "partner_path"]

_LARGEST_PX = 16_384
_LARGEST_UM = 9_000.0
_LANDMARKS = 80


def partner_path(out: Path) -> Path:
    """Where the HER2 section of a pair lies."""
    return out.with_name(f"{out.stem}_her2{out.suffix}")


def _landmarks(path: Path, points_px: NDArray[np.float64]) -> None:
    rows = [f"{i},{x:.3f},{y:.3f}" for i, (x, y) in enumerate(points_px)]
    path.write_text("\n".join(["index,X,Y", *rows]) + "\n", encoding="utf-8")


def pair_slides(
    seed: int,
    spec: SlideSpec,
    mpp: float,
    out: Path,
    statuses: Mapping[Biomarker, bool] | None,
    heterogeneous: bool | None,
    tumour_share: float,
) -> Truth:
    """Write an H&E slide, its HER2 neighbour and the truth of both. See ``write_slide``.

    Raises
    ------
    UsageError
        If the pair is larger than 16,384 px or 9 mm: pairs are drawn whole, never as a mosaic.
    """
    extent = (spec.width * mpp, spec.height * mpp)
    if max(spec.width, spec.height) > _LARGEST_PX or max(extent) > _LARGEST_UM:
        raise UsageError(
            "usage", detail="A pair may be at most 16384 px and 9 mm wide: give a smaller --size."
        )
    fixed = HeScene(seed, extent, statuses, heterogeneous=heterogeneous, tumour_share=tumour_share)
    moving = IhcScene(seed, extent, tissue=fixed.tissue)
    warp = random_warp(seed, *extent)
    partner = partner_path(out)
    cells = fixed.tissue.nuclei
    rng = np.random.default_rng([302, seed])
    pick = rng.permutation(len(cells))
    points = np.stack([cells.x, cells.y], 1)[pick]
    moved = warp.to_moving(points)
    inside = (points > 0).all(1) & (points < extent).all(1)
    inside &= (moved > 0).all(1) & (moved < extent).all(1)
    points, moved = points[inside][:_LANDMARKS], moved[inside][:_LANDMARKS]
    link = {
        "fixed": out.name,
        "moving": partner.name,
        "warp": warp.describe(),
        "landmarks": {
            "fixed": f"{out.name}.landmarks.csv",
            "moving": f"{partner.name}.landmarks.csv",
            "n": len(points),
        },
    }

    paths = truth_paths(out)
    write_pyramid(SceneSource(fixed, mpp, mpp), spec, out)
    regions = tumour_regions(fixed.tissue, mpp, mpp)
    document = write_json(
        paths[0],
        {
            "slide": out.name,
            "kind": "pair",
            "generator": GENERATOR,
            "seed": seed,
            "width": spec.width,
            "height": spec.height,
            "mpp": {"x": mpp, "y": mpp, "stated": spec.mpp is not None},
            "downsamples": list(spec.downsamples),
            "stain": "H&E",
            "stains": fixed.stains.describe(),
            "layout": "whole",
            "statuses": {
                b: "positive" if fixed.slide_statuses[b] else "negative" for b in BIOMARKERS
            },
            "regions": write_regions(paths[1], regions),
            "cells": write_cells(
                paths[2], [on_slide(cell_columns(cells, mpp, mpp), spec.width, spec.height)]
            ),
            "pair": link,
        },
    )
    second = write_ihc(
        moving,
        WarpedSource(moving, warp, mpp),
        lambda p: warp.to_moving(p) / mpp,
        replace(spec, title=spec.title.replace("pair", "pair, HER2")),
        mpp,
        mpp,
        partner,
        {"layout": "whole", "pair": link},
    )
    _landmarks(out.with_name(f"{out.name}.landmarks.csv"), points / mpp)
    _landmarks(partner.with_name(f"{partner.name}.landmarks.csv"), moved / mpp)
    return Truth(out, *paths, statuses=fixed.slide_statuses, partner=second, document=document)
