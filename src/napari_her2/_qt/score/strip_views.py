"""How a search for cells is told in the run strip: in mm2 and cells."""

from __future__ import annotations

import datetime as dt

from napari_her2._qt import numbers
from napari_her2._qt.components.run_strip import StripState, StripView
from napari_her2._qt.score.run_state import ScoreRun
from napari_her2._qt.texts import ui
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.results.stored import StoredRun

__all__ = ["cancelled_view", "done_view", "running_view"]


def running_view(run: ScoreRun, event: Progress) -> StripView:
    """A run that goes on."""
    return StripView(
        StripState.RUNNING,
        done=event.done,
        total=event.total,
        rate=event.tiles_per_second,
        said=_counted("running_cells", run, event.done, event.total),
    )


def cancelled_view(run: ScoreRun | None, last: Progress | None) -> StripView:
    """A run that was stopped: what is kept."""
    if run is None or not run.tiles:
        done, total = (last.done, last.total) if last is not None else (0, 0)
        return StripView(StripState.CANCELLED, done=done, total=total)
    total = len(run.tiles)
    return StripView(
        StripState.CANCELLED,
        done=run.done_tiles,
        total=total,
        said=_counted("cancelled_cells", run, run.done_tiles, total) if run.done_tiles else "",
    )


def done_view(outcome: Outcome, run: ScoreRun | None, kept: StoredRun | None) -> StripView:
    """A run that went to its end, just now or earlier."""
    document = outcome.document
    if document.get("cached"):
        started = None if kept is None else kept.record.get("started")
        when = numbers.when(dt.datetime.fromisoformat(str(started))) if started else ""
        return StripView(StripState.CACHED, when)
    seconds = float(document.get("seconds") or 0.0)
    n = int(document.get("cells_detected") or 0)
    area = document.get("area_mm2")
    said = ui(
        "done_cells" if area is not None else "done_cells_tiles",
        time=numbers.duration(seconds),
        area=numbers.area_mm2(float(area)) if area is not None else len(run.tiles if run else ()),
        cells=numbers.count(n),
    )
    failed = run.failed_tiles if run is not None else 0
    if failed:
        said = f"{said} · {ui('done_unreadable', n=numbers.count(failed))}"
    return StripView(StripState.DONE, seconds=seconds, unreadable=failed, said=said)


def _counted(text: str, run: ScoreRun, done: int, total: int) -> str:
    share = done / total if total else 0.0
    cells = numbers.count(int(run.summary.get("cells_detected") or len(run.table)))
    if run.area_mm2 is None:
        done_text, total_text = numbers.count(done), numbers.count(total)
        text = f"{text}_tiles"
    else:
        done_text = numbers.area_mm2(run.area_mm2 * share)
        total_text = numbers.area_mm2(run.area_mm2)
    return ui(text, percent=int(100 * share), done=done_text, total=total_text, cells=cells)
