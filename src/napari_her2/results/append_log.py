"""A file that only grows: records with a checksum each, so that a kill at any byte loses one.

Layout, little-endian::

    magic   8 bytes
    record  u32 length, u32 crc32 of the payload, payload
            first payload: JSON header (what the run is)

Whatever follows the last whole record is a torn tail and is cut off when the file is opened again.
"""

from __future__ import annotations

import contextlib
import json
import os
import struct
import time
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, ClassVar, Final, Generic, Self, TypeVar

from napari_her2.errors import RunDamagedError
from napari_her2.results.atomic import fsync_folder, writing

__all__ = ["AppendLog", "encode_json"]

_FRAME: Final = struct.Struct("<II")
_MAX_RECORD: Final = 1 << 30
# Data handed to the kernel survives a kill; a power cut may cost this much work at most.
_SYNC_SECONDS: Final = 0.5

B = TypeVar("B")


class AppendLog(ABC, Generic[B]):
    """Opens a log for appending, making it or cutting its torn tail first.

    Parameters
    ----------
    path : Path
        The file.
    header : mapping
        What the run is. Must equal the stored header of an existing file.

    Attributes
    ----------
    batches : list
        What was in the file when it was opened, in the order of writing; of a batch written
        twice, the first.

    Raises
    ------
    RunDamagedError
        If the file is of another run or of no known format.
    DiskFullError, CannotWriteError
        What was written before stays.
    """

    magic: ClassVar[bytes]

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.header = dict(header)
        self.batches: list[B] = []
        self._last_sync = time.monotonic()
        self._dirty = False
        with writing(path):
            if path.exists() and path.stat().st_size > 0:
                self._file = self._reopen()
            else:
                self._file = path.open("wb")
                try:
                    self._file.write(self.magic)
                    self._write_record(encode_json(self.header))
                    self.sync()
                    fsync_folder(path.parent)
                except BaseException:
                    with contextlib.suppress(OSError):
                        self._file.close()
                    raise

    @staticmethod
    @abstractmethod
    def encode(batch: B, header: Mapping[str, Any]) -> bytes:
        """Turn a batch into a payload."""

    @staticmethod
    @abstractmethod
    def decode(payload: bytes, header: Mapping[str, Any]) -> B:
        """Turn a payload into a batch."""

    @staticmethod
    @abstractmethod
    def number(batch: B) -> int:
        """Number of a batch within its run."""

    def append(self, batch: B) -> None:
        """Add one batch; on return it survives a kill, and within half a second a power cut."""
        payload = self.encode(batch, self.header)
        start = self._file.tell()
        with writing(self.path, len(payload)):
            try:
                self._write_record(payload)
            except OSError:
                # A half-written record would hide all later ones from a replay.
                self._file.truncate(start)
                self._file.seek(start)
                raise
            if time.monotonic() - self._last_sync > _SYNC_SECONDS:
                self.sync()

    def sync(self) -> None:
        """Flush to the disk now."""
        if self._dirty:
            with writing(self.path):
                os.fsync(self._file.fileno())
            self._dirty = False
        self._last_sync = time.monotonic()

    def close(self) -> None:
        """Flush and close. Closing twice does nothing."""
        if not self._file.closed:
            try:
                self.sync()
            finally:
                self._file.close()

    @classmethod
    def read(cls, path: Path) -> tuple[dict[str, Any], list[B]]:
        """Read what a run has done so far, without changing the file.

        Returns
        -------
        header : dict
            As given when the log was made.
        batches : list
            As :attr:`batches`.

        Raises
        ------
        RunDamagedError
            If not even the header is readable.
        """
        header, batches, _good = cls._replay(path)
        if header is None:
            raise RunDamagedError(
                "damaged_run", name=path.parent.name, reason="its journal has no header"
            )
        return header, batches

    @classmethod
    def replay(cls, path: Path) -> tuple[dict[str, Any] | None, list[B], int]:
        """Like :meth:`read`, for a file that may have been torn at any byte.

        Returns
        -------
        header : dict or None
            None if the file ends before its header does.
        batches : list
            As :attr:`batches`.
        good : int
            Bytes up to the end of the last whole record; what follows is a torn tail.

        Raises
        ------
        RunDamagedError
            If the file is of no known format.
        """
        return cls._replay(path)

    @classmethod
    def read_header(cls, path: Path) -> dict[str, Any] | None:
        """Read only what the run is; None if the file is torn before that, or is another kind."""
        with path.open("rb") as f:
            if f.read(len(cls.magic)) != cls.magic:
                return None
            found = next(_records(f), None)
        header = None if found is None else json.loads(found)
        return header if isinstance(header, dict) else None

    def _write_record(self, payload: bytes) -> None:
        self._file.write(_FRAME.pack(len(payload), zlib.crc32(payload)))
        self._file.write(payload)
        self._file.flush()
        self._dirty = True

    def _reopen(self) -> BinaryIO:
        stored, batches, good = self._replay(self.path)
        if stored is not None and stored != json.loads(encode_json(self.header)):
            raise RunDamagedError(
                "damaged_run", name=self.path.parent.name, reason="its journal is of another run"
            )
        f = self.path.open("r+b")
        f.truncate(good)
        f.seek(good)
        self._file = f
        if stored is None:
            f.write(self.magic[f.tell() :])
            self._write_record(encode_json(self.header))
        os.fsync(f.fileno())
        self.batches = batches
        return f

    @classmethod
    def _replay(cls, path: Path) -> tuple[dict[str, Any] | None, list[B], int]:
        """Header (None if torn), batches and the number of good bytes."""
        with path.open("rb") as f:
            magic = f.read(len(cls.magic))
            if not cls.magic.startswith(magic):
                raise RunDamagedError(
                    "damaged_run", name=path.parent.name, reason="its journal has an unknown format"
                )
            if magic != cls.magic:
                return None, [], 0
            good = f.tell()
            header: dict[str, Any] | None = None
            batches: dict[int, B] = {}
            for payload in _records(f):
                if header is None:
                    header = json.loads(payload)
                else:
                    batch = cls.decode(payload, header)
                    # First wins: the same batch done twice must not change a number.
                    batches.setdefault(cls.number(batch), batch)
                good = f.tell()
            return header, list(batches.values()), good

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def encode_json(obj: object) -> bytes:
    """JSON as it stands in a log: the same object, the same bytes."""
    return json.dumps(obj, sort_keys=True, ensure_ascii=False).encode()


def _records(f: BinaryIO) -> Iterator[bytes]:
    while True:
        frame = f.read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return
        length, crc = _FRAME.unpack(frame)
        if length > _MAX_RECORD:
            return
        payload = f.read(length)
        if len(payload) < length or zlib.crc32(payload) != crc:
            return
        yield payload
