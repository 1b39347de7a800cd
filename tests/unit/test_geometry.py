"""xy and yx, corners and centres, levels and micrometres."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_her2.geometry import (
    Point,
    Region,
    grid_transform,
    level_transform,
    world_yx_to_xy,
    xy_to_world_yx,
)
from napari_her2.tiles.spec import TileGrid, TileSpec

mpps = st.floats(0.05, 20)
coords = st.floats(-1e5, 1e6)
extents = st.floats(1, 1e6)


@given(x=coords, y=coords, mpp_x=mpps, mpp_y=mpps)
def test_world_and_stored_coordinates_are_inverse(x, y, mpp_x, mpp_y):
    back = world_yx_to_xy(xy_to_world_yx([x, y], mpp_x, mpp_y), mpp_x, mpp_y)
    np.testing.assert_allclose(back, [x, y], rtol=1e-9, atol=1e-6)


def test_axes_are_exchanged_once_and_the_first_pixel_centre_is_the_world_origin():
    np.testing.assert_allclose(xy_to_world_yx([0.5, 0.5], 0.25, 0.5), [0, 0])
    np.testing.assert_allclose(xy_to_world_yx([10.5, 20.5], 0.25, 0.5), [10.0, 2.5])
    many = xy_to_world_yx([[0.5, 0.5], [10.5, 20.5]], 0.25, 0.5)
    assert many.shape == (2, 2)
    np.testing.assert_allclose(many[1], [10.0, 2.5])


@given(
    downsample_x=st.floats(1, 64), downsample_y=st.floats(1, 64), mpp_x=mpps, mpp_y=mpps,
    column=st.integers(0, 50_000), row=st.integers(0, 50_000),
)  # fmt: skip
def test_a_level_pixel_lies_where_its_area_lies(
    downsample_x, downsample_y, mpp_x, mpp_y, column, row
):
    t = level_transform(downsample_x, downsample_y, mpp_x, mpp_y)
    centre_xy = [(column + 0.5) * downsample_x, (row + 0.5) * downsample_y]
    expected = xy_to_world_yx(centre_xy, mpp_x, mpp_y)
    got = [row * t.scale[0] + t.translate[0], column * t.scale[1] + t.translate[1]]
    np.testing.assert_allclose(got, expected, rtol=1e-9, atol=1e-6)


def test_the_far_corner_of_an_odd_anisotropic_pyramid_stays_within_a_pixel():
    # 46,000 px at a downsample of 4.000089: rounding to 4 would be off by a whole level-0 pixel.
    width, downsample, mpp_x, mpp_y = 46_000, 4.000089, 0.499, 0.251
    t = level_transform(downsample, downsample, mpp_x, mpp_y)
    column = width / downsample - 0.5
    x_um = column * t.scale[1] + t.translate[1]
    assert world_yx_to_xy([0, x_um], mpp_x, mpp_y)[0] == pytest.approx(width, abs=1e-6)
    rounded = level_transform(4.0, 4.0, mpp_x, mpp_y)
    off = column * rounded.scale[1] + rounded.translate[1] - x_um
    assert abs(off) / mpp_x > 1


@given(x=coords, y=coords, w=extents, h=extents, mpp_x=mpps, mpp_y=mpps)
def test_a_heatmap_cell_covers_its_area(x, y, w, h, mpp_x, mpp_y):
    t = grid_transform(Point(x, y), w, h, mpp_x, mpp_y)
    centre = xy_to_world_yx([x + w / 2, y + h / 2], mpp_x, mpp_y)
    np.testing.assert_allclose(t.translate, centre, rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose(t.scale, [h * mpp_y, w * mpp_x])


@pytest.mark.parametrize("values", [(0, 0, 0, 1), (0, 0, 1, -1), (math.nan, 0, 1, 1),
                                    (0, math.inf, 1, 1)])  # fmt: skip
def test_what_is_no_rectangle_is_refused(values):
    with pytest.raises(ValueError, match="not a rectangle"):
        Region(*values)


@given(x=coords, y=coords, w=extents, h=extents, dx=coords, dy=coords)
def test_an_intersection_lies_in_both(x, y, w, h, dx, dy):
    a, b = Region(x, y, w, h), Region(x + dx, y + dy, w, h)
    common = a.intersect(b)
    assert (common is None) == (b.intersect(a) is None)
    if common is not None:
        assert common.x >= max(a.x, b.x)
        assert common.right <= min(a.right, b.right) + 1e-6
        assert common.y >= max(a.y, b.y)
        assert common.bottom <= min(a.bottom, b.bottom) + 1e-6


def test_regions_that_only_touch_share_nothing():
    assert Region(0, 0, 10, 10).intersect(Region(10, 0, 10, 10)) is None
    assert Region(0, 0, 10, 10).scaled(2, 0.5) == Region(0, 0, 20, 5)


class TestTileGrid:
    grid = TileGrid(TileSpec(512, 2.0, 512.0), Region(100, 50, 4096, 2048), 0.25, 0.5)

    def test_worked_example(self):
        assert self.grid.spec.field_um == 1024
        window = self.grid.window(0, 0)
        assert (window.width, window.height) == (4096, 2048)

    def test_cells_tile_the_region(self):
        assert self.grid.shape == (2, 2)
        assert self.grid.cell(0, 0) == Region(100, 50, 2048, 1024)
        assert self.grid.cell(1, 1).right == 100 + 4096
        assert self.grid.cell(1, 1).bottom == 50 + 2048

    def test_window_and_cell_share_their_centre(self):
        for row, col in np.ndindex(self.grid.shape):
            cell, window = self.grid.cell(row, col), self.grid.window(row, col)
            assert cell.x + cell.width / 2 == pytest.approx(window.x + window.width / 2)
            assert cell.y + cell.height / 2 == pytest.approx(window.y + window.height / 2)

    def test_coords_are_the_windows_corners(self):
        cells = np.argwhere(np.ones(self.grid.shape, bool))
        corners = [(self.grid.window(r, c).x, self.grid.window(r, c).y) for r, c in cells]
        np.testing.assert_allclose(self.grid.coords_xy(cells), corners)

    def test_rounding_noise_adds_no_row(self):
        spec = TileSpec(64, 0.1, 0.3)
        grid = TileGrid(spec, Region(0, 0, 0.3 / 0.1 * 7, 30), 0.1, 0.1)
        assert grid.shape == (10, 7)

    @pytest.mark.parametrize("bad", [(0, 1, 1), (1, 0, 1), (1, 1, -1)])
    def test_sizes_must_be_positive(self, bad):
        with pytest.raises(ValueError, match="positive"):
            TileSpec(*bad)
