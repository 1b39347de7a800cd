"""Files that the real tools wrote: everything comes in, and goes out again as it was."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import shapely

from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add
from napari_her2.annotations.interchange import read_annotations, write_annotations

pytestmark = pytest.mark.shared

QUPATH = (
    "histoqc_geojson_example.json", "qupath-ellipse.json", "qupath-multipoint.json",
    "qupath-point.json", "qupath-polygon.json", "qupath-rectangle.json",
)  # fmt: skip


@pytest.fixture
def folder(shared_data):
    return shared_data / "annotations-real"


def features(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(document, dict):
        document = document.get("features", [document])
    return document


def points(geometry):
    """All numbers of a GeoJSON geometry, in order."""
    return np.array(re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", json.dumps(geometry)), np.float64)


def in_current_dialect(feature):
    """What a file of QuPath 0.2 says, in the words of today."""
    properties = dict(feature["properties"])
    given = properties.pop("classification", None)
    properties.pop("isLocked", None)
    measurements = {m["name"]: m["value"] for m in properties.pop("measurements", [])}
    properties["objectType"] = "annotation"
    if given is not None:
        packed = given["colorRGB"] & 0xFFFFFF
        colour = [packed >> 16, packed >> 8 & 255, packed & 255]
        properties["classification"] = {"name": given["name"], "color": colour}
    if measurements:
        properties["measurements"] = measurements
    return properties


@pytest.mark.parametrize("name", QUPATH)
def test_qupath_through_our_store_and_back(tmp_path, folder, name):
    given = features(folder / "qupath" / name)
    found = read_annotations(folder / "qupath" / name)
    assert (len(found.annotations), found.skipped, found.repaired) == (len(given), (), 0)
    with open_book("s", (100_000, 200_000), folder=tmp_path / "book") as book:
        book.apply(add(found.annotations))
    kept = read_annotations(tmp_path / "book").annotations
    out = tmp_path / "out.geojson"
    assert write_annotations(out, kept).skipped == ()
    for was, now in zip(given, features(out), strict=True):
        assert now["geometry"]["type"] == was["geometry"]["type"]
        assert np.abs(points(now["geometry"]) - points(was["geometry"])).max() <= 1e-6
        assert now["properties"] == in_current_dialect(was)
    again = read_annotations(out).annotations
    for a, b in zip(kept, again, strict=True):
        assert a.geometry.equals_exact(b.geometry, 1e-6)


def test_qupath_classes_and_parts(folder):
    found = read_annotations(folder / "qupath" / "histoqc_geojson_example.json")
    assert found.classes == {"Tumor": 1, "Invborder": 1}
    assert {a.geometry.geom_type for a in found.annotations} == {"MultiPolygon"}
    given = features(folder / "qupath" / "histoqc_geojson_example.json")
    for a, f in zip(found.annotations, given, strict=True):
        assert len(a.geometry.geoms) == len(f["geometry"]["coordinates"])
        holes = sum(len(part) - 1 for part in f["geometry"]["coordinates"])
        assert int(shapely.get_num_interior_rings(shapely.get_parts(a.geometry)).sum()) == holes


def test_qupath_detections(shared_data):
    path = shared_data / "qupath-detections-breast" / "cell_detections.geojson"
    found = read_annotations(path)
    assert len(found.annotations) == 410
    assert {a.object_type for a in found.annotations} == {"detection"}
    assert found.skipped == ()


def test_imagescope(tmp_path, folder):
    path = folder / "aperio-imagescope" / "TCGA-EJ-5518-01Z-00-DX1.xml"
    found = read_annotations(path)
    assert (found.format, found.mpp, found.skipped) == ("ImageScope XML", (0.252, 0.252), ())
    assert found.classes == {"CaP": 2, "Layer 3": 1, "Layer 4": 1}
    for a in found.annotations:
        # Where a loop runs over its start, ImageScope counts the overlap twice.
        assert a.area_px == pytest.approx(float(a.properties["imagescope"]["Area"]), rel=2e-3)
        assert not any(p.interiors for p in shapely.get_parts(a.geometry))
    drawn = read_annotations(path, on_crossing="keep").annotations
    numbers = re.findall(r'<Vertex X="([\d.]+)" Y="([\d.]+)"', path.read_text())
    corners = [shapely.get_coordinates(a.geometry)[:-1] for a in drawn]
    assert np.array_equal(np.concatenate(corners), np.array(numbers, np.float64))
    write_annotations(tmp_path / "a.xml", found.annotations, to="imagescope")
    for was, now in zip(
        found.annotations, read_annotations(tmp_path / "a.xml").annotations, strict=True
    ):
        assert was.geometry.normalize().equals_exact(now.geometry.normalize(), 1e-6)
        assert (was.class_name, was.class_colour) == (now.class_name, now.class_colour)


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("asap-dot.xml", {"unclassified": 1}),
        ("asap-polygon.xml", {"unclassified": 1}),
        ("normal_008.xml", {"background": 3, "artifact": 1, "tissue": 1}),
        ("tumor_013.xml", {"artifact": 3, "background": 1, "tissue": 1}),
    ],
)
def test_asap(folder, name, classes):
    path = folder / "asap" / name
    found = read_annotations(path, on_crossing="keep")
    assert (found.format, found.skipped) == ("ASAP XML", ())
    assert found.classes == classes
    text = path.read_text()
    numbers = np.array(re.findall(r'X="([\d.]+)" Y="([\d.]+)"', text), np.float64)
    own = [shapely.get_coordinates(a.geometry) for a in found.annotations]
    own = [c[:-1] if len(c) > 1 else c for c in own]
    assert np.array_equal(np.concatenate(own), numbers)


def test_cytomine_and_sectra(folder):
    path = folder / "cytomine" / "cytomine-polygon.txt"
    (a,) = read_annotations(path, slide_size=(50_000, 40_000)).annotations
    assert a.area_px == pytest.approx(1782944.0)
    assert shapely.get_coordinates(a.geometry)[0].tolist() == [26048, 40_000 - 17269.375]
    path = folder / "sectra" / "pathologycore-area.json"
    # At this width and pixel size the outline has the area that the file states.
    (b,) = read_annotations(path, slide_size=(47_271, 40_000), mpp=(0.5, 0.5)).annotations
    assert b.area_px * 0.25 / 1e6 == pytest.approx(5.33, rel=1e-3)


def test_every_file_reads_without_a_word_too_much(folder):
    for path in sorted(folder.rglob("*.*")):
        if path.name != "README.md":
            found = read_annotations(path, slide_size=(100_000, 220_000), mpp=(0.25, 0.25))
            assert found.annotations
            assert found.skipped == ()
