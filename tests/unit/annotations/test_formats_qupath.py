"""QuPath's GeoJSON: both dialects in and out, nothing lost on the way."""

from __future__ import annotations

import json
import time
import zipfile

import numpy as np
import pytest
import shapely
from drawn_objects import every_kind, same_shape

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.interchange import read_annotations, write_annotations
from napari_her2.annotations.schema import load_schema
from napari_her2.results.cells_geojson import cells_geojson_writer

RING = [[0, 0], [40, 0], [40, 40], [0, 40], [0, 0]]
HOLE = [[10, 10], [20, 10], [20, 20], [10, 10]]

NEW = {
    "type": "FeatureCollection",
    "features": [
        {
            "type": "Feature",
            "id": "6f6a9c1e-0d2c-4f0e-8a44-000000000001",
            "geometry": {"type": "Polygon", "coordinates": [RING, HOLE]},
            "properties": {
                "objectType": "annotation",
                "name": "first",
                "color": [1, 2, 3],
                "classification": {"names": ["Tumor", "1+"], "color": [200, 0, 0]},
                "isLocked": True,
                "measurements": {"Area µm^2": 12.5, "empty": None, "Name": "not a number"},
                "metadata": {"ANNOTATION_DESCRIPTION": "a note", "author": "R1", "more": "kept"},
                "ours": {"deep": [1, 2, {"x": None}]},
            },
        },
        {
            "type": "Feature",
            "id": "6f6a9c1e-0d2c-4f0e-8a44-000000000002",
            "geometry": {
                "type": "MultiPolygon",
                "coordinates": [[RING, HOLE], [[[50, 50], [60, 50], [60, 60], [50, 50]]]],
                "plane": {"c": -1, "z": 3, "t": 0},
            },
            "properties": {
                "objectType": "annotation",
                "classification": {"name": "Stroma", "color": [0, 200, 0, 128]},
            },
        },
        {
            "type": "Feature",
            "id": "6f6a9c1e-0d2c-4f0e-8a44-000000000003",
            "geometry": {"type": "Polygon", "coordinates": [RING]},
            "nucleusGeometry": {"type": "Polygon", "coordinates": [HOLE]},
            "properties": {"objectType": "cell", "isMissing": False},
        },
        {
            "type": "Feature",
            "id": "a name",
            "geometry": {"type": "LineString", "coordinates": [[0, 0], [5.5, 7.25]]},
            "properties": {"objectType": "annotation"},
            "bbox": [0, 0, 5.5, 7.25],
        },
    ],
}  # fmt: skip

OLD = [
    {
        "type": "Feature",
        "id": "PathAnnotationObject",
        "geometry": {"type": "Polygon", "coordinates": [RING]},
        "properties": {
            "classification": {"name": "Tumor", "colorRGB": -3670016},
            "colorRGB": -16776961,
            "isLocked": False,
            "measurements": [{"name": "Area", "value": 3.5}],
        },
    },
    {
        "type": "Feature",
        "id": "PathDetectionObject",
        "geometry": {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]},
        "properties": {
            "classification": {
                "name": "1+", "colorRGB": -1, "parentClass": {"name": "Tumor", "colorRGB": -2},
            },
            "isLocked": False,
            "measurements": [],
        },
    },
]  # fmt: skip


def put(path, document):
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def test_current_dialect(tmp_path):
    found = read_annotations(put(tmp_path / "a.json", NEW))
    first, parts, cell, line = found.annotations
    assert (found.format, found.skipped, found.repaired) == ("QuPath GeoJSON", (), 0)
    assert (first.class_name, first.class_colour, first.colour) == (
        "Tumor: 1+", (200, 0, 0), (1, 2, 3),
    )  # fmt: skip
    assert (first.name, first.note, first.author, first.locked) == ("first", "a note", "R1", True)
    assert first.measurements["Area µm^2"] == 12.5
    assert np.isnan(first.measurements["empty"])
    assert len(first.geometry.interiors) == 1
    assert [len(p.interiors) for p in parts.geometry.geoms] == [1, 0]
    assert (cell.object_type, cell.nucleus.area) == ("cell", 50)
    assert (line.geometry.geom_type, line.id) == ("LineString", "a name")


def test_a_file_comes_back_with_every_object_class_and_property(tmp_path):
    found = read_annotations(put(tmp_path / "a.json", NEW))
    written = write_annotations(tmp_path / "b.json", found.annotations)
    assert written.skipped == ()
    back = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    for was, now in zip(NEW["features"], back["features"], strict=True):
        asked = json.loads(json.dumps(was))
        for name, value in (asked["properties"].get("measurements") or {}).items():
            if value is None:
                assert np.isnan(now["properties"]["measurements"].pop(name))
        asked["properties"].get("measurements", {}).pop("empty", None)
        assert now == asked


