"""The cells of a run as they are found: one record for each tile, kept until the run is complete.

Magic ``HER2CEL2``; each payload after the header is ``u32`` length of a JSON description
(``index``, ``reason``, ``unreadable``, and for each column its name, type, shape and size), the
description, then the columns one after the other, little-endian, row-major, compressed by Zstandard
at its fastest.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from napari_her2.results.append_log import AppendLog, encode_json

__all__ = ["CellBatch", "CellJournal"]

_HEAD: Final = struct.Struct("<I")
_CODEC: Final = pa.Codec("zstd", compression_level=1)


@dataclass(frozen=True, slots=True)
class CellBatch:
    """Cells of one tile.

    Attributes
    ----------
    index : int
        Number of the tile in the run's fixed order.
    columns : mapping of str to ndarray
        First axis = cells; those of the readable rest where part of the tile could not be read.
    reason : str or None
        Why some of the tile could not be read.
    unreadable : float
        Share of the tile that could not be read.
    """

    index: int
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    reason: str | None = None
    unreadable: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether some of the tile could not be read."""
        return self.reason is not None

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), ()))


class CellJournal(AppendLog[CellBatch]):
    """The journal of a run that finds cells."""

    magic: ClassVar[bytes] = b"HER2CEL2"

    @staticmethod
    def encode(batch: CellBatch, header: Mapping[str, Any]) -> bytes:
        """Turn a batch into a payload."""
        del header
        blocks, columns = [], []
        for name, values in batch.columns.items():
            plain = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
            block = _CODEC.compress(plain.tobytes(), asbytes=True)
            blocks.append(block)
            columns.append([name, plain.dtype.str, list(plain.shape), len(block)])
        told = {"index": batch.index, "reason": batch.reason, "unreadable": batch.unreadable}
        head = encode_json(told | {"columns": columns})
        return b"".join((_HEAD.pack(len(head)), head, *blocks))

    @staticmethod
    def decode(payload: bytes, header: Mapping[str, Any]) -> CellBatch:
        """Turn a payload into a batch."""
        del header
        (length,) = _HEAD.unpack_from(payload)
        at = _HEAD.size + length
        head = json.loads(payload[_HEAD.size : at])
        columns: dict[str, NDArray[Any]] = {}
        for name, kind, shape, size in head["columns"]:
            dtype = np.dtype(kind)
            length = dtype.itemsize * math.prod(shape)
            raw = _CODEC.decompress(payload[at : at + size], length, asbytes=True)
            columns[name] = np.frombuffer(raw, dtype).reshape(shape)
            at += size
        lost = float(head.get("unreadable", head["reason"] is not None))
        return CellBatch(int(head["index"]), columns, head["reason"], lost)

    @staticmethod
    def number(batch: CellBatch) -> int:
        """Number of the tile."""
        return batch.index
