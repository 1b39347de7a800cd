"""How far a run is, on stderr: a line that renews itself on a terminal, few lines in a log."""

from __future__ import annotations

import sys
import time
from typing import Final

import click

from napari_her2.pipelines.dispatch import AnyEvent
from napari_her2.pipelines.events import Outcome, Progress
from napari_her2.reporting.words import duration_text

__all__ = ["ProgressLine"]

_STAGES: Final = {
    "opening": "opening",
    "tissue": "looking for tissue",
    "loading": "loading models",
    "scoring": "scoring tiles",
    "drawing": "drawing labels",
    "saving": "saving",
}
_BAR: Final = 24
_LOG_EVERY: Final = 15.0
_REDRAW_EVERY: Final = 0.1


class ProgressLine:
    """Shows the events of a run. Use as a context manager; writes to stderr only."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._last: dict[str, float] = {}
        self._stage: dict[str, str] = {}
        self._width = 0

    def __enter__(self) -> ProgressLine:
        return self

    def __exit__(self, *exc: object) -> None:
        self._clear()

    def show(self, event: AnyEvent) -> None:
        """Show one event."""
        if isinstance(event, Outcome):
            self._clear()
        elif isinstance(event, Progress):
            if event.message:
                self._clear()
                click.echo(event.message, err=True)
            self._draw(event)

    def _draw(self, event: Progress) -> None:
        # By slide: several may run at once, and each has its own pace.
        slide = event.slide_id
        now = time.monotonic()
        fresh = self._stage.get(slide) != event.stage
        finished = event.total > 0 and event.done == event.total
        pause = _REDRAW_EVERY if self._live else _LOG_EVERY
        # In a log the short stages before scoring would only stand in front of an error's sentence.
        if not self._live and event.stage != "scoring":
            return
        if not fresh and not (finished and self._live) and now - self._last[slide] < pause:
            return
        self._stage[slide], self._last[slide] = event.stage, now
        text = f"{event.slide_id}: {_STAGES.get(event.stage, event.stage)}"
        if event.total:
            if self._live:
                full = _BAR * event.done // event.total
                text += f" [{'#' * full}{'.' * (_BAR - full)}]"
            text += f" {event.done} of {event.total}"
        if event.tiles_per_second:
            text += f", {event.tiles_per_second:.1f} tiles/s"
            left = (event.total - event.done) / event.tiles_per_second
            if left >= 1:
                text += f", about {duration_text(round(left))} left"
        if self._live:
            click.echo("\r" + text.ljust(self._width), err=True, nl=False)
            self._width = len(text)
        else:
            click.echo(text, err=True)

    def _clear(self) -> None:
        if self._live and self._width:
            click.echo("\r" + " " * self._width + "\r", err=True, nl=False)
            self._width = 0
