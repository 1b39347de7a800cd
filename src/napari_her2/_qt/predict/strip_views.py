"""How the end of a run is told in the run strip."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from napari_her2._qt import numbers
from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2.pipelines.events import Outcome, Progress

if TYPE_CHECKING:
    from napari_her2._qt.predict.presenter import ResultPresenter
    from napari_her2.results.stored import StoredRun

__all__ = ["cancelled_view", "done_view"]


def cancelled_view(live: ResultPresenter | None, last: Progress | None) -> StripView:
    """A run that was stopped: how many tiles are kept.

    Parameters
    ----------
    live : ResultPresenter or None
        What is shown of the run; None where its slide was closed meanwhile.
    last : Progress or None
        The last that was heard of it.
    """
    if live is not None:
        return StripView(StripState.CANCELLED, done=live.run.n_done, total=live.run.n_total)
    done, total = (last.done, last.total) if last is not None else (0, 0)
    return StripView(StripState.CANCELLED, done=done, total=total)


def done_view(outcome: Outcome, live: ResultPresenter | None, kept: StoredRun | None) -> StripView:
    """A run that went to its end, just now or earlier.

    Parameters
    ----------
    outcome : Outcome
        Its last event; the document says whether it came from disk.
    live : ResultPresenter or None
        What is shown of the run.
    kept : StoredRun or None
        Where it is kept; tells when it was made.
    """
    if outcome.document.get("cached"):
        started = None if kept is None else kept.record.get("started")
        when = numbers.when(dt.datetime.fromisoformat(str(started))) if started else ""
        return StripView(StripState.CACHED, when)
    seconds = float(outcome.document.get("seconds") or 0.0)
    if live is None:
        return StripView(StripState.DONE, seconds=seconds)
    failed = live.run.n_failed
    return StripView(
        StripState.DONE, done=live.run.n_done - failed, unreadable=failed, seconds=seconds
    )
