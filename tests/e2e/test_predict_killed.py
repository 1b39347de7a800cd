"""Killed, cancelled and resumed: what was scored is kept and the bytes are those of one run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from made_runs import FakeRegistry, fake_model, install_model, write_slide

from napari_her2.pipelines.events import Outcome, Partial
from napari_her2.pipelines.predict import predict
from napari_her2.pipelines.request import PredictRequest
from napari_her2.results.atomic import list_files
from napari_her2.results.journal import read_journal
from napari_her2.results.store import find_runs, load_run
from napari_her2.settings import get_settings

PROGRAM = Path(__file__).parents[1] / "support" / "predict_once.py"


def science(run_dir: Path) -> dict[str, str]:
    found = list_files(run_dir)
    return {r.path: r.sha256 for r in found if r.path.startswith(("heatmaps/", "tiles", "tissue"))}


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_and_resume_give_the_bytes_of_an_uninterrupted_run(tmp_path):
    data = get_settings().data_dir
    models = install_model(data, "ER"), install_model(data, "HER2")
    slide = write_slide(tmp_path / "s.tif", width=2048, height=1536)
    command = [sys.executable, str(PROGRAM), str(slide)]
    whole = subprocess.run(
        [*command, str(tmp_path / "whole"), *models], capture_output=True, text=True, check=True
    )
    assert whole.stdout.endswith("completed\n")
    batches = whole.stdout.count("batch")
    assert batches > 6

    kept = 0
    for victim_dies_after in (2, 3):
        with subprocess.Popen(
            [*command, str(tmp_path / "killed"), *models], stdout=subprocess.PIPE, text=True
        ) as victim:
            for _ in range(victim_dies_after):
                assert victim.stdout.readline().startswith("batch")
            os.kill(victim.pid, signal.SIGKILL)
        (run,) = find_runs(tmp_path / "killed")
        assert not run.complete
        assert not (run.folder / "tiles.parquet").exists()
        journal = run.folder / "journal.bin"
        scored = len(read_journal(journal)[1])
        assert scored > kept
        kept = scored
        # A power cut may tear the last record; that batch is made again, nothing else.
        with journal.open("r+b") as f:
            f.truncate(journal.stat().st_size - 7)

    resumed = subprocess.run(
        [*command, str(tmp_path / "killed"), *models], capture_output=True, text=True, check=True
    )
    assert resumed.stdout.endswith("completed\n")
    assert resumed.stdout.count("batch") <= batches - (kept - 1) + 1
    (a,), (b,) = find_runs(tmp_path / "whole"), find_runs(tmp_path / "killed")
    load_run(a.folder)
    load_run(b.folder)
    assert science(a.folder) == science(b.folder)
    assert len(science(b.folder)) >= 12
    left = [p.name for p in b.folder.rglob("*") if p.name.startswith(".tmp")]
    assert not left
    assert not list(b.folder.parent.glob(".claim*"))


def test_cancelling_a_slow_model_takes_less_than_two_seconds(tmp_path):
    slide = write_slide(tmp_path / "s.tif")
    # 0.4 s for each call and three models: as slow as the full-width network on one core.
    ids = ("a", "b", "c")
    registry = FakeRegistry(*(fake_model(i, pause=0.4) for i in ids))
    cancel = threading.Event()
    asked = [0.0]
    events = []
    for event in predict(PredictRequest(slide, ids, out=tmp_path / "out"), cancel, registry):
        events.append(event)
        if isinstance(event, Partial) and not asked[0]:
            timer = threading.Timer(
                0.5, lambda: (asked.__setitem__(0, time.monotonic()), cancel.set())
            )
            timer.start()
            asked[0] = float("inf")
    took = time.monotonic() - asked[0]
    assert isinstance(events[-1], Outcome)
    assert events[-1].status == "cancelled"
    assert 0 <= took < 2
    (run,) = find_runs(tmp_path / "out")
    scored = sum(len(e.cells) for e in events if isinstance(e, Partial))
    assert run.document()["results"][0]["tiles_scored"] == scored > 0
    assert set(run.heatmaps()) == {"ER", "ER-b", "ER-c"}
