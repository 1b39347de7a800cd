from __future__ import annotations

import json
import shutil
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
from made_runs import FakeRegistry, fake_model, he_pixels, write_slide

from napari_her2.errors import (
    BadRegionError,
    ModelNotFoundError,
    NoTissueError,
    RunBusyError,
    SlideChangedError,
    StainMismatchError,
    TileReadError,
    TooLittleMemoryError,
    UnknownMppError,
    WrongMppError,
)
from napari_her2.geometry import Region
from napari_her2.messages import HER2_FROM_HE, NOTICE
from napari_her2.pipelines import predict as module
from napari_her2.pipelines.events import Outcome, Partial, Progress, Started
from napari_her2.pipelines.predict import predict
from napari_her2.results.atomic import list_files
from napari_her2.results.heatmap import read_heatmap
from napari_her2.results.store import find_runs, load_run
from napari_her2.tiles.reading import TileReader


def run(request, registry, cancel=None):
    events = list(predict(request, *([cancel] if cancel else [module.NEVER]), registry))
    assert isinstance(events[-1], Outcome)
    assert sum(isinstance(e, Outcome) for e in events) == 1
    return events, events[-1]


class StopAfter:
    """A token that is set once it was asked ``n`` times."""

    def __init__(self, n: int) -> None:
        self.left = n

    def is_set(self) -> bool:
        self.left -= 1
        return self.left < 0


def science_files(run_dir):
    """All files of a run whose bytes follow from the scores alone."""
    return [r for r in list_files(run_dir) if r.path.startswith(("heatmaps/", "tiles", "tissue"))]


def test_tells_the_whole_story_of_a_slide(request_for, registry, slide_path):
    events, outcome = run(request_for(), registry)
    assert outcome.status == "completed"
    document = outcome.document
    assert document["slide"] == str(slide_path)
    assert document["notice"] == NOTICE
    assert document["mpp"]["x"] == pytest.approx(0.5)
    assert {"run_dir", "status", "seconds", "warnings"} <= set(document)
    (result,) = document["results"]
    (started,) = [e for e in events if isinstance(e, Started)]
    n = len(started.cells)
    assert n > 20
    assert (result["tiles_total"], result["tiles_scored"], result["tiles_failed"]) == (n, n, 0)
    assert 0 < result["probability"] < 1
    assert result["call"] in {"positive", "negative"}
    partial = [e for e in events if isinstance(e, Partial)]
    seen = np.concatenate([p.cells for p in partial])
    assert sorted(map(tuple, seen)) == sorted(map(tuple, started.cells))
    progress = [e for e in events if isinstance(e, Progress) and e.stage == "scoring"]
    assert [p.done for p in progress] == sorted(p.done for p in progress)
    assert (progress[-1].done, progress[-1].total) == (n, n)

    stored = load_run(find_runs(events and request_for().out)[0].folder)
    assert stored.document() == json.loads(json.dumps(document))
    record = stored.record
    assert record["slide"]["name"] == slide_path.name
    assert str(slide_path.parent) not in json.dumps(record)
    assert record["tiles_scored"] == n
    heatmap = read_heatmap(stored.heatmaps()["ER"])
    assert int(heatmap.scored.sum()) == n
    table = pq.read_table(stored.folder / "tiles.parquet").to_pylist()
    assert len(table) == n
    for row in table[:5]:
        at = heatmap.data[:, row["row"], row["col"]]
        assert row["prob_positive"] == at[0]
        window = heatmap.grid.window(row["row"], row["col"])
        assert (row["x_px"], row["width_px"]) == pytest.approx((window.x, window.width))


def test_each_tile_is_what_the_model_sees_there(request_for, registry, slide_path):
    from napari_her2.slides import open_slide

    events, _ = run(request_for(), registry)
    started = next(e for e in events if isinstance(e, Started))
    partial = next(e for e in events if isinstance(e, Partial))
    model = registry.models["fake-er"].tile_model
    with open_slide(slide_path) as slide:
        reader = TileReader(slide, started.grid.spec)
        tiles = np.stack([reader.read(started.grid.window(*c)).rgb for c in partial.cells])
    np.testing.assert_array_equal(model.predict(tiles), partial.probs["fake-er"])


