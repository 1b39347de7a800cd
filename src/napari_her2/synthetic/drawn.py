"""Regions of one class each on a synthetic slide, as a careful reader would draw them.

The truth's own regions are nests and stroma as they grew: lymphocytes sit in nests, stroma runs
between glands. To learn from drawn regions (Vandenberghe 2017, Methods) each must hold one class.
So here every place belongs to the nearest true cell, and a region is where neighbours agree; what
does not fit is left out or cut out as a hole.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pyarrow.parquet as pq
from shapely.geometry import Polygon, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import unary_union

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.interchange import write_annotations
from napari_her2.annotations.rasterise import mask_of_polygons, polygons_of_mask
from napari_her2.annotations.schema import load_schema
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.synthetic.truth import truth_paths
from napari_her2.types import BIOMARKERS, BoolMask

__all__ = ["draw_regions", "drawn_path"]

_GRID_UM: Final = 4.0
_REACH_UM: Final = 14.0
_STROMA_REACH_UM: Final = 30.0
"""How far from a cell's centre a place still belongs to it; fibroblasts lie further apart."""
_LEAST_UM2: Final = 2500.0
_LEAST_ARTEFACT_UM2: Final = 400.0
_LEAST_TISSUE_UM2: Final = 20_000.0
_LARGEST_PX: Final = 16_384
_AUTHOR: Final = "synthetic truth"


def drawn_path(slide: Path) -> Path:
    """Path of the drawn regions that lie beside a slide."""
    return slide.with_name(f"{slide.name}.drawn.geojson")


def draw_regions(slide: Path, kind: str, size: tuple[int, int], mpp: tuple[float, float]) -> bool:
    """Write regions of one class each beside a written slide; larger slides get none.

    On a HER2 slide they are of the seven classes of cells. On H&E they are tumour by the status of
    each biomarker (``ER+``, ``ER-`` ...), and ``non-tumour``.

    Parameters
    ----------
    slide : Path
        The slide; its truth lies beside it.
    kind : {"he", "her2-ihc"}
        What was drawn.
    size : tuple of int
        Width and height, level-0 pixels.
    mpp : tuple of float
        Micrometres per pixel, of x and of y.

    Returns
    -------
    bool
        Whether there is a file.
    """
    if max(size) > _LARGEST_PX:
        return False
    draw = _cells if kind == "her2-ihc" else _tumour
    schema = load_schema("her2-cells" if kind == "her2-ihc" else "biomarker-regions")
    drawn = [
        Annotation(
            geometry=polygon,
            class_name=name,
            id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{slide.name}/drawn/{i}")),
            author=_AUTHOR,
        )
        for i, (name, polygon) in enumerate(draw(slide, size, mpp))
    ]
    write_annotations(drawn_path(slide), drawn, to="geojson", schema=schema)
    return True


class _Places:
    """Which class the nearest cell has, on a grid over the slide."""

    def __init__(self, slide: Path, size: tuple[int, int], mpp: tuple[float, float]) -> None:
        table = pq.read_table(truth_paths(slide)[2], columns=["x_px", "y_px", "class"])
        x = table["x_px"].to_numpy() * mpp[0] / _GRID_UM
        y = table["y_px"].to_numpy() * mpp[1] / _GRID_UM
        self.names = np.asarray(table["class"].to_pylist(), object)
        height = max(1, int(np.ceil(size[1] * mpp[1] / _GRID_UM)))
        width = max(1, int(np.ceil(size[0] * mpp[0] / _GRID_UM)))
        self.px = (_GRID_UM / mpp[0], _GRID_UM / mpp[1])
        empty = np.ones((height, width), np.uint8)
        inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        rows, cols = y[inside].astype(np.intp), x[inside].astype(np.intp)
        empty[rows, cols] = 0
        owner = np.zeros((height, width), np.intp)
        owner[rows, cols] = np.flatnonzero(inside)
        self.nearest = np.full((height, width), -1, np.intp)
        if len(rows):
            far, label = cv2.distanceTransformWithLabels(
                empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
            )
            of_label = np.zeros(int(label.max()) + 1, np.intp)
            of_label[label[rows, cols]] = owner[rows, cols]
            of_place = of_label[label]
            reach = np.where(self.names == "stroma", _STROMA_REACH_UM, _REACH_UM)
            self.nearest = np.where(far * _GRID_UM <= reach[of_place], of_place, -1)

    def of(self, names: set[str]) -> BoolMask:
        """Where the nearest cell is of one of some classes."""
        table = np.append(np.isin(self.names, sorted(names)), np.False_)
        return np.asarray(table[self.nearest], bool)

    def regions(self, mask: BoolMask, least_um2: float, opening: int) -> Iterator[Polygon]:
        """Outlines of what is wide enough, in level-0 pixels."""
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (opening, opening))
        opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=4)
        for i in range(1, count):
            if stats[i, cv2.CC_STAT_AREA] * _GRID_UM**2 < least_um2:
                continue
            left, top, width, height = (int(v) for v in stats[i, :4])
            part = labels[top : top + height, left : left + width] == i
            x0, y0 = left * self.px[0], top * self.px[1]
            yield from polygons_of_mask(part, x0, y0, self.px, smooth=0.75)


def _cells(
    slide: Path, size: tuple[int, int], mpp: tuple[float, float]
) -> Iterator[tuple[str, Polygon]]:
    places = _Places(slide, size, mpp)
    for name in CELL_CLASSES[:-1]:
        for polygon in places.regions(places.of({name}), _LEAST_UM2, 3):
            yield name, polygon
    # Precipitate is dust without centres of its own: a patch of it is artefact but for its cells.
    grid = places.nearest.shape
    patches = mask_of_polygons(_regions_of(slide, "artefact"), grid, 0, 0, places.px)
    clear = patches & ~places.of(set(CELL_CLASSES[:-1]))
    for polygon in places.regions(clear, _LEAST_ARTEFACT_UM2, 1):
        yield CELL_CLASSES[-1], polygon


def _regions_of(slide: Path, name: str) -> list[BaseGeometry]:
    return [
        shape(f["geometry"]).buffer(0)
        for f in _features(slide)
        if f["properties"]["classification"]["name"] == name
    ]


def _features(slide: Path) -> list[dict[str, Any]]:
    document = json.loads(truth_paths(slide)[1].read_text(encoding="utf-8"))
    return list(document["features"])


def _tumour(
    slide: Path, size: tuple[int, int], mpp: tuple[float, float]
) -> Iterator[tuple[str, Polygon]]:
    nests = [
        (shape(f["geometry"]).buffer(0), f["properties"]["statuses"])
        for f in _features(slide)
        if "statuses" in f["properties"]
    ]
    for biomarker in BIOMARKERS:
        for geometry, statuses in nests:
            sign = "+" if statuses[biomarker] == "positive" else "-"
            for part in getattr(geometry, "geoms", (geometry,)):
                if isinstance(part, Polygon):
                    yield f"{biomarker}{sign}", part
    places = _Places(slide, size, mpp)
    other = places.of(set(places.names.tolist()) - {"tumour", "artefact"})
    grown = cv2.morphologyEx(other.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    tumour = unary_union([g for g, _ in nests]).buffer(40 / mpp[0])
    for polygon in places.regions(np.asarray(grown > 0, bool), _LEAST_TISSUE_UM2, 9):
        left = polygon.difference(tumour)
        for part in getattr(left, "geoms", (left,)):
            if isinstance(part, Polygon) and part.area * mpp[0] * mpp[1] >= _LEAST_TISSUE_UM2:
                yield "non-tumour", part
