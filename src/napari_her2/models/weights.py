"""Weights as safetensors, checked before a single tensor is mapped; nothing is unpickled.

A file from outside is read once, so that the bytes that were hashed are the bytes that are used.
Its header is checked by arithmetic against the architecture (names, shapes, kinds of number, byte
ranges) before the safetensors library sees it.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from napari_her2.errors import BadModelError, CannotWriteError, ModelIntegrityError

if TYPE_CHECKING:
    import torch

__all__ = [
    "HeaderEntry",
    "check_against",
    "check_hash",
    "parse_header",
    "read_bytes",
    "read_weights",
    "sha256_of",
    "sync_folder",
    "write_atomic",
    "write_weights",
]

MAX_HEADER_BYTES: Final = 4 * 2**20
MAX_ENTRIES: Final = 20_000
MAX_FILE_BYTES: Final = 4 * 2**30
_SIZES: Final = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "U32": 4, "U16": 2, "U8": 1,
}  # fmt: skip
_FLOATS: Final = frozenset({"F64", "F32", "F16", "BF16"})
_WHOLE: Final = frozenset({"I64", "I32", "U32", "U16", "U8"})
_COUNTER: Final = ".num_batches_tracked"


@dataclass(frozen=True, slots=True)
class HeaderEntry:
    """One tensor as the header claims it."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def _bad(model: str, reason: str) -> BadModelError:
    return BadModelError("bad_weights", model=model, reason=reason)


def sha256_of(data: bytes) -> str:
    """SHA-256 as 64 lower-case hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def read_bytes(path: Path, model: str, *, limit: int = MAX_FILE_BYTES) -> bytes:
    """Read a file of a model whole.

    Parameters
    ----------
    path : Path
        The file.
    model : str
        Name of the model, for the sentence.
    limit : int
        Largest size in bytes that is read.

    Raises
    ------
    BadModelError
        If the file is missing, unreadable or larger than the limit.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise BadModelError("bad_weights", model=model, reason=f"{path.name} is too large")
        return path.read_bytes()
    except FileNotFoundError:
        raise BadModelError("bad_weights", model=model, reason=f"{path.name} is missing") from None
    except OSError as e:
        raise BadModelError("bad_weights", model=model, reason=e.strerror or str(e)) from None


def parse_header(data: bytes, model: str) -> dict[str, HeaderEntry]:
    """Read and check the header of a safetensors file.

    Parameters
    ----------
    data : bytes
        The whole file.
    model : str
        Name of the model, for the sentence.

    Returns
    -------
    dict of str to HeaderEntry
        Claimed tensors; their byte ranges fill the file without gap or overlap.

    Raises
    ------
    BadModelError
        If a size, name, type or range is not what it must be.
    """
    if len(data) < 8:
        raise _bad(model, "the file is cut short")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(MAX_HEADER_BYTES, len(data) - 8):
        raise _bad(model, "its header is cut short or too large")
    try:
        raw = json.loads(data[8 : 8 + length])
    except (ValueError, RecursionError):
        raise _bad(model, "its header is not JSON") from None
    if not isinstance(raw, dict) or len(raw) > MAX_ENTRIES:
        raise _bad(model, "its header is not a table of tensors")
    raw.pop("__metadata__", None)
    entries = {name: _entry(name, value, model) for name, value in raw.items()}
    position = 0
    for entry in sorted(entries.values(), key=lambda e: (e.start, e.end)):
        if entry.start != position:
            raise _bad(model, "its tensors overlap or leave gaps")
        position = entry.end
    if position != len(data) - 8 - length:
        raise _bad(model, "its size does not match its header")
    return entries


def _entry(name: str, value: Any, model: str) -> HeaderEntry:
    try:
        dtype, shape, (start, end) = value["dtype"], tuple(value["shape"]), value["data_offsets"]
        numbers = (*shape, start, end)
        sound = all(type(n) is int and 0 <= n < 2**40 for n in numbers) and len(shape) <= 8
        sound = sound and dtype in _SIZES and end - start == math.prod(shape) * _SIZES[dtype]
    except (KeyError, TypeError, ValueError):
        sound = False
    if not sound:
        raise _bad(model, f"tensor {name[:80]!r} is described wrongly")
    return HeaderEntry(dtype, shape, start, end)