@pytest.mark.parametrize("asked", [3, 8, 15])
def test_a_cancelled_run_resumes_to_the_same_bytes(request_for, registry, tmp_path, asked):
    run(request_for(out=tmp_path / "whole"), registry)
    events, outcome = run(request_for(), registry, StopAfter(asked))
    assert outcome.status == "cancelled"
    assert outcome.error.message_id == "cancelled"
    done = sum(len(e.cells) for e in events if isinstance(e, Partial))
    (result,) = outcome.document["results"]
    assert result["tiles_scored"] == done < result["tiles_total"]
    assert result["call"] is None
    if done:
        kept = read_heatmap(find_runs(request_for().out)[0].heatmaps()["ER"])
        assert int(kept.scored.sum()) == done

    calls = len(registry.models["fake-er"].tile_model.calls)
    again, outcome = run(request_for(), registry)
    assert outcome.status == "completed"
    # What was scored is told again in one piece and not scored again.
    total = sum(len(e.cells) for e in again if isinstance(e, Partial))
    assert total == result["tiles_total"]
    scored = registry.models["fake-er"].tile_model.calls[calls:]
    assert sum(scored) == total - done
    (a,), (b,) = find_runs(tmp_path / "whole"), find_runs(request_for().out)
    assert science_files(a.folder) == science_files(b.folder)
    assert len(science_files(b.folder)) >= 6
    assert json.loads(json.dumps(outcome.document["results"][0]["probability"])) is not None


def test_a_closed_generator_keeps_what_was_scored(request_for, registry):
    threads = threading.active_count()
    stream = predict(request_for(), module.NEVER, registry)
    for event in stream:
        if isinstance(event, Partial):
            break
    stream.close()
    assert threading.active_count() == threads
    (stopped,) = find_runs(request_for().out)
    assert stopped.resumable
    assert stopped.record["status"] == "cancelled"
    assert int(read_heatmap(stopped.heatmaps()["ER"]).scored.sum()) == len(event.cells)
    _, outcome = run(request_for(), registry)
    assert outcome.document["run_dir"] == str(stopped.folder)


def test_who_stops_listening_at_the_outcome_finds_the_run_committed(request_for, registry):
    stream = predict(request_for(), module.NEVER, registry)
    for event in stream:
        if isinstance(event, Outcome):
            break
    stream.close()
    (kept,) = find_runs(request_for().out)
    assert kept.complete
    assert kept.record["status"] == "completed"


def test_two_runs_of_one_request_at_once_do_not_meet(request_for, registry):
    first = predict(request_for(), module.NEVER, registry)
    for event in first:
        if isinstance(event, Partial):
            break
    _, second = run(request_for(), registry)
    assert isinstance(second.error, RunBusyError)
    assert list(first)[-1].status == "completed"
    _, third = run(request_for(), registry)
    assert third.document["cached"] is True


def test_a_damaged_result_is_made_again_and_said_so(request_for, registry):
    _, outcome = run(request_for(), registry)
    (stored,) = find_runs(request_for().out)
    (stored.folder / "tiles.parquet").write_bytes(b"")
    _, again = run(request_for(), registry)
    assert again.document["run_dir"] != outcome.document["run_dir"]
    assert len([w for w in again.document["warnings"] if "made again" in w]) == 1
    assert (
        again.document["results"][0]["probability"] == outcome.document["results"][0]["probability"]
    )


def test_the_same_request_is_not_run_twice(request_for, registry):
    first, outcome = run(request_for(), registry)
    calls = len(registry.models["fake-er"].tile_model.calls)
    again, cached = run(request_for(), registry)
    assert len(registry.models["fake-er"].tile_model.calls) == calls
    assert cached.document["cached"] is True
    assert cached.document["results"] == outcome.document["results"]
    scored = {e.cells.tobytes() for e in again if isinstance(e, Started)}
    assert scored == {e.cells.tobytes() for e in first if isinstance(e, Started)}
    _, fresh = run(request_for(resume=False), registry)
    assert fresh.document["run_dir"] != outcome.document["run_dir"]
    _, other = run(request_for(threshold=0.5), registry)
    assert "cached" not in other.document


