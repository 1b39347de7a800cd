"""CSV, Parquet and COCO, there and back; foreign tables."""

from __future__ import annotations

import csv
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely
from drawn_objects import every_kind, same_shape
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.coco import counts_of_text
from napari_her2.annotations.formats.coco_writing import run_lengths
from napari_her2.annotations.interchange import read_annotations, write_annotations
from napari_her2.annotations.rasterise import mask_of_polygons
from napari_her2.errors import BadAnnotationsError, UsageError

FIELDS = (
    "id", "class_name", "object_type", "name", "note", "author", "created", "modified", "locked",
    "colour", "class_colour", "propagated_from",
)  # fmt: skip


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_nothing_is_lost_in_a_table(tmp_path, to):
    drawn = every_kind()
    path = tmp_path / f"a.{to}"
    assert write_annotations(path, drawn, to=to).skipped == ()
    found = read_annotations(path)
    assert found.skipped == ()
    for was, now in zip(drawn, found.annotations, strict=True):
        assert same_shape(was, now, 0)
        assert [getattr(was, f) for f in FIELDS] == [getattr(now, f) for f in FIELDS]
        assert dict(was.measurements) == dict(now.measurements)
        assert dict(was.properties) == dict(now.properties)
    assert found.annotations[-1].nucleus.equals(drawn[-1].nucleus)


def test_no_cell_of_a_csv_is_a_formula(tmp_path):
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "'=1", "''-", "'", "plain"]
    drawn = [
        Annotation(geometry=shapely.Point(i, i), name=t, class_name=t, measurements={t: -1.5})
        for i, t in enumerate(texts)
    ]
    write_annotations(tmp_path / "a.csv", drawn, to="csv")
    with (tmp_path / "a.csv").open(encoding="utf-8-sig", newline="") as f:
        for row in csv.reader(f):
            for cell in row:
                assert cell[:1] not in {"=", "+", "@", "\t", "\r"}
                assert not cell.startswith("-") or float(cell) < 0
    back = read_annotations(tmp_path / "a.csv").annotations
    assert [a.name for a in back] == texts
    assert [a.class_name for a in back] == texts
    assert [dict(a.measurements) for a in back] == [{t: -1.5} for t in texts]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_of_points(tmp_path, separator):
    rows = ["X,Y,Class,Score,Comment", "1.5,2.5,Tumor,0.25,odd", "3,4,,,", "x,4,Tumor,1,"]
    text = "\n".join(rows).replace(",", separator)
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    found = read_annotations(tmp_path / "a.csv")
    first, second = found.annotations
    assert (first.geometry.x, first.geometry.y, first.class_name) == (1.5, 2.5, "Tumor")
    assert (dict(first.measurements), dict(first.properties)) == (
        {"Score": 0.25}, {"table": {"Comment": "odd"}},
    )  # fmt: skip
    assert second.class_name is None
    assert [(s.id, s.n) for s in found.skipped] == [("bad_shape", 1)]


def test_a_table_in_micrometres_needs_the_pixel_size(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_text(
        "Object ID\tClass\tCentroid X µm\tCentroid Y µm\na\tT\t10\t20", encoding="utf-8"
    )
    (a,) = read_annotations(path, mpp=(0.5, 0.25)).annotations
    assert (a.id, a.geometry.x, a.geometry.y) == ("a", 20, 80)
    with pytest.raises(BadAnnotationsError, match="pixel size is unknown"):
        read_annotations(path)


def test_cells_of_a_run_are_read_as_points(tmp_path):
    table = pa.table(
        {
            "x_px": pa.array([1.0, 2.0], pa.float32()),
            "y_px": pa.array([3.0, 4.0], pa.float32()),
            "class": pa.array(["stroma", "immune"]).dictionary_encode(),
            "membrane_od": [0.5, float("nan")],
            "nucleus_radii": [[1.0, 2.0], [1.0, 2.0]],
        }
    )
    pq.write_table(table, tmp_path / "cells.parquet")
    a, b = read_annotations(tmp_path / "cells.parquet").annotations
    assert (a.class_name, b.class_name, b.geometry.y) == ("stroma", "immune", 4)
    assert a.measurements["membrane_od"] == 0.5


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a,b\n1,2\n", "neither a column"),
        (b"PAR1 but no more", "damaged"),
        (b"", "it is empty"),
        (b"\0\1\2,\3" * 50, "nothing in it looks like"),
    ],
)
def test_a_table_that_is_none(tmp_path, content, said):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(BadAnnotationsError, match=said):
        read_annotations(tmp_path / "a.csv")


