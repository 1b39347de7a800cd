"""``labels make`` as a shell sees it: the same set as the dock's, one document, one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_slides import TWO, halves, two_halves
from made_cells import FakeParts, write_ihc

from napari_her2.annotations.interchange import read_annotations, write_annotations
from napari_her2.annotations.schema import write_schema
from napari_her2.messages import NOTICE
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.label_set import LabelSetRequest, make_label_set
from napari_her2.training.label_set import LabelSet


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> Path:
    """A folder with a slide, what was drawn on it, and the schema."""
    folder = tmp_path_factory.mktemp("drawn")
    two_halves(folder / "a.tif")
    write_annotations(folder / "a.geojson", halves(), to="geojson", schema=TWO)
    write_schema(folder / "two.json", TWO)
    return folder


def test_the_command_makes_the_set_that_the_dock_makes(run_here, drawn, tmp_path):
    out = tmp_path / "sets" / "two"
    answer = run_here(
        "labels", "make", drawn / "a.tif", drawn / "a.geojson",
        "--schema", drawn / "two.json", "--out", out, "--json",
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = answer.json
    assert document["notice"] == NOTICE
    assert (document["status"], document["cached"]) == ("completed", False)
    assert Path(document["label_set"]) == out
    assert {w["id"] for w in document["warnings"]} >= {"one_slide", "tile_test"}
    asked = LabelSetRequest(((drawn / "a.tif", halves()),), TWO, tmp_path / "other" / "two")
    *_, outcome = make_label_set(asked)
    mine, dock = LabelSet.read(out), LabelSet.read(outcome.document["label_set"])
    assert mine.table.equals(dock.table)
    assert (mine.crops() == dock.crops()).all()
    assert mine.digest == dock.digest


def test_a_table_gives_patients_and_blocks_and_the_words_show_the_classes(
    run_here, drawn, tmp_path
):
    table = drawn / "slides.csv"
    table.write_text(
        "slide,annotations,patient,block,remark\na.tif,a.geojson,P1,B7,x\n"
        "gone.tif,a.geojson,P2,B8,x\n", encoding="utf-8",
    )  # fmt: skip
    answer = run_here(
        "labels", "make", "--table", table, "--schema", drawn / "two.json",
        "--out", tmp_path / "set", "--max-per-class", "50",
    )  # fmt: skip
    assert answer.code == 1
    assert "gone.tif" in answer.err
    made = LabelSet.read(tmp_path / "set")
    assert set(made.column("block")) == {"B7"}
    assert set(made.column("patient")) == {"P1"}
    lines = answer.out.splitlines()
    assert "100 cells of 1 slide" in lines[0]
    assert lines[2].split()[:2] == ["ring", "50"]


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["a.tif"], 2, "annotations after each slide"),
        ([], 2, "give slides"),
        (["a.tif", "a.geojson", "--inside", "0"], 2, "no share of a tile"),
        (["a.tif", "a.geojson", "--tune", ".5", "--test", ".5"], 2, "nothing to learn from"),
        (["a.tif", "a.geojson", "--schema", "her2-cells"], 3, "No region or point"),
        (["a.tif", "gone.geojson"], 3, "gone.geojson"),
        (["--table", "a.tif"], 2, "table of slides"),
        (["a.tif", "a.geojson", "--add-to", "two.json"], 3, "not a label set"),
        (["a.tif", "a.geojson", "--test-by", "patient"], 3, "patient of every slide"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    run_here, drawn, tmp_path, monkeypatch, arguments, code, words
):
    monkeypatch.chdir(drawn)
    schema = [] if "--schema" in arguments else ["--schema", "two.json"]
    answer = run_here("labels", "make", *arguments, *schema, "--out", tmp_path / "set")
    assert answer.code == code, answer.err
    assert words in answer.err
    assert "Traceback" not in answer.err
    assert not list(tmp_path.iterdir())
    assert answer.out == ""


def test_the_queue_of_a_run_is_one_document_and_a_file_for_qupath(run_here, tmp_path):
    slide = write_ihc(tmp_path / "ihc.tif", width=1024, height=768)
    request = CellsRequest(slide, out=tmp_path / "out")
    *_, outcome = score_cells(request, parts=FakeParts())
    run = outcome.document["run_dir"]
    answer = run_here("labels", "next", run, "-n", 5, "--geojson", tmp_path / "next.geojson",
                      "--json")  # fmt: skip
    assert answer.code == 0, answer.err
    document = answer.json
    assert (document["kind"], document["labelled"]) == ("cells", 0)
    assert len(document["places"]) == 5
    drawn = read_annotations(tmp_path / "next.geojson").annotations
    assert [(a.geometry.x, a.geometry.y) for a in drawn] == [
        (p["x_px"], p["y_px"]) for p in document["places"]
    ]
    assert all(a.class_name is None for a in drawn)
    plain = run_here("labels", "next", run, "-n", 2)
    assert len(plain.out.splitlines()) == 2
    assert "Between" in plain.out
    wrong = run_here("labels", "next", tmp_path)
    assert wrong.code == 3
    assert wrong.is_one_sentence()
