"""One training run from a label set to a model folder. Runs in a process of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from napari_her2.errors import CannotTrainError
from napari_her2.messages import tr
from napari_her2.models.installed import InstalledModel
from napari_her2.provenance import now, software
from napari_her2.training.hardware import Hardware, choose_hardware
from napari_her2.training.label_set import LabelSet
from napari_her2.training.learned import Learned
from napari_her2.training.material import Material, check_material, material_of
from napari_her2.training.model_folder import (
    Tested,
    free_id,
    install,
    test_model,
    write_figures,
    write_model,
    write_record,
)
from napari_her2.training.request import TrainRequest
from napari_her2.training.watch import EpochDone, Silent, Watcher, Wish
from napari_her2.training.workplace import Workplace, finished_document

__all__ = ["run_training"]


def run_training(request: TrainRequest, watcher: Watcher | None = None) -> dict[str, Any]:
    """Train, test and write a model.

    Parameters
    ----------
    request : TrainRequest
        What is asked.
    watcher : Watcher, optional
        Is told what happens, and may wish to stop.

    Returns
    -------
    dict
        The command's document: ``model_id, folder, metrics, splits, epochs, seconds, ...``.

    Raises
    ------
    Her2Error
        With one sentence, for whatever a user can cause or mend.
    """
    look = watcher or Silent()
    if request.recipe == "stage2":
        from napari_her2.training.stage2 import run_stage2

        return run_stage2(request, look)
    look.stage("loading")
    material = material_of(LabelSet.read(request.label_set), request)
    warnings = [*material.notes, *check_material(material)]
    digest = request.digest(material.digest)
    known = finished_document(request, digest)
    if known is not None:
        return known
    began = time.monotonic()
    fresh = {
        "model_id": free_id(request),
        "hardware": choose_hardware(request.device, request.precision, request.threads).to_json(),
    }
    with Workplace.opened(request, digest, fresh) as place:
        hardware = Hardware(**place.run["hardware"])
        before = float(place.run["seconds"])
        look.stage("training")
        learned = _learn(request, material, place.folder, hardware, _Noting(look, place, began))
        place.note(seconds=before + time.monotonic() - began, epoch=learned.epochs)
        if learned.ending == "paused" or (
            learned.ending == "cancelled" and not _has_model(learned)
        ):
            return _stopped(place, learned, warnings)
        look.stage("testing")
        model = write_model(place.out, place.run["model_id"], request, material, learned)
        tested = test_model(model, material, learned)
        look.stage("saving")
        model = write_figures(model, material, tested)
        return _finish(request, place, model, material, learned, tested, warnings, digest)


def _learn(
    request: TrainRequest, material: Material, folder: Path, hardware: Hardware, look: Watcher
) -> Learned:
    if request.recipe == "cells-convnet":
        from napari_her2.training.cell_run import learn_cells

        return learn_cells(request, material, folder, hardware, look)
    if request.recipe in {"cells-svm", "cells-rf"}:
        from napari_her2.training.handmade_recipe import learn_handmade

        return learn_handmade(request, material)
    if request.recipe == "stage1":
        from napari_her2.training.stage1 import learn_stage1

        return learn_stage1(request, material, folder, hardware, look)
    raise CannotTrainError("unknown_recipe", name=request.recipe)


def _has_model(learned: Learned) -> bool:
    return learned.best_epoch > 0


def _stopped(place: Workplace, learned: Learned, warnings: list[str]) -> dict[str, Any]:
    """Document of a run that made no model yet."""
    paused = learned.ending == "paused"
    sentence = tr("train_paused", epoch=learned.epochs) if paused else tr("train_cancelled_early")
    return {
        "model_id": place.run["model_id"], "folder": str(place.out), "status": "cancelled",
        "sentence": sentence, "paused": paused, "resumable": True, "metrics": {}, "splits": {},
        "epochs": learned.epochs, "best_epoch": learned.best_epoch,
        "seconds": place.run["seconds"], "history": learned.history, "warnings": warnings,
    }  # fmt: skip


def _finish(
    request: TrainRequest,
    place: Workplace,
    model: InstalledModel,
    material: Material,
    learned: Learned,
    tested: Tested,
    warnings: list[str],
    digest: str,
) -> dict[str, Any]:
    cancelled = learned.ending == "cancelled"
    figures = {k: v.to_json() for k, v in tested.evaluation.metrics().items()}
    document: dict[str, Any] = {
        "model_id": model.card.id,
        "folder": str(place.out),
        "installed": None,
        "recipe": request.recipe,
        "status": "cancelled" if cancelled else "completed",
        "sentence": _sentence(learned, place.run.get("epochs") or learned.epochs),
        "paused": False,
        "resumable": cancelled,
        "metrics": figures,
        "measured_on": tested.part,
        "unit": material.kind,
        "splits": {**material.counts(), "by": material.split_by},
        "epochs": learned.epochs,
        "best_epoch": learned.best_epoch,
        "seconds": place.run["seconds"],
        "warnings": list(dict.fromkeys([*warnings, *tested.evaluation.warnings])),
        "history": learned.history,
        "label_set": {"name": material.name, "sha256": material.digest},
    }
    record = {
        "schema": 1, "digest": digest, "ending": learned.ending,
        "request": {**request.science(), "label_set": request.label_set.name},
        "hardware": place.run["hardware"], "started": place.run["started"], "ended": now(),
        "software": software(), "details": dict(learned.details), "document": document,
    }  # fmt: skip
    write_record(place.out, record)
    if request.install:
        document["installed"] = str(install(model))
        write_record(place.out, record)
    if not cancelled:
        place.clear()
    return document


def _sentence(learned: Learned, epochs: int) -> str | None:
    slots = {"epoch": learned.epochs, "epochs": epochs, "best": learned.best_epoch}
    if learned.ending == "cancelled":
        return tr("train_cancelled", epoch=learned.best_epoch)
    if learned.ending == "early":
        return tr("train_stopped_early", **slots)
    if learned.ending == "time":
        return tr("train_time_up", **slots)
    return None


class _Noting:
    """Passes everything on, and writes down how far the run is."""

    def __init__(self, look: Watcher, place: Workplace, began: float) -> None:
        self._look, self._place, self._began = look, place, began
        self._before = float(place.run["seconds"])

    def stage(self, name: str) -> None:
        self._look.stage(name)

    def step(self, done: int, total: int) -> None:
        self._look.step(done, total)

    def epoch(self, event: EpochDone) -> None:
        seconds = self._before + time.monotonic() - self._began
        self._place.note(epoch=event.epoch, epochs=event.epochs, seconds=seconds)
        self._look.epoch(event)

    def wish(self) -> Wish:
        return self._look.wish()
