"""Training, killed at any moment and resumed: the weights of a run that nobody disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from made_label_sets import write_cells
from train_once import request_of

from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.pipelines.train import EpochDone, resume_state, train_model
from napari_her2.pipelines.train_request import TrainRequest
from napari_her2.training.run import run_training

PROGRAM = Path(__file__).parents[1] / "support" / "train_once.py"

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    return write_cells(tmp_path_factory.mktemp("made") / "set", 650, hard=40)


def killed_after(labels, out, line, every):
    command = [sys.executable, str(PROGRAM), str(labels), str(out), str(every)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for said in victim.stdout:
            if said.strip() == line:
                os.kill(victim.pid, signal.SIGKILL)
                break
    assert not (out / "card.json").exists()


def test_kill_9_and_resume_end_with_the_same_weights(labels, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "killed"
    run_training(request_of(labels, whole))
    # In the middle of the second epoch, while the checkpoint of a batch is being written.
    killed_after(labels, out, "step 5 of 9", 1e-9)
    left = resume_state(out)
    assert left is not None
    assert left.epoch == 1
    document = run_training(request_of(labels, out))
    assert document["epochs"] == 3
    for name in ("weights.safetensors", "evaluation.json"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    assert not (out / ".training").exists()


def test_the_process_that_trains_is_killed_paused_and_resumed(labels, tmp_path):
    request = TrainRequest(
        labels, "cells-convnet", tmp_path / "m", name="Lab", epochs=3, threads=1, device="cpu",
        precision="32",
    )  # fmt: skip
    pause = threading.Event()
    events = []
    for event in train_model(request, pause=pause):
        events.append(event)
        if isinstance(event, EpochDone):
            pause.set()
    assert isinstance(events[0], Progress)
    end = events[-1]
    assert isinstance(end, Outcome)
    assert end.document["paused"]
    assert end.document["epochs"] >= 1
    done = run_training(request)
    assert done["status"] == "completed"
    assert done["epochs"] == 3
    assert done["model_id"] == "lab"
