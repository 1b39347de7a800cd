"""Cells of one slide: the same stages and guarantees as a prediction."""

from __future__ import annotations

import json
import threading

import numpy as np
import pytest
from made_cells import FakeParts, write_ihc

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_cached import load_cells
from napari_her2.pipelines.cells_events import CellsPartial, CellsStarted
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.results.cells_journal import CellJournal
from napari_her2.results.store import find_runs, load_run


@pytest.fixture(scope="module")
def _ihc(tmp_path_factory):
    # Small, with cells close together: twelve tiles of 256 px.
    return write_ihc(tmp_path_factory.mktemp("made") / "ihc.tif", 1024, 768, margin=70)


@pytest.fixture
def ask(_ihc, tmp_path):
    def make(**changes) -> CellsRequest:
        return CellsRequest(_ihc, **{"out": tmp_path / "out", **changes})

    return make


def made(**changes) -> FakeParts:
    return FakeParts(**{"tile": 256, "step": 16, **changes})


def run(request, parts=None, cancel=None, **options) -> list:
    more = {} if cancel is None else {"cancel": cancel}
    return list(score_cells(request, parts=parts or made(), **more, **options))


def files(folder) -> dict[str, bytes]:
    names = ("cells.parquet", "cells.geojson", "tissue.geojson")
    return {n: (folder / n).read_bytes() for n in names}


def test_a_whole_slide_is_counted_scored_and_kept(ask, tmp_path):
    events = run(ask())
    started = next(e for e in events if isinstance(e, CellsStarted))
    partials = [e for e in events if isinstance(e, CellsPartial)]
    done = events[-1].document
    assert isinstance(events[-1], Outcome)
    assert events[-1].status == "completed"
    assert len(partials) == len(started.tiles) == done["tiles_total"] == done["tiles_scored"]
    assert sum(len(p.table) for p in partials) == done["cells_detected"] > 1500
    assert partials[-1].summary["counts"] == done["counts"]
    assert done["tumour_cells"] == sum(v for k, v in done["counts"].items() if "tumour" in k)
    assert sum(done["percent"].values()) == pytest.approx(100)
    assert done["scores"][0]["rule"] == done["rule"] == "asco-cap-breast-2018"
    assert done["scores"][0]["ihc"] in {"2+", "3+"}
    p = done["percent"]
    assert done["h_score"] == pytest.approx(p["1+"] + 2 * p["2+"] + 3 * p["3+"])
    assert done["notice"]
    (stored,) = find_runs(tmp_path / "out")
    load_run(stored.folder)
    assert stored.record["kind"] == "cells"
    assert stored.document() == json.loads(json.dumps(done))
    assert not (stored.folder / "journal.bin").exists()


def test_the_stored_table_is_what_was_told_in_an_order_of_its_own(ask):
    events = run(ask())
    told = CellTable.join(e.table for e in events if isinstance(e, CellsPartial))
    stored = load_cells(find_runs(ask().out)[0].folder)
    assert stored.classes == told.classes
    assert set(stored) == set(told)
    order = np.lexsort((told["x_px"], told["y_px"]))
    again = np.lexsort((stored["x_px"], stored["y_px"]))
    for name in told:
        np.testing.assert_array_equal(told[name][order], stored[name][again], err_msg=name)


def test_files_do_not_depend_on_the_size_of_tiles(ask):
    small = run(ask(tile_px=2000))[-1].document
    large = run(ask(tile_px=4000))[-1].document
    assert small["tiles_total"] > large["tiles_total"]
    folders = [r.folder for r in find_runs(ask().out)]
    assert len(folders) == 2
    assert files(folders[0]) == files(folders[1])


def test_the_same_request_is_answered_from_the_store(ask):
    first = run(ask())[-1]
    events = run(ask(workers=2))
    assert events[-1].document == {**first.document, "cached": True}
    (partial,) = [e for e in events if isinstance(e, CellsPartial)]
    assert len(partial.table) == first.document["cells_detected"]
    assert not [e for e in run(ask(), partials=False) if isinstance(e, CellsPartial)]
    assert len(find_runs(ask().out)) == 1
    run(ask(resume=False))
    assert len(find_runs(ask().out)) == 2


def stop_after(n: int, request, **options):
    cancel, events = threading.Event(), []
    for event in score_cells(request, cancel, parts=made(), **options):
        events.append(event)
        if sum(isinstance(e, CellsPartial) for e in events) == n:
            cancel.set()
    return events


