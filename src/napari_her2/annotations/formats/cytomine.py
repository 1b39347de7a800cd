"""Cytomine's JSON, read: the answer of its web service for one annotation or a collection.

The shape is well-known text under ``location``, in level-0 pixels from the lower left corner: y is
turned over with the height of the slide. A plain file of well-known text is read here too; its y
counts from the top, as everywhere else.
Source: Cytomine's web service (``annotation.json``, ``userannotation``).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.drafts import Draft, annotations_of
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.limits import text_of
from napari_her2.annotations.well_known import geometry_from_wkt

__all__ = ["read_cytomine", "read_wkt"]

_KEPT = ("id", "term", "image", "project", "user", "reviewed", "class")


def read_cytomine(document: Any, intake: Intake) -> list[Annotation]:
    """Read one annotation, a list of them, or an answer that holds a collection.

    Parameters
    ----------
    document : object
        JSON values.
    intake : Intake
        Its ``slide_size`` gives the height by which y is turned over; without it the objects are
        upside down, which is noted.

    Returns
    -------
    list of Annotation
        Terms are numbers in these files: they are the classes, as ``term 123``.
    """
    if isinstance(document, dict) and isinstance(document.get("collection"), list):
        document = document["collection"]
    entries = document if isinstance(document, list) else [document]
    drafts = [d for d in (_draft(e, intake) for e in entries) if d is not None]
    if intake.slide_size is None and drafts:
        intake.note("note_flipped")
    return annotations_of(drafts, intake)


def _draft(entry: Any, intake: Intake) -> Draft | None:
    if isinstance(entry, dict) and isinstance(entry.get("annotation"), dict):
        entry = entry["annotation"]
    if not isinstance(entry, dict):
        intake.skip("not_object")
        return None
    shape = _shape(entry.get("location"))
    if isinstance(shape, BaseGeometry) and intake.slide_size is not None:
        height = intake.slide_size[1]
        shape = shapely.transform(shape, lambda xy: np.column_stack([xy[:, 0], height - xy[:, 1]]))
    terms = entry.get("term")
    number = entry.get("id")
    return Draft(
        shape,
        class_name=f"term {terms[0]}" if isinstance(terms, list) and terms else None,
        id=str(number) if isinstance(number, (int, str)) else None,
        created=_time(entry.get("created")),
        modified=_time(entry.get("updated")),
        properties={"cytomine": {k: entry[k] for k in _KEPT if k in entry}},
    )


def _shape(text: Any) -> BaseGeometry | str | None:
    if not isinstance(text, str):
        return None
    try:
        shape = geometry_from_wkt(text)
    except (ValueError, TypeError):
        return "bad_shape"
    return None if shape is None else shapely.force_2d(shape)


def _time(milliseconds: Any) -> str:
    try:
        seconds = int(milliseconds) / 1000
        return dt.datetime.fromtimestamp(seconds, dt.UTC).isoformat()
    except (ValueError, TypeError, OverflowError, OSError):
        return ""


def read_wkt(data: bytes, intake: Intake) -> list[Annotation]:
    """Read well-known text, one shape a line, y from the top."""
    text, _ = text_of(data)
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    return annotations_of([Draft(_shape(line)) for line in lines], intake)
