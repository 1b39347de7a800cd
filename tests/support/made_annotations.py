"""Annotations for tests: plain squares, and whatever hypothesis thinks of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import shapely
from hypothesis import strategies as st

from napari_her2.annotations.annotation import OBJECT_TYPES, Annotation

NAMES = ("tumour 0", "tumour 3+", "stroma", None)

floats = st.floats(-1e7, 1e7, allow_nan=False).map(lambda v: v + 0.0)
texts = st.text(max_size=12)
colours = st.none() | st.tuples(*[st.integers(0, 255)] * 3)
measured = st.dictionaries(texts, st.floats(allow_nan=True, allow_infinity=True), max_size=3)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)


def square(x: float, name: str | None = "tumour 3+", y: float = 0.0, size: float = 10.0, **more):
    return Annotation(geometry=shapely.box(x, y, x + size, y + size), class_name=name, **more)


@st.composite
def circles(draw: Any, place: float = 1000.0) -> Any:
    """A polygon around a centre, with a hole or without."""
    x, y = draw(st.floats(0, place)), draw(st.floats(0, place))
    radius, corners = draw(st.floats(1, 200)), draw(st.integers(3, 12))
    turn = np.linspace(0, 2 * math.pi, corners, endpoint=False) + draw(st.floats(0, 6))
    ring = np.stack([np.cos(turn), np.sin(turn)], -1)
    share = draw(st.sampled_from([0.0, 0.3]))
    holes = [ring * radius * share + (x, y)] if share else None
    return shapely.Polygon(ring * radius + (x, y), holes)


def geometries() -> Any:
    points = st.tuples(floats, floats)
    return st.one_of(
        circles(),
        st.lists(circles(), min_size=2, max_size=3).map(shapely.MultiPolygon),
        points.map(shapely.Point),
        st.lists(points, min_size=1, max_size=4).map(shapely.MultiPoint),
        st.lists(points, min_size=2, max_size=5, unique=True).map(shapely.LineString),
    )


def annotations() -> Any:
    return st.builds(
        Annotation,
        geometry=geometries(),
        class_name=st.none() | texts,
        object_type=st.sampled_from(OBJECT_TYPES),
        name=texts,
        note=texts,
        author=texts,
        created=texts,
        locked=st.booleans(),
        colour=colours,
        class_colour=colours,
        nucleus=st.none() | circles(),
        measurements=measured,
        propagated_from=st.none() | texts,
        properties=st.dictionaries(texts, json_values, max_size=3),
    )
