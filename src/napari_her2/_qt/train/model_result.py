"""What is known of a trained model: card, figures, answers. Plain data; no Qt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_her2.errors import Her2Error
from napari_her2.models.card import ModelCard
from napari_her2.models.installed import card_of
from napari_her2.reporting.model_page import read_evaluation
from napari_her2.training.evaluation import Evaluation
from napari_her2.training.predictions import PREDICTIONS, Predictions, read_predictions

__all__ = ["ModelResult", "load_result"]


@dataclass(frozen=True, slots=True)
class ModelResult:
    """A model as the dock shows it.

    Attributes
    ----------
    folder : Path
        Where it is.
    card : ModelCard
        What it is.
    evaluation : Evaluation or None
        Figures of its test; None where there was none.
    part : str
        ``test``, or ``train`` where nothing was kept apart.
    kind : {"cells", "tiles"}
        What it answers.
    predictions : Predictions or None
        Its answers in that test.
    label_set : str
        Name of what it learned from; empty where it is not known.
    history : tuple of mapping
        Figures of each epoch.
    """

    folder: Path
    card: ModelCard
    evaluation: Evaluation | None = None
    part: str = "test"
    kind: str = "cells"
    predictions: Predictions | None = None
    label_set: str = ""
    history: tuple[Mapping[str, Any], ...] = field(default=())


def load_result(folder: Path) -> ModelResult:
    """Read what is kept of a model.

    Raises
    ------
    BadModelError
        If there is no card.
    """
    card = card_of(folder)
    found = read_evaluation(folder)
    evaluation, document = (None, {}) if found is None else found
    training = _read(folder / "training.json")
    request, done = (training.get(k) or {} for k in ("request", "document"))
    history = done.get("history") or ()
    return ModelResult(
        folder, card, evaluation, str(document.get("part", "test")),
        "cells" if card.is_cell_model else "tiles", _predictions(folder),
        str(request.get("label_set") or ""),
        tuple(h for h in history if isinstance(h, Mapping)),
    )  # fmt: skip


def _predictions(folder: Path) -> Predictions | None:
    try:
        return read_predictions(folder / PREDICTIONS)
    except Her2Error:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
