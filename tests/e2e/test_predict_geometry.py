"""A mark at the far corner of an awkward slide lands where it is, in everything we make of it."""

from __future__ import annotations

import numpy as np
import pytest
from made_runs import FakeRegistry, fake_model

from napari_her2.geometry import Region, level_transform, world_yx_to_xy, xy_to_world_yx
from napari_her2.layers import heatmap_layer, slide_layer, tissue_layer
from napari_her2.pipelines import predict as module
from napari_her2.pipelines.predict import predict
from napari_her2.pipelines.request import PredictRequest
from napari_her2.results.geojson import tiles_geojson
from napari_her2.results.heatmap import read_heatmap
from napari_her2.results.store import find_runs
from napari_her2.slides import open_slide
from napari_her2.tiles.tissue import find_tissue

# 44929 / 11232 = 4.000089, as on slides of TCGA; height 1021 / 255 = 4.0039.
WIDTH, HEIGHT = 44929, 1021
LEVEL = (11232, 255)
MPP = (0.25, 0.26)
MARK = (WIDTH - 90.0, HEIGHT - 70.0)
RADIUS = 22


@pytest.fixture(scope="module")
def slide_path(tmp_path_factory):
    """Pink tissue with one black disc near the last pixel; levels as area averages."""
    import cv2
    import tifffile

    path = tmp_path_factory.mktemp("far") / "far corner.tif"
    level0 = np.full((HEIGHT, WIDTH, 3), 244, np.uint8)
    rng = np.random.default_rng(1)
    pink = rng.normal((214, 140, 190), 12, (HEIGHT, 1500, 3)).clip(0, 255)
    level0[:, -1500:] = pink.astype(np.uint8)
    yy, xx = np.mgrid[:HEIGHT, -200:0]
    disc = np.hypot(xx + WIDTH + 0.5 - MARK[0], yy + 0.5 - MARK[1]) < RADIUS
    level0[:, -200:][disc] = (25, 15, 60)
    level1 = cv2.resize(level0, LEVEL, interpolation=cv2.INTER_AREA)
    options = {
        "tile": (256, 256), "photometric": "rgb", "compression": "zlib",
        "compressionargs": {"level": 1}, "metadata": None,
    }  # fmt: skip
    resolution = {"resolution": (1e4 / MPP[0], 1e4 / MPP[1]), "resolutionunit": "CENTIMETER"}
    with tifffile.TiffWriter(path) as tif:
        tif.write(level0, subfiletype=0, **options, **resolution)
        tif.write(level1, subfiletype=1, **options)
    return path


def off_by_px(world_yx, mpp=MPP) -> float:
    """Distance from the mark, level-0 pixels."""
    return float(np.hypot(*(world_yx_to_xy(world_yx, *mpp) - MARK)))


def darkness_centre(rgb) -> np.ndarray:
    """Centroid of what is darker than tissue, row and column."""
    dark = np.clip(110.0 - rgb.mean(axis=2, dtype=np.float64), 0, None)
    return np.array([(dark * i).sum() for i in np.indices(dark.shape)]) / dark.sum()


def test_the_slide_is_as_awkward_as_meant(slide_path):
    with open_slide(slide_path) as slide:
        level = slide.levels[1]
        assert level.downsample_x == WIDTH / LEVEL[0] == pytest.approx(4.000089, abs=1e-6)
        assert (slide.mpp.x, slide.mpp.y) == pytest.approx(MPP, rel=1e-6)


def mark_in(level) -> np.ndarray:
    """Row and column of the mark in one displayed level, which is read only near its corner."""
    height, width = np.minimum(
        np.ceil(400 / np.array(level.downsample)).astype(int), level.shape[:2]
    )
    corner = np.array(level.shape[:2]) - (height, width)
    return darkness_centre(np.asarray(level[-height:, -width:])) + corner


@pytest.mark.parametrize("index", [0, 1, 2])
def test_in_the_image(slide_path, index):
    """Displayed levels: the file's own two, and one made between them."""
    with open_slide(slide_path) as slide:
        levels, kwargs, _ = slide_layer(slide)
        level = levels[index]
        place = level_transform(level.downsample[1], level.downsample[0], *MPP)
        assert off_by_px(mark_in(level) * place.scale + place.translate) < 1
        assert kwargs["scale"] == pytest.approx(MPP[::-1])
    assert levels[2].shape[:2] == LEVEL[::-1]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_in_the_image_as_napari_places_it(slide_path, index):
    layers = pytest.importorskip("napari.layers")
    with open_slide(slide_path) as slide:
        layer = layers.Layer.create(*slide_layer(slide))
        factors = layer.downsample_factors[index]
        # napari draws level pixel i over [i f - 1/2, (i + 1) f - 1/2] of level 0.
        data = mark_in(layer.data[index]) * factors + (factors - 1) / 2
        assert off_by_px(layer.data_to_world(data)) < 1


