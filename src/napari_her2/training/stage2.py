"""Recipe ``stage2``: the slide level of a tile model, fitted on slides with a known status."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError
from napari_her2.messages import tr
from napari_her2.models.aggregators import RatioHistogramAggregator
from napari_her2.models.card import ModelCard
from napari_her2.models.installed import InstalledModel
from napari_her2.models.intake import AGGREGATOR, CARD, WEIGHTS
from napari_her2.models.registry import Registry
from napari_her2.models.weights import sha256_of
from napari_her2.provenance import now, software
from napari_her2.results.atomic import write_bytes, write_json
from napari_her2.training.evaluation import Evaluation, evaluate_predictions
from napari_her2.training.model_folder import EVALUATION, SITE, free_id, install, write_record
from napari_her2.training.predictions import PREDICTIONS, Predictions, write_predictions
from napari_her2.training.request import TrainRequest
from napari_her2.training.slide_scores import SlideMaterial, slide_material
from napari_her2.training.stage2_fit import (
    FOLDS,
    Choice,
    Columns,
    choose,
    cross_predict,
    fit_choice,
    folds_of,
)
from napari_her2.training.validation_record import card_validation
from napari_her2.training.watch import Watcher
from napari_her2.training.workplace import Workplace, finished_document

__all__ = ["CLASSES", "run_stage2"]

CLASSES = ("negative", "positive")


def run_stage2(request: TrainRequest, look: Watcher) -> dict[str, Any]:
    """Fit, test and write the slide level; see :func:`napari_her2.training.run.run_training`.

    Figures come from slides marked ``test`` in the table; without any, from five outer folds in
    which the settings are chosen anew.
    """
    look.stage("loading")
    base, columns = _base(request)
    if request.scores is None:
        raise CannotTrainError("no_scores", name="--scores", model=base.card.id, reason="not given")
    material = slide_material(request.label_set, request.scores, base.card)
    digest = request.digest(f"{material.digest} {base.digest}")
    known = finished_document(request, digest)
    if known is not None:
        return known
    began = time.monotonic()
    with Workplace.opened(request, digest, {"model_id": free_id(request)}) as place:
        look.stage("training")
        train = material.rows("train")
        probs = [material.probs[i] for i in train]
        known_status, group = material.positive[train], material.group[train]
        chosen, auc = choose(probs, known_status, group, columns, request.seed, look.step)
        fitted = fit_choice(probs, known_status, columns, chosen)
        look.stage("testing")
        rows, said, how = _test(material, columns, fitted, request.seed)
        warnings = _warnings(material, said, len(folds_of(known_status, group, request.seed)))
        look.stage("saving")
        evaluation = _evaluate(material, rows, said)
        details = {"chosen": chosen.to_json(), "cross_validated_auc": auc, "tested": how}
        model = _write(place, request, base, material, fitted, chosen, evaluation)
        _write_figures(place.out, material, rows, said, evaluation, how)
        figures = {k: v.to_json() for k, v in evaluation.metrics().items()}
        document = {
            "model_id": model.card.id, "folder": str(place.out), "installed": None,
            "recipe": "stage2", "status": "completed", "sentence": None, "paused": False,
            "resumable": False, "metrics": figures, "measured_on": "test", "unit": "slides",
            "splits": _splits(material, rows, how), "epochs": 0, "best_epoch": 0,
            "seconds": time.monotonic() - began, "history": [], "chosen": chosen.to_json(),
            "warnings": list(dict.fromkeys([*warnings, *evaluation.warnings])),
            "label_set": {"name": request.label_set.name, "sha256": material.digest},
        }  # fmt: skip
        record = {
            "schema": 1, "digest": digest, "ending": "finished", "request": request.science(),
            "started": place.run["started"], "ended": now(), "software": software(),
            "details": details, "document": document,
        }  # fmt: skip
        write_record(place.out, record)
        if request.install:
            document["installed"] = str(install(model))
            write_record(place.out, record)
        place.clear()
        return document


def _base(request: TrainRequest) -> tuple[InstalledModel, Columns]:
    """The tile model, and where its p+ and p- are."""
    model = Registry().resolve(request.model or request.biomarker or "")
    roles = model.card.class_roles
    if model.is_torchscript or not {"positive", "negative"} <= roles.keys():
        raise CannotTrainError("no_roles", model=model.card.id)
    return model, Columns(roles["positive"], roles["negative"])


def _test(
    material: SlideMaterial, columns: Columns, fitted: RatioHistogramAggregator, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.float64], str]:
    rows = material.rows("test")
    if len(rows):
        scores = [fitted.aggregate(material.probs[i]).probability for i in rows]
        said = np.array([np.nan if s is None else s for s in scores])
        return rows, said, "slides kept apart"
    rows = material.rows("train")
    said = cross_predict(
        [material.probs[i] for i in rows], material.positive[rows], material.group[rows],
        columns, seed,
    )  # fmt: skip
    return rows, said, "nested cross-validation"


def _warnings(material: SlideMaterial, said: NDArray[np.float64], folds: int) -> list[str]:
    found = [tr("slides_left_out", n=n, reason=why) for why, n in material.left_out.items()]
    if folds < FOLDS:
        found.append(tr("few_folds", n=len(material.rows("train")), folds=folds))
    lost = int(np.isnan(said).sum())
    if lost:
        found.append(tr("test_not_assessable", n=lost, total=len(said)))
    return found


def _evaluate(
    material: SlideMaterial, rows: NDArray[np.intp], said: NDArray[np.float64]
) -> Evaluation:
    seen = np.isfinite(said)
    p = said[seen]
    truth = material.positive[rows[seen]].astype(np.intp)
    return evaluate_predictions(truth, np.stack([1 - p, p], 1), CLASSES, material.group[rows[seen]])


def _splits(material: SlideMaterial, rows: NDArray[np.intp], how: str) -> dict[str, Any]:
    found: dict[str, Any] = {"by": "group"}
    for part, some in (("train", material.rows("train")), ("test", rows)):
        n = int(material.positive[some].sum())
        found[part] = {
            "n": len(some), "slides": len(some), "patients": len(set(material.group[some])),
            "classes": {"negative": len(some) - n, "positive": n},
        }  # fmt: skip
    return {**found, "how": how}


def _write(
    place: Workplace,
    request: TrainRequest,
    base: InstalledModel,
    material: SlideMaterial,
    fitted: RatioHistogramAggregator,
    chosen: Choice,
    evaluation: Evaluation,
) -> InstalledModel:
    out = place.out
    (out / CARD).unlink(missing_ok=True)
    weights = base.weights_path.read_bytes()
    write_bytes(out / WEIGHTS, weights)
    document = (json.dumps(fitted.to_json(), indent=1) + "\n").encode()
    write_bytes(out / AGGREGATOR, document)
    train = material.rows("train")
    n = int(material.positive[train].sum())
    card: dict[str, Any] = base.card.model_dump(mode="json") | {
        "id": place.run["model_id"],
        "name": request.name or f"{base.card.name}, slide level of this laboratory",
        "version": "1",
        "biomarker": request.biomarker or base.card.biomarker,
        "weights_sha256": sha256_of(weights),
        "aggregator": {
            "kind": "ratio-histogram", "file": AGGREGATOR, "sha256": sha256_of(document),
        },
        "source": f"trained with napari-her2, recipe stage2, {now()[:10]}; tiles by {base.card.id}",
        "training_data": (
            f"Tile model {base.card.id}: {base.card.training_data} Slide level: {len(train)} "
            f"slides ({n} positive, {len(train) - n} negative); t {chosen.t:g}, b {chosen.b}, "
            f"{chosen.penalty.upper()}, C {chosen.C:g}. Seed {request.seed}."
        ),
        "validation": [
            v.model_dump(mode="json")
            for v in card_validation(evaluation, unit="slides", site=SITE, date=now()[:10])
        ],
        # A slide level of real slides makes no model of synthetic tissue into one of real tissue.
        "status": "synthetic-demo" if base.card.is_demo else "user-unvalidated",
    }  # fmt: skip
    made = ModelCard.model_validate(card)
    write_json(out / CARD, made.model_dump(mode="json"))
    return InstalledModel(made, out, built_in=False)


def _write_figures(
    out: Path,
    material: SlideMaterial,
    rows: NDArray[np.intp],
    said: NDArray[np.float64],
    evaluation: Evaluation,
    how: str,
) -> None:
    about = {"part": "test", "unit": "slides", "split_by": "group", "how": how}
    write_json(out / EVALUATION, {**evaluation.to_json(), **about})
    seen = np.isfinite(said)
    kept, p = rows[seen], said[seen]
    nowhere = np.full(len(kept), np.nan)
    write_predictions(
        out / PREDICTIONS,
        Predictions(
            CLASSES, material.positive[kept].astype(np.intp), np.stack([1 - p, p], 1),
            np.array([material.slide[i] for i in kept]), np.full(len(kept), "test"),
            nowhere, nowhere, np.full(len(kept), -1, np.int64),
        ),
    )  # fmt: skip
