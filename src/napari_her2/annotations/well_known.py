"""Well-known text and binary from outside: read only where that can't end the program.

GEOS reads collections within collections by calling itself, and a file of some 100 kB that nests
them 20,000 deep ends the process. Nobody draws such a thing, so depth is checked first.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from typing import Any, Final

import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

__all__ = ["geometries_from_wkb", "geometry_from_wkt"]

_MAX_DEPTH: Final = 16
_COLLECTION: Final = re.compile(r"collection", re.IGNORECASE)
_POINT, _LINE, _POLYGON, _COLLECTION_TYPE = 1, 2, 3, 7
_Z, _M, _SRID = 0x80000000, 0x40000000, 0x20000000


def geometry_from_wkt(text: str) -> BaseGeometry:
    """Read a geometry from well-known text.

    Raises
    ------
    ValueError
        If it is none, or nested deeper than anybody draws.
    """
    depth = deepest = 0
    if len(_COLLECTION.findall(text)) > 1:
        for c in text:
            depth += (c == "(") - (c == ")")
            deepest = max(deepest, depth)
    if deepest > _MAX_DEPTH:
        msg = "nested too deep"
        raise ValueError(msg)
    try:
        return shapely.from_wkt(text)
    except ShapelyError as e:
        raise ValueError(str(e)) from None


def geometries_from_wkb(many: Sequence[bytes]) -> Any:
    """Read geometries from well-known binary (ISO or EWKB).

    Returns
    -------
    ndarray of shapely geometries
        In the same order.

    Raises
    ------
    ValueError
        If one is none, or nested deeper than anybody draws.
    """
    for data in many:
        # Points, lines and polygons hold nothing that is read by recursion.
        if len(data) < 5 or _kind(data, 0)[0] > _POLYGON:
            _end(data, 0, 0)
    try:
        return shapely.from_wkb(many)
    except ShapelyError as e:
        raise ValueError(str(e)) from None


def _kind(data: bytes, at: int) -> tuple[int, str, int, int]:
    """Type, byte order, size of a coordinate and where the content begins."""
    order = "<" if data[at] else ">"
    (code,) = struct.unpack_from(f"{order}I", data, at + 1)
    kind = code & 0x1FFFFFFF
    more = kind // 1000
    axes = 2 + (bool(code & _Z) or more in {1, 3}) + (bool(code & _M) or more in {2, 3})
    return kind % 1000, order, 8 * axes, at + (9 if code & _SRID else 5)


def _end(data: bytes, at: int, depth: int) -> int:
    """Where a geometry ends; ValueError if it does not, or is nested too deep."""
    if depth > _MAX_DEPTH:
        msg = "nested too deep"
        raise ValueError(msg)
    try:
        kind, order, step, at = _kind(data, at)
        if kind == _POINT:
            return at + step
        (n,) = struct.unpack_from(f"{order}I", data, at)
        at += 4
        if kind == _LINE:
            return int(at + step * n)
        if kind > _COLLECTION_TYPE:
            msg = f"no such type of geometry: {kind}"
            raise ValueError(msg)
        for _ in range(n):
            if kind == _POLYGON:
                (corners,) = struct.unpack_from(f"{order}I", data, at)
                at += 4 + step * corners
            else:
                at = _end(data, at, depth + 1)
    except (struct.error, IndexError):
        msg = "cut off"
        raise ValueError(msg) from None
    return at
