"""Cells by one or several processes, killed and resumed: always the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made_cells import FakeParts, write_ihc

from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_events import CellsPartial
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.events import Progress
from napari_her2.pipelines.executors import score_cells_many
from napari_her2.results.cells_journal import CellJournal
from napari_her2.results.store import find_runs, load_run
from napari_her2.synthetic.samples import sample_path

PROGRAM = Path(__file__).parents[1] / "support" / "cells_once.py"


def files(out: Path) -> dict[str, bytes]:
    (run,) = find_runs(out)
    load_run(run.folder)
    names = ("cells.parquet", "cells.geojson", "tissue.geojson")
    return {n: (run.folder / n).read_bytes() for n in names}


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return write_ihc(tmp_path_factory.mktemp("made") / "s.tif", 1024, 768, margin=70)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_and_resume_give_the_bytes_of_an_uninterrupted_run(slide, tmp_path):
    command = [sys.executable, str(PROGRAM), str(slide)]
    with subprocess.Popen(
        [*command, str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True
    ) as victim:
        assert victim.stdout is not None
        for _ in range(3):
            assert victim.stdout.readline().startswith("tile")
        os.kill(victim.pid, signal.SIGKILL)
    (run,) = find_runs(tmp_path / "killed")
    assert not run.complete
    assert not (run.folder / "cells.parquet").exists()
    journal = run.folder / "journal.bin"
    kept = len(CellJournal.read(journal)[1])
    assert kept >= 3
    # A power cut may tear the last record; that tile is made again, nothing else.
    with journal.open("r+b") as f:
        f.truncate(journal.stat().st_size - 7)
    whole = list(
        score_cells(CellsRequest(slide, out=tmp_path / "whole"), parts=FakeParts(tile=256, step=16))
    )
    resumed = list(
        score_cells(
            CellsRequest(slide, out=tmp_path / "killed"), parts=FakeParts(tile=256, step=16)
        )
    )
    first = next(e for e in resumed if isinstance(e, Progress) and e.stage == "scoring")
    assert first.done == kept - 1
    assert resumed[-1].status == whole[-1].status == "completed"
    assert files(tmp_path / "killed") == files(tmp_path / "whole")
    assert not list((tmp_path / "killed").rglob(".claim*"))
    assert not list((tmp_path / "killed").rglob(".tmp*"))


def test_processes_give_the_bytes_of_one(tmp_path):
    """The true detection, on the sample slide: none, one and two worker processes."""
    kept = []
    for workers in (0, 1, 2):
        request = CellsRequest(sample_path("her2-ihc"), out=tmp_path / str(workers))
        *_, outcome = score_cells_many([request], workers=workers)
        assert outcome.status == "completed"
        kept.append((files(tmp_path / str(workers)), outcome.document["scores"]))
    assert kept[0] == kept[1] == kept[2]


def test_a_worker_that_dies_once_costs_nothing_and_a_deadly_tile_is_a_record(slide, tmp_path):
    whole = list(score_cells(CellsRequest(slide, out=None), parts=FakeParts(tile=128, step=16)))[-1]
    once = FakeParts(tile=128, step=16, crash_at=(512, 512), once=str(tmp_path / "mark"))
    events = list(score_cells(CellsRequest(slide, workers=2), parts=once))
    assert events[-1].document["counts"] == whole.document["counts"]
    assert any(isinstance(e, Progress) and e.message for e in events)
    always = FakeParts(tile=128, step=16, crash_at=(512, 512))
    events = list(score_cells(CellsRequest(slide, workers=2), parts=always))
    outcome = events[-1]
    assert outcome.status == "completed"
    assert outcome.document["tiles_failed"] == 1
    assert "twice" in outcome.document["failed_tiles"][0]["reason"]
    lost = whole.document["cells_detected"] - outcome.document["cells_detected"]
    assert 0 < lost <= 64


def test_closing_ends_the_workers_and_keeps_their_tiles(slide, tmp_path):
    import multiprocessing

    request = CellsRequest(slide, out=tmp_path / "out", workers=2)
    events = score_cells(request, parts=FakeParts(tile=256, step=16, pause=0.05))
    for event in events:
        if isinstance(event, CellsPartial):
            break
    events.close()
    assert not multiprocessing.active_children()
    (run,) = find_runs(tmp_path / "out")
    assert run.resumable
    assert CellJournal.read(run.folder / "journal.bin")[1]