def check_against(
    entries: Mapping[str, HeaderEntry],
    expected: Mapping[str, tuple[int, ...]],
    model: str,
    whole: frozenset[str] = frozenset(),
) -> None:
    """Compare a header with what the architecture needs.

    Parameters
    ----------
    entries : mapping of str to HeaderEntry
        From :func:`parse_header`.
    expected : mapping of str to tuple of int
        Shapes by state-dict name. Batch counters (``num_batches_tracked``) may be left out of a
        file: inference does not use them and older state dicts lack them.
    model : str
        Name of the model, for the sentence.
    whole : frozenset of str
        Tensors that hold whole numbers; all others but the counters hold floating-point ones.

    Raises
    ------
    BadModelError
        Naming the first tensor that is missing, unknown, or of another shape or type.
    """
    for name, shape in expected.items():
        entry = entries.get(name)
        if entry is None:
            if name.endswith(_COUNTER):
                continue
            raise _bad(model, f"tensor {name} is missing")
        if entry.shape != tuple(shape):
            raise _bad(model, f"tensor {name} has shape {list(entry.shape)}, not {list(shape)}")
        if name in whole:
            if entry.dtype not in _WHOLE:
                raise _bad(model, f"tensor {name} holds {entry.dtype}, not whole numbers")
        elif not name.endswith(_COUNTER) and entry.dtype not in _FLOATS:
            raise _bad(model, f"tensor {name} holds {entry.dtype}, not floating-point numbers")
    unknown = sorted(set(entries) - set(expected))
    if unknown:
        raise _bad(model, f"tensor {unknown[0][:80]} does not belong to this architecture")


def read_weights(
    path: Path,
    expected: Mapping[str, tuple[int, ...]],
    *,
    sha256: str | None,
    model: str,
) -> dict[str, torch.Tensor]:
    """Read weights that fit an architecture, as float32.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file.
    expected : mapping of str to tuple of int
        Shapes by state-dict name.
    sha256 : str or None
        What the card says; None skips the comparison.
    model : str
        Name of the model, for sentences.

    Returns
    -------
    dict of str to Tensor
        Ready for ``load_state_dict(strict=False)``; only batch counters can be absent.

    Raises
    ------
    ModelIntegrityError
        If the hash differs from the card's.
    BadModelError
        If the file is not what the architecture needs, or holds NaN or infinity.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = read_bytes(path, model)
    check_hash(data, sha256, model)
    check_against(parse_header(data, model), expected, model)
    try:
        tensors: dict[str, torch.Tensor] = load(data)
    except SafetensorError as e:
        raise BadModelError("bad_weights", model=model, reason=str(e)) from None
    out: dict[str, torch.Tensor] = {}
    for name, tensor in tensors.items():
        if name.endswith(_COUNTER):
            continue
        if not bool(torch.isfinite(tensor).all()):
            raise BadModelError(
                "bad_weights", model=model, reason=f"tensor {name} holds NaN or infinity"
            )
        out[name] = tensor.to(torch.float32)
    return out


def check_hash(data: bytes, sha256: str | None, model: str) -> str:
    """Compare bytes with the hash of the card.

    Returns
    -------
    str
        The hash that was found.

    Raises
    ------
    ModelIntegrityError
        If it is not the expected one.
    """
    found = sha256_of(data)
    if sha256 is not None and found != sha256:
        raise ModelIntegrityError("bad_hash", model=model, expected=sha256[:12], found=found[:12])
    return found


def write_weights(path: Path, tensors: Mapping[str, torch.Tensor], *, half: bool = False) -> str:
    """Write a state dict as safetensors, atomically and without batch counters.

    Parameters
    ----------
    path : Path
        Target.
    tensors : mapping of str to Tensor
        A state dict.
    half : bool
        Store convolution and linear weights as float16, batch-norm parameters and statistics as
        float32. Figures in a card must then be measured on the file, not on the original.

    Returns
    -------
    str
        SHA-256 of the file.
    """
    import torch
    from safetensors.torch import save

    kept: dict[str, torch.Tensor] = {}
    for name, tensor in sorted(tensors.items()):
        if name.endswith(_COUNTER):
            continue
        narrow = half and tensor.ndim >= 2
        kept[name] = tensor.detach().cpu().to(torch.float16 if narrow else torch.float32)
        kept[name] = kept[name].contiguous()
    data: bytes = save(kept)
    write_atomic(path, data)
    return sha256_of(data)


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside, flush to the disk, replace.

    Raises
    ------
    CannotWriteError
        If the folder or the file can't be written; the old file then still stands.
    """
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not mkstemp: its files are closed to others, and models may be shared by a group.
        temporary = path.parent / f".part-{secrets.token_hex(8)}"
        with temporary.open("xb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as e:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise CannotWriteError(
            "cannot_write", path=str(path), reason=e.strerror or str(e)
        ) from None


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut, where the system can open folders."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