def test_coco_there_and_back(tmp_path):
    drawn = every_kind()
    done = write_annotations(tmp_path / "a.json", drawn, to="coco", size=(700, 650))
    lost = {s.id: s.n for s in done.skipped}
    assert lost == {"points_and_lines": 3, "no_place_lock": 1, "no_place_nucleus": 1}
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert document["images"] == [{"id": 1, "width": 700, "height": 650, "file_name": ""}]
    holed, parts, cell = document["annotations"]
    assert (holed["iscrowd"], len(parts["segmentation"]), len(cell["segmentation"])) == (1, 2, 1)
    found = read_annotations(tmp_path / "a.json")
    assert (found.format, found.slide_size) == ("COCO", (700, 650))
    for was, now in zip([a for a in drawn if a.is_area], found.annotations, strict=True):
        assert same_shape(was, now)
        assert (was.id, was.class_name, was.name) == (now.id, now.class_name, now.name)


def test_coco_of_others_keeps_holes_in_run_lengths(tmp_path):
    drawn = [a for a in every_kind() if a.is_area][:1]
    write_annotations(tmp_path / "a.json", drawn, to="coco", size=(700, 650))
    document = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    del document["annotations"][0]["napari_her2"]
    (tmp_path / "a.json").write_text(json.dumps(document))
    (back,) = read_annotations(tmp_path / "a.json").annotations
    mask = mask_of_polygons(drawn[0].geometry, (650, 700))
    assert len(back.geometry.interiors) == 1
    assert (mask_of_polygons(back.geometry, (650, 700)) == mask).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_run_lengths_are_the_mask(seed):
    rng = np.random.default_rng(seed)
    points = rng.uniform(-5, 35, (rng.integers(3, 8), 2))
    area = shapely.make_valid(shapely.Polygon(points))
    runs = run_lengths(area, (30, 20))
    assert sum(runs) == 600
    flat = np.repeat(np.arange(len(runs)) % 2, runs)
    assert (mask_of_polygons(area, (20, 30)) == flat.reshape(30, 20).T).all()
    assert all(r > 0 for r in runs[1:])


def packed(counts: list[int]) -> str:
    """As COCO packs run lengths: five bits a character, differences from the last but one."""
    text = ""
    for i, count in enumerate(counts):
        value = count - counts[i - 2] if i > 2 else count
        more = True
        while more:
            digit = value & 31
            value >>= 5
            more = value != (-1 if digit & 16 else 0)
            text += chr(48 + (digit | 32 if more else digit))
    return text


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2**33), max_size=20))
def test_packed_run_lengths(counts):
    assert counts_of_text(packed(counts)).tolist() == counts


def test_run_lengths_cut_off_are_no_run_lengths():
    with pytest.raises(ValueError, match="too early"):
        counts_of_text(packed([5, 1000])[:-1])


def test_coco_with_several_images_takes_the_one_of_the_slide(tmp_path):
    document = {
        "images": [{"id": 7, "width": 10, "height": 10}, {"id": 8, "width": 20, "height": 10}],
        "categories": [{"id": 3, "name": "T"}],
        "annotations": [
            {"id": 1, "image_id": 7, "category_id": 3, "bbox": [0, 0, 5, 5]},
            {"id": 2, "image_id": 8, "category_id": 3, "bbox": [0, 0, 6, 6]},
        ],
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    (a,) = read_annotations(path, slide_size=(20, 10)).annotations
    assert (a.area_px, a.class_name) == (36, "T")
    with pytest.raises(BadAnnotationsError, match="several images"):
        read_annotations(path)


def test_coco_needs_the_size_of_the_slide(tmp_path):
    with pytest.raises(UsageError, match="--slide"):
        write_annotations(tmp_path / "a.json", every_kind(), to="coco")
    assert not list(tmp_path.iterdir())
