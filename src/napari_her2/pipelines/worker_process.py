"""What worker processes have in common: few threads each, no port, no shared lock, a sure end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, Final

__all__ = ["end_worker", "prepare_worker", "start_worker"]

POLL_SECONDS: Final = 0.1
PATIENCE_SECONDS: Final = 10.0
_THREAD_VARIABLES: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_ALLOCATOR: Final = ((-3, 32 << 20), (-1, 1 << 30), (-2, 64 << 20))
"""M_MMAP_THRESHOLD (32 MiB is its limit), M_TRIM_THRESHOLD and M_TOP_PAD of ``malloc.h``."""


def start_worker(
    context: SpawnContext, serve: Callable[..., None], *arguments: Any
) -> tuple[SpawnProcess, Connection]:
    """Start a process that talks over a pipe of its own.

    Parameters
    ----------
    context : SpawnContext
        Makes processes that inherit nothing.
    serve : callable
        A function of a module; gets its end of the pipe, then the arguments.
    *arguments
        Whatever pickles.
    """
    ours, theirs = context.Pipe(duplex=True)
    # The name shows in process lists, so it says nothing of slides.
    process = context.Process(
        target=serve, args=(theirs, *arguments), name="her2-worker", daemon=True
    )
    process.start()
    # With our copy closed, the worker's death reads as the end of the pipe.
    theirs.close()
    return process, ours


def prepare_worker(threads: int) -> None:
    """Set up the process that this runs in. Call it before torch is loaded."""
    # Workers share the cores instead of crowding them.
    for name in _THREAD_VARIABLES:
        os.environ.setdefault(name, str(threads))
    # Ctrl+C reaches the whole terminal; the parent says when to stop, so that work is kept.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _reuse_memory()


def _reuse_memory() -> None:
    """Let the allocator keep what is freed: images of one size come and go all the time.

    Asking the system for the same pages again and again takes a tenth of a worker's time. Only
    glibc has this switch; elsewhere nothing is done.
    """
    if sys.platform != "linux":
        return
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for parameter, value in _ALLOCATOR:
            library.mallopt(parameter, value)


def end_worker(process: SpawnProcess, pipe: Connection) -> None:
    """Let a worker finish what it has in hand, then make sure that it is gone."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.is_alive() and time.monotonic() < deadline:
        # A worker waiting for its pipe to be read would never see that it should stop.
        with suppress(EOFError, OSError):
            while pipe.poll(POLL_SECONDS):
                pipe.recv()
        process.join(POLL_SECONDS)
    if process.is_alive():
        process.kill()
    process.join()
    pipe.close()
    process.close()
