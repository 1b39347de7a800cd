"""The scores of a run as they are made: an append-only file that survives a kill at any byte.

This file, not the heatmap, says what a stopped run has done. Layout, little-endian::

    magic   8 bytes  b"HER2JNL1"
    record  u32 length, u32 crc32 of the payload, payload
            first payload: JSON header (what the run is; classes of each model)
            others: u32 batch, u32 n, u32 length of the closing JSON,
                    n x (i32 row, i32 col), n x u8 failed, per model n x classes f32,
                    JSON {"models": [...], "reasons": [... n, null = read well]}

Whatever follows the last whole record is a torn tail and is cut off when the file is opened again.
"""

from __future__ import annotations

import json
import os
import struct
import time
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Final, Self

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import RunDamagedError
from napari_her2.results.atomic import fsync_folder, writing
from napari_her2.types import Probs

__all__ = ["Journal", "ScoredBatch", "read_journal"]

MAGIC: Final = b"HER2JNL1"
_FRAME: Final = struct.Struct("<II")
_HEAD: Final = struct.Struct("<III")
_MAX_RECORD: Final = 1 << 28
# Data handed to the kernel survives a kill; a power cut may cost this much work at most.
_SYNC_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class ScoredBatch:
    """Scores of one batch of tiles.

    Attributes
    ----------
    index : int
        Number of the batch in the run's fixed order.
    cells : ndarray of intp
        Shape (n, 2), row then column.
    probs : mapping of str to ndarray of float32
        By model id, shape (n, n_classes); NaN rows where the tile could not be read.
    failed : ndarray of bool
        Shape (n,).
    reasons : tuple of str or None
        Why a tile could not be read.
    """

    index: int
    cells: NDArray[np.intp]
    probs: Mapping[str, Probs]
    failed: NDArray[np.bool_]
    reasons: tuple[str | None, ...]


class Journal:
    """Opens a journal for appending, making it or cutting its torn tail first.

    Parameters
    ----------
    path : Path
        The file.
    header : mapping
        What the run is. Must equal the stored header of an existing file. ``models`` maps each
        model id to its number of classes, in the order in which probabilities are stored; a batch
        may leave models out (``groups`` of models are scored one after the other).

    Attributes
    ----------
    batches : list of ScoredBatch
        What was in the file when it was opened.

    Raises
    ------
    RunDamagedError
        If the file is of another run or of no known format.
    DiskFullError, CannotWriteError
        What was written before stays.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        self.path = path
        self.header = dict(header)
        self.batches: list[ScoredBatch] = []
        self._last_sync = time.monotonic()
        self._dirty = False
        with writing(path):
            if path.exists() and path.stat().st_size > 0:
                self._file = self._reopen()
            else:
                self._file = path.open("wb")
                self._file.write(MAGIC)
                self._write_record(_encode_json(self.header))
                self.sync()
                fsync_folder(path.parent)

    def append(self, batch: ScoredBatch) -> None:
        """Add one batch; on return it survives a kill, and within half a second a power cut."""
        payload = _encode(batch, self._models)
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

    @property
    def _models(self) -> Mapping[str, int]:
        return dict(self.header["models"])

    def _write_record(self, payload: bytes) -> None:
        self._file.write(_FRAME.pack(len(payload), zlib.crc32(payload)) + payload)
        self._file.flush()
        self._dirty = True

    def _reopen(self) -> BinaryIO:
        stored, batches, good = _replay(self.path)
        if stored is not None and stored != json.loads(_encode_json(self.header)):
            raise RunDamagedError(
                "damaged_run", name=self.path.parent.name, reason="its journal is of another run"
            )
        f = self.path.open("r+b")
        f.truncate(good)
        f.seek(good)
        self._file = f
        if stored is None:
            f.write(MAGIC[f.tell() :])
            self._write_record(_encode_json(self.header))
        os.fsync(f.fileno())
        self.batches = batches
        return f

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()


def read_journal(path: Path) -> tuple[dict[str, Any], list[ScoredBatch]]:
    """Read what a run has scored so far, without changing the file.

    Returns
    -------
    header : dict
        As given when the journal was made.
    batches : list of ScoredBatch
        In the order of writing; of a batch written twice, the first.

    Raises
    ------
    RunDamagedError
        If not even the header is readable.
    """
    header, batches, _good = _replay(path)
    if header is None:
        raise RunDamagedError(
            "damaged_run", name=path.parent.name, reason="its journal has no header"
        )
    return header, batches


def _replay(path: Path) -> tuple[dict[str, Any] | None, list[ScoredBatch], int]:
    """Header (None if torn), batches and the number of good bytes."""
    with path.open("rb") as f:
        magic = f.read(len(MAGIC))
        if not MAGIC.startswith(magic):
            raise RunDamagedError(
                "damaged_run", name=path.parent.name, reason="its journal has an unknown format"
            )
        if magic != MAGIC:
            return None, [], 0
        good = f.tell()
        header: dict[str, Any] | None = None
        batches: dict[int, ScoredBatch] = {}
        for payload in _records(f):
            if header is None:
                header = json.loads(payload)
            else:
                batch = _decode(payload, header["models"])
                # First wins: the same batch scored twice must not change a number.
                batches.setdefault(batch.index, batch)
            good = f.tell()
        return header, list(batches.values()), good


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


def _encode_json(obj: object) -> bytes:
    return json.dumps(obj, sort_keys=True, ensure_ascii=False).encode()


def _encode(batch: ScoredBatch, models: Mapping[str, int]) -> bytes:
    n = len(batch.cells)
    scored = [m for m in models if m in batch.probs]
    tail = _encode_json({"models": scored, "reasons": batch.reasons})
    parts = [
        _HEAD.pack(batch.index, n, len(tail)),
        np.ascontiguousarray(batch.cells, dtype="<i4").tobytes(),
        np.ascontiguousarray(batch.failed, dtype=np.uint8).tobytes(),
    ]
    for model_id in scored:
        probs = np.ascontiguousarray(batch.probs[model_id], dtype="<f4")
        if probs.shape != (n, models[model_id]):
            msg = f"{model_id}: probabilities of shape {probs.shape} for {n} tiles"
            raise ValueError(msg)
        parts.append(probs.tobytes())
    return b"".join((*parts, tail))


def _decode(payload: bytes, models: Mapping[str, int]) -> ScoredBatch:
    index, n, tail_length = _HEAD.unpack_from(payload)
    at = _HEAD.size
    cells = np.frombuffer(payload, "<i4", 2 * n, at).reshape(n, 2).astype(np.intp)
    at += 8 * n
    failed = np.frombuffer(payload, np.uint8, n, at).astype(np.bool_)
    at += n
    tail = json.loads(payload[len(payload) - tail_length :])
    probs: dict[str, Probs] = {}
    for model_id in tail["models"]:
        k = models[model_id]
        block = np.frombuffer(payload, "<f4", n * k, at).reshape(n, k).astype(np.float32)
        probs[model_id] = block
        at += 4 * n * k
    return ScoredBatch(index, cells, probs, failed, tuple(tail["reasons"]))