def test_old_dialect(tmp_path):
    found = read_annotations(put(tmp_path / "a.json", OLD))
    area, points = found.annotations
    assert (area.object_type, area.class_name, area.class_colour) == (
        "annotation", "Tumor", (200, 0, 0),
    )  # fmt: skip
    assert (area.colour, dict(area.measurements)) == ((0, 0, 255), {"Area": 3.5})
    assert (points.object_type, points.class_name) == ("detection", "Tumor: 1+")
    lost = write_annotations(tmp_path / "b.json", found.annotations, dialect="old").skipped
    assert [s.id for s in lost] == ["no_place_id"]
    back = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    OLD[1]["properties"]["classification"] = {"name": "Tumor: 1+", "colorRGB": -1}
    assert back == OLD


@pytest.mark.parametrize("wrap", [lambda f: f, lambda f: [f], lambda f: f["geometry"]])
def test_a_bare_feature_a_list_and_a_bare_shape(tmp_path, wrap):
    found = read_annotations(put(tmp_path / "a.json", wrap(NEW["features"][0])))
    assert len(found.annotations) == 1
    assert found.annotations[0].area_px == 1550


def test_objects_inside_objects_are_all_taken(tmp_path):
    child = {"type": "Feature", "id": "child", "geometry": {"type": "Point", "coordinates": [1, 1]}}
    core = {
        "type": "Feature", "id": "core", "geometry": {"type": "Polygon", "coordinates": [RING]},
        "properties": {"objectType": "tmaCore", "isMissing": True, "childObjects": [child]},
    }  # fmt: skip
    root = {"type": "Feature", "properties": {"objectType": "root", "childObjects": [core]}}
    found = read_annotations(put(tmp_path / "a.json", [root]))
    assert [a.id for a in found.annotations] == ["core", "child"]
    assert found.annotations[0].object_type == "tmaCore"
    assert found.annotations[0].properties["isMissing"] is True
    assert found.skipped == ()


def test_every_kind_goes_out_and_comes_back(tmp_path):
    drawn = every_kind()
    schema = load_schema("her2-cells")
    write_annotations(tmp_path / "a.geojson", drawn, schema=schema)
    text = (tmp_path / "a.geojson").read_text(encoding="utf-8")
    assert '"name":"Tumor: 3+"' in text
    found = read_annotations(tmp_path / "a.geojson", schema=schema)
    assert len(found.annotations) == len(drawn)
    for was, now in zip(drawn, found.annotations, strict=True):
        assert same_shape(was, now, 0)
        for field in (
            "id", "class_name", "object_type", "name", "note", "author", "created", "locked",
            "colour", "propagated_from",
        ):  # fmt: skip
            assert getattr(was, field) == getattr(now, field)
        assert dict(was.measurements) == dict(now.measurements)
        assert dict(was.properties) == dict(now.properties)
    assert found.annotations[-1].nucleus.equals(drawn[-1].nucleus)


def test_a_schema_gives_our_names_and_leaves_others(tmp_path):
    schema = load_schema("her2-cells")
    found = read_annotations(put(tmp_path / "a.json", NEW), schema=schema)
    assert [a.class_name for a in found.annotations] == ["tumour 1+", "stroma", None, None]


def test_what_is_no_number_is_written_as_qupath_writes_it(tmp_path):
    a = Annotation(geometry=shapely.Point(1, 2), measurements={"x": float("nan")})
    write_annotations(tmp_path / "a.json", [a])
    assert b'"x":NaN' in (tmp_path / "a.json").read_bytes()
    assert np.isnan(read_annotations(tmp_path / "a.json").annotations[0].measurements["x"])


def test_an_edited_ellipse_is_no_ellipse_any_more(tmp_path):
    angle = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    ring = np.stack([50 + 30 * np.cos(angle), 40 + 20 * np.sin(angle)], 1)
    ring = [*ring.tolist(), ring[0].tolist()]
    feature = {
        "type": "Feature", "id": "e", "properties": {},
        "geometry": {"type": "Polygon", "coordinates": [ring], "isEllipse": True},
    }  # fmt: skip
    (ellipse,) = read_annotations(put(tmp_path / "a.json", feature)).annotations
    write_annotations(tmp_path / "b.json", [ellipse])
    assert b'"isEllipse":true' in (tmp_path / "b.json").read_bytes()
    half = ellipse.geometry.intersection(shapely.box(0, 0, 50, 100))
    edited = Annotation(geometry=half, id="e", properties=ellipse.properties)
    write_annotations(tmp_path / "b.json", [edited])
    assert b"isEllipse" not in (tmp_path / "b.json").read_bytes()


