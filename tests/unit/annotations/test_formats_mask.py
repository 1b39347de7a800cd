"""Masks as PNG, OME-TIFF and OME-Zarr; tiles in folders and shards."""

from __future__ import annotations

import hashlib
import json
import tarfile

import numpy as np
import pytest
import shapely
import tifffile
import zarr
from drawn_objects import every_kind
from ome_zarr_models.v05.image_label import ImageLabel
from PIL import Image

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.class_index import class_index
from napari_her2.annotations.formats.mask_plan import MaskPlan
from napari_her2.annotations.formats.tile_folders import folder_names
from napari_her2.annotations.interchange import TileRule, write_annotations
from napari_her2.annotations.rasterise import mask_of_polygons
from napari_her2.annotations.schema import load_schema
from napari_her2.errors import MissingExtraError, UsageError
from napari_her2.slides.array_backend import ArraySlide

SIZE = (700, 650)


def nested() -> list[Annotation]:
    box = shapely.box
    return [
        Annotation(geometry=box(0, 0, 40, 40), class_name="b"),
        Annotation(
            geometry=box(0, 0, 400, 400).difference(box(100, 100, 150, 150)), class_name="a"
        ),
        Annotation(geometry=box(0, 0, 40, 40), class_name="c"),
        Annotation(geometry=box(5.1, 5.1, 5.3, 5.3), class_name="a"),
        Annotation(geometry=box(900, 900, 950, 950), class_name="a"),
        Annotation(geometry=box(300, 300, 500, 500)),
    ]


def read_mask(path):
    if path.suffix == ".png":
        return np.asarray(Image.open(path))
    if path.suffix == ".zarr":
        return zarr.open_array(path / "labels" / "annotations" / "0", mode="r")[:]
    return tifffile.imread(path)


