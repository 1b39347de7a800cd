"""Well-known text and binary from outside never end the program."""

from __future__ import annotations

import struct

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from made_annotations import geometries

from napari_her2.annotations.interchange import read_annotations
from napari_her2.annotations.well_known import geometries_from_wkb, geometry_from_wkt

COLLECTION = shapely.GeometryCollection([shapely.Point(1, 2), shapely.box(0, 0, 1, 1)])


@settings(max_examples=50, deadline=None)
@given(geometries(), st.sampled_from([0, 1]), st.sampled_from(["extended", "iso"]))
def test_what_is_sound_is_read_as_it_is(geometry, order, flavor):
    for g in (geometry, shapely.force_3d(geometry, 7.0)):
        data = shapely.to_wkb(g, byte_order=order, flavor=flavor)
        (found,) = geometries_from_wkb([data])
        assert shapely.to_wkb(found) == shapely.to_wkb(g)
    assert geometry_from_wkt(geometry.wkt).geom_type == geometry.geom_type


def test_collections_as_people_write_them_are_read():
    (found,) = geometries_from_wkb(
        [shapely.to_wkb(shapely.set_srid(COLLECTION, 4326), include_srid=True)]
    )
    assert found.equals(COLLECTION)
    two = shapely.GeometryCollection([COLLECTION, shapely.Point(9, 9)])
    assert geometry_from_wkt(two.wkt) == two


@pytest.mark.parametrize("code", [4, 5, 6, 7, 1007, 0x80000007])
def test_nests_without_end_are_refused_and_not_followed(code):
    bomb = struct.pack("<BII", 1, code, 1) * 100_000 + shapely.to_wkb(shapely.Point(0, 0))
    with pytest.raises(ValueError, match="nested too deep"):
        geometries_from_wkb([bomb])


def test_nested_text_is_refused():
    n = 100_000
    with pytest.raises(ValueError, match="nested too deep"):
        geometry_from_wkt("GEOMETRYCOLLECTION(" * n + "POINT(0 0)" + ")" * n)


def test_a_table_with_such_text_costs_that_row_only(tmp_path):
    n = 30_000
    bomb = "GEOMETRYCOLLECTION(" * n + "POINT(0 0)" + ")" * n
    path = tmp_path / "labels.csv"
    path.write_text(f'id,class,wkt\na,x,"POINT (1 2)"\nb,x,"{bomb}"\n', encoding="utf-8")
    found = read_annotations(path)
    assert [a.geometry for a in found.annotations] == [shapely.Point(1, 2)]
    assert sum(s.n for s in found.skipped) == 1


@pytest.mark.parametrize("text", ["", "POLYGON((", "POINT(1 x)", "(" * 5000, "CIRCLE(0 0, 5)"])
def test_what_is_no_text_of_a_geometry_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011  the words are those of GEOS
        geometry_from_wkt(text)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_bytes_are_a_geometry_or_refused(data):
    good = shapely.to_wkb(COLLECTION)
    body = bytearray(good[: data.draw(st.integers(0, len(good)))])
    for _ in range(data.draw(st.integers(0, 3)) if body else 0):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        (found,) = geometries_from_wkb([bytes(body)])
    except ValueError:
        return
    assert isinstance(found, shapely.Geometry)
