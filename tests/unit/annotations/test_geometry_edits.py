"""What tools do to outlines: nothing is lost, nothing invented, everything valid."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from made_annotations import circles
from shapely.geometry import LineString, MultiPolygon, Point, Polygon

from napari_her2.annotations.geometry_edits import (
    brush_stroke,
    cut_out,
    extend,
    fill_holes,
    merge,
    polygons_in,
    repair,
    simplify_for_drawing,
    split,
    subtract,
)

few = settings(max_examples=40, deadline=None)
# A 64th of a pixel is finer than any mouse, and far from where doubles run out of bits.
coordinates = st.integers(-6400, 70400).map(lambda n: n / 64)
places = st.tuples(coordinates, coordinates)
wild_rings = st.lists(places, min_size=3, max_size=12)


def area(geometry):
    return 0.0 if geometry is None else geometry.area


def sound(geometry):
    return geometry is None or (
        geometry.is_valid and geometry.geom_type in {"Polygon", "MultiPolygon"}
    )


@few
@given(circles(), st.lists(places, min_size=2, max_size=4, unique=True))
def test_parts_of_a_split_make_up_the_whole(polygon, corners):
    parts = split(polygon, LineString(corners))
    assert all(sound(p) for p in parts)
    assert sum(p.area for p in parts) == pytest.approx(polygon.area, rel=1e-9)
    assert area(merge(parts)) == pytest.approx(polygon.area, rel=1e-9)
    for i, p in enumerate(parts):
        assert all(p.intersection(q).area < 1e-6 for q in parts[:i])


def test_split_along_a_line_that_goes_through():
    ring = Polygon([(0, 0), (90, 0), (90, 90), (0, 90)], [[(30, 30), (60, 30), (60, 60), (30, 60)]])
    left, right = sorted(split(ring, LineString([(45, -9), (45, 99)])), key=lambda p: p.bounds)
    assert (left.area, right.area) == (3600, 3600)
    assert left.bounds == (0, 0, 45, 90)


def test_a_line_that_ends_inside_cuts_nothing():
    square = shapely.box(0, 0, 90, 90)
    assert split(square, LineString([(-9, 45), (45, 45)])) == (square,)
    ring = square.difference(shapely.box(30, 30, 60, 60))
    assert split(ring, LineString([(-9, 45), (45, 45)])) == (ring,)


def test_only_the_part_that_a_line_crosses_is_cut():
    two = MultiPolygon([shapely.box(0, 0, 10, 10), shapely.box(20, 0, 30, 10)])
    parts = split(two, LineString([(5, -5), (5, 15)]))
    assert len(parts) == 3
    assert parts[-1].equals_exact(two.geoms[1])


@few
@given(st.lists(circles(), min_size=1, max_size=4))
def test_merge_covers_what_any_of_them_covers(polygons):
    merged = merge(polygons)
    assert sound(merged)
    assert merged.area == pytest.approx(shapely.union_all(polygons).area, rel=1e-9)
    assert all(merged.buffer(1e-6).covers(p) for p in polygons)


def test_neighbours_become_one_piece_and_strangers_stay_two():
    assert merge([shapely.box(0, 0, 5, 5), shapely.box(5, 0, 9, 5)]).geom_type == "Polygon"
    assert merge([shapely.box(0, 0, 5, 5), shapely.box(6, 0, 9, 5)]).geom_type == "MultiPolygon"
    assert merge([]) is None


@few
@given(circles(), circles())
def test_what_is_cut_away_and_what_is_left_make_up_the_whole(a, b):
    left = subtract(a, b)
    assert sound(left)
    assert area(left) + a.intersection(b).area == pytest.approx(a.area, rel=1e-9, abs=1e-6)
    assert area(extend(a, b)) == pytest.approx(area(left) + b.area, rel=1e-9, abs=1e-6)


def test_a_cut_makes_a_hole_a_bay_two_parts_or_leaves_nothing():
    square = shapely.box(0, 0, 90, 90)
    assert len(cut_out(square, shapely.box(30, 30, 60, 60)).interiors) == 1
    assert len(cut_out(square, shapely.box(-9, 30, 60, 60)).interiors) == 0
    assert len(cut_out(square, shapely.box(-9, 30, 99, 60)).geoms) == 2
    assert cut_out(square, shapely.box(-9, -9, 99, 99)) is None


@few
@given(wild_rings)
def test_repair_makes_valid_what_encloses_at_least_the_odd_places(corners):
    ring = Polygon(corners)
    repaired = repair(ring)
    assert sound(repaired.geometry)
    odd = sum(p.area for p in polygons_in(shapely.make_valid(ring)))
    assert area(repaired.geometry) >= odd - 1e-6 * max(1.0, odd)
    assert area(repaired.geometry) <= ring.convex_hull.area * (1 + 1e-9)
    assert repaired.parts == (len(polygons_in(repaired.geometry)) if repaired.geometry else 0)
    if ring.is_valid:
        assert (repaired.geometry, repaired.changed) == (ring, False)


def test_a_figure_of_eight_is_two_parts():
    eight = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    repaired = repair(eight)
    assert (repaired.parts, repaired.changed, repaired.geometry.area) == (2, True, 50)


def test_a_loop_whose_end_runs_over_its_start_gets_no_hole():
    turn = np.linspace(0, 2 * np.pi + 0.5, 60)
    radius = np.linspace(100, 90, 60)
    loop = Polygon(np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1))
    assert not loop.is_valid
    repaired = repair(loop)
    assert repaired.parts == 1
    assert not polygons_in(repaired.geometry)[0].interiors


def test_an_outline_without_area_is_nothing():
    flat = Polygon([(0, 0), (5, 5), (10, 10)])
    assert (repair(flat).geometry, repair(flat).parts) == (None, 0)
    with np.errstate(invalid="ignore"):
        nowhere = Polygon([(0, 0), (np.nan, 5), (10, 10)])
    assert repair(nowhere).geometry is None


def test_points_and_lines_need_no_repair():
    assert repair(Point(1, 2)).geometry == Point(1, 2)
    assert not repair(LineString([(0, 0), (1, 1)])).changed


@few
@given(st.lists(places, min_size=1, max_size=8), st.floats(0.5, 80))
def test_a_stroke_covers_where_the_brush_was_and_no_more(points, radius):
    stroke = brush_stroke(points, radius)
    assert sound(stroke)
    path = LineString(points) if len(set(points)) > 1 else Point(points[0])
    on_the_way = shapely.segmentize(path, radius / 2)
    dabs = [Point(xy).buffer(radius * 0.97) for xy in shapely.get_coordinates(on_the_way)[:200]]
    assert all(stroke.covers(dab) for dab in dabs)
    corners = shapely.points(shapely.get_coordinates(stroke))
    assert shapely.distance(path, corners).max() <= radius * 1.0101


def test_a_dab_with_a_trembling_hand_is_a_whole_disc():
    step = 1 / 64
    dab = brush_stroke([(-step, 0), (0, 0), (0, -step), (0, step), (-step, 0)], 1)
    assert dab.area == pytest.approx(np.pi, rel=0.03)


def test_a_stroke_round_something_has_a_hole():
    ring = brush_stroke([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)], 10)
    assert len(ring.interiors) == 1
    assert len(fill_holes(ring).interiors) == 0
    assert len(fill_holes(ring, smaller_than=100).interiors) == 1


@pytest.mark.parametrize(("points", "radius"), [([], 5), ([(0, 0)], 0), ([(np.inf, 0)], 5)])
def test_no_stroke_without_points_and_radius(points, radius):
    with pytest.raises(ValueError, match="a stroke needs"):
        brush_stroke(points, radius)


def test_what_lies_in_a_hole_becomes_part_of_the_whole_when_it_is_filled():
    ring = shapely.box(0, 0, 90, 90).difference(shapely.box(10, 10, 80, 80))
    island = shapely.box(40, 40, 50, 50)
    assert fill_holes(MultiPolygon([ring, island])).equals(shapely.box(0, 0, 90, 90))


@few
@given(circles(), st.floats(0.1, 50))
def test_a_simpler_outline_stays_close(polygon, tolerance):
    simple = simplify_for_drawing(polygon, tolerance)
    assert simple.is_valid
    assert simple.geom_type == polygon.geom_type
    assert len(simple.interiors) == len(polygon.interiors)
    assert shapely.get_num_coordinates(simple) <= shapely.get_num_coordinates(polygon)
    assert shapely.distance(simple, polygon) <= tolerance
    assert polygon.buffer(tolerance * 1.001).covers(simple.boundary)
    assert simplify_for_drawing(polygon, 0) is polygon


def test_outlines_that_cross_themselves_are_repaired_before_they_are_used():
    eight = Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    assert area(merge([eight, shapely.box(0, 0, 10, 10)])) == 100
    assert area(subtract(eight, shapely.box(0, 0, 5, 10))) == 25
    assert area(subtract(shapely.box(0, 0, 10, 10), eight)) == 50
    assert len(split(eight, LineString([(-5, 5), (15, 5)]))) in {3, 4}
