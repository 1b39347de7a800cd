"""Positioned reads from a file that several threads share."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["RawFile"]


class RawFile:
    """A file opened once and read at any position by any thread.

    Parameters
    ----------
    path : Path
        What to read.

    Raises
    ------
    OSError
        If it can't be opened.
    """

    def __init__(self, path: Path) -> None:
        # O_BINARY exists on Windows only; without it line ends would be translated there.
        self._fd = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        self._lock = threading.Lock()
        self._readers = 0
        self._closing = False
        self.size = os.fstat(self._fd).st_size

    def read(self, offset: int, count: int) -> bytes:
        """Read up to ``count`` bytes from ``offset``; fewer at the end of the file."""
        if offset < 0 or count <= 0:
            return b""
        self._enter()
        try:
            parts: list[bytes] = []
            while count > 0:
                part = self._pread(offset, count)
                if not part:
                    break
                parts.append(part)
                offset += len(part)
                count -= len(part)
        finally:
            self._leave()
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _enter(self) -> None:
        with self._lock:
            if self._closing:
                raise OSError(errno.EBADF, "the file was closed")
            self._readers += 1

    def _leave(self) -> None:
        with self._lock:
            self._readers -= 1
            last = self._closing and self._readers == 0
        if last:
            os.close(self._fd)

    def _pread(self, offset: int, count: int) -> bytes:
        if hasattr(os, "pread"):
            return os.pread(self._fd, count, offset)
        with self._lock:
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, count)

    def close(self) -> None:
        """Give the file back; closing twice does nothing.

        While another thread reads, the last reader closes: the number of a closed file is given
        out again at once, and a late read would then return bytes of some other file.
        """
        with self._lock:
            if self._closing:
                return
            self._closing = True
            idle = self._readers == 0
        if idle:
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()
