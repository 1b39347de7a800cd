"""Tiles of drawn regions: which, how read, and what becomes of those that can't be."""

from __future__ import annotations

import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_slides import box
from made_slides import break_tile, write_generic

from napari_her2.annotations.schema import load_schema
from napari_her2.errors import UnknownMppError
from napari_her2.geometry import Region
from napari_her2.pipelines.label_set import LabelRules, LabelSetRequest, make_label_set
from napari_her2.slides import open_array, open_slide
from napari_her2.tiles.reading import TileReader
from napari_her2.tiles.spec import TileSpec
from napari_her2.training.drawing_tiles import choose_tiles, read_tiles, tile_features
from napari_her2.training.label_regions import LabelRegion
from napari_her2.training.label_set import LabelSet

SPEC = TileSpec(32, 4.0, 128.0)
"""128 µm side by side: 64 level-0 pixels at 2 µm/px."""

SIDE = 768
SCHEMA = load_schema("biomarker-regions")
SHADES = {"ER+": (190, 60, 150), "ER-": (110, 70, 170), "non-tumour": (235, 160, 200)}


def write_three(path: Path, seed: int = 0) -> Path:
    """A pink slide of three bands, one for each class of ER."""
    rng = np.random.default_rng(seed)
    image = np.empty((SIDE, SIDE, 3), np.float32)
    for k, shade in enumerate(SHADES.values()):
        image[:, k * 256 : (k + 1) * 256] = shade
    image += cv2.GaussianBlur(rng.normal(0, 60, image.shape).astype(np.float32), (0, 0), 1.5)
    image[:40] = image[-40:] = (244, 243, 245)
    pixels = np.clip(np.rint(image), 0, 255).astype(np.uint8)
    return write_generic(path, pixels, factors=(1, 2), mpp=(2.0, 2.0), compression="deflate",
                         tile=64)  # fmt: skip


BANDS = tuple(
    box(name, k * 256, 64, k * 256 + 256, 704, id=f"band {k}") for k, name in enumerate(SHADES)
)


@pytest.fixture(scope="module")
def slide_path(tmp_path_factory):
    return write_three(tmp_path_factory.mktemp("slides") / "he.tif")


def outcome_of(path, out, annotations=BANDS, **more):
    options = {"kind": "tiles", "tile": SPEC, "biomarker": "ER", "schema": SCHEMA, **more}
    asked = LabelSetRequest(sources=((path, annotations),), out=out, **options)
    *_, outcome = make_label_set(asked, threading.Event())
    return outcome


