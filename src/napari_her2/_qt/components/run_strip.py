"""The run strip: the main button of a dock, and what its run is doing."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from qtpy.QtCore import QTimer, Signal
from qtpy.QtWidgets import (
    QHBoxLayout,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import ElidedLine, line, named, paragraph, small_button
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme

__all__ = ["Eta", "RunStrip", "StripState", "StripView"]

_STOP_AT_ONCE_AFTER_MS = 10_000


class StripState(Enum):
    """What the strip shows."""

    IDLE = "idle"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    CANCELLED = "cancelled"
    FAILED = "failed"
    DONE = "done"
    CACHED = "cached"


@dataclass(frozen=True, slots=True)
class StripView:
    """All a strip needs to show a state, so that a dock opened later shows the same.

    Attributes
    ----------
    state : StripState
        Which of the fields below count.
    text : str
        What a run would do (idle), what is going on (starting), names (running), when (cached).
    done, total : int
        Tiles.
    unreadable : int
        Tiles that could not be read.
    rate : float or None
        Tiles a second.
    seconds : float
        How long the run took.
    can_resume : bool
        Whether a failed run may go on where it stopped.
    said : str
        How far a run is or was in words, where it does not count tiles alone; replaces the line
        that is made of ``done`` and ``total``.
    """

    state: StripState = StripState.IDLE
    text: str = ""
    done: int = 0
    total: int = 0
    unreadable: int = 0
    rate: float | None = None
    seconds: float = 0.0
    can_resume: bool = False
    said: str = ""


class Eta:
    """Time left, told only once it is worth telling.

    Parameters
    ----------
    clock : callable
        Gives seconds that never go backwards.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self.restart()

    def restart(self) -> None:
        """A run begins now."""
        self._start: float | None = None
        self._first_done = 0
        self._first_total_seconds: float | None = None
        self.rate: float | None = None

    @property
    def seconds(self) -> float:
        """Since the first report."""
        return 0.0 if self._start is None else self._clock() - self._start

    def text(self, done: int, total: int, rate: float | None = None) -> str:
        """What to say after so many tiles.

        Parameters
        ----------
        done, total : int
            Tiles.
        rate : float, optional
            Tiles a second as the pipeline measured it.

        Returns
        -------
        str
            Empty before 5 s or 5 %; else the time left, with ``longer than first thought`` where
            the whole run is expected to take half as long again as was said first.
        """
        if self._start is None:
            self._start, self._first_done = self._clock(), done
        elapsed = self.seconds
        fresh = done - self._first_done
        if rate is None and elapsed > 0 and fresh > 0:
            rate = fresh / elapsed
        self.rate = rate
        if total <= 0 or not rate or (elapsed < 5 and done / total < 0.05):
            return ""
        left = (total - done) / rate
        whole = elapsed + left
        words = numbers.remaining(left)
        if self._first_total_seconds is None:
            self._first_total_seconds = whole
        elif whole > 1.5 * self._first_total_seconds:
            words = f"{words} · {ui('eta_longer')}"
        return words


