"""What is wrong with a file is one sentence or one row of a list; the rest is imported."""

from __future__ import annotations

import json

import pytest
import shapely

from napari_her2.annotations import interchange
from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add
from napari_her2.annotations.formats import intake, limits
from napari_her2.annotations.formats.reasons import REASONS
from napari_her2.annotations.interchange import read_annotations
from napari_her2.errors import BadAnnotationsError

RING = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
EIGHT = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]


def polygon(*rings, **properties):
    geometry = {"type": "Polygon", "coordinates": list(rings)}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def shape(kind, coordinates):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": {}}


def put(tmp_path, features, name="a.json"):
    (tmp_path / name).write_text(json.dumps(features), encoding="utf-8")
    return tmp_path / name


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (polygon([[0, 0], [float("nan"), 0], [1, 1], [0, 0]]), "not_finite"),
        (polygon([[0, 0], [float("inf"), 0], [1, 1], [0, 0]]), "not_finite"),
        (polygon([[0, 0], [1e300, 0], [1, 1], [0, 0]]), "far"),
        (polygon([[0, 0], [10**400, 0], [1, 1], [0, 0]]), "bad_shape"),
        (polygon([[0, 0], [5, 5], [0, 0]]), "few_points"),
        (polygon([[0, 0], [5, 5], [9, 9], [0, 0]]), "no_area"),
        (polygon([]), "bad_shape"),
        (polygon(), "no_shape"),
        (polygon("abc"), "bad_shape"),
        (shape("LineString", [[1, 1]]), "few_points"),
        (shape("Point", [1]), "bad_shape"),
        (shape("Circle", [1, 1]), "bad_shape"),
        ({"type": "Feature", "geometry": None, "properties": {}}, "no_shape"),
        ({"type": "Feature"}, "no_shape"),
        (5, "not_object"),
    ],
)
def test_one_bad_object_is_listed_and_the_rest_imported(tmp_path, bad, reason):
    found = read_annotations(put(tmp_path, [polygon(RING), bad, polygon(RING)]))
    assert len(found.annotations) == 2
    assert [(s.id, s.n) for s in found.skipped] == [(reason, 1)]
    assert found.skipped[0].reason == REASONS[reason]


def test_an_outline_that_crosses_itself_is_repaired_and_counted(tmp_path):
    path = put(tmp_path, [polygon(EIGHT), polygon(RING)])
    found = read_annotations(path)
    assert (len(found.annotations), found.repaired) == (2, 1)
    eight = found.annotations[0].geometry
    assert (eight.geom_type, len(eight.geoms), eight.area) == ("MultiPolygon", 2, 50)
    assert any("crossed themselves" in n for n in found.notes)
    kept = read_annotations(path, on_crossing="keep")
    assert kept.repaired == 0
    assert shapely.get_coordinates(kept.annotations[0].geometry).tolist() == EIGHT


def test_a_loop_drawn_over_its_start_gets_no_hole(tmp_path):
    ring = [[0, 0], [10, 0], [10, 10], [0, 10], [0, -1], [4, -1], [4, 5], [2, 5], [0, 0]]
    (a,) = read_annotations(put(tmp_path, [polygon(ring)])).annotations
    assert not a.geometry.interiors


def test_open_rings_are_closed_and_counted(tmp_path):
    found = read_annotations(put(tmp_path, [polygon(RING[:-1]), polygon(RING)]))
    assert [a.area_px for a in found.annotations] == [100, 100]
    assert any("were open" in n and ": 1." in n for n in found.notes)


def test_a_third_coordinate_is_left_out_and_counted(tmp_path):
    ring = [[*p, 7] for p in RING]
    found = read_annotations(put(tmp_path, [polygon(ring)]))
    assert not found.annotations[0].geometry.has_z
    assert any("third coordinate" in n for n in found.notes)


def test_a_mixed_collection_is_one_object_for_each_kind(tmp_path):
    collection = {
        "type": "GeometryCollection",
        "geometries": [
            {"type": "Point", "coordinates": [1, 2]},
            {"type": "Polygon", "coordinates": [RING]},
            {"type": "Polygon", "coordinates": [[[p[0] + 50, p[1]] for p in RING]]},
        ],
    }
    found = read_annotations(put(tmp_path, [{"type": "Feature", "geometry": collection}]))
    assert [a.geometry.geom_type for a in found.annotations] == ["MultiPolygon", "Point"]


@pytest.mark.parametrize("cut", [0.35, 0.5, 0.77, 0.999])
def test_of_a_cut_file_the_whole_objects_are_taken(tmp_path, cut):
    features = [polygon(RING, name=f"n{i}") for i in range(20)]
    text = json.dumps({"type": "FeatureCollection", "features": features})
    text = text[: int(len(text) * cut)]
    (tmp_path / "a.json").write_text(text)
    found = read_annotations(tmp_path / "a.json")
    whole = text.count("}}")
    assert [a.name for a in found.annotations] == [f"n{i}" for i in range(whole)]
    assert any("ends too early" in n for n in found.notes)


