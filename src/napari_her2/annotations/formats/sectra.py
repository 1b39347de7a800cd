"""Sectra's JSON (PathologyCore), read.

Points are shares of the slide's width, in x and in y. The file states the area of a shape in mm2:
where the slide's pixel size is known, it tells whether y is a share of the height instead.
Source: files of Sectra PathologyCore; no description is public, so the area decides.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.drafts import Draft, annotations_of, outline
from napari_her2.annotations.formats.intake import Intake
from napari_her2.errors import BadAnnotationsError

__all__ = ["read_sectra"]

_AREA: Final = re.compile(r"^\s*([0-9]+(?:[.,][0-9]+)?)\s*(mm|µm|μm|um)(?:²|2)\s*$")
_FURTHEST: Final = 1000.0
_TOLERANCE: Final = 0.05
_KEPT: Final = ("type", "slideId", "result", "persistentId", "readOnly", "favorite")
_LINES: Final = ("Line", "Polyline", "Distance", "Arrow", "Ruler")


def read_sectra(document: Any, intake: Intake) -> list[Annotation]:
    """Read one annotation or a list of them.

    Parameters
    ----------
    document : object
        JSON values.
    intake : Intake
        Needs ``slide_size``.

    Raises
    ------
    BadAnnotationsError
        If the size of the slide is not known.
    """
    if intake.slide_size is None:
        raise BadAnnotationsError(
            "annotations_need", name=intake.path.name, what="its slide",
            how="the slide they were drawn on (--slide)",
        )  # fmt: skip
    entries = document if isinstance(document, list) else [document]
    drafts = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("content"), list):
            drafts.append(_draft(entry, intake))
        else:
            intake.skip("not_object")
    return annotations_of(drafts, intake)


def _draft(entry: dict[str, Any], intake: Intake) -> Draft:
    name, number, changed = entry.get("name"), entry.get("id"), entry.get("modifiedAt")
    author = entry.get("modifiedInfo")
    return Draft(
        _shape(entry, intake),
        id=number if isinstance(number, str) else None,
        name=name if isinstance(name, str) else "",
        author=author if isinstance(author, str) else "",
        modified=changed if isinstance(changed, str) else "",
        locked=entry.get("readOnly") is True,
        properties={"sectra": {k: entry[k] for k in _KEPT if k in entry}},
    )


def _shape(entry: dict[str, Any], intake: Intake) -> BaseGeometry | str | None:
    assert intake.slide_size is not None
    try:
        points = np.array([(float(p["x"]), float(p["y"])) for p in entry["content"]], np.float64)
    except (TypeError, ValueError, KeyError, OverflowError):
        return "bad_shape"
    if not len(points):
        return None
    if not np.isfinite(points).all():
        return "not_finite"
    if np.abs(points).max() > _FURTHEST:
        return "far"
    width, height = intake.slide_size
    by_width = points * width
    if len(points) == 1:
        return shapely.Point(by_width[0])
    if entry.get("type") in _LINES or len(points) == 2:
        return shapely.LineString(by_width)
    stated = _stated_area(entry, intake)
    if stated is not None:
        by_both = points * [width, height]
        if not _fits(by_width, stated) and _fits(by_both, stated):
            return outline(by_both)
    return outline(by_width)


def _stated_area(entry: dict[str, Any], intake: Intake) -> float | None:
    """Square level-0 pixels, if file and slide tell."""
    found = _AREA.match(str(entry.get("result")))
    if found is None or intake.mpp is None:
        return None
    um2 = float(found[1].replace(",", ".")) * (1e6 if found[2] == "mm" else 1.0)
    return um2 / (intake.mpp[0] * intake.mpp[1])


def _fits(points: NDArray[np.float64], area: float) -> bool:
    return abs(float(shapely.Polygon(points).area) - area) <= _TOLERANCE * area
