"""Masks to outlines and back: the same pixels, in the same place."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from made_annotations import circles
from scipy.ndimage import label

from napari_her2.annotations.geometry_edits import split
from napari_her2.annotations.rasterise import fill, mask_of_polygons, polygons_of_mask

few = settings(max_examples=60, deadline=None)
masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=9))


@few
@given(masks, st.floats(-1e5, 1e5), st.sampled_from([1.0, 16.0, 7.3, (2.0, 3.5)]))
def test_a_mask_becomes_outlines_and_the_same_mask_again(mask, x0, px):
    polygons = polygons_of_mask(mask, x0, -x0 / 3, px)
    assert all(p.is_valid for p in polygons)
    assert len(polygons) == label(mask)[1]
    step_x, step_y = px if isinstance(px, tuple) else (px, px)
    assert sum(p.area for p in polygons) == pytest.approx(mask.sum() * step_x * step_y, rel=1e-6)
    np.testing.assert_array_equal(mask_of_polygons(polygons, mask.shape, x0, -x0 / 3, px), mask)


def test_outlines_run_along_the_edges_of_pixels():
    mask = np.zeros((5, 6), bool)
    mask[1:4, 2:5] = True
    mask[2, 3] = False
    (ring,) = polygons_of_mask(mask, 100, 200, 10)
    assert ring.equals(shapely.box(120, 210, 150, 240).difference(shapely.box(130, 220, 140, 230)))


def test_regions_that_touch_at_a_corner_are_two():
    polygons = polygons_of_mask(np.eye(2, dtype=bool))
    assert [p.bounds for p in polygons] == [(0, 0, 1, 1), (1, 1, 2, 2)]


def test_an_empty_mask_has_no_outlines():
    assert polygons_of_mask(np.zeros((4, 4), bool)) == []
    assert polygons_of_mask(np.zeros((0, 4), bool)) == []
    with pytest.raises(ValueError, match="two axes"):
        polygons_of_mask(np.zeros((2, 2, 2), bool))
    with pytest.raises(ValueError, match="pixel size"):
        polygons_of_mask(np.ones((2, 2), bool), px=0)


def test_smooth_outlines_stay_within_what_was_asked_for():
    y, x = np.mgrid[:60, :60]
    mask = np.hypot(x - 30, y - 30) < 22
    (stairs,) = polygons_of_mask(mask, px=4)
    (smooth,) = polygons_of_mask(mask, px=4, smooth=0.75)
    assert shapely.get_num_coordinates(smooth) < shapely.get_num_coordinates(stairs) / 2
    assert shapely.hausdorff_distance(stairs, smooth) <= 3.0
    assert smooth.area == pytest.approx(stairs.area, rel=0.03)


@few
@given(circles(place=60.0))
def test_a_pixel_is_inside_if_its_centre_is(polygon):
    mask = mask_of_polygons(polygon, (40, 50), 10, 5, 1.5)
    y, x = np.mgrid[:40, :50]
    x_px, y_px = 10 + (x + 0.5) * 1.5, 5 + (y + 0.5) * 1.5
    truth = shapely.contains_xy(polygon, x_px, y_px)
    # On an outline itself rounding decides.
    close = shapely.distance(polygon.boundary, shapely.points(x_px, y_px)) < 1e-9
    np.testing.assert_array_equal(mask[~close], truth[~close])


@few
@given(circles(place=60.0), st.floats(0, 60), st.floats(0, 60))
def test_neighbours_share_no_pixel_and_leave_none_out(polygon, a, b):
    parts = split(polygon, shapely.LineString([(a, -500), (b, 500)]))
    counts = sum(mask_of_polygons(p, (80, 80)).astype(int) for p in parts)
    assert counts.max(initial=0) <= 1
    whole = mask_of_polygons(polygon, (80, 80))
    # A cut puts new corners on old edges, and these are rounded.
    assert np.count_nonzero(counts.astype(bool) != whole) <= 1


def test_values_are_written_in_order_and_counted():
    target = np.zeros((10, 10), np.uint8)
    assert fill(target, shapely.box(0, 0, 6, 6), 1) == 36
    assert fill(target, shapely.box(4, 4, 20, 20), 2) == 36
    assert (target[5, 5], target[3, 3], target[9, 0]) == (2, 1, 0)
    assert fill(target, shapely.box(50, 50, 60, 60), 3) == 0
    assert fill(target, shapely.LineString([(0, 0), (9, 9)]), 3) == 0
