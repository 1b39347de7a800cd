from __future__ import annotations

import numpy as np
import pytest

from napari_her2.geometry import Region
from napari_her2.layers import (
    associated_layer,
    heatmap_layer,
    qc_layer,
    slide_layer,
    tissue_layer,
    unreadable_layer,
    unreadable_regions_layer,
)
from napari_her2.results.heatmap import Heatmap
from napari_her2.slides import open_array
from napari_her2.tiles.spec import TileGrid, TileSpec
from napari_her2.tiles.tissue import TissueMask

MPP = (0.25, 0.26)


def slide(mpp=MPP, slide_id="Case-000417-A"):
    pixels = np.zeros((600, 800, 3), np.uint8)
    return open_array(pixels, mpp=mpp, slide_id=slide_id)


def heatmap(status="synthetic-demo", roles=None):
    grid = TileGrid(TileSpec(64, 2.0, 40.0), Region(0, 0, 800, 600), *MPP)
    heat = Heatmap.blank(
        grid,
        class_names=("a", "b", "c"),
        class_roles=roles or {"positive": 1, "negative": 0, "non_tumour": 2},
        biomarker="ER",
        model_id="er-demo",
        model_status=status,
        slide_id="Case-000417-A",
    )
    heat.fill(np.array([[1, 2]]), np.array([[0.1, 0.7, 0.2]], np.float32))
    return heat


def tissue():
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:70] = True
    pen = np.zeros_like(mask)
    pen[20:30, 30:40] = True
    return TissueMask(mask, (10.0, 10.0), (800, 600), (2.5, 2.6), np.zeros_like(mask), {"pen": pen})


def every_layer():
    return {
        "slide": slide_layer(slide()),
        "heatmap": heatmap_layer(heatmap()),
        "tissue": tissue_layer(tissue(), slide()),
        "qc": qc_layer(tissue(), slide()),
        "unreadable": unreadable_layer(heatmap().grid, heatmap().scored, slide()),
    }


@pytest.mark.parametrize("kind", ["slide", "heatmap", "tissue", "qc", "unreadable"])
def test_every_layer_lies_in_the_world_of_its_slide(kind):
    _, kwargs, _ = every_layer()[kind]
    assert kwargs["units"] == ("um", "um")
    assert kwargs["axis_labels"] == ("y", "x")
    assert kwargs["metadata"]["her2"]["kind"] == kind
    assert kwargs["metadata"]["her2"]["slide_id"] == "Case-000417-A"
    label, short = kwargs["name"].split(" · ")
    assert len(label) <= 12
    assert len(short) <= 9


@pytest.mark.parametrize("kind", ["slide", "heatmap", "tissue", "qc", "unreadable"])
def test_napari_takes_every_layer(kind):
    layers = pytest.importorskip("napari.layers")
    made = layers.Layer.create(*every_layer()[kind])
    assert tuple(str(u) for u in made.units) == ("micrometer", "micrometer")
    assert made.ndim == 2


def test_a_slide_without_pixel_size_is_in_pixels():
    _, kwargs, _ = slide_layer(slide(mpp=None))
    assert kwargs["units"] == ("pixel", "pixel")
    assert kwargs["scale"] == (1.0, 1.0)


def test_a_demo_says_so_in_its_name():
    assert heatmap_layer(heatmap())[1]["name"] == "ER demo · Case…17-A"
    assert heatmap_layer(heatmap("user-unvalidated"))[1]["name"] == "ER prob · Case…17-A"
    assert heatmap_layer(heatmap())[1]["metadata"]["her2"]["model_status"] == "synthetic-demo"


def test_a_map_shows_the_positive_class_from_0_to_1():
    data, kwargs, kind = heatmap_layer(heatmap())
    assert kind == "image"
    assert data[1, 2] == np.float32(0.7)
    assert np.isnan(data).sum() == data.size - 1
    assert kwargs["contrast_limits"] == (0.0, 1.0)
    assert kwargs["opacity"] == 0.55
    assert kwargs["scale"] == pytest.approx((40.0, 40.0))
    assert heatmap_layer(heatmap(), role="negative")[0][1, 2] == np.float32(0.1)
    detector = heatmap(roles={"tumour": 2, "other": 0})
    assert heatmap_layer(detector)[0][1, 2] == np.float32(0.2)
    with pytest.raises(KeyError):
        heatmap_layer(detector, role="negative")


def test_outlines_run_along_the_rim():
    labels, kwargs, _ = tissue_layer(tissue(), slide())
    assert labels[10, 40] == 1
    assert labels[30, 45] == 0
    assert labels[5, 5] == 0
    assert kwargs["visible"] is False
    # Mask pixels of ten level-0 pixels: the first centre lies 4.5 px from the first pixel's.
    assert kwargs["scale"] == pytest.approx((2.6, 2.5))
    assert kwargs["translate"] == pytest.approx((4.5 * 0.26, 4.5 * 0.25))
    qc, _, _ = qc_layer(tissue(), slide())
    assert qc[20, 35] == 1
    assert set(np.unique(qc)) == {0, 1}


def test_unreadable_cells_are_hatched_and_nothing_else():
    grid = heatmap().grid
    failed = np.zeros(grid.shape, bool)
    failed[2, 3] = True
    labels, kwargs, _ = unreadable_layer(grid, failed, slide())
    n = labels.shape[0] // failed.shape[0]
    cell = labels[2 * n : 3 * n, 3 * n : 4 * n]
    assert 0.1 < cell.mean() < 0.5
    assert labels.sum() == cell.sum()
    # Corner of the hatch = corner of the grid, in the world.
    corner = np.array(kwargs["translate"]) - np.array(kwargs["scale"]) / 2
    assert corner == pytest.approx((-0.5 * 0.26, -0.5 * 0.25))


def test_areas_on_no_grid_are_hatched_where_they_are():
    areas = [Region(100, 40, 200, 200), Region(500, 240, 200, 200)]
    labels, kwargs, _ = unreadable_regions_layer(areas, slide())
    scale, first = np.array(kwargs["scale"]), np.array(kwargs["translate"])
    corner = first - scale / 2
    assert corner == pytest.approx(((40 - 0.5) * 0.26, (100 - 0.5) * 0.25))
    assert labels.shape * scale == pytest.approx((400 * 0.26, 600 * 0.25))
    rows, cols = labels.shape
    assert labels[: rows // 2, : cols // 3].any()
    assert labels[rows // 2 :, 2 * cols // 3 :].any()
    assert not labels[: rows // 2, cols // 3 :].any()
    assert not labels[rows // 2 :, : 2 * cols // 3].any()
    far = [Region(0, 0, 500, 500), Region(90_000, 90_000, 500, 500)]
    assert max(unreadable_regions_layer(far, slide())[0].shape) <= 1200


def test_label_and_macro_are_hidden():
    class WithLabel:
        slide_id = "s"

        def associated_image(self, name):
            return np.zeros((5, 6, 3), np.uint8)

    _, kwargs, _ = associated_layer(WithLabel(), "label")
    assert kwargs["visible"] is False
    assert kwargs["metadata"]["her2"]["kind"] == "label"
    assert kwargs["name"] == "Label · s"
