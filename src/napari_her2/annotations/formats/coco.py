"""COCO's JSON, read: polygons, run lengths (plain and packed) and boxes.

Rings of a polygon are parts, joined, as COCO's own tools do; holes are only in run lengths, which
are exact to a pixel. Files of ours carry the outline itself as well, under ``napari_her2``.
Source: the COCO data format (cocodataset.org) and pycocotools' ``maskApi.c`` for packed counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import OBJECT_TYPES, Annotation
from napari_her2.annotations.formats.drafts import Draft, annotations_of
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.rasterise import polygons_of_mask
from napari_her2.annotations.well_known import geometry_from_wkt

__all__ = ["OURS", "counts_of_text", "read_coco"]

OURS: Final = "napari_her2"
"""Key of an entry for what COCO has no place for."""

_MASK_PIXELS: Final = 400_000_000
"""A coded area larger than this is not unpacked."""


def read_coco(document: Any, intake: Intake) -> list[Annotation]:
    """Read a COCO document.

    Parameters
    ----------
    document : object
        JSON values.
    intake : Intake
        Its ``slide_size`` chooses among several images.

    Returns
    -------
    list of Annotation
        Those of one image, in the order of the file.

    Raises
    ------
    BadAnnotationsError
        If it holds several images and none of them alone fits the slide.
    """
    entries = document.get("annotations") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise intake.refuse("it holds no list of annotations")
    image = _image(document.get("images"), intake)
    names = {
        str(c.get("id")): c.get("name")
        for c in _dicts(document.get("categories"))
        if isinstance(c.get("name"), str)
    }
    drafts = []
    for entry in entries:
        if not isinstance(entry, dict):
            intake.skip("not_object")
        elif image is None or entry.get("image_id", image) == image:
            drafts.append(_draft(entry, names))
    return annotations_of(drafts, intake)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _image(images: Any, intake: Intake) -> Any:
    """Id of the image to read; None for a file without images."""
    found = _dicts(images)
    if len(found) > 1:
        found = [i for i in found if intake.slide_size == _size(i)]
        if len(found) != 1:
            raise intake.refuse("it holds several images and the slide's size names none of them")
    if not found:
        return None
    intake.stated_size = _size(found[0])
    return found[0].get("id")


def _size(image: Mapping[str, Any]) -> tuple[int, int] | None:
    size = image.get("width"), image.get("height")
    good = all(isinstance(v, int) and 0 < v < 2**31 for v in size)
    return size if good else None  # type: ignore[return-value]


def _draft(entry: dict[str, Any], names: Mapping[str, Any]) -> Draft:
    ours = entry.get(OURS)
    ours = ours if isinstance(ours, dict) else {}
    number, kind = entry.get("category_id"), ours.get("object_type")
    properties = ours.get("properties")
    return Draft(
        _own_shape(ours) or _shape(entry),
        class_name=names.get(str(number), None if number in (None, 0) else f"category {number}"),
        id=ours.get("id") if isinstance(ours.get("id"), str) else None,
        object_type=kind if kind in OBJECT_TYPES else "annotation",
        measurements={
            k: float(v)
            for k, v in _dict(ours.get("measurements")).items()
            if isinstance(v, (int, float))
        },
        properties=_dict(properties),
        **{k: v for k in _TEXTS if isinstance(v := ours.get(k), str)},  # type: ignore[arg-type]
    )


_TEXTS: Final = ("name", "note", "author", "created", "modified", "propagated_from")


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _own_shape(ours: Mapping[str, Any]) -> BaseGeometry | None:
    try:
        return geometry_from_wkt(ours["wkt"])
    except (KeyError, TypeError, ValueError):
        return None


def _shape(entry: Mapping[str, Any]) -> BaseGeometry | str | None:
    segmentation = entry.get("segmentation")
    try:
        if isinstance(segmentation, dict):
            return _of_counts(segmentation)
        if segmentation:
            return _of_rings(segmentation)
        x, y, width, height = (float(v) for v in entry["bbox"])
    except KeyError:
        return None
    except (ValueError, TypeError, OverflowError):
        return "bad_shape"
    if not np.isfinite([x, y, width, height]).all():
        return "not_finite"
    return shapely.box(x, y, x + width, y + height)


def _of_rings(segmentation: Any) -> BaseGeometry | str:
    rings = [np.asarray(r, np.float64) for r in segmentation]
    parts = []
    for ring in rings:
        if ring.ndim != 1 or len(ring) % 2:
            return "bad_shape"
        if not np.isfinite(ring).all():
            return "not_finite"
        points = ring.reshape(-1, 2)
        if len(np.unique(points, axis=0)) >= 3:
            parts.append(shapely.Polygon(points))
    if not parts:
        return "few_points"
    if len(parts) == 1:
        return parts[0]
    return shapely.union_all([shapely.make_valid(p) for p in parts])


def _of_counts(segmentation: Mapping[str, Any]) -> BaseGeometry | str:
    """A coded mask: runs of 0 and 1, column after column."""
    height, width = (int(v) for v in segmentation["size"])
    counts = segmentation["counts"]
    runs = counts_of_text(counts) if isinstance(counts, str) else np.asarray(counts, np.int64)
    if runs.ndim != 1 or (runs < 0).any() or int(runs.sum()) != height * width or height <= 0:
        return "crowd"
    ends = np.cumsum(runs)
    starts = ends[0::2][: len(runs) // 2]
    stops = ends[1::2]
    filled = stops > starts
    starts, stops = starts[filled], stops[filled]
    if not len(starts):
        return "no_area"
    left, right = int(starts[0] // height), int((stops[-1] - 1) // height) + 1
    if (right - left) * height > _MASK_PIXELS:
        return "crowd"
    flat = np.zeros((right - left) * height + 1, np.int8)
    # Runs may touch after empty ones in between were left out: they are added up.
    np.add.at(flat, starts - left * height, 1)
    np.add.at(flat, stops - left * height, -1)
    mask = np.cumsum(flat[:-1], dtype=np.int8).reshape(right - left, height).T > 0
    polygons = polygons_of_mask(mask, x0=left)
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def counts_of_text(text: str) -> NDArray[np.int64]:
    """Unpack run lengths: five bits a character, differences from the last but one.

    Raises
    ------
    ValueError
        If the text ends within a number or holds other characters.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text.encode("ascii", "strict"):
        digit = character - 48
        if not 0 <= digit < 64 or shift > 60:
            msg = "not packed counts"
            raise ValueError(msg)
        value |= (digit & 31) << shift
        shift += 5
        if digit & 32:
            continue
        if digit & 16:
            value -= 1 << shift
        if len(counts) > 2:
            value += counts[-2]
        counts.append(value)
        value = shift = 0
    if shift:
        msg = "the packed counts end too early"
        raise ValueError(msg)
    return np.asarray(counts, np.int64)
