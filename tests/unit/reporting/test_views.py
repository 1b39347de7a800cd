"""Pictures: what lies where, and that nothing unread looks like tissue or glass."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from napari_her2.geometry import Region
from napari_her2.reporting.views import (
    encode,
    heatmap_view,
    nice_length,
    overview,
    slide_view,
)
from napari_her2.results.heatmap import Heatmap
from napari_her2.slides import open_array
from napari_her2.tiles.spec import TileGrid, TileSpec


def make_slide(height=800, width=1200, mpp=(0.5, 1.0)):
    picture = np.full((height, width, 3), 200, np.uint8)
    picture[: height // 2, : width // 2] = (200, 40, 120)
    return open_array(picture, mpp=mpp)


def make_map(slide, status="synthetic-demo"):
    # Cells of 200 level-0 px in x and 100 in y: anisotropic on purpose.
    grid = TileGrid(TileSpec(64, 2.0, 100.0), Region(0, 0, *_extent(slide)), 0.5, 1.0)
    return Heatmap.blank(
        grid, class_names=("p", "n", "x"), class_roles={"positive": 0, "negative": 1,
        "non_tumour": 2}, biomarker="ER", model_id="demo-er", model_status=status, slide_id="s",
    )  # fmt: skip


def _extent(slide):
    return slide.size.width, slide.size.height


@pytest.mark.parametrize(
    ("most", "length"), [(999, 500), (1000, 1000), (7.3, 5), (0.34, 0.2), (2000.0, 2000)]
)
def test_scale_bars_are_round(most, length):
    assert nice_length(most) == pytest.approx(length)


def test_an_overview_keeps_the_shape_and_says_its_factor():
    with make_slide(1600, 2400) as slide:
        view = overview(slide, longest=600)
    assert view.rgb.shape == (400, 600, 3)
    assert (view.factor_x, view.factor_y) == (4, 4)
    assert view.mpp_x == 0.5
    assert view.rgb[10, 10].tolist() == pytest.approx([200, 40, 120], abs=2)
    assert view.rgb[-10, -10].tolist() == pytest.approx([200, 200, 200], abs=2)


def test_a_small_slide_is_not_enlarged():
    with make_slide(90, 120) as slide:
        assert overview(slide).rgb.shape == (90, 120, 3)


def test_a_cell_is_coloured_where_it_lies_and_nowhere_else():
    with make_slide() as slide:
        view = overview(slide)
        heatmap = make_map(slide)
        heatmap.fill(np.array([[3, 4]]), np.array([[1.0, 0.0, 0.0]], np.float32))
        plain = np.asarray(slide_view(view, "x"))
        mapped = np.asarray(heatmap_view(view, heatmap, "x"))
    changed = (plain != mapped).any(axis=2)[: view.rgb.shape[0]]
    rows, cols = np.nonzero(changed)
    assert (rows.min(), rows.max()) == (300, 399)
    assert (cols.min(), cols.max()) == (800, 999)
    red = mapped[350, 900]
    assert red[0] > red[2], "high is red"


def test_low_is_blue():
    with make_slide() as slide:
        view, heatmap = overview(slide), make_map(slide)
        heatmap.fill(np.array([[5, 5]]), np.array([[0.0, 1.0, 0.0]], np.float32))
        blue = np.asarray(heatmap_view(view, heatmap, "x"))[550, 1100]
    assert blue[2] > blue[0]


def test_an_unreadable_cell_is_hatched():
    with make_slide() as slide:
        view, heatmap = overview(slide), make_map(slide)
        nan = np.full((1, 3), np.nan, np.float32)
        heatmap.fill(np.array([[6, 1]]), nan, failed=np.array([True]))
        cell = np.asarray(heatmap_view(view, heatmap, "x"))[600:700, 200:400]
    colours = {tuple(c) for c in cell.reshape(-1, 3).tolist()}
    assert colours == {(0x4C, 0x2F, 0xC3), (128, 128, 128)}


def test_the_caption_and_the_bars_are_drawn_below_the_slide():
    with make_slide() as slide:
        view, heatmap = overview(slide), make_map(slide)
        with_text = np.asarray(heatmap_view(view, heatmap, "Research use only · demo model"))
        without = np.asarray(heatmap_view(view, heatmap, ""))
    height = view.rgb.shape[0]
    assert np.array_equal(with_text[:height], without[:height])
    assert (with_text[height:] != without[height:]).any()
    for kind in ("PNG", "JPEG"):
        with Image.open(io.BytesIO(encode(Image.fromarray(with_text), kind))) as picture:
            assert picture.size == (1200, height + 74)
            assert picture.format == kind
