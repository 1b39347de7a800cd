"""The scores of a run as they are made: an append-only file that survives a kill at any byte.

This file, not the heatmap, says what a stopped run has done. Its frame is that of
:mod:`napari_her2.results.append_log`; its magic is ``HER2JNL1``, its header names the classes of
each model, and each further payload is, little-endian::

    u32 batch, u32 n, u32 length of the closing JSON,
    n x (i32 row, i32 col), n x u8 failed, per model n x classes f32,
    JSON {"models": [...], "reasons": [... n, null = read well]}
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.results.append_log import AppendLog, encode_json
from napari_her2.types import Probs

__all__ = ["Journal", "ScoredBatch", "read_journal"]

_HEAD: Final = struct.Struct("<III")


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


class Journal(AppendLog[ScoredBatch]):
    """The journal of a prediction.

    Its header's ``models`` maps each model id to its number of classes, in the order in which
    probabilities are stored; a batch may leave models out (``groups`` of models are scored one
    after the other).
    """

    magic: ClassVar[bytes] = b"HER2JNL1"

    @staticmethod
    def encode(batch: ScoredBatch, header: Mapping[str, Any]) -> bytes:
        """Turn a batch into a payload."""
        return _encode(batch, header["models"])

    @staticmethod
    def decode(payload: bytes, header: Mapping[str, Any]) -> ScoredBatch:
        """Turn a payload into a batch."""
        return _decode(payload, header["models"])

    @staticmethod
    def number(batch: ScoredBatch) -> int:
        """Number of a batch within its run."""
        return batch.index


def read_journal(path: Path) -> tuple[dict[str, Any], list[ScoredBatch]]:
    """Read what a run has scored so far: :meth:`AppendLog.read` of a :class:`Journal`."""
    return Journal.read(path)


def _encode(batch: ScoredBatch, models: Mapping[str, int]) -> bytes:
    n = len(batch.cells)
    scored = [m for m in models if m in batch.probs]
    tail = encode_json({"models": scored, "reasons": batch.reasons})
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
