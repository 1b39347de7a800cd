"""``info`` and ``tissue`` on small files of known content, and on real ones."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_her2.messages import NOTICE

INFO_KEYS = {
    "path", "backend", "vendor", "width", "height", "levels", "mpp", "objective_power",
    "associated_images", "stain_guess", "warnings", "notice",
}  # fmt: skip
IDENTIFYING = ("ScanScope", "Barcode", "barcode", "User", "Date", "Time Zone", "ImageID", "Patient")


def tissue_picture(height: int = 1500, width: int = 2000) -> np.ndarray:
    """A pink disc on glass: 1/4 of the height in radius."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:height, :width]
    disc = (y - height / 2) ** 2 + (x - width / 2) ** 2 < (height / 4) ** 2
    picture = np.full((height, width, 3), 243, np.uint8)
    pink = np.array([206, 120, 176]) + rng.normal(0, 14, (int(disc.sum()), 1))
    picture[disc] = np.clip(pink, 0, 255).astype(np.uint8)
    return picture


@pytest.fixture
def tiff_slide(tmp_path):
    path = tmp_path / "Präparat 1.tif"
    tifffile.imwrite(
        path, tissue_picture(), photometric="rgb", tile=(256, 256), compression="jpeg",
        resolution=(1e4 / 0.5, 1e4 / 0.5), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


@pytest.fixture
def plain_jpeg(tmp_path):
    path = tmp_path / "core.jpg"
    Image.fromarray(tissue_picture()).save(path, quality=92)
    return path


def test_info_keys_and_numbers(tiff_slide, run_here):
    answer = run_here("info", tiff_slide, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert set(document) >= INFO_KEYS
    assert document["notice"] == NOTICE
    assert (document["width"], document["height"]) == (2000, 1500)
    assert document["mpp"]["x"] == pytest.approx(0.5, rel=1e-3)
    assert document["mpp"]["source"] in {"properties", "tiff-tags"}
    assert document["levels"][0] == {"width": 2000, "height": 1500, "downsample": 1.0}
    assert document["path"] == str(tiff_slide)
    assert document["stain_guess"] in {"H&E", "H-DAB", "unknown"}


def test_info_for_people(tiff_slide, run_here):
    answer = run_here("info", tiff_slide)
    assert answer.code == 0
    assert "2000 x 1500 px" in answer.out
    assert "µm/px" in answer.out
    assert NOTICE in answer.err


def test_an_unknown_pixel_size_is_said_and_never_guessed(plain_jpeg, run_here):
    answer = run_here("info", plain_jpeg, "--json")
    assert answer.code == 0
    assert answer.json["mpp"] == {"x": None, "y": None, "source": None}
    assert "pixel size unknown" in run_here("info", plain_jpeg).out
    given = run_here("info", plain_jpeg, "--mpp", "0.23", "--json").json
    assert given["mpp"] == {"x": 0.23, "y": 0.23, "source": "user"}


def test_tissue_finds_the_disc(tiff_slide, run_here, tmp_path):
    out = tmp_path / "disc.geojson"
    answer = run_here("tissue", tiff_slide, "--out", out, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    share = np.pi * 375**2 / (2000 * 1500)
    assert document["tissue_fraction"] == pytest.approx(share, rel=0.15)
    assert document["area_mm2"] == pytest.approx(share * 1.0 * 0.75, rel=0.15)
    assert isinstance(document["flags"], list)
    assert json.loads(out.read_text(encoding="utf-8")) == document["geojson"]
    points = np.array(list(_points(document["geojson"])))
    assert np.abs(points.mean(axis=0) - [1000, 750]).max() < 60, "level-0 pixels, x then y"


def _points(geojson):
    """All vertices of all polygons."""
    features = geojson["features"] if geojson["type"] == "FeatureCollection" else [geojson]
    for feature in features:
        geometry = feature["geometry"]
        polygons = (
            geometry["coordinates"]
            if geometry["type"] == "MultiPolygon"
            else [geometry["coordinates"]]
        )
        for polygon in polygons:
            yield from polygon[0]


@pytest.mark.parametrize("command", ["info", "tissue"])
def test_a_missing_or_broken_file_is_one_sentence(command, run_here, tmp_path):
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"II*\x00" + bytes(range(256)) * 40)
    for path in (tmp_path / "absent.svs", broken):
        answer = run_here(command, path)
        assert answer.code == 3, answer.err
        assert answer.out == ""
        assert answer.is_one_sentence(), answer.err
        assert path.name in answer.err


def test_a_text_file_is_no_slide(run_program, tmp_path):
    path = tmp_path / "notes.tif"
    path.write_text("no picture", encoding="utf-8")
    answer = run_program("info", path, "--json")
    assert answer.code == 3
    assert answer.is_one_sentence(), answer.err


@pytest.mark.shared
def test_info_of_a_real_slide_names_nobody(shared_data, run_program):
    path = shared_data / "wsi-aperio-cmu1-small" / "CMU-1-Small-Region.svs"
    answer = run_program("info", path, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert (document["width"], document["height"]) == (2220, 2967)
    assert document["mpp"]["x"] == pytest.approx(0.499)
    assert document["objective_power"] == 20
    assert set(document["associated_images"]) == {"label", "macro", "thumbnail"}
    assert document["stain_guess"] == "H&E"
    del document["path"]
    text = json.dumps(document)
    assert not [word for word in IDENTIFYING if word in text]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("pattern", "size"),
    [("wsi-dicom-cmu1-small", (2220, 2967)),
     ("wsi-ometiff-qupath-crops/*OS-1*", (1101, 1101)),
     ("wsi-ometiff-qupath-crops/*OS-2*", (1445, 1445))],
)  # fmt: skip
def test_info_of_other_formats(shared_data, run_here, pattern, size):
    path = next(iter(sorted(shared_data.glob(pattern))))
    answer = run_here("info", path, "--json")
    assert answer.code == 0, answer.err
    assert (answer.json["width"], answer.json["height"]) == size
    assert answer.json["mpp"]["x"] is not None
