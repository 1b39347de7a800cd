"""Cells as GeoJSON in QuPath's dialect: one detection each, level-0 pixels, x then y."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEW_CELLS", "OUTLINED_CELLS", "cells_geojson_writer"]

FEW_CELLS: Final = 20_000
"""Up to so many cells the file is written unasked: it takes about 1 kB a cell."""

OUTLINED_CELLS: Final = 200_000
"""Above so many cells each is a point: outlines would take over 150 MB, which no viewer opens."""

_NAMESPACE: Final = uuid.UUID("0f3c1b9e-6a60-5d0a-9b0f-2f5f3b7a4c55")
_AT_ONCE: Final = 2_000


def cells_geojson_writer(
    columns: Mapping[str, NDArray[Any]],
    classes: Sequence[str],
    names: Mapping[str, str],
    colours: Mapping[str, tuple[int, int, int]],
) -> Callable[[BinaryIO], None]:
    """Give the function that writes the cells into an open file, a few at a time.

    Parameters
    ----------
    columns : mapping of str to ndarray
        First axis = cells; ``nucleus_radii`` (level-0 pixels) gives the outlines.
    classes : sequence of str
        Names that ``class`` refers to.
    names, colours : mapping
        By class: what QuPath calls it, and its colour.
    """
    labels = [
        json.dumps({"name": names.get(c, c), "color": list(colours.get(c, (128, 128, 128)))})
        for c in classes
    ]
    measured = [
        name
        for name, values in columns.items()
        if values.ndim == 1 and values.dtype.kind == "f" and name not in {"x_px", "y_px"}
    ]
    n = len(columns["x_px"])

    def fill(f: BinaryIO) -> None:
        f.write(b'{"type": "FeatureCollection", "features": [\n')
        for at in range(0, n, _AT_ONCE):
            rows = slice(at, min(at + _AT_ONCE, n))
            places = _geometries(columns, rows, outlined=n <= OUTLINED_CELLS)
            values = [columns[name][rows].astype(np.float64).tolist() for name in measured]
            labelled = columns["class"][rows].tolist()
            features = [
                _feature(place, labels[labelled[i]], measured, [v[i] for v in values])
                for i, place in enumerate(places)
            ]
            f.write((",\n" if at else "").encode() + ",\n".join(features).encode())
        f.write(b"\n]}\n")

    return fill


def _geometries(columns: Mapping[str, NDArray[Any]], rows: slice, *, outlined: bool) -> list[str]:
    x, y = columns["x_px"][rows], columns["y_px"][rows]
    if not outlined or "nucleus_radii" not in columns:
        places = np.stack([x, y], axis=1).tolist()
        return [f'{{"type": "Point", "coordinates": [{px:.2f}, {py:.2f}]}}' for px, py in places]
    radii = columns["nucleus_radii"][rows]
    k = radii.shape[1]
    angle = 2 * np.pi * np.arange(k + 1) / k
    closed = np.concatenate([radii, radii[:, :1]], axis=1)
    ring = np.stack(
        [x[:, None] + closed * np.cos(angle), y[:, None] + closed * np.sin(angle)], axis=2
    )
    # The last point is the first to the digit, or the ring is not closed.
    ring[:, -1] = ring[:, 0]
    pattern = ", ".join(["[%.1f, %.1f]"] * (k + 1))
    return [
        '{"type": "Polygon", "coordinates": [[' + pattern % tuple(points) + "]]}"
        for points in ring.reshape(len(ring), -1).tolist()
    ]


def _feature(place: str, label: str, measured: Sequence[str], values: Sequence[float]) -> str:
    pairs = zip(measured, values, strict=True)
    # JSON knows no NaN: what was not measured is left out.
    numbers = ", ".join(f'"{name}": {value:.5g}' for name, value in pairs if np.isfinite(value))
    return (
        f'{{"type": "Feature", "id": "{uuid.uuid5(_NAMESPACE, place)}", "geometry": {place}, '
        f'"properties": {{"objectType": "detection", "classification": {label}, '
        f'"measurements": {{{numbers}}}}}}}'
    )
