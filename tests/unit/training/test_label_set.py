"""Label sets drawn from regions of painted slides, written, read and checked."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_slides import HEIGHT, TWO, WIDTH, box, halves, two_halves

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add
from napari_her2.annotations.schema import load_schema
from napari_her2.cells.calibration import calibrate
from napari_her2.cells.stitching import detect_tile
from napari_her2.errors import BadLabelSetError, CannotWriteError, DiskFullError
from napari_her2.geometry import Region
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.pipelines.label_set import (
    Group,
    LabelRules,
    LabelSetRequest,
    LabelSource,
    SplitRule,
    make_label_set,
)
from napari_her2.results.corrections import CorrectionsFile
from napari_her2.slides import open_slide
from napari_her2.stains.guess import guess_stain
from napari_her2.tiles.tissue import find_tissue
from napari_her2.training import label_writing
from napari_her2.training.label_set import LabelSet


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    return [two_halves(folder / f"Schnitt ä {i}.tif", seed=i) for i in range(2)]


@pytest.fixture(autouse=True, scope="module")
def measured_once():
    """Tissue, stain and calibration of a slide are found once: they are none of what is tested."""

    def once(function):
        known = {}

        def remember(slide, *rest):
            key = slide.content_key()
            if key not in known:
                known[key] = function(slide, *rest)
            return known[key]

        return remember

    work = "napari_her2.pipelines.label_set_work"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{work}.find_tissue", once(find_tissue))
        patch.setattr(f"{work}.guess_stain", once(guess_stain))
        patch.setattr("napari_her2.training.drawing_cells.calibrate", once(calibrate))
        yield


@pytest.fixture(scope="module")
def first(slides, tmp_path_factory):
    """A set of one slide, as it was made."""
    return made(request(slides[:1], tmp_path_factory.mktemp("sets") / "set"))


@pytest.fixture(scope="module")
def whole(slides, tmp_path_factory):
    """A set of both slides."""
    return made(request(slides, tmp_path_factory.mktemp("sets") / "set"))


def request(paths, out, annotations=None, **more) -> LabelSetRequest:
    drawn = annotations if annotations is not None else halves()
    sources = tuple((p, drawn) for p in paths)
    return LabelSetRequest(**{"sources": sources, "schema": TWO, "out": out, **more})


def last(asked, cancel=None) -> Outcome:
    *_, outcome = make_label_set(asked, cancel or threading.Event())
    return outcome


def made(asked) -> LabelSet:
    outcome = last(asked)
    assert outcome.error is None, outcome.error
    return LabelSet.read(Path(outcome.document["label_set"]))


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest()
            for p in folder.iterdir() if p.name != "places.json"}  # fmt: skip


def test_the_cells_of_a_set_are_those_that_a_run_finds(first, slides):
    with open_slide(slides[0]) as slide:
        calibration = calibrate(slide, find_tissue(slide), "her2-ihc")
        found = detect_tile(slide, calibration, Region(0, 0, WIDTH, HEIGHT))
    run = set(zip(found["x_px"].tolist(), found["y_px"].tolist(), strict=True))
    mine = list(zip(first.column("x_px").tolist(), first.column("y_px").tolist(), strict=True))
    assert set(mine) <= run
    assert len(set(mine)) == len(mine) > 300
    left, right = (
        {(x, y) for x, y in run if shapely.contains_xy(a.geometry, x, y)} for a in halves()
    )
    assert len(mine) == len(left) + len(right)


def test_each_cell_has_the_class_of_its_half_and_pixels_to_match(first):
    ring = first.column("x_px") < WIDTH / 2
    assert (first.labels == np.where(ring, 0, 1)).all()
    assert first.column("author")[ring][0] == "R1"
    crops = first.crops()
    assert crops.shape == (len(first), 44, 44, 2)
    dab = np.asarray(crops[..., 1], np.float64).mean((1, 2))
    assert dab[ring].min() > dab[~ring].max()
    od = first.features()[:, first.feature_names.index("membrane_od")]
    assert np.median(od[ring]) > 5 * np.median(od[~ring])
    assert first.features().shape == (len(first), 18)


def test_the_summary_says_what_the_dock_shows(first):
    told = first.summary()
    assert told["n"] == len(first) == sum(c["n"] for c in told["counts"].values())
    assert told["slides"] == 1
    assert told["counts"]["ring"]["regions"] == 1
    assert {w["id"] for w in told["warnings"]} >= {"one_slide", "tile_test"}
    assert "no honest test" in told["warnings"][0]["sentence"]
    assert told["split"]["by"] == first.split_by == "tile"
    n_test = (first.column("split") == "test").sum()
    assert told["splits"]["test"] == len(first.rows("test")) == n_test > 0
    assert first.slide_path(str(first.column("slide")[0])).exists()


def test_nothing_in_the_set_tells_where_the_slides_lie(first, slides):
    folder = str(slides[0].parent)
    for path in first.path.iterdir():
        if path.name != "places.json":
            assert folder.encode() not in path.read_bytes()


def test_the_same_input_gives_the_same_bytes_in_whatever_order(whole, slides, tmp_path):
    a = whole
    turned = tuple((p, halves()[::-1]) for p in slides[::-1])
    b = made(request(slides, tmp_path / "set", sources=turned))
    assert digests(a.path) == digests(b.path)
    assert a.digest == b.digest
    assert a.split_by == "slide"
    test = set(a.column("slide")[a.rows("test")])
    assert len(test) == 1
    assert not test & set(a.column("slide")[a.rows("train")])


def test_the_same_request_is_answered_from_what_is_there_another_becomes_v2(slides, tmp_path):
    asked = request(slides[:1], tmp_path / "set")
    first = last(asked)
    before = digests(tmp_path / "set")
    again = last(asked)
    assert again.document["cached"] is True
    assert again.document["label_set"] == first.document["label_set"]
    (tmp_path / "set" / "places.json").write_text("{}")
    last(asked)
    set_ = LabelSet.read(tmp_path / "set")
    assert set_.slide_path(set_.column("slide")[0]) == slides[0]
    second = made(request(slides[:1], tmp_path / "set", seed=2))
    assert second.path == tmp_path / "set-v2"
    assert second.version == 2
    assert digests(tmp_path / "set") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["set", "set-v2"]


def test_adding_to_a_set_takes_over_the_slides_that_are_not_drawn_anew(
    first, whole, slides, tmp_path
):
    one = first
    two = made(request(slides[1:], tmp_path / "set", base=one.path))
    assert (two.version, two.summary()["slides"]) == (2, 2)
    assert digests(two.path).keys() == digests(whole.path).keys()
    for name in ("crops.npy", "features.parquet", "labels.parquet"):
        assert (two.path / name).read_bytes() == (whole.path / name).read_bytes()
    drawn = (*halves()[:1], box("bare", 600, 100, 700, 200))
    anew = made(request(slides[:1], tmp_path / "set", drawn, base=two.path))
    assert anew.version == 3
    assert anew.summary()["slides"] == 2
    assert {anew.slide_path(s) for s in set(anew.column("slide"))} == set(slides)
    assert len(anew) < len(two)
    with pytest.raises(BadLabelSetError, match="other classes"):
        raise last(request(slides, tmp_path / "x", rgb=True, base=one.path)).error


def test_a_cell_in_two_classes_is_listed_with_both_regions_and_not_learnt(slides, tmp_path):
    over = (*halves(), box("bare", 100, 100, 220, 220, id="over"))
    got = made(request(slides[:1], tmp_path / "set", over))
    listed = got.info["conflicts"]["listed"]
    assert got.summary()["conflicts"] == len(listed) > 5
    assert all(c["regions"] == ["left", "over"] for c in listed)
    assert all(c["classes"] == ["ring", "bare"] for c in listed)
    places = {(round(x, 2), round(y, 2)) for x, y in
              zip(got.column("x_px"), got.column("y_px"), strict=True)}  # fmt: skip
    assert not places & {(c["x_px"], c["y_px"]) for c in listed}
    assert "label_conflicts" in {w["id"] for w in got.summary()["warnings"]}


def test_points_and_corrected_cells_of_a_run_label_the_nearest_cell(first, slides, tmp_path):
    x, y = first.column("x_px"), first.column("y_px")
    inside = np.flatnonzero(first.labels == 0)
    dotted, fixed, far = inside[40], inside[80], (x[inside[0]], HEIGHT * 9.0)
    run = tmp_path / "run"
    run.mkdir()
    with open_slide(slides[0]) as slide:
        record = {"slide": {"quickhash": slide.content_key()}}
    (run / "run.json").write_text(json.dumps(record))
    notes = CorrectionsFile(run, {"run": "r", "cells": "1"}, "R2")
    notes.set(x[fixed] + 1, y[fixed], "ring", "bare")
    notes.set(x[inside[3]], y[inside[3]], "ring", "nonsense")
    points = shapely.MultiPoint([(x[dotted] + 2, y[dotted] - 2), far])
    drawn = (*halves(), Annotation(geometry=points, class_name="bare", id="dots"))
    source = LabelSource(slides[0], drawn, (run,))
    got = made(request([], tmp_path / "set", sources=(source,)))
    changed = np.flatnonzero(got.labels != first.labels)
    assert changed.tolist() == sorted([dotted, fixed])
    assert got.column("source")[dotted] == "point"
    assert got.column("source")[fixed] == "correction"
    assert got.column("author")[fixed] == "R2"
    reasons = {s["reason"]: s["n"] for s in got.summary()["skipped"]}
    assert reasons == {"a point with no cell near it": 1,
                       "correction to a class left out: nonsense": 1}  # fmt: skip
    other = LabelSource(slides[1], halves(), (run,))
    outcome = last(request([], tmp_path / "set2", sources=(source, other)))
    assert outcome.document["failed"][0]["error_id"] == "foreign_run"


def test_a_class_without_labels_is_named_or_switched_off(slides, tmp_path):
    schema = load_schema("her2-cells")
    drawn = tuple(box(c, 10 + 300 * i, 10, 290 + 300 * i, 400) for i, c in
                  enumerate(("tumour 3+", "stroma", "immune")))  # fmt: skip
    outcome = last(request(slides[:1], tmp_path / "set", drawn, schema=schema))
    assert outcome.status == "failed"
    assert isinstance(outcome.error, BadLabelSetError)
    assert "tumour 0, tumour 1+, tumour 2+, artefact" in outcome.error.sentence
    assert not list(tmp_path.iterdir())
    off = ("tumour 0", "tumour 1+", "tumour 2+", "artefact")
    got = made(request(slides[:1], tmp_path / "set", drawn, schema=schema,
                       rules=LabelRules(switched_off=off)))  # fmt: skip
    assert got.classes == ("tumour 3+", "stroma", "immune")


def test_no_annotation_of_the_schema_is_one_sentence(slides, tmp_path):
    outcome = last(request(slides[:1], tmp_path / "set", (box("Nerve", 0, 0, 9, 9),)))
    assert outcome.error.message_id == "no_regions"


def test_a_limit_per_class_is_kept_and_spread_over_the_regions(slides, tmp_path):
    drawn = (box("ring", 10, 10, 200, 470, id="a"), box("ring", 220, 10, 470, 200, id="b"),
             halves()[1])  # fmt: skip
    got = made(request(slides[:1], tmp_path / "set", drawn, rules=LabelRules(max_per_class=40)))
    counts = {c: v["n"] for c, v in got.summary()["counts"].items()}
    assert counts == {"ring": 40, "bare": 40}
    from_a = (got.column("region_id") == "a").sum()
    assert from_a == 20


def test_carried_over_labels_are_learnt_from_only(slides, tmp_path):
    sources = ((slides[0], halves("a-", propagated_from="section 2")), (slides[1], halves("b-")))
    groups = {slides[0].name: Group("P1", "B1"), slides[1]: Group("P1", "B1")}
    got = made(request([], tmp_path / "set", sources=sources, groups=groups))
    carried = got.column("propagated")
    assert carried.any()
    assert set(got.column("split")[carried]) <= {"train", ""}
    assert {w["id"] for w in got.summary()["warnings"]} >= {"one_block"}
    assert got.summary()["patients"] == got.summary()["blocks"] == 1
    none = made(request([], tmp_path / "none", sources=sources,
                        rules=LabelRules(propagated="leave_out")))  # fmt: skip
    assert not none.column("propagated").any()
    assert len(none) == (~carried).sum()


def test_a_slide_whose_labels_were_carried_over_is_of_the_block_they_came_from(slides, tmp_path):
    names = [p.name for p in slides]
    sources = ((slides[0], halves("a-")), (slides[1], (*halves("b-"), box(
        "ring", 0, 0, 9, 9, propagated_from=names[0]))))  # fmt: skip
    got = made(request([], tmp_path / "set", sources=sources))
    assert got.summary()["blocks"] == 1
    assert got.split_by == "tile"
    assert "one_block" in {w["id"] for w in got.summary()["warnings"]}


def test_a_copy_of_a_slide_is_no_second_slide(slides, tmp_path):
    copy = tmp_path / "other name.tif"
    shutil.copy(slides[0], copy)
    got = made(request([slides[0], copy], tmp_path / "set"))
    assert got.summary()["slides"] == 1
    assert got.split_by == "tile"


def test_two_slides_of_one_name_are_told_apart(slides, tmp_path):
    paths = [tmp_path / f"{i}" / "slide.tif" for i in range(2)]
    for source, path in zip(slides, paths, strict=True):
        path.parent.mkdir()
        shutil.copy(source, path)
    got = made(request(paths, tmp_path / "set"))
    names = sorted(set(got.column("slide")))
    assert len(names) == 2
    assert all(n.startswith("slide-") for n in names)
    assert {got.slide_path(n) for n in names} == set(paths)


def test_a_slide_that_cannot_be_used_is_listed_and_the_others_go_on(slides, tmp_path):
    broken = tmp_path / "broken.tif"
    broken.write_bytes(b"II*\0 no slide")
    outcome = last(request([broken, slides[0]], tmp_path / "set"))
    assert outcome.status == "completed"
    assert [f["slide"] for f in outcome.document["failed"]] == ["broken.tif"]
    alone = last(request([broken], tmp_path / "set2"))
    assert alone.status == "failed"
    assert alone.error.message_id == outcome.document["failed"][0]["error_id"]


def test_cancelling_leaves_nothing_behind(slides, tmp_path):
    token = threading.Event()
    events = []
    for event in make_label_set(request(slides, tmp_path / "set"), token):
        events.append(event)
        if isinstance(event, Progress) and event.stage == "drawing":
            token.set()
    assert events[-1].status == "cancelled"
    assert events[-1].error.message_id == "label_cancelled"
    assert not list(tmp_path.iterdir())
    stream = make_label_set(request(slides, tmp_path / "set"))
    while next(stream).stage != "drawing":
        pass
    stream.close()
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_is_one_sentence(slides, tmp_path):
    (tmp_path / "file").write_text("in the way")
    outcome = last(request(slides[:1], tmp_path / "file" / "set"))
    assert isinstance(outcome.error, CannotWriteError)


def test_what_a_book_keeps_is_drawn_from_and_a_book_of_another_slide_is_refused(
    first, slides, tmp_path
):
    folder = tmp_path / "book"
    book = open_book("slide", (WIDTH, HEIGHT), (0.5, 0.5), folder, author="R1")
    book.apply(add(halves()))
    # Still open in a window, and not closed: the journal is enough.
    got = made(request([], tmp_path / "set", sources=((slides[0], folder),)))
    book.close()
    assert got.labels.tolist() == first.labels.tolist()
    assert (got.crops() == first.crops()).all()
    other = tmp_path / "other"
    book = open_book("slide", (WIDTH + 1, HEIGHT), (0.5, 0.5), other)
    book.apply(add(halves()))
    book.close()
    outcome = last(request([], tmp_path / "set2", sources=((slides[0], other),)))
    assert outcome.error.message_id == "foreign_ann"


def test_a_full_disk_is_one_sentence_and_leaves_nothing(slides, tmp_path, monkeypatch):
    def full(self, values):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("napari_her2.training.array_file.ArrayWriter.append", full)
    outcome = last(request(slides[:1], tmp_path / "set"))
    assert isinstance(outcome.error, DiskFullError)
    assert not list(tmp_path.iterdir())


def test_a_slide_that_is_replaced_while_it_is_drawn_gives_no_labels(slides, tmp_path):
    path = tmp_path / "slides" / "a.tif"
    path.parent.mkdir()
    shutil.copy(slides[0], path)
    for event in make_label_set(request([path, slides[1]], tmp_path / "set")):
        if isinstance(event, Progress) and event.stage == "drawing" and event.slide_id == "a":
            shutil.copy(slides[1], path.with_name("b.tif"))
            path.with_name("b.tif").replace(path)
    assert [f["error_id"] for f in event.document["failed"]] == ["slide_changed"]
    assert event.document["slides"] == 1


def test_a_place_that_is_taken_in_between_is_not_written_over(first, tmp_path, monkeypatch):
    taken = tmp_path / "set"
    shutil.copytree(first.path, taken)
    before = digests(taken)
    answers = iter([(1, taken), (2, tmp_path / "set-v2")])
    monkeypatch.setattr(label_writing, "free_place", lambda *_: next(answers))
    with label_writing.new_set(tmp_path / "set") as folder:
        place = label_writing.put_in_place(folder, taken, {"n": 0}, {})
    assert place == tmp_path / "set-v2"
    assert json.loads((place / "labelset.json").read_text())["version"] == 2
    assert digests(taken) == before


@pytest.mark.parametrize("name", ["crops.npy", "labels.parquet", "features.parquet"])
def test_a_set_that_was_altered_is_not_read(first, tmp_path, name):
    folder = tmp_path / "set"
    shutil.copytree(first.path, folder)
    path = folder / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BadLabelSetError, match=f"{name} was altered"):
        LabelSet.read(folder)
    path.write_bytes(bytes(data[:-5]))
    with pytest.raises(BadLabelSetError, match=f"{name} was altered"):
        LabelSet.read(folder, verify=False)
    path.unlink()
    with pytest.raises(BadLabelSetError, match="missing"):
        LabelSet.read(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("{", "damaged"), ("[]", "another program"), ('{"schema": 3}', "another program"),
     ('{"schema": "napari-her2/label-set/1"}', "damaged"), ("[" * 100_000, "damaged")],
)  # fmt: skip
def test_a_marker_that_is_none_is_a_sentence(tmp_path, text, reason):
    (tmp_path / "labelset.json").write_text(text)
    with pytest.raises(BadLabelSetError, match=reason):
        LabelSet.read(tmp_path)


def test_what_is_no_label_set_is_a_sentence(first, tmp_path):
    with pytest.raises(BadLabelSetError, match="not there"):
        LabelSet.read(tmp_path / "nowhere")
    with pytest.raises(BadLabelSetError, match="never finished"):
        LabelSet.read(tmp_path)
    with pytest.raises(BadLabelSetError, match="tiles"):
        first.tiles()
    assert LabelSet.read(first.path / "labelset.json").digest == first.digest


def test_the_split_can_be_drawn_anew(first):
    stored = first.split("slide", first.info["split"]["seed"])
    assert (stored.side == first.column("split")).all()
    assert (first.split("tile", 99).side != stored.side).any()
    with pytest.raises(BadLabelSetError, match="patient"):
        first.split("patient", 1)


def test_colours_are_kept_where_asked_for(slides, tmp_path):
    got = made(request(slides[:1], tmp_path / "set", rgb=True, split=SplitRule("tile")))
    assert got.crops("rgb").shape == (len(got), 44, 44, 3)
    assert got.crops("rgb").std() > 5
