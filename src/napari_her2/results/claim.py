"""Who is writing a result: a small file that only one program can make.

The claim is advice, so that two programs do not do the same work twice; the truth is the marker
that commits a run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import platform
import secrets
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from napari_her2.errors import RunBusyError
from napari_her2.results.atomic import discard, writing

__all__ = ["HEARTBEAT_SECONDS", "STALE_SECONDS", "Claim"]

HEARTBEAT_SECONDS: Final = 10.0
"""How often a living writer touches its claim."""

STALE_SECONDS: Final = 300.0
"""After so long without a heartbeat a claim from another computer counts as abandoned."""

_TRIES: Final = 5


class Claim:
    """Holds a claim file from construction to :meth:`release`.

    Parameters
    ----------
    path : Path
        The claim file.

    Raises
    ------
    RunBusyError
        If a living program holds it; its slots say who (``owner``) and since when (``since``, ISO
        8601). A claim of a dead process is taken over.
    CannotWriteError, DiskFullError
        If the folder can't be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._mine = json.dumps(_identity()).encode()
        self._last = time.monotonic()
        with writing(path):
            for _ in range(_TRIES):
                if self._create():
                    return
                holder = _read(path)
                if holder is None:
                    continue
                raw, owner = holder
                if _alive(path, owner):
                    busy = RunBusyError("run_busy", owner=_name(owner))
                    busy.since = str(owner.get("since", ""))
                    raise busy
                self._take_away(raw)
        raise RunBusyError("run_busy", owner="another program")

    def heartbeat(self) -> None:
        """Tell other computers that this writer lives. Cheap: does nothing most of the time."""
        now = time.monotonic()
        if now - self._last >= HEARTBEAT_SECONDS:
            self._last = now
            with contextlib.suppress(OSError):
                os.utime(self.path)

    def release(self) -> None:
        """Give the claim up. Does nothing if it was taken over meanwhile."""
        holder = _read(self.path)
        if holder is not None and holder[0] == self._mine:
            discard(self.path)

    def _create(self) -> bool:
        try:
            fd = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            return False
        try:
            os.write(fd, self._mine)
        finally:
            os.close(fd)
        return True

    def _take_away(self, stale: bytes) -> None:
        """Remove a dead claim; put back what turns out to be someone's fresh one."""
        aside = self.path.with_name(f".tmp-{secrets.token_hex(8)}")
        try:
            self.path.rename(aside)
        except FileNotFoundError:
            return
        if aside.read_bytes() != stale:
            with contextlib.suppress(OSError):
                os.link(aside, self.path)
        discard(aside)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.release()


def _identity() -> dict[str, Any]:
    return {
        "host": socket.gethostname(),
        "boot": _boot_id(),
        "pid": os.getpid(),
        "started": psutil.Process().create_time(),
        "token": secrets.token_hex(8),
        # A label for people; whether the writer lives is told by the process and the heartbeat.
        "since": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
    }


def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{platform.node()} {psutil.boot_time():.0f}"


def _read(path: Path) -> tuple[bytes, dict[str, Any]] | None:
    """Content and owner; None where there is no claim (any more)."""
    for attempt in range(_TRIES):
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            owner = json.loads(raw)
        except ValueError:
            # Another writer is between creating and filling it, or died there.
            time.sleep(0.01 * 2**attempt)
            continue
        if isinstance(owner, dict):
            return raw, owner
    return raw, {}


def _alive(path: Path, owner: dict[str, Any]) -> bool:
    """Whether the claim's owner may still be writing."""
    if owner.get("host") == socket.gethostname():
        if owner.get("boot") != _boot_id():
            return False
        try:
            process = psutil.Process(int(owner["pid"]))
            # A process number is used again; its start time is not.
            return bool(
                process.is_running()
                and process.status() != psutil.STATUS_ZOMBIE
                and abs(process.create_time() - float(owner["started"])) < 1.0
            )
        except (psutil.Error, KeyError, ValueError, TypeError):
            return False
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return False
    return age < STALE_SECONDS


def _name(owner: dict[str, Any]) -> str:
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'another computer')}"
