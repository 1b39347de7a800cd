"""Tests a model on a label set or on a table of predictions; cross-validates recipes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError, Her2Error
from napari_her2.messages import tr
from napari_her2.models.installed import InstalledModel, card_of
from napari_her2.models.registry import Registry
from napari_her2.pipelines.events import NEVER, CancelToken, Event, Outcome, Progress
from napari_her2.results.atomic import write_json, writing
from napari_her2.training.answering import AT_ONCE, asker, rows_to_test
from napari_her2.training.calibration import fit_temperature, with_temperature
from napari_her2.training.cross_validation import (
    FOLDS,
    CrossValidated,
    compare,
    cross_validate,
    grouped_folds,
)
from napari_her2.training.evaluation import evaluate_predictions
from napari_her2.training.fold_methods import FOLD_METHODS, FoldMethod, fold_method
from napari_her2.training.label_set import LabelSet
from napari_her2.training.predictions import (
    PREDICTIONS,
    Predictions,
    join_predictions,
    read_predictions,
    write_predictions,
)

__all__ = ["EVALUATION", "CrossBy", "EvaluateRequest", "evaluate_model"]

CrossBy = Literal["slide", "tile", "patient"]

EVALUATION: Final = "evaluation.json"

_TABLES: Final = (".parquet", ".pq")
_COMPARED: Final = ("f1_macro", "accuracy", "balanced_accuracy")

Steps = Generator[Event, None, dict[str, Any] | None]


@dataclass(frozen=True, slots=True)
class EvaluateRequest:
    """What is asked of an evaluation.

    Parameters
    ----------
    model : str, optional
        Id of an installed model, or the folder of one; not needed for a table of predictions, nor
        for a cross-validation.
    data : Path, optional
        Folder of a label set, or a table ``predictions.parquet``; the model's own predictions
        where left out.
    part : str, optional
        ``test``, ``tune``, ``train`` or ``all``; see
        :func:`napari_her2.training.answering.rows_to_test`.
    cv : {"slide", "tile", "patient"}, optional
        Cross-validate ``recipes`` instead, keeping these together.
    recipes : tuple of str
        Learned anew in each fold; see :data:`~napari_her2.training.fold_methods.FOLD_METHODS`.
    folds : int
        10 in P2.
    temperature : bool
        Fit a temperature on the tuning part and apply it first.
    n_boot, seed : int
        Of the bootstrap and the folds.
    out : Path, optional
        Folder for ``evaluation.json`` and ``predictions.parquet``.
    """

    model: str | None = None
    data: Path | None = None
    part: str | None = None
    cv: CrossBy | None = None
    recipes: tuple[FoldMethod, ...] = FOLD_METHODS
    folds: int = FOLDS
    temperature: bool = False
    n_boot: int = 1000
    seed: int = 0
    out: Path | None = None


def evaluate_model(
    request: EvaluateRequest,
    cancel: CancelToken = NEVER,
    registry: Registry | None = None,
) -> Iterator[Event]:
    """Work out the figures of a model.

    Parameters
    ----------
    request : EvaluateRequest
        What is asked.
    cancel : CancelToken
        Stops after the current batch or fold.
    registry : Registry, optional
        Where models are installed.

    Yields
    ------
    Event
        ``Progress`` with stage ``loading``, ``scoring``, ``evaluating`` or ``saving``, then one
        ``Outcome`` whose document holds ``metrics`` and all else of
        :meth:`~napari_her2.training.evaluation.Evaluation.to_json`.
    """
    started = time.monotonic()
    name = request.model or (request.data.name if request.data else "")
    try:
        yield Progress("loading", name)
        if request.cv:
            document = yield from _crossed(request, cancel, name)
        else:
            document = yield from _tested(request, cancel, registry or Registry(), name)
    except Her2Error as error:
        yield Outcome("failed", name, error=error)
        return
    if document is None:
        yield Outcome("cancelled", name)
        return
    document["seconds"] = round(time.monotonic() - started, 3)
    yield Outcome("completed", name, document)


def _tested(request: EvaluateRequest, cancel: CancelToken, registry: Registry, name: str) -> Steps:
    model = None if request.model is None else _model(request.model, registry)
    tuning: Predictions | None = None
    said: tuple[str, ...] = ()
    part, unit = request.part or "test", "examples"
    if model is not None:
        unit = "cells" if model.card.is_cell_model else "tiles"
    if request.data is not None and request.data.suffix.lower() not in _TABLES:
        if model is None:
            raise CannotTrainError("no_model_named")
        labels = LabelSet.read(request.data)
        chosen = rows_to_test(model, labels, request.part)
        part = chosen.part
        if chosen.own and part != "test":
            said = (tr("own_labels", model=model.card.id),)
        wanted = [chosen.rows, labels.rows("tune") if request.temperature else chosen.rows[:0]]
        found = yield from _asked(model, labels, np.concatenate(wanted), registry, cancel, name)
        if found is None:
            return None
        predictions = found.take(np.arange(len(chosen.rows)))
        if request.temperature:
            tuning = found.take(np.arange(len(chosen.rows), len(found)))
    else:
        table = read_predictions(_table(request.data, model))
        parted = bool((table.split != "").any())
        predictions = table.of_split(part) if parted else table
        part = part if parted else "all"
        if request.temperature:
            tuning = table.of_split("tune")
    probs, temperature = predictions.probs, None
    if tuning is not None:
        if not len(tuning):
            raise CannotTrainError("no_tuning")
        temperature = fit_temperature(tuning.truth, tuning.probs)
        probs = with_temperature(probs, temperature)
    yield Progress("evaluating", name)
    known = bool((predictions.slide != "").any())
    evaluation = evaluate_predictions(
        predictions.truth, probs, predictions.classes, predictions.slide if known else None,
        n_boot=request.n_boot, seed=request.seed,
    )  # fmt: skip
    document = evaluation.to_json()
    document |= {
        "model_id": None if model is None else model.card.id,
        "model_status": None if model is None else model.card.status,
        "data": None if request.data is None else str(request.data),
        "part": part,
        "unit": unit,
        "temperature": temperature,
        "warnings": [*said, *document["warnings"]],
    }
    if request.out is not None:
        yield Progress("saving", name)
        _write(request.out, document, predictions)
    return document


def _asked(
    model: InstalledModel,
    labels: LabelSet,
    rows: NDArray[np.intp],
    registry: Registry,
    cancel: CancelToken,
    name: str,
) -> Generator[Event, None, Predictions | None]:
    ask = asker(model, labels, registry)
    pieces = []
    size = AT_ONCE[labels.kind]
    for start in range(0, len(rows), size):
        if cancel.is_set():
            return None
        pieces.append(ask(rows[start : start + size]))
        yield Progress("scoring", name, min(start + size, len(rows)), len(rows))
    return join_predictions(pieces)


def _crossed(request: EvaluateRequest, cancel: CancelToken, name: str) -> Steps:
    if request.data is None or request.cv is None:
        raise CannotTrainError("no_labels_named")
    labels = LabelSet.read(request.data)
    groups = labels.column(_COLUMN[request.cv]).astype(str)
    if request.cv == "patient" and (groups == "").any():
        raise CannotTrainError("patient_not_known")
    # Carried-over labels are as good as the registration was: nothing is tested on them.
    rows = np.flatnonzero(~labels.column("propagated").astype(np.bool_))
    truth, slide = labels.labels[rows], labels.column("slide").astype(str)[rows]
    folds = grouped_folds(truth, groups[rows], request.folds, request.seed)
    total = len(folds) * len(request.recipes)
    methods: dict[str, CrossValidated] = {}
    for recipe in request.recipes:
        learn = fold_method(recipe, labels, groups, seed=request.seed)
        probs = np.zeros((len(rows), len(labels.classes)))
        for i, (train, test) in enumerate(folds):
            yield Progress("scoring", name, len(methods) * len(folds) + i, total)
            if cancel.is_set():
                return None
            probs[test] = learn(rows[train], rows[test])
        methods[recipe] = cross_validate(
            lambda _, test, given=probs: given[test],  # type: ignore[misc]
            truth, labels.classes, folds, slide, n_boot=request.n_boot, seed=request.seed,
        )  # fmt: skip
    first = methods[request.recipes[0]]
    compared = compare(methods, _COMPARED)
    document = first.to_json() | {
        "model_id": None,
        "data": str(request.data),
        "part": "all",
        "unit": labels.kind,
        "cv": request.cv,
        "recipe": request.recipes[0],
        "recipes": {recipe: found.to_json() for recipe, found in methods.items()},
        "comparisons": [c.to_json() for c in compared],
    }
    if request.cv == "tile":
        document["warnings"] = [tr("tile_test"), *document["warnings"]]
    if request.out is not None:
        yield Progress("saving", name)
        _write(request.out, document, None)
    return document


_COLUMN: Final = {"slide": "slide", "tile": "region_id", "patient": "patient"}


def _model(name: str, registry: Registry) -> InstalledModel:
    folder = Path(name)
    if (folder / "card.json").is_file():
        return InstalledModel(card_of(folder), folder, built_in=False)
    return registry.resolve(name)


def _table(data: Path | None, model: InstalledModel | None) -> Path:
    if data is not None:
        return data
    if model is None:
        raise CannotTrainError("no_model_named")
    return model.folder / PREDICTIONS


def _write(out: Path, document: dict[str, Any], predictions: Predictions | None) -> None:
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    if predictions is not None:
        write_predictions(out / PREDICTIONS, predictions)
    write_json(out / EVALUATION, document)
