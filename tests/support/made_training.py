"""A window with the Train dock, over a training that learns nothing and takes no time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from made_label_sets import write_cells
from made_predictions import made_predictions
from made_windows import Desk, trio, wait_for, window

from napari_her2._qt.train.controller import TrainController
from napari_her2._qt.train.services import TrainServices, label_sets_folder
from napari_her2._qt.train.widget import TrainWidget
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.models.registry import DEMO_DIR
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.settings import get_settings
from napari_her2.training.evaluation import evaluate_predictions
from napari_her2.training.predictions import PREDICTIONS, Predictions, write_predictions
from napari_her2.training.watch import EpochDone

__all__ = ["FakeTraining", "TrainDesk", "made_set", "write_model_folder"]


def made_set(name: str = "her2-cells", n: int = 140, slides: int = 4, **changes: Any) -> Path:
    """A label set where the dock looks for them, with counts as label sets have them."""
    folder = write_cells(label_sets_folder() / name, n=n, slides=slides)
    marker = folder / "labelset.json"
    info = json.loads(marker.read_text("utf-8"))
    from napari_her2.training.label_set import LabelSet

    labels = LabelSet.read(folder)
    split, label = labels.column("split"), labels.labels
    info["counts"] = {
        c: {"n": int((label == k).sum()),
            **{s: int(((label == k) & (split == s)).sum()) for s in ("train", "tune", "test")}}
        for k, c in enumerate(labels.classes)
    }  # fmt: skip
    info |= {"slides": slides, "patients": 0, "odd": 0, "warnings": [],
             "schema_used": {"id": "her2-cells", "version": "1"}, **changes}  # fmt: skip
    marker.write_text(json.dumps(info), "utf-8")
    return folder


def write_model_folder(
    folder: Path, *, slides: tuple[str, ...] = ("slide-0", "slide-1"), n: int = 120,
    label_set: str = "her2-cells", sharpness: float = 1.0, kind: str = "cells",
) -> Path:  # fmt: skip
    """A model as training leaves it: card, weights, figures, predictions, record."""
    source = DEMO_DIR / ("demo-her2-cells-svm" if kind == "cells" else "demo-er")
    folder.mkdir(parents=True)
    card = json.loads((source / "card.json").read_text("utf-8"))
    card |= {"id": folder.name, "name": folder.name, "status": "user-unvalidated",
             "validation": [], "version": "1"}  # fmt: skip
    for path in source.iterdir():
        if path.name != "card.json":
            (folder / path.name).write_bytes(path.read_bytes())
    (folder / "card.json").write_text(json.dumps(card), "utf-8")
    classes = tuple(card["class_names"])
    truth, probs, _ = made_predictions(n, len(classes), sharpness=sharpness)
    slide = np.array([slides[i % len(slides)] for i in range(n)])
    x = 100.0 + 5 * (np.arange(n) % 20)
    p = Predictions(classes, truth, probs, slide, np.full(n, ""), x, x + 40, np.arange(n))
    write_predictions(folder / PREDICTIONS, p)
    figures = evaluate_predictions(truth, probs, classes, slide, n_boot=20)
    (folder / "evaluation.json").write_text(
        json.dumps({**figures.to_json(), "part": "test", "unit": kind}), "utf-8"
    )
    record = {"request": {"label_set": label_set}, "document": {"history": []}}
    (folder / "training.json").write_text(json.dumps(record), "utf-8")
    return folder


@dataclass
class FakeTraining:
    """Stands in for the pipeline: a few epochs, then a model folder; obeys pause and cancel.

    Attributes
    ----------
    epochs : int
        How many.
    hold_after : int
        Wait after this epoch until something is wished; 0 = never.
    error : Her2Error, optional
        Fail with it after the first epoch.
    """

    epochs: int = 3
    hold_after: int = 0
    error: Any = None
    slides: tuple[str, ...] = ("slide-0", "slide-1")
    kind: str = "cells"
    requests: list[Any] = field(default_factory=list)
    wishes: list[str] = field(default_factory=list)

    def __call__(self, request: Any, cancel: Any, pause: Any) -> Iterator[Any]:
        self.requests.append(request)
        name = request.name
        yield Progress("loading", name)
        for epoch in range(1, self.epochs + 1):
            yield Progress("training", name, epoch * 10, self.epochs * 10)
            figures = {"macro_f1": 0.5 + epoch / 100}
            yield EpochDone(epoch, self.epochs, 2.0 / epoch, figures, 1.0, epoch)
            if epoch == self.hold_after:
                self._wait(cancel, pause)
            if cancel.is_set() or pause.is_set():
                yield self._stopped(name, epoch, paused=pause.is_set())
                return
            if self.error is not None:
                yield Outcome("failed", name, {"resumable": True}, self.error)
                return
        yield Progress("testing", name)
        yield Outcome("completed", name, self._model(name, self.epochs))

    def _wait(self, cancel: Any, pause: Any) -> None:
        end = time.monotonic() + 20
        while not (cancel.is_set() or pause.is_set()) and time.monotonic() < end:
            time.sleep(0.01)

    def _stopped(self, name: str, epoch: int, *, paused: bool) -> Outcome:
        self.wishes.append("pause" if paused else "cancel")
        if paused:
            document = {"sentence": f"Paused at epoch {epoch}: Resume goes on from there.",
                        "paused": True, "resumable": True, "epochs": epoch,
                        "metrics": {}}  # fmt: skip
        else:
            document = self._model(name, epoch) | {
                "sentence": f"Cancelled: the best weights so far (epoch {epoch}) are kept.",
                "resumable": True,
            }
        return Outcome("cancelled", name, document)

    def _model(self, name: str, epoch: int) -> dict[str, Any]:
        folder = get_settings().data_dir / "models" / name
        if not folder.exists():
            write_model_folder(folder, slides=self.slides, kind=self.kind)
        return {
            "model_id": name, "installed": str(folder), "folder": str(folder), "epochs": epoch,
            "best_epoch": epoch, "seconds": 1.5, "metrics": {"f1_macro": {}}, "resumable": False,
            "warnings": [], "splits": {"train": {"n": 100}},
        }  # fmt: skip


class TrainDesk(Desk):
    """A viewer model with the Train dock; the other docks only where they are asked for."""

    def __init__(self, qtbot: Any, training: Any = None, **services: Any) -> None:
        self.qtbot = qtbot
        self.requests = []
        self.viewer, self.session = window(trio(), self.requests)
        self.training = training or FakeTraining()
        self.session._train = TrainController(
            self.session, TrainServices(train=self.training, **services)
        )
        self.dock = TrainWidget(self.viewer)
        qtbot.addWidget(self.dock)
        self.dock.resize(360, 900)
        self.dock.show()

    @property
    def controller(self) -> Any:
        return self.session.train

    @property
    def card(self) -> Any:
        return self.dock.card

    def ready(self) -> None:
        """Wait until the label set is read."""
        wait_for(lambda: self.controller.labels is not None)

    def train(self) -> None:
        """Press the button and wait for the model."""
        self.dock.run()
        wait_for(lambda: not self.session.runner.running)
        wait_for(lambda: self.controller.result is not None)
        wait_for(lambda: not self.session.background.busy and not self.session.thumbnails.busy)

    def wait_epoch(self, epoch: int) -> None:
        wait_for(lambda: len(self.controller.history) >= epoch)


CLASSES = CELL_CLASSES
