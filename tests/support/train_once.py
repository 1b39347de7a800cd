"""Trains one model in this process and says each batch: a victim for kill -9."""

from __future__ import annotations

import sys
from pathlib import Path

from napari_her2.training.request import TrainRequest
from napari_her2.training.run import run_training
from napari_her2.training.watch import Silent


class Telling(Silent):
    def step(self, done: int, total: int) -> None:
        sys.stdout.write(f"step {done} of {total}\n")
        sys.stdout.flush()


def request_of(labels: Path, out: Path, every: float = 60.0) -> TrainRequest:
    """What is trained; the same in the victim and in the test."""
    return TrainRequest(
        labels, "cells-convnet", out, name="Killed", epochs=3, threads=1, device="cpu",
        precision="bf16", install=False, checkpoint_seconds=every,
    )  # fmt: skip


if __name__ == "__main__":
    run_training(request_of(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])), Telling())