@pytest.mark.parametrize("name", ["m.png", "m.ome.tif", "m.ome.zarr"])
@pytest.mark.parametrize("step", [1, 3])
def test_a_mask_holds_the_smaller_on_top(tmp_path, name, step):
    path = tmp_path / name
    done = write_annotations(path, nested(), to="mask", size=SIZE, downsample=step)
    assert {s.id: s.n for s in done.skipped} == {
        "outside": 1, "too_small": 1, "overlap": 1, "without_class": 1,
    }  # fmt: skip
    assert done.objects == 2
    mask = read_mask(path)
    shape = (-(-650 // step), -(-700 // step))
    assert (mask.shape, mask.dtype) == (shape, np.uint8)
    expected = np.zeros(shape, np.uint8)
    for number, a in ((1, nested()[1]), (3, nested()[2])):
        expected[mask_of_polygons(a.geometry, shape, px=step)] = number
    assert (mask == expected).all()
    table = json.loads((tmp_path / "m.classes.json").read_text())
    assert [(r["index"], r["class"]) for r in table["classes"]] == [
        (0, None), (1, "a"), (2, "b"), (3, "c"),
    ]  # fmt: skip
    assert table["downsample"] == [step, step]


def test_numbers_follow_the_schema_and_colours_are_in_the_png(tmp_path):
    schema = load_schema("her2-cells")
    write_annotations(tmp_path / "m.png", every_kind(), to="mask", size=SIZE, schema=schema)
    picture = Image.open(tmp_path / "m.png")
    assert picture.mode == "P"
    assert np.asarray(picture)[200, 100] == 1 + schema.names.index("tumour 3+")
    assert picture.convert("RGB").getpixel((100, 200)) == schema.find("tumour 3+").rgb


def test_ome_zarr_labels_are_valid_and_placed(tmp_path):
    slide = ArraySlide([np.zeros((1300, 2400, 3), np.uint8)], (0.5, 0.25), "s")
    path = tmp_path / "m.ome.zarr"
    write_annotations(path, nested(), to="mask", slide=slide, mask_mpp=1.0)
    assert dict(zarr.open_group(path / "labels", mode="r").attrs)["ome"]["labels"] == [
        "annotations"
    ]
    label = ImageLabel.from_zarr(zarr.open_group(path / "labels" / "annotations", mode="r"))
    (image,) = label.attributes.ome.multiscales
    scale, translation = image.datasets[0].coordinateTransformations
    assert scale.scale == [1.0, 1.0]
    assert translation.translation == [0.375, 0.25]
    shapes = [label.members[str(i)].shape for i in range(len(image.datasets))]
    assert shapes == [(325, 1200), (163, 600)]
    assert label.attributes.ome.image_label.properties[0].model_extra == {"class": "a"}


def test_a_tiff_has_levels_and_its_pixel_size(tmp_path):
    slide = ArraySlide([np.zeros((1300, 2400, 3), np.uint8)], (0.5, 0.5), "s")
    write_annotations(tmp_path / "m.ome.tif", nested(), to="mask", slide=slide)
    with tifffile.TiffFile(tmp_path / "m.ome.tif") as tif:
        assert [lv.shape for lv in tif.series[0].levels] == [(1300, 2400), (650, 1200), (325, 600)]
        assert tif.pages[0].is_tiled
        assert 'PhysicalSizeX="0.5"' in tif.ome_metadata


def test_tiles_of_a_mask_are_the_mask():
    index = class_index(nested(), None)
    plan = MaskPlan(nested(), index, SIZE, (1.0, 1.0))
    whole = plan.render((0, 0, 700, 650))
    put = np.zeros_like(whole)
    for (x, y, width, height), tile in plan.tiles(128):
        put[y : y + height, x : x + width] = tile
    assert (put == whole).all()


def test_more_classes_than_a_byte_holds(tmp_path):
    many = [
        Annotation(geometry=shapely.box(i, 0, i + 1, 5), class_name=f"{i:03d}") for i in range(300)
    ]
    write_annotations(tmp_path / "m.tif", many, to="mask", size=(300, 64))
    mask = tifffile.imread(tmp_path / "m.tif")
    assert mask.dtype == np.uint16
    assert mask[0].tolist() == list(range(1, 301))
    with pytest.raises(UsageError, match="255"):
        write_annotations(tmp_path / "m.png", many, to="mask", size=(300, 64))
    assert not (tmp_path / "m.png").exists()


@pytest.mark.parametrize(
    ("name", "more", "said"),
    [
        ("m.jpg", {}, "no name for a mask"),
        ("m.png", {"mask_mpp": 1.0}, "pixel size"),
        ("m.png", {"mask_mpp": 1.0, "downsample": 2}, "not both"),
        ("m.png", {"downsample": 0.5}, "1 or more"),
    ],
)
def test_a_mask_that_makes_no_sense(tmp_path, name, more, said):
    with pytest.raises(UsageError, match=said):
        write_annotations(tmp_path / name, nested(), to="mask", size=SIZE, **more)


# tiles --------------------------------------------------------------------------------------


@pytest.fixture
def slide():
    y, x = np.mgrid[:600, :800]
    rgb = np.stack([x % 256, y % 256, (x // 100) * 20], -1).astype(np.uint8)
    return ArraySlide([rgb], (0.5, 0.5), "slide 1")


def regions() -> list[Annotation]:
    box = shapely.box
    return [
        Annotation(geometry=box(0, 0, 200, 200), class_name="Tumor: 1+"),
        Annotation(geometry=box(192, 0, 400, 128), class_name="stroma"),
        Annotation(geometry=box(128, 128, 192, 192), class_name="stroma"),
        Annotation(geometry=box(700, 500, 720, 520), class_name="stroma"),
        Annotation(geometry=shapely.Point(5, 5), class_name="stroma"),
    ]


def test_tile_folders(tmp_path, slide):
    rule = TileRule(tile_px=64, tile_mpp=0.5)
    out = tmp_path / "tiles"
    done = write_annotations(out, regions(), to="tiles", slide=slide, tiles=rule)
    assert dict(done.classes) == {"Tumor: 1+": 8, "stroma": 6}
    assert {s.id: s.n for s in done.skipped} == {
        "points_and_lines": 1, "two_classes": 1, "no_tile": 2,
    }  # fmt: skip
    assert done.objects == 2
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    assert len(manifest["tiles"]) == 14
    for row in manifest["tiles"]:
        data = (out / row["file"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row["sha256"]
        x, y = int(row["x_px"]), int(row["y_px"])
        rgb = np.asarray(Image.open(out / row["file"]))
        assert (rgb == slide.read(0, x, y, 64, 64).rgb).all()
    assert sorted(p.name for p in out.iterdir()) == ["Tumor_1+", "manifest.json", "stroma"]


def test_shards_are_the_same_bytes_each_time(tmp_path, slide):
    rule = TileRule(tile_px=64, tile_mpp=0.5)
    for name in ("a", "b"):
        write_annotations(tmp_path / name, regions(), to="webdataset", slide=slide, tiles=rule)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == ["manifest.json", "shard-000000.tar"]
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    with tarfile.open(tmp_path / "a" / "shard-000000.tar") as tar:
        names = tar.getnames()
        first = manifest["tiles"][0]
        png = tar.extractfile(first["key"] + ".png").read()
        number = int(tar.extractfile(first["key"] + ".cls").read())
    assert len(names) == 3 * 14
    assert hashlib.sha256(png).hexdigest() == first["sha256"]
    assert manifest["classes"][number]["class"] == first["class"]


def test_a_folder_of_something_else_is_not_replaced(tmp_path, slide):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    for to, out in (("tiles", tmp_path / "mine"), ("webdataset", tmp_path / "mine")):
        with pytest.raises(UsageError, match="something else"):
            write_annotations(out, regions(), to=to, slide=slide)
    assert (tmp_path / "mine" / "thesis.txt").exists()
    rule = TileRule(tile_px=64, tile_mpp=0.5)
    for _ in range(2):
        write_annotations(tmp_path / "t", regions(), to="tiles", slide=slide, tiles=rule)


def test_classes_get_folders_that_any_system_takes():
    names = folder_names(("a/b", "a:b", "CON", "..", "Größe", "A_B"))
    assert list(names.values()) == ["a_b", "a_b_2", "CON_", "class", "Größe", "A_B_3"]


def test_spatialdata_is_an_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "spatialdata", None)
    with pytest.raises(MissingExtraError, match="interop"):
        write_annotations(tmp_path / "a.zarr", every_kind(), to="spatialdata")
    assert not list(tmp_path.iterdir())
