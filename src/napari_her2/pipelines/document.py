"""The JSON document of ``predict``: what is said of a slide, and in which words."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from napari_her2.errors import Her2Error
from napari_her2.messages import DEMO_MODEL, HER2_FROM_HE, NOTICE, tr
from napari_her2.models.protocols import SlideScore
from napari_her2.pipelines.plan import FailedModel, Loaded, Plan
from napari_her2.pipelines.scores import GroupScores
from napari_her2.types import BIOMARKERS, Probs, RunStatus

__all__ = [
    "CALL_CUT",
    "blank_document",
    "failed_result",
    "heterogeneity",
    "model_result",
    "plan_warnings",
    "slide_results",
]

CALL_CUT: Final = 0.5
"""At and above this probability a model that is no demo "suggests" positive."""


def blank_document(
    slide: Path, status: RunStatus, error: Her2Error | None = None
) -> dict[str, Any]:
    """The document of a slide before anything is known of it."""
    document: dict[str, Any] = {
        "slide": str(slide),
        "slide_id": slide.stem or slide.name,
        "run_dir": None,
        "status": status,
        "results": [],
        "seconds": 0.0,
        "warnings": [],
        "notice": NOTICE,
    }
    if error is not None:
        document["error"] = error.sentence
        document["error_id"] = error.message_id
    return document


def slide_results(
    plan: Plan,
    scores: Sequence[GroupScores],
    *,
    heatmap: Callable[[str], Path | None],
    threshold: float | None,
    status: RunStatus,
) -> list[dict[str, Any]]:
    """What every model of a request says of the slide, and which could not run.

    Parameters
    ----------
    plan : Plan
        The models.
    scores : sequence of GroupScores
        Their tiles.
    heatmap : callable
        Gives the folder of a model's map by its id; None where there is none.
    threshold, status
        See :func:`model_result`.
    """
    results = [
        model_result(
            model,
            group,
            heatmap=heatmap(model.card.id),
            threshold=threshold,
            status=status,
        )
        for group in scores
        for model in group.group.models
    ]
    return results + [failed_result(f) for f in plan.failed]


def plan_warnings(plan: Plan) -> list[str]:
    """Sentences about models that ran against advice or did not run."""
    return plan.warnings + [
        tr("model_failed", model=f.card.name if f.card else f.name, sentence=f.error.sentence)
        for f in plan.failed
    ]


def model_result(
    model: Loaded,
    scores: GroupScores,
    *,
    heatmap: Path | None,
    threshold: float | None,
    status: RunStatus,
) -> dict[str, Any]:
    """What one model says of the slide.

    Parameters
    ----------
    model : Loaded
        The model.
    scores : GroupScores
        Its tiles.
    heatmap : Path or None
        Where its map is kept.
    threshold : float or None
        Replaces the model's t.
    status : RunStatus
        Of the run. A failed run gets no slide-level number; a cancelled one gets the number so
        far and never a call.
    """
    card = model.card
    name = card.biomarker or scores.names[card.id]
    probs = scores.probs(card.id)
    score = _aggregate(model, probs, threshold) if status != "failed" else None
    probability = None if score is None else _finite(score.probability)
    assessable = score is not None and score.assessable and probability is not None
    call = None
    if assessable and status == "completed" and not card.is_demo and card.biomarker in BIOMARKERS:
        call = "positive" if probability is not None and probability >= CALL_CUT else "negative"
    her2_from_he = card.biomarker == "HER2" and card.stain == "H&E"
    return {
        "biomarker": name,
        "model_id": card.id,
        "model_name": card.name,
        "model_version": card.version,
        "model_status": card.status,
        "status": status,
        "partial": status != "completed",
        "probability": probability if assessable else None,
        "call": call,
        "cut": CALL_CUT,
        "assessable": assessable,
        "reason": None if assessable else _reason(score, name, status),
        "threshold": None if score is None else score.threshold,
        "n_positive": 0 if score is None else score.n_positive,
        "n_negative": 0 if score is None else score.n_negative,
        "ratio": None if score is None else _finite(score.ratio),
        "features": {} if score is None else _all_finite(score.features),
        "weights": {} if score is None else _all_finite(score.weights),
        "tiles_total": len(scores.cells),
        "tiles_scored": len(probs),
        "tiles_failed": scores.tiles_failed,
        "heterogeneity": heterogeneity(probs, card.class_roles),
        "heatmap": None if heatmap is None else str(heatmap),
        "published": HER2_FROM_HE if her2_from_he else None,
        "demo": DEMO_MODEL if card.is_demo else None,
    }


def failed_result(model: FailedModel) -> dict[str, Any]:
    """The record of a model that could not run; the others did."""
    card = model.card
    return {
        "biomarker": (card.biomarker if card else None) or model.name,
        "model_id": card.id if card else model.name,
        "model_status": card.status if card else None,
        "status": "failed",
        "partial": False,
        "probability": None,
        "call": None,
        "assessable": False,
        "reason": model.error.sentence,
        "error_id": model.error.message_id,
        "tiles_total": 0,
        "tiles_scored": 0,
        "tiles_failed": 0,
        "heatmap": None,
    }


def heterogeneity(probs: Probs, roles: Mapping[str, int]) -> dict[str, float | int | None]:
    """How much the tiles of a slide differ.

    Parameters
    ----------
    probs : ndarray of float32
        Shape (n, n_classes): scored tiles.
    roles : mapping
        Index of ``positive`` (or ``tumour``).

    Returns
    -------
    dict
        ``mean_positive`` and ``sd_positive`` (population) of p+ over all tiles;
        ``entropy_of_calls``: entropy in nats of the shares of tiles by likeliest class, 0 = alike.
    """
    positive = roles.get("positive", roles.get("tumour", 0))
    if not len(probs):
        return {"mean_positive": None, "sd_positive": None, "entropy_of_calls": None}
    p = probs[:, positive].astype(np.float64)
    shares = np.bincount(probs.argmax(axis=1), minlength=probs.shape[1]) / len(probs)
    seen = shares[shares > 0]
    return {
        "mean_positive": float(p.mean()),
        "sd_positive": float(p.std()),
        "entropy_of_calls": float(max(0.0, -(seen * np.log(seen)).sum())),
    }


def _aggregate(model: Loaded, probs: Probs, threshold: float | None) -> SlideScore | None:
    if model.aggregator is None or not len(probs):
        return None
    return model.aggregator.aggregate(probs, threshold)


def _reason(score: SlideScore | None, name: str, status: RunStatus) -> str:
    if status == "failed":
        return tr("no_slide_result")
    if score is None:
        return tr("no_slide_level")
    if score.reason == "no_tumour" and score.threshold is not None:
        return tr("no_tumour", t=f"{score.threshold:.2f}", biomarker=name)
    return tr("no_tissue")


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) else None


def _all_finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {k: _finite(v) for k, v in values.items()}