def test_without_a_folder_nothing_is_written(request_for, registry, tmp_path):
    _, outcome = run(request_for(out=None), registry)
    assert outcome.document["run_dir"] is None
    assert outcome.document["results"][0]["heatmap"] is None
    assert outcome.document["results"][0]["probability"] is not None
    assert [p.suffix for p in tmp_path.iterdir()] == [".tif"]


def test_models_of_different_tile_sizes_share_one_run(request_for, tmp_path):
    registry = FakeRegistry(
        fake_model(),
        fake_model("fake-pr", "PR"),
        fake_model("fake-her2", "HER2", patch_size_pixels=64, spacing_um_px=1.0),
        fake_model("other-er", "ER"),
    )
    ids = ("fake-er", "fake-pr", "fake-her2", "other-er")
    events, outcome = run(request_for(*ids), registry)
    started = [e for e in events if isinstance(e, Started)]
    assert [s.model_ids for s in started] == [("fake-er", "fake-pr", "other-er"), ("fake-her2",)]
    results = {r["model_id"]: r for r in outcome.document["results"]}
    assert results["fake-her2"]["tiles_total"] > 4 * results["fake-er"]["tiles_total"]
    assert results["fake-her2"]["published"] == HER2_FROM_HE
    assert results["fake-er"]["published"] is None
    stored = load_run(find_runs(request_for().out)[0].folder)
    assert set(stored.heatmaps()) == {"ER", "PR", "HER2", "ER-other-er"}
    cached, _ = run(request_for(*ids), registry)
    assert {m for e in cached if isinstance(e, Started) for m in e.model_ids} == set(ids)


def test_a_demo_model_never_calls(request_for):
    registry = FakeRegistry(fake_model(status="synthetic-demo"))
    _, outcome = run(request_for(), registry)
    (result,) = outcome.document["results"]
    assert result["probability"] is not None
    assert result["call"] is None
    assert result["model_status"] == "synthetic-demo"
    assert "synthetic tissue" in result["demo"]


def test_no_tumour_is_not_assessable_and_never_negative(request_for):
    registry = FakeRegistry(fake_model(threshold=0.99))
    _, outcome = run(request_for(), registry)
    (result,) = outcome.document["results"]
    assert (result["probability"], result["call"], result["assessable"]) == (None, None, False)
    assert "not assessable" in result["reason"]
    assert "t = 0.99" in result["reason"]


def test_one_model_failing_leaves_the_others(request_for, registry):
    _, outcome = run(request_for("fake-er", "PR"), registry)
    assert outcome.status == "completed"
    er, pr = outcome.document["results"]
    assert er["probability"] is not None
    assert (pr["biomarker"], pr["status"], pr["probability"]) == ("PR", "failed", None)
    assert "No model for PR" in pr["reason"]
    assert any("No model for PR" in w for w in outcome.document["warnings"])
    _, outcome = run(request_for("PR"), registry)
    assert isinstance(outcome.error, ModelNotFoundError)


def test_regions_and_outlines(request_for, registry):
    whole, _ = run(request_for(out=None), registry)
    n = len(next(e for e in whole if isinstance(e, Started)).cells)
    roi = Region(1000, 500, 1000, 900)
    events, _ = run(request_for(out=None, roi=roi), registry)
    started = next(e for e in events if isinstance(e, Started))
    assert started.grid.region == roi
    assert 0 < len(started.cells) < n
    triangle = ((1000.0, 500.0), (2000.0, 500.0), (1000.0, 1400.0))
    events, _ = run(request_for(out=None, roi_polygons=(triangle,)), registry)
    fewer = next(e for e in events if isinstance(e, Started))
    assert fewer.grid.region == roi
    assert 0 < len(fewer.cells) < len(started.cells)
    _, outcome = run(request_for(roi=Region(90_000, 0, 10, 10)), registry)
    assert isinstance(outcome.error, BadRegionError)


