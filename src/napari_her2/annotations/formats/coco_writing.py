"""COCO's JSON, written (see :mod:`~napari_her2.annotations.formats.coco`).

An outline without holes is a polygon, its parts are rings; with holes it is plain run lengths,
exact to a pixel. The outline itself and what COCO has no place for stand under ``napari_her2``,
which other tools pass over.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from pydantic_core import to_json
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.class_index import class_index
from napari_her2.annotations.formats.coco import OURS
from napari_her2.annotations.rasterise import mask_of_polygons
from napari_her2.annotations.schema import ClassSchema

__all__ = ["run_lengths", "write_coco"]

_STRIP_PIXELS: Final = 32_000_000
"""Pixels of a mask that are held at a time."""


def write_coco(
    f: BinaryIO,
    annotations: Sequence[Annotation],
    *,
    size: tuple[int, int],
    name: str,
    schema: ClassSchema | None = None,
) -> None:
    """Write areas into an open file, one after the other.

    Parameters
    ----------
    f : binary file
        UTF-8 is written to it.
    annotations : sequence of Annotation
        Areas only.
    size : (int, int)
        Width and height of the slide.
    name : str
        File name of the slide.
    schema : ClassSchema, optional
        Numbers of the classes; ``category_id`` 0 is "no class".
    """
    index = class_index(annotations, schema)
    head = {
        "info": {"description": "Annotations in level-0 pixels", "version": "1"},
        "images": [{"id": 1, "width": size[0], "height": size[1], "file_name": name}],
        "categories": [
            {"id": i, "name": n, "supercategory": ""} for i, n in enumerate(index.names, start=1)
        ],
    }
    f.write(to_json(head)[:-1] + b',"annotations":[')
    for number, a in enumerate(annotations, start=1):
        x0, y0, x1, y1 = a.geometry.bounds
        entry = {
            "id": number, "image_id": 1, "category_id": index.number(a.class_name),
            "bbox": [x0, y0, x1 - x0, y1 - y0], "area": a.geometry.area, "iscrowd": 0,
            "segmentation": _segmentation(a.geometry, size), OURS: _ours(a),
        }  # fmt: skip
        entry["iscrowd"] = int(isinstance(entry["segmentation"], dict))
        f.write((b",\n" if number > 1 else b"\n") + to_json(entry, inf_nan_mode="constants"))
    f.write(b"\n]}\n")


def _segmentation(geometry: BaseGeometry, size: tuple[int, int]) -> Any:
    parts = shapely.get_parts(geometry)
    if shapely.get_num_interior_rings(parts).any():
        return {"size": [size[1], size[0]], "counts": run_lengths(geometry, size)}
    return [shapely.get_coordinates(p.exterior)[:-1].ravel().tolist() for p in parts]


def _ours(a: Annotation) -> dict[str, Any]:
    texts = ("name", "note", "author", "created", "modified", "propagated_from")
    kept: dict[str, Any] = {"id": a.id, "object_type": a.object_type}
    kept.update((t, v) for t in texts if (v := getattr(a, t)))
    if a.measurements:
        kept["measurements"] = dict(a.measurements)
    if a.properties:
        kept["properties"] = dict(a.properties)
    if a.geometry.geom_type == "MultiPolygon" or a.geometry.interiors:
        kept["wkt"] = shapely.to_wkt(a.geometry, rounding_precision=-1)
    return kept


def run_lengths(geometry: BaseGeometry, size: tuple[int, int]) -> list[int]:
    """Runs of 0 and 1 of the pixels whose centre lies in an area, column after column.

    Parameters
    ----------
    geometry : shapely geometry
        Level-0 pixels.
    size : (int, int)
        Width and height of the whole image.

    Returns
    -------
    list of int
        The first counts zeros; together they are width times height.
    """
    width, height = size
    x0, y0, x1, y1 = geometry.bounds
    left, right = max(0, math.floor(x0)), min(width, math.ceil(x1))
    top, bottom = max(0, math.floor(y0)), min(height, math.ceil(y1))
    changes: list[NDArray[np.int64]] = []
    if left < right and top < bottom:
        step = max(1, _STRIP_PIXELS // (bottom - top))
        for x in range(left, right, step):
            columns = min(step, right - x)
            mask = mask_of_polygons(geometry, (bottom - top, columns), x, top).T
            edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
            column, row = np.nonzero(edges)
            changes.append((column + x).astype(np.int64) * height + top + row)
    at = np.concatenate([[0], *changes, [width * height]]).astype(np.int64)
    runs = np.diff(at)
    return _without_empty(runs)


def _without_empty(runs: NDArray[np.int64]) -> list[int]:
    """Join runs of one value with nothing of the other between them (at the ends of columns)."""
    joined = [int(runs[0])]
    i = 1
    while i < len(runs):
        if runs[i] == 0:
            # Nothing follows where the area ends in the last pixel.
            joined[-1] += int(runs[i + 1]) if i + 1 < len(runs) else 0
            i += 2
        else:
            joined.append(int(runs[i]))
            i += 1
    return joined