def test_tiles_have_the_pixels_that_a_run_reads_and_the_roles_of_the_biomarker(
    slide_path, tmp_path
):
    outcome = outcome_of(slide_path, tmp_path / "set")
    assert outcome.error is None, outcome.error
    got = LabelSet.read(tmp_path / "set")
    assert got.classes == ("ER+", "ER-", "non-tumour")
    assert got.class_roles == {"positive": 0, "negative": 1, "non_tumour": 2}
    assert got.stain == "H&E"
    assert (got.tile_px, got.tile_mpp) == (32, 4.0)
    assert len(got) == 4 * 10 * 3
    x, y = got.column("x_px"), got.column("y_px")
    assert (got.labels == (x // 256)).all()
    assert (got.column("width_px") == 64).all()
    with open_slide(slide_path) as slide:
        reader = TileReader(slide, SPEC)
        for row in (0, 50, 119):
            expected = reader.read(Region(x[row] - 32, y[row] - 32, 64, 64)).rgb
            assert (got.tiles([row])[0] == expected).all()
    assert got.features().shape == (120, len(got.feature_names))
    assert outcome.document["split"]["by"] == "tile"


def test_the_share_inside_decides_and_a_whole_one_can_be_asked_for(slide_path):
    wide = box("ER+", 0, 64, 96, 704)
    with open_slide(slide_path) as slide:
        region = LabelRegion("a", wide.geometry, 0, "", False)
        half = choose_tiles(slide, SPEC, [region], LabelRules())
        whole = choose_tiles(slide, SPEC, [region], LabelRules(inside=1.0))
        none = choose_tiles(slide, SPEC, [], LabelRules())
    assert (len(half.windows), len(whole.windows), len(none.windows)) == (20, 10, 0)
    assert sorted({round(float(i), 3) for i in half.assigned.inside}) == [0.5, 1.0]


def test_overlapping_steps_find_more_tiles_and_none_beside_the_slide(slide_path):
    region = LabelRegion("a", box("x", -500, -500, 2000, 2000).geometry, 0, "", False)
    with open_slide(slide_path) as slide:
        chosen = choose_tiles(slide, TileSpec(32, 4.0, 64.0), [region], LabelRules(inside=1.0))
    assert len(chosen.windows) == 24 * 24
    corners = {(w.x, w.y) for w in chosen.windows}
    assert len(corners) == len(chosen.windows)


def test_a_tile_between_two_classes_is_listed_and_left_out(slide_path, tmp_path):
    moved = (box("ER+", 0, 64, 340, 704, id="wide"), *BANDS[1:])
    got = outcome_of(slide_path, tmp_path / "set", moved)
    listed = LabelSet.read(tmp_path / "set").info["conflicts"]["listed"]
    assert got.document["conflicts"] == len(listed) == 20
    assert all(c["regions"] == ["band 1", "wide"] for c in listed)


def test_a_tile_that_cannot_be_read_is_recorded_and_never_white(tmp_path):
    path = write_three(tmp_path / "broken.tif", seed=1)
    # One damaged piece of the file: the reader gives up its square of 256 px at that level.
    break_tile(path, 6, level=1)
    got = outcome_of(path, tmp_path / "set", ignore_stain=True)
    assert got.error is None, got.error
    found = LabelSet.read(tmp_path / "set")
    lost = found.info["unreadable"]["listed"]
    assert len(found) == 120 - len(lost)
    assert {(t["x_px"], t["y_px"]) for t in lost} == {
        (x, y) for x in range(32, 512, 64) for y in range(96, 512, 64)
    }
    assert all(t["reason"] for t in lost)
    assert "label_unreadable" in {w["id"] for w in found.summary()["warnings"]}
    assert found.tiles().max(axis=(1, 2)).min() < 255
    with open_slide(path) as slide:
        region = LabelRegion("a", box("x", 0, 128, 64, 192).geometry, 0, "", False)
        chosen = choose_tiles(slide, SPEC, [region], LabelRules())
        [(_, tile)] = list(read_tiles(slide, SPEC, chosen.windows))
    assert tile.failed
    assert (tile.rgb == 128).all()


def test_regions_too_small_for_a_tile_are_named(slide_path, tmp_path):
    small = (*BANDS[:2], box("non-tumour", 600, 100, 620, 120))
    outcome = outcome_of(slide_path, tmp_path / "set", small)
    assert outcome.error.message_id == "no_tiles"
    assert "non-tumour" in outcome.error.sentence
    assert "128" in outcome.error.sentence


def test_a_schema_without_the_biomarker_is_a_sentence(slide_path, tmp_path):
    outcome = outcome_of(slide_path, tmp_path / "set", schema=load_schema("her2-cells"))
    assert outcome.error.message_id == "schema_lacks"


def test_classes_of_other_biomarkers_are_no_part_of_the_set(slide_path, tmp_path):
    more = (*BANDS, box("HER2+", 0, 64, 256, 704))
    got = outcome_of(slide_path, tmp_path / "set", more)
    assert got.document["n"] == 120
    reasons = {s["reason"]: s["n"] for s in got.document["skipped"]}
    assert reasons == {"class switched off: HER2+": 1}


def test_no_pixel_size_is_never_guessed():
    with (
        open_array(np.zeros((64, 64, 3), np.uint8)) as slide,
        pytest.raises(UnknownMppError, match="never guessed"),
    ):
        choose_tiles(slide, SPEC, [], LabelRules())


def test_features_of_a_tile_are_those_of_its_colours():
    pale = tile_features(np.full((64, 64, 3), 250, np.uint8))
    red = tile_features(np.tile(np.array([200, 40, 40], np.uint8), (256, 256, 1)))
    assert pale[-1] == 1
    assert red[-1] == 0
    assert red[0] < red[1] == pytest.approx(-np.log10(41 / 256), abs=1e-5)
    assert red[3:7].max() == pytest.approx(0, abs=1e-6)
