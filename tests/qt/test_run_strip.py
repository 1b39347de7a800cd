from __future__ import annotations

import pytest

from napari_her2._qt.components.run_strip import Eta, RunStrip, StripState, StripView


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def strip(qtbot):
    strip = RunStrip("Predict ER/PR/HER2")
    qtbot.addWidget(strip)
    strip.show()
    return strip


def test_time_left_is_told_after_five_seconds_or_five_percent():
    clock = Clock()
    eta = Eta(clock)
    assert eta.text(0, 1000) == ""
    clock.now += 2
    assert eta.text(20, 1000) == ""
    clock.now += 3.5
    assert eta.text(55, 1000) == "about 2 min left"
    other = Eta(clock)
    other.text(0, 100)
    clock.now += 1
    assert other.text(6, 100) == "about 20 s left"


@pytest.mark.parametrize(
    ("left", "text"),
    [(7, "about 10 s left"), (31, "about 40 s left"), (90, "about 90 s left"),
     (100, "about 2 min left"), (600, "about 10 min left")],
)  # fmt: skip
def test_time_left_in_steps_of_ten_seconds_then_in_minutes(left, text):
    clock = Clock()
    eta = Eta(clock)
    eta.text(0, 1000)
    clock.now += 6
    assert eta.text(1000 - left, 1000, rate=1.0) == text


def test_a_run_that_turns_out_half_as_long_again_says_so():
    clock = Clock()
    eta = Eta(clock)
    eta.text(0, 1000)
    clock.now += 10
    assert "longer" not in eta.text(100, 1000)
    clock.now += 60
    assert eta.text(200, 1000).endswith("longer than first thought")


def test_each_state_has_its_words_and_buttons(strip):
    strip.show_view(StripView(text="816 tiles x 3 models · about 3 min here (CPU)"))
    assert strip.button.isVisible()
    assert strip.status == "816 tiles x 3 models · about 3 min here (CPU)"

    strip.show_view(StripView(StripState.STARTING, "Loading model…"))
    assert not strip.button.isVisible()
    assert strip.cancel_button.isVisible()
    assert strip.status == "Loading model…"

    strip.show_view(StripView(StripState.RUNNING, "ER", done=472, total=816, rate=14.0))
    assert strip.status == "ER  57 %   472 of 816 tiles"
    assert strip.detail == "14 tiles/s · about 30 s left"

    strip.cancel_button.click()
    assert strip.status == "Stopping after this batch…"
    assert not strip.cancel_button.isVisible()

    strip.show_view(StripView(StripState.CANCELLED, done=472, total=816))
    assert strip.status == "Cancelled: 472 of 816 tiles are kept."
    assert strip.resume_button.isVisible()
    assert strip.restart_button.isVisible()

    strip.show_view(StripView(StripState.DONE, done=813, unreadable=3, seconds=174))
    assert strip.status == "✓ Done in 2 min 54 s · 813 tiles · 3 unreadable"
    assert not strip.resume_button.isVisible()

    strip.show_view(StripView(StripState.CACHED, "20 Nov 14:02"))
    assert strip.status == "From an earlier run, 20 Nov 14:02"
    assert strip.restart_button.text() == "Run again"


def test_progress_after_cancel_does_not_bring_the_bar_back(strip):
    strip.show_view(StripView(StripState.RUNNING, "ER", done=1, total=10))
    strip.cancel_button.click()
    strip.show_view(StripView(StripState.RUNNING, "ER", done=2, total=10))
    assert strip.state is StripState.STOPPING


def test_stop_at_once_is_offered_when_a_batch_takes_too_long(strip, qtbot):
    strip._patience.setInterval(20)
    strip.show_view(StripView(StripState.RUNNING, "ER", done=1, total=10))
    strip.cancel_button.click()
    assert not strip.stop_button.isVisible()
    qtbot.waitUntil(lambda: bool(strip.stop_button.isVisible()), timeout=2000)
    with qtbot.waitSignal(strip.abandon_requested):
        strip.stop_button.click()


def test_a_form_changed_meanwhile_offers_another_run(strip):
    strip.show_view(StripView(StripState.RUNNING, "ER", done=1, total=10))
    strip.form_changed()
    strip.show_view(StripView(StripState.DONE, done=10, seconds=3))
    assert strip.button.text() == "Run again with new settings"


def test_everything_can_be_reached_and_named(strip):
    for button in (strip.button, strip.cancel_button, strip.resume_button, strip.restart_button):
        assert button.accessibleName()
        assert button.toolTip()
        assert button.minimumHeight() >= 24