def test_a_damaged_place_in_the_middle_keeps_what_stands_before(tmp_path):
    text = json.dumps([polygon(RING, name=f"n{i}") for i in range(10)])
    at = text.index('"n5"')
    (tmp_path / "a.json").write_text(text[:at] + "}}" + text[at + 4 :])
    found = read_annotations(tmp_path / "a.json")
    assert [a.name for a in found.annotations] == [f"n{i}" for i in range(5)]
    assert [(s.id, s.n) for s in found.skipped] == [("cut_off", 1)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "it is empty"),
        (b"  \n", "it is empty"),
        (b"[" * 100_000, "recursion limit"),
        (b'{"a": 1}', "no list of features"),
        (b'{"type": "FeatureCollection"}', "no list of features"),
        (b"{", "damaged|no list of features"),
        (b"PK\x03\x04 no zip", "zip is damaged"),
        (b"just some words", "nothing in it looks like"),
    ],
)
def test_a_file_without_annotations_is_one_sentence(tmp_path, content, said):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(BadAnnotationsError, match=said) as e:
        read_annotations(tmp_path / "a.json")
    assert "a.json" in e.value.sentence


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BadAnnotationsError, match=r"gone\.json"):
        read_annotations(tmp_path / "gone.json")


def test_caps(tmp_path, monkeypatch):
    path = put(tmp_path, [polygon(RING)] * 5)
    for module, name, value, said in (
        (limits, "MAX_BYTES", 100, "2 GiB"),
        (intake, "MAX_POINTS", 10, "10 points"),
        (intake, "MAX_OBJECTS", 4, "4 objects"),
    ):
        with monkeypatch.context() as m:
            m.setattr(module, name, value)
            with pytest.raises(BadAnnotationsError, match=said):
                read_annotations(path)


def test_annotations_of_another_slide_are_refused(tmp_path):
    far = polygon([[x + 5000, y + 6000] for x, y in RING])
    path = put(tmp_path, [far, far, polygon(RING)])
    with pytest.raises(
        BadAnnotationsError, match="at least 5,010 x 6,010 px, this one is 100 x 90"
    ):
        read_annotations(path, slide_size=(100, 90))
    assert len(read_annotations(path, slide_size=(100, 90), any_slide=True).annotations) == 3
    few = put(tmp_path, [far, *[polygon(RING)] * 9])
    found = read_annotations(few, slide_size=(100, 90))
    assert len(found.annotations) == 10
    assert any("lie outside the slide: 1" in n for n in found.notes)


def test_a_file_that_states_another_size_is_refused(tmp_path):
    coco = {"images": [{"id": 1, "width": 50, "height": 50}], "annotations": [], "categories": []}
    with pytest.raises(BadAnnotationsError, match="50 x 50 px, this one is 100 x 90"):
        read_annotations(put(tmp_path, coco), slide_size=(100, 90))


def test_objects_of_one_id_are_all_kept(tmp_path):
    features = [{**polygon(RING), "id": "same"} for _ in range(3)]
    found = read_annotations(put(tmp_path, features))
    assert len({a.id for a in found.annotations}) == 3
    assert any("Objects with an id" in n and ": 2." in n for n in found.notes)


def test_a_folder_of_our_own_annotations_is_read(tmp_path):
    drawn = read_annotations(put(tmp_path, [polygon(RING, name="n")])).annotations
    with open_book("s", (100, 90), 0.5, tmp_path / "book") as book:
        book.apply(add(drawn))
    found = interchange.read_annotations(tmp_path / "book", slide_size=(100, 90))
    assert [(a.id, a.name) for a in found.annotations] == [(drawn[0].id, "n")]
    assert (found.slide_size, found.mpp) == ((100, 90), (0.5, 0.5))
    with pytest.raises(BadAnnotationsError):
        interchange.read_annotations(tmp_path / "book", slide_size=(100, 91))


def test_letters_of_an_old_encoding(tmp_path):
    text = json.dumps([polygon(RING, name="Fläche")], ensure_ascii=False)
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    found = read_annotations(tmp_path / "a.json")
    assert found.annotations[0].name == "Fläche"
    assert any("UTF-8" in n for n in found.notes)


def test_cytomine_counts_y_from_below(tmp_path):
    entry = {"annotation": {"id": 4, "location": "POINT (1 2)", "term": [7]}}
    path = put(tmp_path, entry)
    found = read_annotations(path, slide_size=(100, 90))
    assert found.annotations[0].geometry.coords[0] == (1, 88)
    assert found.annotations[0].class_name == "term 7"
    assert any("upside down" in n for n in read_annotations(path).notes)


@pytest.mark.parametrize(("stated", "y"), [("0.005 mm²", 100), ("0.0025 mm²", 50)])
def test_sectra_shares_are_checked_by_the_area(tmp_path, stated, y):
    corners = [(0, 0), (0.5, 0), (0.5, 1), (0, 1)]
    content = [{"x": x, "y": y} for x, y in corners]
    path = put(tmp_path, {"type": "Area", "result": stated, "content": content})
    found = read_annotations(path, slide_size=(100, 50), mpp=(1, 1), any_slide=True)
    assert found.annotations[0].geometry.bounds == (0, 0, 50, y)
    with pytest.raises(BadAnnotationsError, match="--slide"):
        read_annotations(path)
