from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from made_windows import wait_for

from napari_her2._qt.task_runner import BackgroundCalls, TaskRunner, merge_events
from napari_her2.errors import NoTissueError
from napari_her2.pipelines.events import Outcome, Partial, Progress


def partial(i: int, slide: str = "s") -> Partial:
    return Partial(
        slide, np.array([[i, 0]]), {"m": np.full((1, 3), i, np.float32)}, np.array([False])
    )


class Recorder:
    def __init__(self, runner: TaskRunner) -> None:
        self.events: list[object] = []
        self.calls = 0
        self.ends: list[object] = []
        self.threads: set[int] = set()
        self.running_at_end: list[bool] = []
        self.runner = runner
        runner.received.connect(self.on_received)
        runner.finished.connect(self.on_finished)

    def on_received(self, events: list[object]) -> None:
        self.threads.add(threading.get_ident())
        self.calls += 1
        self.events += events

    def on_finished(self, end: object) -> None:
        self.threads.add(threading.get_ident())
        self.running_at_end.append(self.runner.running)
        self.ends.append(end)


@pytest.fixture
def runner(qtbot):
    runner = TaskRunner()
    yield runner
    runner.stop()


def test_neighbouring_partials_are_joined_and_the_last_progress_counts():
    events = [partial(0), Progress("scoring", done=1), partial(1), Progress("scoring", done=2)]
    joined, progress = merge_events([*events])
    assert joined.cells.tolist() == [[0, 0], [1, 0]]
    assert joined.probs["m"][:, 0].tolist() == [0, 1]
    assert progress.done == 2


def test_partials_of_different_slides_stay_apart():
    assert len(merge_events([partial(0), partial(1, "t"), Outcome("completed", "s")])) == 3


def test_all_events_arrive_in_the_main_thread_and_the_generator_is_closed(runner):
    closed = threading.Event()

    def stream(cancel):
        try:
            for i in range(300):
                yield partial(i)
                time.sleep(0.001)
            yield Outcome("completed", "s")
        finally:
            closed.set()

    record = Recorder(runner)
    started = time.monotonic()
    runner.start(stream)
    assert runner.running
    wait_for(lambda: record.ends)
    seconds = time.monotonic() - started
    cells = np.concatenate([e.cells for e in record.events if isinstance(e, Partial)])
    assert cells[:, 0].tolist() == list(range(300))
    assert closed.is_set()
    assert record.ends[0].outcome.status == "completed"
    assert record.threads == {threading.get_ident()}
    assert record.running_at_end == [False]
    # About ten times a second, however fast the pipeline speaks.
    assert record.calls <= seconds * 10 + 2


def test_cancel_ends_the_run_and_says_so(runner):
    def stream(cancel):
        while not cancel.is_set():
            yield Progress("scoring")
            time.sleep(0.01)
        yield Outcome("cancelled", "s")

    record = Recorder(runner)
    runner.start(stream)
    wait_for(lambda: record.events)
    runner.cancel()
    assert runner.stopping
    wait_for(lambda: record.ends)
    assert record.ends[0].cancelled
    assert record.ends[0].outcome.status == "cancelled"


def test_an_error_is_handed_over_not_raised(runner):
    def stream(cancel):
        yield Progress("tissue")
        raise NoTissueError("no_tissue")

    record = Recorder(runner)
    runner.start(stream)
    wait_for(lambda: record.ends)
    assert isinstance(record.ends[0].error, NoTissueError)
    assert record.ends[0].outcome is None


def test_a_stream_that_can_not_even_begin_is_an_error(runner):
    def broken(cancel):
        msg = "no"
        raise ValueError(msg)

    record = Recorder(runner)
    runner.start(broken)
    wait_for(lambda: record.ends)
    assert isinstance(record.ends[0].error, ValueError)
    assert not runner.running


def test_answers_of_an_abandoned_run_never_arrive(runner):
    release = threading.Event()
    closed = threading.Event()

    def slow(cancel):
        try:
            release.wait(10)
            yield partial(99)
        finally:
            closed.set()

    def quick(cancel):
        yield partial(1)

    record = Recorder(runner)
    first = runner.start(slow)
    runner.abandon()
    assert record.ends[0].abandoned
    assert runner.start(quick) == first + 1
    release.set()
    wait_for(lambda: len(record.ends) == 2)
    wait_for(closed.is_set)
    assert [e.cells[0, 0] for e in record.events] == [1]


def test_two_runs_at_once_are_refused(runner):
    def stream(cancel):
        cancel.wait(5)
        yield Progress("scoring")

    runner.start(stream)
    with pytest.raises(RuntimeError, match="going on"):
        runner.start(stream)


def test_stop_waits_until_the_generator_is_closed_and_is_silent_after(runner):
    closed = threading.Event()

    def stream(cancel):
        try:
            while True:
                if cancel.is_set():
                    time.sleep(0.2)
                    return
                yield partial(0)
                time.sleep(0.01)
        finally:
            closed.set()

    record = Recorder(runner)
    runner.start(stream)
    runner.stop()
    assert closed.is_set()
    assert record.ends == []
    assert not runner.running


def test_background_answers_come_in_order_and_errors_too(qtbot):
    calls = BackgroundCalls()
    got: list[object] = []

    def fail():
        msg = "no"
        raise ValueError(msg)

    calls.submit(lambda: 1, got.append, got.append)
    calls.submit(fail, got.append, got.append)
    calls.submit(lambda: 3, got.append, got.append)
    wait_for(lambda: len(got) == 3)
    assert got[0] == 1
    assert isinstance(got[1], ValueError)
    assert got[2] == 3
    calls.close()


def test_dropped_background_calls_say_nothing(qtbot):
    calls = BackgroundCalls()
    got: list[object] = []
    gate = threading.Event()
    calls.submit(lambda: gate.wait(5), got.append, got.append)
    calls.submit(lambda: 2, got.append, got.append)
    calls.drop()
    gate.set()
    calls.submit(lambda: 3, got.append, got.append)
    wait_for(lambda: got)
    assert got == [3]
    calls.close()
