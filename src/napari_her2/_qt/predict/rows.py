"""What the result card says of each model: a number, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from napari_her2._qt import numbers
from napari_her2._qt.predict.run_state import RunState
from napari_her2._qt.texts import ui
from napari_her2.models.card import ModelCard
from napari_her2.models.protocols import SlideScore

__all__ = ["ResultRow", "result_rows"]


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One biomarker in the result card.

    Attributes
    ----------
    probability : float or None
        None = not assessable, failed, or not scored yet.
    partial : bool
        Tiles are missing: the number is ``so far`` and dashed.
    note : str
        Why there is no number; empty if there is one.
    failed : bool
        The model did not run; the others did.
    call : str
        What a model that is no demo suggests; empty else.
    """

    model_id: str
    name: str
    probability: float | None
    partial: bool
    tumour: int
    total: int
    note: str = ""
    failed: bool = False
    call: str = ""


def result_rows(run: RunState) -> list[ResultRow]:
    """The rows of a run, one a model; models that failed come last."""
    return [_row(run, model_id) for model_id in run.models] + [
        ResultRow(
            str(entry.get("model_id")),
            str(entry.get("biomarker")),
            None,
            partial=False,
            tumour=0,
            total=0,
            note=str(entry.get("reason") or ""),
            failed=True,
        )
        for entry in run.document.get("results", ())
        if entry.get("model_id") not in run.models
    ]


def _row(run: RunState, model_id: str) -> ResultRow:
    scores = run.models[model_id]
    tumour, total = run.tumour_tiles(model_id)
    said = run.result(model_id)
    partial = not run.complete
    if said.get("status") == "failed":
        note, p = str(said.get("reason") or ""), None
    else:
        score = run.slide_score(model_id)
        p = None if score is None or not score.assessable else score.probability
        note = "" if p is not None or not total else _why_none(scores.name, score, said)
    call = ""
    if p is not None and not partial and not scores.card.is_demo:
        call = _call(scores.card, scores.name, p, float(said.get("cut", 0.5)))
    return ResultRow(model_id, scores.name, p, partial, tumour, total, note, call=call)


def _why_none(name: str, score: SlideScore | None, said: Mapping[str, Any]) -> str:
    if score is None:
        return ui("why_no_slide_part")
    if score.reason == "no_tumour" and score.threshold is not None:
        return ui("no_tumour", t=numbers.probability(score.threshold), biomarker=name)
    return str(said.get("reason") or "")


def _call(card: ModelCard, name: str, p: float, cut: float) -> str:
    local = card.status == "user-validated-locally"
    return ui(
        "call_positive" if p >= cut else "call_negative",
        name=name,
        p=numbers.probability(p),
        cut=numbers.probability(cut),
        status=ui("status_local" if local else "status_unvalidated"),
    )