def test_unknown_pixel_size_is_asked_for(tmp_path, registry, request_for):
    from dataclasses import replace

    path = write_slide(tmp_path / "no mpp.tif", mpp=None, width=2048, height=1024)
    request = replace(request_for(), slide=path)
    _, outcome = run(request, registry)
    assert isinstance(outcome.error, UnknownMppError)
    assert outcome.error.exit_code == 4
    assert outcome.document["status"] == "failed"
    _, outcome = run(replace(request, mpp=0.5), registry)
    assert outcome.status == "completed"
    assert outcome.document["mpp"]["source"] == "user"
    _, other = run(replace(request, mpp=0.51), registry)
    assert "cached" not in other.document
    _, outcome = run(replace(request, mpp=2.5), registry)
    assert isinstance(outcome.error, WrongMppError)


def test_wrong_stain_needs_a_choice_that_is_recorded(request_for):
    registry = FakeRegistry(fake_model(stain="H-DAB"))
    _, outcome = run(request_for(), registry)
    assert isinstance(outcome.error, StainMismatchError)
    assert outcome.error.exit_code == 4
    assert find_runs(request_for().out) == []
    _, outcome = run(request_for(ignore_stain=True), registry)
    assert outcome.status == "completed"
    assert any("Run as asked" in w and "H-DAB" in w for w in outcome.document["warnings"])
    record = find_runs(request_for().out)[0].record
    assert record["stain_override"] is True
    assert any("Run as asked" in w for w in record["warnings"])


def test_only_the_models_for_another_stain_are_left_out(request_for):
    registry = FakeRegistry(fake_model(), fake_model("dab", "HER2", stain="H-DAB"))
    _, outcome = run(request_for("fake-er", "dab"), registry)
    assert outcome.status == "completed"
    er, dab = outcome.document["results"]
    assert er["probability"] is not None
    assert (dab["status"], dab["error_id"]) == ("failed", "wrong_stain")


def test_glass_is_no_tissue(tmp_path, registry, request_for):
    from dataclasses import replace

    glass = np.random.default_rng(0).normal(243, 1.5, (1024, 2048, 3)).astype(np.uint8)
    path = write_slide(tmp_path / "glass.tif", pixels=glass)
    _, outcome = run(replace(request_for(), slide=path), registry)
    assert isinstance(outcome.error, NoTissueError)


def fail_some(monkeypatch, which):
    real = TileReader.read

    def read(self, window):
        if which(window):
            return self.failed_tile("a sector is bad")
        return real(self, window)

    monkeypatch.setattr(TileReader, "read", read)


def test_a_few_unreadable_tiles_are_left_out_and_said_so(request_for, monkeypatch):
    registry = FakeRegistry(fake_model(patch_size_pixels=64, spacing_um_px=1.0))
    events, _ = run(request_for(out=None), registry)
    grid = next(e for e in events if isinstance(e, Started)).grid
    cells = next(e for e in events if isinstance(e, Started)).cells
    bad = grid.window(*cells[10])
    fail_some(monkeypatch, lambda w: w == bad)
    events, outcome = run(request_for(), registry)
    assert outcome.status == "completed"
    (result,) = outcome.document["results"]
    assert result["tiles_failed"] == 1
    assert result["tiles_scored"] == result["tiles_total"] - 1
    assert any("1 of" in w for w in outcome.document["warnings"])
    heatmap = read_heatmap(find_runs(request_for().out)[0].heatmaps()["ER"])
    row, col = cells[10]
    assert heatmap.unread[row, col]
    assert np.isnan(heatmap.data[:, row, col]).all()
    rows = pq.read_table(find_runs(request_for().out)[0].folder / "tiles.parquet").to_pylist()
    (failed,) = [r for r in rows if r["failed"]]
    assert failed["reason"] == "a sector is bad"
    assert np.isnan(failed["prob_positive"])


