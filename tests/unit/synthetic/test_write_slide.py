"""Slides on disk: what OpenSlide reads, and the truth beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import openslide
import pyarrow.parquet as pq
import pytest
from shapely.geometry import Point, shape
from shapely.prepared import prep

from napari_her2.errors import CannotWriteError, UsageError
from napari_her2.synthetic import KINDS, HeScene, Truth, write_slide
from napari_her2.synthetic import he_slide as he_module
from napari_her2.synthetic import ihc_slide as ihc_module
from napari_her2.synthetic.truth import SPECK_UM2
from napari_her2.synthetic.warp import warp_from_dict


def _pixels(path: Path, level: int = 0) -> np.ndarray:
    with openslide.OpenSlide(str(path)) as slide:
        image = slide.read_region((0, 0), level, slide.level_dimensions[level])
        return np.asarray(image.convert("RGB"))


@pytest.fixture(scope="module")
def he(tmp_path_factory: pytest.TempPathFactory) -> Truth:
    return write_slide("he", (1301, 1097), 5, tmp_path_factory.mktemp("he") / "a.svs", mpp=1.0)


def test_openslide_knows_the_slide(he: Truth) -> None:
    with openslide.OpenSlide(str(he.slide)) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert slide.level_dimensions == ((1301, 1097), (325, 274), (81, 68))
        assert float(slide.properties["openslide.mpp-x"]) == 1.0
        assert float(slide.properties["openslide.objective-power"]) == 10.0
        assert set(slide.associated_images) == {"label", "macro", "thumbnail"}
        assert slide.associated_images["thumbnail"].size[0] > 60


def test_downsamples_are_not_whole_numbers_where_the_size_is_not(he: Truth) -> None:
    with openslide.OpenSlide(str(he.slide)) as slide:
        assert slide.level_downsamples[1] == pytest.approx((1301 / 325 + 1097 / 274) / 2)


def test_pixels_are_those_of_the_scene(he: Truth) -> None:
    scene = HeScene(5, (1301.0, 1097.0))
    drawn = scene.render(1.0).astype(float)
    assert np.abs(_pixels(he.slide).astype(float) - drawn).mean() < 5


def test_coarser_levels_are_averages(he: Truth) -> None:
    fine = _pixels(he.slide)[: 68 * 16, : 81 * 16].astype(float)
    coarse = _pixels(he.slide, 2).astype(float)
    average = fine.reshape(68, 16, 81, 16, 3).mean((1, 3))
    assert np.corrcoef(average.mean(2).ravel(), coarse.mean(2).ravel())[0, 1] > 0.98


def test_the_same_seed_writes_the_same_pixels(he: Truth, tmp_path: Path) -> None:
    again = write_slide("he", (1301, 1097), 5, tmp_path / "b.svs", mpp=1.0)
    assert np.array_equal(_pixels(again.slide), _pixels(he.slide))
    assert again.statuses == he.statuses


def test_the_truth_lies_beside_the_slide(he: Truth) -> None:
    document = json.loads(he.truth.read_text(encoding="utf-8"))
    assert he.truth.name == "a.svs.truth.json"
    assert document["kind"] == "he"
    assert document["seed"] == 5
    assert document["notice"].startswith("Research use only")
    assert set(document["statuses"]) == {"ER", "PR", "HER2"}
    assert document["mpp"] == {"x": 1.0, "y": 1.0, "stated": True}
    assert len(document["stains"]["first"]) == 3
    assert "numpy" in document["software"]
    table = pq.read_table(he.cells)
    assert table.num_rows == document["cells"] > 300
    assert {"x_px", "y_px", "class", "nucleus_area_um2", "region"} <= set(table.column_names)
    x = table["x_px"].to_numpy()
    assert x.min() >= 0
    assert x.max() < 1301


def test_regions_are_tumour_with_all_statuses(he: Truth) -> None:
    features = json.loads(he.regions.read_text(encoding="utf-8"))["features"]
    assert features
    table = pq.read_table(he.cells)
    xy = np.stack([table["x_px"].to_numpy(), table["y_px"].to_numpy()], 1)
    tumour = np.array(table["class"].to_pylist()) == "tumour"
    areas = [shape(f["geometry"]).buffer(60) for f in features]
    inside = np.zeros(len(xy), bool)
    for feature, area in zip(features, areas, strict=True):
        assert feature["properties"]["objectType"] == "annotation"
        assert feature["properties"]["classification"]["name"].startswith("ER")
        assert set(feature["properties"]["statuses"]) == {"ER", "PR", "HER2"}
        ready = prep(area)
        inside |= np.array([ready.contains(Point(p)) for p in xy])
    assert inside[tumour].mean() > 0.95


def test_a_slide_may_state_no_pixel_size(tmp_path: Path) -> None:
    truth = write_slide("he", 300, 1, tmp_path / "n.svs", mpp=1.0, state_mpp=False)
    with openslide.OpenSlide(str(truth.slide)) as slide:
        assert slide.properties["openslide.vendor"] == "aperio"
        assert "openslide.mpp-x" not in slide.properties
        assert "openslide.objective-power" not in slide.properties


def test_a_slide_may_state_no_objective(tmp_path: Path) -> None:
    truth = write_slide("he", 300, 1, tmp_path / "o.svs", mpp=1.0, objective=False)
    with openslide.OpenSlide(str(truth.slide)) as slide:
        assert slide.properties["openslide.mpp-x"] == "1"
        assert "openslide.objective-power" not in slide.properties


def test_pixels_need_not_be_square(tmp_path: Path) -> None:
    truth = write_slide("he", (600, 750), 2, tmp_path / "aniso.tiff", mpp=1.0, mpp_y=0.8)
    with openslide.OpenSlide(str(truth.slide)) as slide:
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(1.0)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.8)
        assert slide.level_count == 3
    square = HeScene(2, (600.0, 600.0)).render(1.0).astype(float).mean((1, 2))
    tall = _pixels(truth.slide).astype(float).mean((1, 2))
    stretched = np.interp(np.arange(750) * 0.8, np.arange(600), square)
    assert np.corrcoef(stretched, tall)[0, 1] > 0.97


def test_her2_regions_hold_one_class(tmp_path: Path) -> None:
    truth = write_slide(
        "her2-ihc", 1600, 9_000_103, tmp_path / "h.svs", mpp=0.32, tumour_share=0.95
    )
    document = truth.document
    assert sum(document["percent"].values()) == pytest.approx(100, abs=0.1)
    assert document["tumour_cells"] == sum(
        n for name, n in document["counts"].items() if name.startswith("tumour")
    )
    table = pq.read_table(truth.cells)
    assert {"membrane_completeness", "membrane_od"} <= set(table.column_names)
    classes = np.array(table["class"].to_pylist())
    speck = np.array(table["speck"])
    assert document["specks"] == speck.sum() > 0
    assert document["cells"] == len(speck) == sum(document["counts"].values())
    area = np.array(table["nucleus_area_um2"])
    assert (area[~speck] >= SPECK_UM2).all()
    assert (area[speck] < SPECK_UM2).all()
    assert set(classes[speck]) == {"artefact"}
    points = [
        Point(p) for p in zip(table["x_px"].to_pylist(), table["y_px"].to_pylist(), strict=True)
    ]
    features = json.loads(truth.regions.read_text(encoding="utf-8"))["features"]
    names = {f["properties"]["classification"]["name"] for f in features}
    assert len({n for n in names if n.startswith("tumour")}) >= 3
    checked = 0
    for feature in features:
        name = feature["properties"]["classification"]["name"]
        if not name.startswith("tumour") or name == "tumour mixed":
            continue
        area = prep(shape(feature["geometry"]))
        inside = np.array([area.contains(p) for p in points])
        held = classes[inside & np.char.startswith(classes, "tumour")]
        if len(held) >= 15:
            checked += 1
            assert (held == name).mean() > 0.7
    assert checked >= 2


def test_a_pair_tells_how_its_sections_lie(tmp_path: Path) -> None:
    truth = write_slide("pair", 900, 3, tmp_path / "p.svs", mpp=1.0)
    assert truth.partner is not None
    assert truth.partner.slide.name == "p_her2.svs"
    link = truth.document["pair"]
    assert link == json.loads(truth.partner.truth.read_text(encoding="utf-8"))["pair"]
    warp = warp_from_dict(link["warp"])
    fixed = np.loadtxt(tmp_path / link["landmarks"]["fixed"], delimiter=",", skiprows=1)[:, 1:]
    moving = np.loadtxt(tmp_path / link["landmarks"]["moving"], delimiter=",", skiprows=1)[:, 1:]
    assert len(fixed) == len(moving) == link["landmarks"]["n"] >= 40
    assert np.abs(warp.to_moving(fixed) - moving).max() < 0.01
    with openslide.OpenSlide(str(truth.partner.slide)) as slide:
        assert slide.dimensions == (900, 900)


def test_a_microarray_names_its_cores(tmp_path: Path) -> None:
    truth = write_slide("tma", 2600, 2, tmp_path / "t.svs", mpp=0.5)
    cores = truth.document["cores"]
    assert len(cores) == 9
    assert {c["state"] for c in cores} <= {"present", "torn", "missing"}
    image = _pixels(truth.slide, 1).min(2)
    table = pq.read_table(truth.cells)
    named = np.array(table["core"].to_pylist())
    for core in cores:
        x, y, r = core["x_px"] / 4, core["y_px"] / 4, core["diameter_px"] / 8
        disc = image[int(y - r / 2) : int(y + r / 2), int(x - r / 2) : int(x + r / 2)]
        empty = core["state"] == "missing"
        assert (disc.std() < 4) == empty
        assert ((named == core["name"]).sum() == 0) == empty
        assert (core["score"] is None) == empty
    features = json.loads(truth.regions.read_text(encoding="utf-8"))["features"]
    assert [f["properties"]["isMissing"] for f in features] == [
        c["state"] == "missing" for c in cores
    ]


def test_large_slides_repeat_scenes_and_turn_their_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(he_module, "_WHOLE_PX", 1000)
    monkeypatch.setattr(he_module, "_BLOCK_UM", 640.0)
    truth = write_slide("he", 1500, 8, tmp_path / "m.svs", mpp=1.0)
    assert truth.document["layout"] == "mosaic"
    image = _pixels(truth.slide)[..., 0].astype(float)
    table = pq.read_table(truth.cells)
    immune = np.array(table["class"].to_pylist()) == "immune"
    x = table["x_px"].to_numpy()[immune].astype(int)
    y = table["y_px"].to_numpy()[immune].astype(int)
    assert len(x) > 50
    assert np.median(image[y, x]) < np.median(image[y, np.clip(x + 8, 0, 1499)]) - 15


def test_large_her2_slides_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ihc_module, "_WHOLE_PX", 800)
    monkeypatch.setattr(ihc_module, "_BLOCK_UM", 300.0)
    truth = write_slide("her2-ihc", 1300, 8, tmp_path / "m.svs", mpp=0.5)
    assert truth.document["layout"] == "mosaic"
    table = pq.read_table(truth.cells)
    assert table.num_rows == sum(truth.document["counts"].values())
    assert table["x_px"].to_numpy().max() < 1300


@pytest.mark.parametrize(
    ("kind", "size", "more"),
    [
        ("xx", 512, {}),
        ("he", 10, {}),
        ("he", 512, {"mpp": 0.0}),
        ("he", 512, {"mpp": float("nan")}),
        ("he", 512, {"downsamples": (1, 4, 6)}),
        ("he", 512, {"downsamples": (2, 4)}),
        ("pair", 512, {"mpp_y": 0.4}),
        ("pair", 30_000, {}),
        ("tma", 512, {"mpp": 0.25}),
    ],
)
def test_senseless_arguments_are_refused_in_a_sentence(
    kind: str, size: int, more: dict, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        write_slide(kind, size, 0, tmp_path / "x.svs", **more)
    assert caught.value.sentence.endswith(".")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_can_not_be_written_is_said_so(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here first")
    with pytest.raises(CannotWriteError):
        write_slide("he", 128, 0, blocked / "x.svs", mpp=1.0)


def test_no_unfinished_file_is_left(he: Truth) -> None:
    assert not [p for p in he.slide.parent.iterdir() if p.name.endswith(".part")]


def test_the_kinds_are_those_of_the_command() -> None:
    assert KINDS == ("he", "her2-ihc", "pair", "tma")
