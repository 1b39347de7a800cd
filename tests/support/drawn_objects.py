"""Annotations of every kind, to be written and read again."""

from __future__ import annotations

import shapely

from napari_her2.annotations.annotation import Annotation

HOLE = shapely.box(50, 50, 90, 90.5)


def every_kind() -> list[Annotation]:
    """Areas with holes and in parts, points, lines, a cell; awkward texts and numbers."""
    box = shapely.box
    return [
        Annotation(
            geometry=box(10.25, 10.5, 200.125, 300).difference(HOLE),
            class_name="tumour 3+",
            id="1b6a7f0e-3c5a-4c56-9b1b-5a0f5f5b0001",
            name="=cmd|' /C calc'!A0",
            note='two\nlines, "quoted"',
            author="R1",
            created="2026-01-01T00:00:00+00:00",
            locked=True,
            colour=(1, 2, 3),
            class_colour=(9, 8, 7),
            measurements={"Area µm^2": 1.5, "n": 1 / 3},
            properties={"foo": [1, {"a": None}]},
        ),
        Annotation(
            geometry=shapely.MultiPolygon([box(300, 300, 350, 350.3), box(400, 400, 450, 480)]),
            class_name="stroma",
        ),
        Annotation(geometry=shapely.Point(3.3, 4.4), class_name="immune", object_type="detection"),
        Annotation(geometry=shapely.MultiPoint([(1, 2), (3, 4.123456789012345)])),
        Annotation(
            geometry=shapely.LineString([(1, 2), (3, 4), (9, 9.1)]), class_name='odd <&"> é'
        ),
        Annotation(
            geometry=box(500, 500, 600, 600),
            nucleus=box(520, 520, 550, 550),
            object_type="cell",
            class_name="tumour 1+",
            propagated_from="S1",
        ),
    ]


def same_shape(a: Annotation, b: Annotation, tolerance: float = 1e-6) -> bool:
    """Whether two have the same outline, holes and parts; where a ring begins is no matter."""
    mine, theirs = a.geometry.normalize(), b.geometry.normalize()
    return bool(mine.equals_exact(theirs, tolerance))