class RunStrip(QWidget):
    """Main button, progress, cancel, resume: the same in all docks.

    Parameters
    ----------
    text : str
        The main button.
    tells_rate : bool
        Whether tiles a second are told beside the time left.

    Signals
    -------
    run_requested(), cancel_requested(), abandon_requested(), resume_requested(),
    restart_requested()
    """

    run_requested = Signal()
    cancel_requested = Signal()
    abandon_requested = Signal()
    resume_requested = Signal()
    restart_requested = Signal()

    def __init__(
        self, text: str, parent: QWidget | None = None, *, tells_rate: bool = True
    ) -> None:
        super().__init__(parent)
        self._text = text
        self._tells_rate = tells_rate
        self._idle_text = ""
        self._changed_while_running = False
        self.state = StripState.IDLE
        self.eta = Eta()

        self.button = QPushButton(text)
        self.button.setObjectName("her2-main-button")
        self.button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.button.setMinimumHeight(32)
        named(self.button, text, f"{text} ({ui('run_key')})")
        self.button.clicked.connect(self.run_requested)
        self._key = line(ui("run_key"), muted=True)

        self._bar = QProgressBar()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(8)
        self._status = paragraph()
        self._rate = ElidedLine(muted=True)
        self._spring = QWidget()
        self.cancel_button = small_button(ui("cancel"), ui("cancel_tip"))
        self.cancel_button.clicked.connect(self._on_cancel)
        self.stop_button = small_button(ui("stop_at_once"), ui("stop_at_once_tip"))
        self.stop_button.clicked.connect(self.abandon_requested)
        self.resume_button = small_button(ui("resume"), ui("resume_tip"))
        self.resume_button.clicked.connect(self.resume_requested)
        self.restart_button = small_button(ui("start_over"), ui("start_over_tip"))
        self.restart_button.clicked.connect(self.restart_requested)

        head = QHBoxLayout()
        head.addWidget(self.button, 1)
        head.addWidget(self._key)
        buttons = self._buttons = QHBoxLayout()
        self._counting: list[QPushButton] = []
        buttons.addWidget(self._bar, 1)
        buttons.addWidget(self._spring, 1)
        for button in (
            self.cancel_button, self.stop_button, self.resume_button, self.restart_button,
        ):  # fmt: skip
            buttons.addWidget(button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 2, 0, 2)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addWidget(self._status)
        layout.addLayout(buttons)
        layout.addWidget(self._rate)

        self._patience = QTimer(self)
        self._patience.setSingleShot(True)
        self._patience.setInterval(_STOP_AT_ONCE_AFTER_MS)
        self._patience.timeout.connect(lambda: self.stop_button.setVisible(True))
        self.setTabOrder(self.button, self.cancel_button)
        follow_theme(self.button, _button_style)
        self._enter(StripState.IDLE)

    def add_counting_button(self, button: QPushButton) -> None:
        """Show a button of the dock's own before Cancel while a run goes on."""
        self._buttons.insertWidget(self._buttons.indexOf(self.cancel_button), button)
        self._counting.append(button)
        button.setVisible(self.state in (StripState.STARTING, StripState.RUNNING))

    # setters ------------------------------------------------------------------------------

    def show_view(self, view: StripView) -> None:
        """Show a state."""
        state = view.state
        if state is StripState.IDLE:
            self.set_idle(view.text)
        elif state is StripState.STARTING:
            self.set_starting(view.text)
        elif state is StripState.RUNNING:
            self.set_running(view.text, view.done, view.total, view.rate)
        elif state is StripState.STOPPING:
            self.set_stopping()
        elif state is StripState.CANCELLED:
            self.set_cancelled(view.done, view.total)
        elif state is StripState.FAILED:
            self.set_failed(can_resume=view.can_resume)
        elif state is StripState.CACHED:
            self.set_cached(view.text)
        else:
            self.set_done(view.seconds, view.done, view.unreadable)
        if view.said and state in (StripState.RUNNING, StripState.CANCELLED, StripState.DONE):
            self._status.setText(view.said)

    def set_idle(self, text: str = "") -> None:
        """Ready; ``text`` tells what a run would do."""
        self._idle_text = text
        if self.state is StripState.IDLE:
            self._status.setText(text)
        if self.state in (StripState.STARTING, StripState.RUNNING, StripState.STOPPING):
            return
        self._enter(StripState.IDLE)
        self._status.setText(text)

    def set_estimate(self, text: str) -> None:
        """Change what is told of the next run, where that is what is shown now."""
        self._idle_text = text
        if self.state is StripState.IDLE:
            self._status.setText(text)

    def set_starting(self, text: str | None = None) -> None:
        """A run has begun, no tile is scored yet."""
        if self.state is StripState.STOPPING:
            return
        if self.state is not StripState.STARTING:
            self._changed_while_running = False
            self.eta.restart()
            self._enter(StripState.STARTING)
        self._status.setText(text or ui("starting"))
        self._bar.setRange(0, 0)

    def set_running(self, names: str, done: int, total: int, rate: float | None = None) -> None:
        """Tiles are being scored."""
        if self.state is StripState.STOPPING:
            return
        if self.state is not StripState.RUNNING:
            self._enter(StripState.RUNNING)
        share = 0 if total <= 0 else int(100 * done / total)
        self._bar.setRange(0, max(total, 1))
        self._bar.setValue(done)
        self._status.setText(
            ui("running", names=names, percent=share, done=numbers.count(done),
               total=numbers.count(total))
        )  # fmt: skip
        left = self.eta.text(done, total, rate)
        shown = self.eta.rate
        parts = []
        if shown and left and self._tells_rate:
            speed = numbers.count(round(shown)) if shown >= 10 else numbers.significant(shown, 2)
            parts.append(ui("rate", rate=speed))
        if left:
            parts.append(left)
        self._rate.setText(" · ".join(parts))

    def set_stopping(self) -> None:
        """Stopping was asked for; ``Stop at once`` appears after ten seconds."""
        self._enter(StripState.STOPPING)
        self._status.setText(ui("stopping"))
        self._patience.start()

    def set_cancelled(self, done: int, total: int) -> None:
        """The run was stopped and what was done is kept."""
        self._enter(StripState.CANCELLED)
        self._status.setText(
            ui("cancelled_strip", done=numbers.count(done), total=numbers.count(total))
            if total
            else ui("cancelled_none")
        )

    def set_failed(self, *, can_resume: bool = False) -> None:
        """The run ended with an error, which the error bar shows."""
        self._enter(StripState.FAILED)
        self._status.setText("")
        self._status.setVisible(False)
        self.resume_button.setVisible(can_resume)

    def set_done(self, seconds: float, tiles: int, unreadable: int = 0) -> None:
        """The run is complete."""
        self._enter(StripState.DONE)
        text = ui("done_strip", time=numbers.duration(seconds), tiles=numbers.count(tiles))
        if unreadable:
            text = f"{text} · {ui('done_unreadable', n=numbers.count(unreadable))}"
        self._status.setText(text)

    def set_cached(self, when: str) -> None:
        """An earlier run is shown."""
        self._enter(StripState.CACHED)
        self._status.setText(ui("cached", when=when))

    def form_changed(self) -> None:
        """The form now asks for something else than the run that is going on."""
        if self.state in (StripState.STARTING, StripState.RUNNING, StripState.STOPPING):
            self._changed_while_running = True

    def set_button_enabled(self, enabled: bool) -> None:
        """Allow or forbid a run."""
        self.button.setEnabled(enabled)

    @property
    def status(self) -> str:
        """The line of text below the button."""
        return str(self._status.text())

    @property
    def detail(self) -> str:
        """Rate and time left."""
        return str(self._rate.text())

    # inner --------------------------------------------------------------------------------

    def _on_cancel(self) -> None:
        self.set_stopping()
        self.cancel_requested.emit()

    def _enter(self, state: StripState) -> None:
        self.state = state
        self._patience.stop()
        self._status.setVisible(True)
        busy = state in (StripState.STARTING, StripState.RUNNING, StripState.STOPPING)
        self.button.setVisible(not busy)
        self._key.setVisible(not busy)
        counting = state in (StripState.STARTING, StripState.RUNNING)
        self._bar.setVisible(counting)
        self._spring.setVisible(not counting)
        self._rate.setVisible(state is StripState.RUNNING)
        self._rate.setText("")
        for button in (self.cancel_button, *self._counting):
            button.setVisible(counting)
        self.stop_button.setVisible(False)
        self.resume_button.setVisible(state is StripState.CANCELLED)
        self.restart_button.setVisible(state in (StripState.CANCELLED, StripState.CACHED))
        self.restart_button.setText(
            ui("cached_again") if state is StripState.CACHED else ui("start_over")
        )
        again = self._changed_while_running and not busy and state is not StripState.IDLE
        self.button.setText(ui("run_again") if again else self._text)


def _button_style() -> str:
    c = theme_colours()
    return (
        f"#her2-main-button {{ background: {c.main.name()}; color: white; font-weight: bold;"
        " border-radius: 4px; padding: 4px 10px; }"
        f"#her2-main-button:hover {{ background: {c.main.lighter(115).name()}; }}"
        f"#her2-main-button:pressed {{ background: {c.main.darker(125).name()}; }}"
        f"#her2-main-button:focus {{ border: 2px solid {c.text.name()}; }}"
        f"#her2-main-button:disabled {{ background: {c.primary.name()}; color: {c.text.name()}; }}"
    )