def test_a_class_never_goes_out_without_a_colour(tmp_path):
    # QuPath does not open a file in which one has none.
    write_annotations(
        tmp_path / "a.json", [Annotation(geometry=shapely.Point(1, 2), class_name="x")]
    )
    (feature,) = json.loads((tmp_path / "a.json").read_text())["features"]
    assert len(feature["properties"]["classification"]["color"]) == 3


def test_the_same_file_twice_gives_the_same_ids(tmp_path):
    a = read_annotations(put(tmp_path / "a.json", OLD)).annotations
    b = read_annotations(put(tmp_path / "b.json", OLD)).annotations
    assert [x.id for x in a] == [x.id for x in b]
    assert len({x.id for x in a}) == 2


def test_a_measurement_told_twice_is_kept_or_listed(tmp_path):
    twice = [{"name": "Area", "value": 1.5}, {"name": "Area", "value": 2.5}]
    feature = {**OLD[0], "properties": {"isLocked": False, "measurements": twice}}
    found = read_annotations(put(tmp_path / "a.json", feature)).annotations
    lost = write_annotations(tmp_path / "b.json", found).skipped
    assert [(s.id, s.n) for s in lost] == [("no_place_twice", 1)]
    write_annotations(tmp_path / "b.json", found, dialect="old")
    (back,) = json.loads((tmp_path / "b.json").read_text())
    assert back["properties"]["measurements"] == twice


def test_a_number_as_id_comes_back_a_number(tmp_path):
    point = {"type": "Point", "coordinates": [1, 2]}
    features = [{"type": "Feature", "id": i, "geometry": point, "properties": {}} for i in (7, 8)]
    found = read_annotations(put(tmp_path / "a.json", features)).annotations
    assert [a.id for a in found] == ["7", "8"]
    write_annotations(tmp_path / "b.json", found)
    back = json.loads((tmp_path / "b.json").read_text())["features"]
    assert [f["id"] for f in back] == [7, 8]


def test_many_cells_take_little_time(tmp_path):
    cells = 10_000
    ring = [[round(i * 1.37 % 9, 2), round(i * 2.11 % 7, 2)] for i in range(32)]
    ring = shapely.get_coordinates(shapely.MultiPoint(ring).convex_hull).tolist()
    measured = {f"m{i}": i + 0.5 for i in range(20)}
    properties = {"objectType": "cell", "measurements": measured}
    feature = {
        "type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties,
    }  # fmt: skip
    path = put(tmp_path / "a.json", [feature] * cells)
    start = time.process_time()
    assert len(read_annotations(path).annotations) == cells
    # 20 s for 100,000; it takes a fifth of that.
    assert time.process_time() - start < 20 * cells / 100_000


def test_a_zip_as_qupath_exports_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.geojson", json.dumps(NEW))
    assert len(read_annotations(tmp_path / "a.zip").annotations) == 4


def test_a_file_in_utf_16(tmp_path):
    NEW["features"][0]["properties"]["name"] = "Erste Fläche"
    (tmp_path / "a.json").write_bytes(json.dumps(NEW, ensure_ascii=False).encode("utf-16"))
    assert read_annotations(tmp_path / "a.json").annotations[0].name == "Erste Fläche"
    NEW["features"][0]["properties"]["name"] = "first"


def test_cells_of_a_run_are_read(tmp_path):
    rng = np.random.default_rng(0)
    columns = {
        "x_px": rng.uniform(0, 900, 50), "y_px": rng.uniform(0, 900, 50),
        "class": np.arange(50) % 2, "membrane_od": np.full(50, 0.5, np.float32),
        "nucleus_radii": rng.uniform(8, 12, (50, 32)),
    }  # fmt: skip
    names = {"tumour 1+": "Tumor: 1+"}
    with (tmp_path / "cells.geojson").open("wb") as f:
        cells_geojson_writer(columns, ["tumour 1+", "stroma"], names, {})(f)
    found = read_annotations(tmp_path / "cells.geojson", schema=load_schema("her2-cells"))
    assert found.classes == {"tumour 1+": 25, "stroma": 25}
    assert (found.skipped, found.notes) == ((), ())
    assert {a.object_type for a in found.annotations} == {"detection"}
    assert dict(found.annotations[0].measurements) == {"membrane_od": 0.5}
    centres = [a.geometry.centroid.coords[0] for a in found.annotations]
    assert np.abs(np.array(centres)[:, 0] - columns["x_px"]).max() < 2
