"""How a training is told in the run strip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from napari_her2._qt import numbers
from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2._qt.texts import TEXTS, ui
from napari_her2.pipelines.events import Progress
from napari_her2.training.watch import EpochDone

__all__ = ["done_view", "figure_name", "running_view", "stopped_view", "unfinished_view"]


def figure_name(key: str) -> str:
    """What a figure of the tuning part is called."""
    return ui(f"figure_{key}") if f"figure_{key}" in TEXTS else key.replace("_", " ")


def running_view(event: Progress, history: Sequence[EpochDone]) -> StripView:
    """``Epoch 23 of 70 · loss 0.41 · tuning F1 0.74``."""
    if not history:
        return StripView(
            StripState.RUNNING, done=event.done, total=event.total,
            said=ui("train_stage_training"),
        )  # fmt: skip
    last = history[-1]
    parts = [
        ui("train_running", epoch=last.epoch, epochs=last.epochs),
        ui("train_loss", value=numbers.fixed(last.loss, 2)),
    ]
    for key in ("macro_f1", "macro_auc"):
        if key in last.tune_metrics:
            value = numbers.fixed(last.tune_metrics[key], 2)
            parts.append(ui("train_figure", name=figure_name(key), value=value))
            break
    return StripView(StripState.RUNNING, done=event.done, total=event.total, said=" · ".join(parts))


def stopped_view(document: Mapping[str, Any], history: Sequence[EpochDone]) -> StripView:
    """A training that was paused or cancelled: what is kept."""
    epoch = int(document.get("epochs") or (history[-1].epoch if history else 0))
    said = str(document.get("sentence") or "")
    if not said:
        said = ui("train_paused", epoch=epoch) if epoch else ui("train_cancelled_early")
    return StripView(StripState.CANCELLED, can_resume=bool(document.get("resumable")), said=said)


def unfinished_view(found: Any) -> StripView:
    """A training that a crash or a pause left unfinished."""
    text = "train_stopped_at" if found.epoch else "train_stopped_before"
    said = ui(text, epoch=found.epoch, name=found.request.name or found.folder.name)
    return StripView(StripState.CANCELLED, can_resume=True, said=said)


def done_view(document: Mapping[str, Any]) -> StripView:
    """A training that came to its end."""
    seconds = float(document.get("seconds") or 0.0)
    epochs = int(document.get("epochs") or 0)
    if epochs:
        what = ui("train_done_epochs", n=epochs, best=document.get("best_epoch") or epochs)
    else:
        n = ((document.get("splits") or {}).get("train") or {}).get("n") or 0
        what = ui("train_done_no_epochs", n=numbers.count(int(n)))
    said = ui("train_done", time=numbers.duration(seconds), epochs=what)
    if document.get("sentence"):
        # Why it ended before its last epoch.
        said = f"{said}\n{document['sentence']}"
    return StripView(StripState.DONE, seconds=seconds, said=said)
