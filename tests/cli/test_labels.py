"""``labels export`` and ``labels import``, as a shell sees them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from drawn_objects import every_kind

from napari_her2.annotations.book import open_book
from napari_her2.annotations.interchange import read_annotations, write_annotations
from napari_her2.messages import NOTICE

KEYS = {"objects", "classes", "skipped"}


@pytest.fixture
def slide(tmp_path):
    path = tmp_path / "slide.tif"
    rgb = np.random.default_rng(0).integers(0, 255, (650, 700, 3), np.uint8)
    tifffile.imwrite(
        path, rgb, photometric="rgb", tile=(256, 256), compression="jpeg",
        resolution=(1e4 / 0.5, 1e4 / 0.5), resolutionunit="CENTIMETER",
    )  # fmt: skip
    return path


@pytest.fixture
def drawn(tmp_path):
    path = tmp_path / "drawn.geojson"
    write_annotations(path, every_kind())
    return path


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("geojson", "o.geojson"), ("csv", "o.csv"), ("parquet", "o.parquet"), ("coco", "o.json"),
        ("imagescope", "o.xml"), ("mask", "o.png"), ("mask", "o.ome.tif"), ("mask", "o.ome.zarr"),
        ("tiles", "o"), ("webdataset", "o"),
    ],
)  # fmt: skip
def test_export(tmp_path, slide, drawn, run_here, to, name):
    out = tmp_path / "out" / name
    answer = run_here(
        "labels", "export", drawn, "--to", to, "--out", out, "--slide", slide, "--tile-px", 64,
        "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = answer.json
    assert set(document) >= KEYS
    assert document["notice"] == NOTICE
    assert out.exists()
    areas_only = to in {"coco", "mask", "tiles", "webdataset"}
    # One of the areas lies across four tiles and covers too little of each.
    assert document["objects"] == {"tiles": 2, "webdataset": 2}.get(to, 3 if areas_only else 6)
    assert all(set(s) >= {"reason", "n"} for s in document["skipped"])
    assert any("points and lines" in s["reason"] for s in document["skipped"]) == areas_only
    if not areas_only:
        again = run_here("labels", "export", out, "--to", "csv", "--out", tmp_path / "b.csv")
        assert "6 objects written" in again.out


def test_import_into_a_store_and_again(tmp_path, slide, drawn, run_here):
    store = tmp_path / "store"
    arguments = ("labels", "import", drawn, "--slide", slide, "--out", store, "--author", "R1")
    first = run_here(*arguments, "--json")
    assert first.code == 0, first.err
    assert set(first.json) >= KEYS
    assert (first.json["objects"], first.json["already_there"]) == (6, 0)
    assert first.json["classes"]["stroma"] == 1
    second = run_here(*arguments, "--json")
    assert (second.json["objects"], second.json["already_there"]) == (6, 6)
    kept = read_annotations(store).annotations
    assert [a.id for a in kept] == [a.id for a in read_annotations(drawn).annotations]
    out = tmp_path / "back.geojson"
    assert run_here("labels", "export", store, "--to", "geojson", "--out", out).code == 0
    was, now = (json.loads(p.read_text(encoding="utf-8"))["features"] for p in (drawn, out))
    assert now == was


def test_import_into_a_file(tmp_path, slide, drawn, run_here):
    out = tmp_path / "o.geojson"
    answer = run_here("labels", "import", drawn, "--slide", slide, "--out", out)
    assert answer.code == 0, answer.err
    assert "6 objects added" in answer.out
    assert len(read_annotations(out).annotations) == 6


def test_import_where_the_dock_keeps_them(tmp_path, slide, drawn, run_here):
    answer = run_here("labels", "import", drawn, "--slide", slide, "--json")
    assert answer.code == 0, answer.err
    with open_book("slide", (700, 650)) as book:
        assert len(book.store) == 6
        assert str(book.folder) == answer.json["out"]


def test_while_the_viewer_has_them_open_nothing_is_changed(tmp_path, slide, drawn, run_program):
    with open_book("slide", (700, 650), folder=tmp_path / "store"):
        answer = run_program(
            "labels", "import", drawn, "--slide", slide, "--out", tmp_path / "store"
        )
    assert answer.code == 3
    assert "open in another window" in answer.err
    assert answer.is_one_sentence()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("export", "gone.json", "--to", "csv", "--out", "o.csv"), 3, "gone.json"),
        (("export", "{drawn}", "--to", "coco", "--out", "o.json"), 2, "--slide"),
        (("export", "{drawn}", "--to", "mask", "--out", "o.jpg", "--slide", "{slide}"), 2, "mask"),
        (("export", "{drawn}", "--to", "tiles", "--out", "o"), 2, "--slide"),
        (("export", "{slide}", "--to", "csv", "--out", "o.csv"), 3, "no annotation file"),
        (("import", "{far}", "--slide", "{slide}", "--out", "s"), 3, "another slide"),
        (("import", "{drawn}", "--slide", "gone.svs", "--out", "s"), 3, "gone.svs"),
        (("export", "{drawn}", "--to", "csv", "--out", "o.csv", "--schema", "gone"), 3, "gone"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    tmp_path, slide, drawn, run_here, monkeypatch, arguments, code, said
):
    monkeypatch.chdir(tmp_path)
    far = tmp_path / "far.csv"
    far.write_text("x,y\n9000,9000\n9001,9000\n")
    filled = [a.format(drawn=drawn, slide=slide, far=far) for a in arguments]
    answer = run_here("labels", *filled)
    assert answer.code == code
    assert said in answer.err
    assert answer.is_one_sentence()
    assert not any((tmp_path / n).exists() for n in ("o.csv", "o.json", "o", "s"))


def test_classes_by_a_schema(tmp_path, slide, drawn, run_here):
    out = tmp_path / "o.geojson"
    run_here("labels", "export", drawn, "--to", "geojson", "--out", out, "--schema", "her2-cells")
    assert "Tumor: 3+" in out.read_text(encoding="utf-8")
    answer = run_here(
        "labels", "import", out, "--slide", slide, "--out", tmp_path / "s", "--schema",
        "her2-cells", "--json",
    )  # fmt: skip
    assert answer.json["classes"]["tumour 3+"] == 1
