"""Writes what was learned as a model folder: card, weights, figures, predictions, record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.models.card import ModelCard, Validation
from napari_her2.models.installed import InstalledModel
from napari_her2.models.intake import AGGREGATOR, CARD, WEIGHTS
from napari_her2.models.registry import Registry
from napari_her2.models.weights import sha256_of
from napari_her2.models.wsinfer import slug
from napari_her2.provenance import now
from napari_her2.results.atomic import write_bytes, write_json
from napari_her2.training.evaluation import Evaluation, evaluate_predictions
from napari_her2.training.learned import Learned
from napari_her2.training.material import Material, Part
from napari_her2.training.predictions import PREDICTIONS, Predictions, write_predictions
from napari_her2.training.request import TrainRequest
from napari_her2.training.validation_record import card_validation
from napari_her2.training.workplace import RECORD
from napari_her2.types import Probs

__all__ = [
    "EVALUATION",
    "Tested",
    "free_id",
    "install",
    "test_model",
    "write_figures",
    "write_model",
    "write_record",
]

EVALUATION: Final = "evaluation.json"
SITE: Final = "own label set"


@dataclass(frozen=True)
class Tested:
    """Figures of a model.

    Attributes
    ----------
    part : {"test", "train"}
        What they were measured on: the training items only where nothing is kept apart.
    rows : ndarray of int
        Rows of the material.
    truth : ndarray of int
        In the card's classes.
    probs : ndarray
        Shape (n, classes of the card).
    evaluation : Evaluation
        The figures.
    """

    part: Part
    rows: NDArray[np.intp]
    truth: NDArray[np.int64]
    probs: Probs
    evaluation: Evaluation


def free_id(request: TrainRequest, registry: Registry | None = None) -> str:
    """An id that no installed model has yet."""
    wanted = slug(request.name or f"{request.recipe}-{request.label_set.name}")[:58]
    taken = {m.card.id for m in (registry or Registry()).list()}
    if wanted not in taken:
        return wanted
    return next(f"{wanted}-{n}" for n in range(2, 10_000) if f"{wanted}-{n}" not in taken)


def write_model(
    out: Path, model_id: str, request: TrainRequest, material: Material, learned: Learned
) -> InstalledModel:
    """Write weights, aggregator and a card without figures.

    Raises
    ------
    DiskFullError, CannotWriteError
        If the folder can't be written.
    """
    # The old card goes first: a folder without a card is no model, one with a foreign card is.
    (out / CARD).unlink(missing_ok=True)
    digest = learned.write(out / WEIGHTS)
    card: dict[str, Any] = {
        "id": model_id,
        "name": request.name or f"{request.recipe} on {material.name}",
        "version": "1",
        "organ": "breast",
        "weights_sha256": digest,
        "licence": "not stated: it is the property of whoever drew the labels",
        "source": f"trained with napari-her2, recipe {request.recipe}, {now()[:10]}",
        "training_data": training_text(material, request, learned),
        "good_at": "Slides like those it learned from: same stain, scanner and laboratory.",
        "weak_at": (
            "Anything else. It has not been validated, and the figures on this card come from the "
            "label set it was made with."
        ),
        "status": "user-unvalidated",
        "intended_use": "Research on the laboratory's own slides. Not for diagnosis or treatment.",
        "num_classes": len(learned.card["class_names"]),
        "patch_size_pixels": material.side,
        "spacing_um_px": material.mpp,
        **learned.card,
    }
    if learned.aggregator is not None:
        document = (json.dumps(learned.aggregator, indent=1) + "\n").encode()
        write_bytes(out / AGGREGATOR, document)
        kind = learned.aggregator["kind"]
        card["aggregator"] = {"kind": kind, "file": AGGREGATOR, "sha256": sha256_of(document)}
    made = ModelCard.model_validate(card)
    write_json(out / CARD, made.model_dump(mode="json"))
    return InstalledModel(made, out, built_in=False)


def test_model(model: InstalledModel, material: Material, learned: Learned) -> Tested:
    """Measure the written files on what was kept apart, or on the training items if nothing was."""
    part: Part = "test" if len(material.rows("test")) else "train"
    rows = material.rows(part)
    names = model.card.class_names
    own = np.array([names.index(c) for c in material.classes], np.int64)
    truth = own[material.label[rows]]
    probs = learned.predict(model, rows)
    evaluation = evaluate_predictions(truth, probs, names, material.slide[rows])
    return Tested(part, rows, truth, probs, evaluation)


test_model.__test__ = False  # type: ignore[attr-defined]


def write_figures(model: InstalledModel, material: Material, tested: Tested) -> InstalledModel:
    """Write ``evaluation.json`` and ``predictions.parquet``; put test figures on the card."""
    out, names, rows = model.folder, model.card.class_names, tested.rows
    about = {"part": tested.part, "unit": material.kind, "split_by": material.split_by}
    write_json(out / EVALUATION, {**tested.evaluation.to_json(), **about})
    write_predictions(
        out / PREDICTIONS,
        Predictions(
            classes=names, truth=tested.truth, probs=tested.probs.astype(np.float64),
            slide=material.slide[rows], split=material.split[rows],
            x_px=material.x_px[rows], y_px=material.y_px[rows], row=rows.astype(np.int64),
        ),
    )  # fmt: skip
    if tested.part != "test":
        return model
    figures: tuple[Validation, ...] = card_validation(
        tested.evaluation, unit=material.kind, site=SITE, date=now()[:10]
    )
    card = model.card.model_copy(update={"validation": figures})
    write_json(out / CARD, card.model_dump(mode="json"))
    return InstalledModel(card, out, built_in=False)


def install(model: InstalledModel, registry: Registry | None = None) -> Path:
    """Add a finished model to the installed ones, with its figures beside it.

    A model of the same id in the user's folder is replaced: it is an earlier state of the same run.

    Returns
    -------
    Path
        Where it is installed.
    """
    models = registry or Registry()
    if any(m.card.id == model.card.id and not m.built_in for m in models.list()):
        models.remove(model.card.id)
    added = models.add(model.folder)
    for name in (EVALUATION, PREDICTIONS, RECORD):
        path = model.folder / name
        if path.exists():
            write_bytes(added.folder / name, path.read_bytes())
    return added.folder


def training_text(material: Material, request: TrainRequest, learned: Learned) -> str:
    """What the card says about the labels."""
    counts = material.counts()
    train, tune, test = (counts[p] for p in ("train", "tune", "test"))
    each = ", ".join(f"{n} {name}" for name, n in train["classes"].items())
    kind = material.kind
    text = (
        f"Label set {material.name} ({material.digest[:12]}): {train['n']} {kind} of "
        f"{_slides(train['slides'])} ({each}); tuned on {tune['n']} {kind} of "
        f"{_slides(tune['slides'])}; "
    )
    if test["n"]:
        text += (
            f"tested on {test['n']} {kind} of {_slides(test['slides'])}, "
            f"kept apart by {material.split_by}."
        )
    else:
        text += "nothing kept apart for a test."
    if learned.epochs:
        text += f" {learned.epochs} epochs, weights of epoch {learned.best_epoch}."
    return text + f" Seed {request.seed}."


def _slides(n: int) -> str:
    return f"{n} slide" if n == 1 else f"{n} slides"


def write_record(out: Path, record: Mapping[str, Any]) -> None:
    """Write ``training.json``: the last file of a model folder."""
    write_json(out / RECORD, dict(record))
