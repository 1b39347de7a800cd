"""Ctrl+C as a wish to stop: the first asks, the second insists."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

import click

__all__ = ["cancel_on_interrupt"]


@contextlib.contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """Give a cancel token that Ctrl+C (or a polite kill) sets.

    The run then stops after its batch and keeps what is done. A second Ctrl+C stops at once; that
    batch is lost. Outside the main thread no signal is caught and the token stays unset.
    """
    token = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:  # noqa: ARG001  (signal's signature)
        if token.is_set():
            raise KeyboardInterrupt
        token.set()
        click.echo("Stopping after this batch… (again to stop at once)", err=True)

    if threading.current_thread() is not threading.main_thread():
        yield token
        return
    old = {s: signal.signal(s, stop) for s in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield token
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