@pytest.fixture(scope="module")
def stored(slide_path, tmp_path_factory):
    tmp_path = tmp_path_factory.mktemp("out")
    # 8 um fields every um: the response of one disc is sampled finely enough for its centre.
    model = fake_model(patch_size_pixels=16, spacing_um_px=0.5)
    roi = Region(WIDTH - 160.5, HEIGHT - 140.25, 160.5, 140.25)
    request = PredictRequest(
        slide_path, ("fake-er",), out=tmp_path, roi=roi, stride_um=1.0, ignore_stain=True
    )
    outcome = list(predict(request, module.NEVER, FakeRegistry(model)))[-1]
    assert outcome.status == "completed", outcome.error
    (found,) = find_runs(tmp_path)
    return found.heatmaps()["ER"]


@pytest.fixture
def run(stored):
    return read_heatmap(stored)


def weights(heatmap) -> np.ndarray:
    """How far a cell's blue share rises above that of tissue; 0 where nothing was scored."""
    blue = np.nan_to_num(heatmap.data[2], nan=0.0).astype(np.float64)
    return np.clip(blue - 0.36, 0, None)


def test_in_the_heatmap(run):
    w = weights(run)
    centre = np.array([(w * i).sum() for i in np.indices(w.shape)]) / w.sum()
    _, kwargs, _ = heatmap_layer(run, role="non_tumour")
    assert off_by_px(centre * kwargs["scale"] + kwargs["translate"]) < 1


def test_in_the_heatmap_as_napari_places_it(run):
    layers = pytest.importorskip("napari.layers")
    w = weights(run)
    centre = np.array([(w * i).sum() for i in np.indices(w.shape)]) / w.sum()
    layer = layers.Layer.create(*heatmap_layer(run, role="non_tumour"))
    assert off_by_px(layer.data_to_world(centre)) < 1


def test_in_the_ome_zarr_as_others_read_it(run, stored):
    import zarr

    attributes = zarr.open_group(stored, mode="r").attrs["ome"]
    scale, translation = attributes["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    w = weights(run)
    centre = np.array([(w * i).sum() for i in np.indices(w.shape)]) / w.sum()
    world = centre * scale["scale"][1:] + translation["translation"][1:]
    assert off_by_px(world) < 1


def test_in_points():
    layers = pytest.importorskip("napari.layers")
    points = layers.Points(xy_to_world_yx([MARK], *MPP), units=("um", "um"))
    assert off_by_px(points.data_to_world(points.data[0])) < 1e-6


def test_in_geojson(run):
    """Cells weighted by what they say of the mark, in the file's own coordinates."""
    total, centre = 0.0, np.zeros(2)
    for feature in tiles_geojson(run)["features"]:
        ring = np.array(feature["geometry"]["coordinates"][0][:4])
        w = max(0.0, feature["properties"]["measurements"]["prob_non_tumour"] - 0.36)
        total += w
        centre += w * ring.mean(axis=0)
    assert np.hypot(*(centre / total - MARK)) < 1


def test_tissue_outline_and_layer_reach_the_far_corner(slide_path):
    """The mask is coarse: its outline is right to a mask pixel, and ends with the slide."""
    import shapely

    with open_slide(slide_path) as slide:
        tissue = find_tissue(slide)
        shape = shapely.union_all(
            [shapely.from_geojson(str(f["geometry"]).replace("'", '"'))
             for f in tissue.to_geojson()["features"]
             if f["properties"]["classification"]["name"] == "Tissue"]
        )  # fmt: skip
        x0, _, x1, y1 = shape.bounds
        assert x1 == pytest.approx(WIDTH, abs=1)
        assert y1 == pytest.approx(HEIGHT, abs=1)
        assert x0 == pytest.approx(WIDTH - 1500, abs=4 * max(tissue.downsample))
        labels, kwargs, _ = tissue_layer(tissue, slide)
        last = (np.array(labels.shape) - 0.5) * kwargs["scale"] + kwargs["translate"]
        # The far corner of the last mask pixel is the far corner of the slide, or just beyond.
        beyond = world_yx_to_xy(last, *MPP) - (WIDTH, HEIGHT)
        assert (beyond > -1).all()
        assert (beyond < tissue.downsample).all()
