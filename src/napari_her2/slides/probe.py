"""Let a child process open a slide before this one does.

Some damaged files make a decoder abort the whole process, take all memory, or never return; none
of that can be caught. So a child with a limit on time and memory goes first. It is kept warm, and
a slide is tried once per content. The child is an ordinary process on two pipes: no port.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from napari_her2.errors import NotASlideError, SlideTooLargeError
from napari_her2.settings import LOGGER, get_settings
from napari_her2.slides.identity import content_key

__all__ = ["probe_slide", "stop_probe", "warm_probe"]

_START_SECONDS = 30.0
_MODULE = "napari_her2.slides.probe_child"
_ERRORS = {"NotASlideError": NotASlideError, "SlideTooLargeError": SlideTooLargeError}
_known: set[str] = set()


class _Child:
    """The child process and the thread that listens to it."""

    def __init__(self) -> None:
        settings = get_settings()
        # One thread per library: their pools reserve memory that would count against the limit.
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
        self.process = subprocess.Popen(  # noqa: S603 - our own module, no shell
            [sys.executable, "-m", _MODULE, str(settings.probe_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **quiet},
        )
        self.answers: queue.Queue[bytes] = queue.Queue()
        self.ready = False
        threading.Thread(target=self._listen, name="her2-probe", daemon=True).start()

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.answers.put(line)
        self.answers.put(b"")

    def ask(self, path: Path, seconds: float, limit: int) -> dict[str, object]:
        """Send a path and wait; raises TimeoutError or EOFError."""
        assert self.process.stdin is not None
        if not self.ready:
            self._wait(_START_SECONDS, limit)
            self.ready = True
        try:
            self.process.stdin.write(json.dumps(str(path)).encode() + b"\n")
            self.process.stdin.flush()
        except OSError:
            raise EOFError from None
        return self._wait(seconds, limit)

    def _wait(self, seconds: float, limit: int) -> dict[str, object]:
        """The next answer; watches memory where the system sets no limit of its own."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                line = self.answers.get(timeout=min(0.25, max(end - time.monotonic(), 0.01)))
            except queue.Empty:
                with contextlib.suppress(psutil.Error):
                    if psutil.Process(self.process.pid).memory_info().rss > limit:
                        raise MemoryError from None
                continue
            if not line:
                raise EOFError
            answer: dict[str, object] = json.loads(line)
            return answer
        raise TimeoutError

    def stop(self) -> None:
        """End the child; it also ends by itself when its input closes."""
        with contextlib.suppress(OSError):
            self.process.kill()
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            self.process.wait(5)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_child: _Child | None = None
_lock = threading.Lock()


def warm_probe() -> None:
    """Start the child now, so that the first slide does not wait for it."""
    global _child
    with _lock:
        if _child is None or _child.process.poll() is not None:
            _child = _Child()


def stop_probe() -> None:
    """End the child process, if there is one."""
    global _child
    with _lock:
        child, _child = _child, None
    if child is not None:
        child.stop()


atexit.register(stop_probe)


def _forget() -> None:
    """Leave the parent's child alone in a forked process: two would mix their answers."""
    global _child, _lock
    _child, _lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def probe_slide(path: Path) -> None:
    """Have the child open a slide and read a little of every level.

    Raises
    ------
    NotASlideError
        If it can't be opened, or takes the child down.
    SlideTooLargeError
        If it asks for more memory than the child may use.
    """
    global _child
    mark = _mark(path)
    if mark is None or _is_known(mark):
        return
    settings = get_settings()
    with _lock:
        try:
            if _child is None or _child.process.poll() is not None:
                _child = _Child()
            child = _child
        except OSError:
            # A frozen application may have no interpreter to start; the header was checked.
            LOGGER.warning("no child process could be started; the slide is opened unprobed")
            return
        reason = ""
        answer: dict[str, object] = {}
        try:
            answer = child.ask(path, settings.probe_seconds, settings.probe_bytes)
        except TimeoutError:
            reason = f"opening it took more than {settings.probe_seconds:.0f} s"
        except MemoryError:
            reason = f"opening it took more than {settings.probe_bytes / 2**30:.0f} GiB"
        except (EOFError, ValueError):
            if not child.ready:
                child.stop()
                _child = None
                LOGGER.warning("the probing process does not run; the slide is opened unprobed")
                return
            reason = "opening it crashed the program that tried"
        if reason:
            child.stop()
            _child = None
            raise NotASlideError("damaged_slide", name=path.name, reason=reason)
    if not answer.get("ok"):
        error = _ERRORS.get(str(answer.get("error")), NotASlideError)
        slots = answer.get("slots")
        raise error(
            str(answer.get("id", "not_slide")),
            **{
                "name": path.name,
                "reason": "unknown",
                **(slots if isinstance(slots, dict) else {}),
            },
        )
    _remember(mark)


def _mark(path: Path) -> str | None:
    """Content and reader versions: a new decoder has to prove itself again."""
    versions = []
    for name in ("napari-her2", "openslide-bin", "tifffile", "imagecodecs"):
        try:
            versions.append(version(name))
        except PackageNotFoundError:
            versions.append("")
    try:
        return hashlib.sha256("/".join([content_key(path), *versions]).encode()).hexdigest()
    except OSError:
        return None


def _store() -> Path:
    return get_settings().cache_dir / "probed"


def _is_known(mark: str) -> bool:
    return mark in _known or (_store() / mark).exists()


def _remember(mark: str) -> None:
    _known.add(mark)
    with contextlib.suppress(OSError):
        _store().mkdir(parents=True, exist_ok=True)
        (_store() / mark).touch()
