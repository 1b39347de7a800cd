"""Arrays of a model read and written as safetensors, without torch.

The same checks as for networks' weights (:mod:`napari_her2.models.weights`): the bytes that were
hashed are the bytes that are used, and a header is held against the architecture before anything
is mapped. Classifiers that are no networks need whole numbers too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import BadModelError
from napari_her2.models.weights import (
    check_against,
    check_hash,
    parse_header,
    read_bytes,
    sha256_of,
    write_atomic,
)

__all__ = ["read_arrays", "write_arrays"]


def read_arrays(
    path: Path,
    expected: Mapping[str, tuple[int, ...]],
    *,
    sha256: str | None,
    model: str,
    whole: frozenset[str] = frozenset(),
) -> dict[str, NDArray[Any]]:
    """Read the arrays that an architecture needs, as they are stored.

    Parameters
    ----------
    path : Path
        A ``.safetensors`` file.
    expected : mapping of str to tuple of int
        Shapes by name.
    sha256 : str or None
        What the card says; None skips the comparison.
    model : str
        Name of the model, for sentences.
    whole : frozenset of str
        Arrays that hold whole numbers; all others hold floating-point ones.

    Raises
    ------
    ModelIntegrityError
        If the hash differs from the card's.
    BadModelError
        If the file is not what the architecture needs, or holds NaN or infinity.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    data = read_bytes(path, model)
    check_hash(data, sha256, model)
    check_against(parse_header(data, model), expected, model, whole)
    try:
        arrays: dict[str, NDArray[Any]] = load(data)
    except (SafetensorError, KeyError, TypeError) as e:
        raise BadModelError("bad_weights", model=model, reason=str(e)) from None
    for name, array in arrays.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            reason = f"tensor {name} holds NaN or infinity"
            raise BadModelError("bad_weights", model=model, reason=reason)
    return arrays


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Write arrays atomically; gives the SHA-256 of the file."""
    from safetensors.numpy import save

    data: bytes = save({k: np.ascontiguousarray(v) for k, v in sorted(arrays.items())})
    write_atomic(path, data)
    return sha256_of(data)