def test_cancelling_keeps_cells_and_the_same_request_goes_on(ask, tmp_path):
    whole = run(ask(out=tmp_path / "whole"))[-1].document
    stopped = stop_after(4, ask())[-1]
    assert stopped.status == "cancelled"
    assert stopped.document["tiles_scored"] == 4
    assert stopped.document["partial"] is True
    assert stopped.document["scores"] == []
    assert 0 < stopped.document["cells_detected"] < whole["cells_detected"]
    (folder,) = (r.folder for r in find_runs(ask().out))
    assert len(load_cells(folder)) == stopped.document["cells_detected"]
    events = run(ask())
    earlier = [e for e in events if isinstance(e, CellsPartial)]
    assert len(earlier) == whole["tiles_total"]
    progress = [e for e in events if isinstance(e, Progress) and e.stage == "scoring"]
    assert progress[0].done == 4
    a, b = (find_runs(o)[0].folder for o in (tmp_path / "whole", ask().out))
    assert files(a) == files(b)


def test_closing_the_generator_keeps_what_was_found(ask):
    events = score_cells(ask(), parts=made())
    for event in events:
        if isinstance(event, CellsPartial):
            break
    events.close()
    (stored,) = find_runs(ask().out)
    assert stored.resumable
    assert stored.document()["status"] == "cancelled"
    assert len(CellJournal.read(stored.folder / "journal.bin")[1]) == 1
    assert run(ask())[-1].status == "completed"


def test_an_unreadable_tile_is_a_record_and_many_give_no_result(ask, tmp_path):
    fine = made(tile=128)
    total = run(ask(out=None), fine)[-1].document["tiles_total"]
    assert total > 30
    few = run(ask(), made(tile=128, unreadable=(5,)))[-1]
    assert few.status == "completed"
    assert few.document["tiles_failed"] == 1
    assert f"1 of {total} tiles" in few.document["warnings"][-1]
    assert few.document["failed_tiles"][0]["reason"] == "made unreadable"
    many = run(ask(out=tmp_path / "b"), made(tile=128, unreadable=tuple(range(5))))[-1]
    assert many.status == "failed"
    assert many.error.message_id == "many_bad_tiles"
    assert many.document["scores"] == []
    assert not find_runs(tmp_path / "b")[0].resumable


@pytest.mark.parametrize(
    ("shares", "reason"),
    [
        ((0, 0, 0, 0, 1, 1, 0), "no_tumour_cells"),
        ((0, 0, 0, 0, 0, 0, 1), "all_artefact"),
        ((0.01, 0.01, 0, 0, 1, 0, 0), "few_tumour"),
    ],
)
def test_too_few_tumour_cells_are_not_assessable_and_never_negative(ask, shares, reason):
    document = run(ask(out=None), made(shares=shares))[-1].document
    assert document["status"] == "completed"
    assert document["assessable"] is False
    assert document["reason_id"] == reason
    assert document["reason"].endswith("so no score is given.")
    assert {s["ihc"] for s in document["scores"]} == {None}
    assert {s["status"] for s in document["scores"]} == {"not assessable"}


def test_a_region_and_outlines_choose_the_same_cells(ask):
    everything = CellTable.join(e.table for e in run(ask(out=None)) if isinstance(e, CellsPartial))
    box = Region(300, 200, 500, 400)
    inside = (everything["x_px"] >= 300) & (everything["x_px"] < 800)
    inside &= (everything["y_px"] >= 200) & (everything["y_px"] < 600)
    by_box = run(ask(out=None, roi=box))[-1].document
    ring = ((300.0, 200.0), (800.0, 200.0), (800.0, 600.0), (300.0, 600.0))
    by_ring = run(ask(out=None, roi_polygons=(ring,)))[-1].document
    assert by_box["cells_detected"] == by_ring["cells_detected"] == inside.sum() > 100
    assert by_box["counts"] == by_ring["counts"]


def test_other_stains_give_their_own_documents(ask):
    nuclei = run(ask(out=None, stain="he", ignore_stain=True))[-1].document
    assert set(nuclei["counts"]) == {"nucleus"}
    assert nuclei["percent"] == {"0": None, "1+": None, "2+": None, "3+": None}
    assert nuclei["scores"] == []
    assert "Run as asked" in nuclei["warnings"][0]


def test_another_stain_is_refused_in_one_sentence(ask):
    (outcome,) = [e for e in run(ask(stain="he")) if isinstance(e, Outcome)]
    assert outcome.status == "failed"
    assert outcome.error.exit_code == 4
    assert "looks like H-DAB" in outcome.document["error"]
    assert outcome.document["scores"] == []


def test_a_demo_classifier_never_calls(ask):
    class Demo(FakeParts):
        def classifier(self, request):
            from dataclasses import replace

            return replace(super().classifier(request), status="synthetic-demo")

    document = run(ask(), Demo(tile=256, step=16))[-1].document
    assert document["demo"]
    assert {s["status"] for s in document["scores"]} == {None}
    text = json.dumps(document["scores"])
    assert "positive" not in text.replace('"positive": ', "")
    assert document["rules_disagree"] is False
