"""How long a training will take here, once one like it was done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from napari_her2._qt import numbers
from napari_her2._qt.rates import known_rate, remember_rate
from napari_her2._qt.texts import ui
from napari_her2._qt.train.request_form import TrainForm

__all__ = ["estimate_text", "note_rate"]


def _kind(form: TrainForm) -> str:
    return f"train/{form.recipe}/{form.mode}"


def note_rate(form: TrainForm, document: Mapping[str, Any]) -> None:
    """Remember how many labels a second were learned from."""
    n = ((document.get("splits") or {}).get("train") or {}).get("n") or 0
    seconds = float(document.get("seconds") or 0.0)
    # Of whole trainings: how many epochs one takes is the recipe's business.
    if seconds > 1 and n and form.epochs is None:
        remember_rate(float(n) / seconds, _kind(form))


def estimate_text(form: TrainForm, labels: Any) -> str:
    """``8,105 cells to learn from · about 3 min here (CPU)``; without time before the first."""
    counts = labels.info.get("counts") or {}
    n = sum(int(c.get("train", 0)) for c in counts.values()) or len(labels)
    text = ui("train_learn_from", n=numbers.count(n), kind=ui(f"train_{labels.kind}"))
    rate = known_rate(_kind(form)) if form.epochs is None else None
    if rate:
        text = f"{text} · {numbers.estimate(n / rate, ui('device_cpu'))}"
    return text