def test_many_unreadable_tiles_give_no_slide_result(request_for, registry, monkeypatch):
    with monkeypatch.context() as patched:
        fail_some(patched, lambda w: w.x < 1000)
        _, outcome = run(request_for(), registry)
    assert outcome.status == "failed"
    assert isinstance(outcome.error, TileReadError)
    assert "no slide result" in outcome.error.sentence
    (result,) = outcome.document["results"]
    assert result["probability"] is None
    assert result["tiles_failed"] > 0
    (stored,) = find_runs(request_for().out)
    assert not stored.complete
    # The share may be back tomorrow: the same request starts anew.
    _, outcome = run(request_for(), registry)
    assert outcome.status == "completed"
    assert outcome.document["run_dir"] != str(stored.folder)


def test_too_little_memory_goes_on_smaller(request_for):
    registry = FakeRegistry(fake_model(memory=1))
    plenty = FakeRegistry(fake_model())
    events, outcome = run(request_for(out=None), registry)
    assert outcome.status == "completed"
    assert any("going on with 1" in w for w in outcome.document["warnings"])
    assert any(isinstance(e, Progress) and e.message for e in events)
    _, other = run(request_for(out=None), plenty)
    assert other.document["results"] == outcome.document["results"]


def test_memory_for_not_even_one_tile_is_a_sentence(request_for):
    _, outcome = run(request_for(), FakeRegistry(fake_model(memory=0)))
    assert isinstance(outcome.error, TooLittleMemoryError)
    assert "0 tiles are kept" in outcome.error.sentence
    _, outcome = run(request_for(), FakeRegistry(fake_model()))
    assert outcome.status == "completed"


def test_a_full_disk_keeps_the_tiles(request_for, registry, monkeypatch):
    from napari_her2.errors import DiskFullError
    from napari_her2.results.journal import Journal

    real, count = Journal.append, [0]

    def append(self, batch):
        count[0] += 1
        if count[0] == 4:
            raise DiskFullError("disk_write", path="x", needed="12 kB")
        real(self, batch)

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", append)
        _, outcome = run(request_for(), registry)
    assert outcome.status == "failed"
    assert "12 tiles are kept; free 12 kB" in outcome.error.sentence
    events, outcome = run(request_for(), registry)
    assert outcome.status == "completed"
    assert len(next(e for e in events if isinstance(e, Partial)).cells) == 12


def test_a_slide_replaced_meanwhile_stops_the_run(request_for, registry, slide_path, tmp_path):
    other = write_slide(tmp_path / "other.tif", seed=5)
    stream = predict(request_for(), module.NEVER, registry)
    events = []
    for event in stream:
        events.append(event)
        if isinstance(event, Partial) and other.exists():
            shutil.copyfile(other, tmp_path / "copy.tif")
            (tmp_path / "copy.tif").replace(slide_path)
            other.unlink()
    outcome = events[-1]
    assert outcome.status == "failed"
    assert isinstance(outcome.error, SlideChangedError)
    (stopped,) = find_runs(request_for().out)
    assert not stopped.resumable
    _, outcome = run(request_for(), registry)
    assert outcome.status == "completed"


def test_a_missing_slide_is_one_outcome(request_for, registry, tmp_path):
    from dataclasses import replace

    _, outcome = run(replace(request_for(), slide=tmp_path / "gone.svs"), registry)
    assert outcome.status == "failed"
    assert "gone.svs was not found" in outcome.document["error"]
    assert outcome.document["results"] == []


def test_no_slide_name_is_logged_at_info(request_for, registry, caplog, slide_path):
    with caplog.at_level("INFO", logger="napari_her2"):
        run(request_for(), registry)
    assert slide_path.stem not in caplog.text


def test_made_tissue_is_seen_as_he():
    from napari_her2.slides import open_array
    from napari_her2.stains.guess import guess_stain
    from napari_her2.tiles.tissue import find_tissue

    slide = open_array(he_pixels(1024, 1536), mpp=0.5)
    assert guess_stain(slide, find_tissue(slide)).stain == "H&E"
