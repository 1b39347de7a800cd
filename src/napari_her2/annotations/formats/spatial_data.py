"""SpatialData, written: areas and points as shapes with their classes. Needs the extra `interop`.

Source: spatialdata 0.5 and later (scverse), ``ShapesModel``.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import shapely

from napari_her2.annotations.annotation import Annotation
from napari_her2.errors import MissingExtraError

__all__ = ["KEEPS", "write_spatialdata"]

_TAKEN: Final = ("id", "class", "object_type", "name", "geometry", "radius")

KEEPS: Final = frozenset({"class", "name", "id", "measurements"})


def write_spatialdata(
    folder: Path, annotations: Sequence[Annotation], mpp: tuple[float, float] | None = None
) -> None:
    """Write a SpatialData store.

    Parameters
    ----------
    folder : Path
        Must not exist.
    annotations : sequence of Annotation
        Areas become the shapes ``regions``, points ``points`` (of radius 1); lines are left out.
    mpp : (float, float), optional
        Micrometres per pixel: adds the coordinate system ``micrometers`` to ``global`` (pixels).

    Raises
    ------
    MissingExtraError
        Without the package.
    """
    try:
        geopandas, spatialdata, models, transformations = (
            import_module(name)
            for name in (
                "geopandas", "spatialdata", "spatialdata.models", "spatialdata.transformations"
            )
        )  # fmt: skip
    except ImportError:
        raise MissingExtraError(
            "missing_extra", feature="SpatialData export", package="spatialdata", extra="interop"
        ) from None
    places: dict[str, Any] = {"global": transformations.Identity()}
    if mpp is not None:
        places["micrometers"] = transformations.Scale(list(mpp), axes=("x", "y"))
    shapes = {}
    areas = [(a, a.geometry) for a in annotations if a.is_area]
    points = [
        (a, p)
        for a in annotations
        if a.geometry.geom_type in {"Point", "MultiPoint"}
        for p in shapely.get_parts(a.geometry)
    ]
    for name, rows in (("regions", areas), ("points", points)):
        if not rows:
            continue
        columns = _columns([a for a, _ in rows])
        if name == "points":
            columns["radius"] = [1.0] * len(rows)
        frame = geopandas.GeoDataFrame(columns, geometry=[g for _, g in rows])
        shapes[name] = models.ShapesModel.parse(frame, transformations=dict(places))
    spatialdata.SpatialData(shapes=shapes).write(folder)


def _columns(annotations: Sequence[Annotation]) -> dict[str, Any]:
    names = dict.fromkeys(n for a in annotations for n in a.measurements)
    return {
        "id": [a.id for a in annotations],
        "class": [a.class_name or "" for a in annotations],
        "object_type": [a.object_type for a in annotations],
        "name": [a.name for a in annotations],
        **{
            f"measurement {n}" if n in _TAKEN else n: [
                a.measurements.get(n, float("nan")) for a in annotations
            ]
            for n in names
        },
    }
