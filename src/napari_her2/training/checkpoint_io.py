"""Checkpoints of a training run as one safetensors file: nothing is pickled, half a file is none.

Lightning hands over nested dictionaries (weights, states of optimiser and loops). Every tensor in
them becomes a tensor of the file; all the rest is a JSON document in the file's header. The two lie
in one file, so that one rename puts a new checkpoint in place of the old one.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from lightning.fabric.plugins import CheckpointIO
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from napari_her2.errors import CannotTrainError
from napari_her2.results.atomic import write_bytes

__all__ = ["SafeCheckpointIO", "from_document", "read_checkpoint", "to_document"]

_TENSOR: Final = "$tensor"
_PAIRS: Final = "$pairs"
_TUPLE: Final = "$tuple"
_NUMBER: Final = "$number"
_MARKS: Final = frozenset({_TENSOR, _PAIRS, _TUPLE, _NUMBER})
_SCHEMA: Final = 1
_MAX_DEPTH: Final = 60


def to_document(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Take the tensors out of nested dictionaries, lists and tuples.

    Parameters
    ----------
    value : object
        Dictionaries (of any plain keys), lists, tuples, tensors, text, numbers, None.
    tensors : dict
        The tensors are put in here, by the names that the document gives them.

    Returns
    -------
    object
        What JSON can hold; :func:`from_document` makes the same value of it.

    Raises
    ------
    TypeError
        If something else is in it: it could only be kept by a format that runs code.
    """
    if isinstance(value, Tensor):
        name = f"t{len(tensors):06d}"
        channels_last = value.ndim == 4 and value.is_contiguous(memory_format=torch.channels_last)
        # A copy: safetensors refuses tensors that share memory.
        tensors[name] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: name, "channels_last": channels_last and not value.is_contiguous()}
    if isinstance(value, Mapping):
        if all(isinstance(k, str) for k in value) and not _MARKS & set(value):
            return {k: to_document(v, tensors) for k, v in value.items()}
        return {_PAIRS: [[to_document(k, tensors), to_document(v, tensors)]
                         for k, v in value.items()]}  # fmt: skip
    if isinstance(value, tuple):
        return {_TUPLE: [to_document(v, tensors) for v in value]}
    if isinstance(value, list):
        return [to_document(v, tensors) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {_NUMBER: repr(value)}
    if value is None or type(value) in (bool, int, float, str):
        return value
    msg = f"a checkpoint can't hold {type(value).__name__}"
    raise TypeError(msg)


def from_document(document: Any, tensors: Mapping[str, Tensor], depth: int = 0) -> Any:
    """Put the tensors back; the inverse of :func:`to_document`.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the document is none.
    """
    if depth > _MAX_DEPTH:
        msg = "it is nested too deeply"
        raise ValueError(msg)

    def inner(part: Any) -> Any:
        return from_document(part, tensors, depth + 1)

    if isinstance(document, list):
        return [inner(v) for v in document]
    if not isinstance(document, dict):
        return document
    if _TENSOR in document:
        tensor = tensors[document[_TENSOR]]
        if document.get("channels_last"):
            return tensor.contiguous(memory_format=torch.channels_last)
        return tensor
    if _PAIRS in document:
        return {inner(k): inner(v) for k, v in document[_PAIRS]}
    if _TUPLE in document:
        return tuple(inner(v) for v in document[_TUPLE])
    if _NUMBER in document:
        return float(document[_NUMBER])
    return {k: inner(v) for k, v in document.items()}


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint.

    Raises
    ------
    CannotTrainError
        If it is missing, damaged or none of ours.
    """
    try:
        data = path.read_bytes()
        tensors = load(data)
        header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]
        text = header["checkpoint"]
        if header["sha256"] != _digest(text, tensors):
            msg = "its contents changed"
            raise ValueError(msg)
        found = json.loads(text)
        if found["schema"] != _SCHEMA:
            msg = "it is of another version of this program"
            raise ValueError(msg)
        checkpoint = from_document(found["checkpoint"], tensors)
        if not isinstance(checkpoint, dict):
            msg = "it holds no states"
            raise TypeError(msg)
    except OSError as e:
        reason = e.strerror or str(e)
        raise CannotTrainError("bad_checkpoint", name=path.name, reason=reason) from None
    except (SafetensorError, KeyError, TypeError, ValueError, RecursionError) as e:
        reason = str(e)[:200]
        raise CannotTrainError("bad_checkpoint", name=path.name, reason=reason) from None
    return checkpoint


class SafeCheckpointIO(CheckpointIO):
    """Lightning's way to checkpoints, through safetensors and JSON."""

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,
    ) -> None:
        """Write a checkpoint, whole or not at all.

        Raises
        ------
        DiskFullError, CannotWriteError
            The one before it stays.
        """
        del storage_options
        tensors: dict[str, Tensor] = {}
        document = {"schema": _SCHEMA, "checkpoint": to_document(checkpoint, tensors)}
        text = json.dumps(document, allow_nan=False)
        header = {"checkpoint": text, "sha256": _digest(text, tensors)}
        write_bytes(Path(path), save(tensors, header))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint; see :func:`read_checkpoint`. Lightning moves the tensors itself."""
        del map_location, weights_only
        return read_checkpoint(Path(path))

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Remove a checkpoint if it is there."""
        Path(path).unlink(missing_ok=True)


def _digest(text: str, tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
