"""Weights to start from: an installed model, or a local file of ImageNet weights, or an address."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from napari_her2.errors import BadModelError, CannotTrainError
from napari_her2.models.intake import MAX_TOTAL_BYTES, Fetch
from napari_her2.models.registry import Registry
from napari_her2.models.weights import (
    parse_header,
    read_bytes,
    read_weights,
    sha256_of,
    write_atomic,
)
from napari_her2.settings import get_settings
from napari_her2.training.request import TrainRequest

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["cell_start", "start_file", "start_of"]

PICKLES: Final = frozenset({".pth", ".pt", ".ckpt", ".bin", ".pkl", ".pickle"})
HEAD: Final = ("fc.", "AuxLogits.")
"""Layers that belong to the classes of another task."""


def start_of(
    request: TrainRequest,
    expected: Mapping[str, tuple[int, ...]],
    *,
    head: tuple[str, ...] = (),
    fetch: Fetch | None = None,
) -> dict[str, Tensor] | None:
    """Weights that a request starts from, or None for new ones.

    Parameters
    ----------
    request : TrainRequest
        ``start_from``, ``start_sha256`` and ``download`` count.
    expected : mapping of str to tuple of int
        Names and shapes of the network that will learn.
    head : tuple of str
        Beginnings of names whose tensors may be missing or of another shape: they start new.
    fetch : callable, optional
        Stands in for the network.

    Raises
    ------
    CannotTrainError
        If the weights are a pickle, do not fit, or can't be had.
    """
    name = request.start_from
    if not name:
        return None
    path = start_file(request, fetch)
    try:
        found = _read(path, Path(name).name or name, request.start_sha256 or None)
        kept = {k: v for k, v in expected.items()
                if not k.startswith(head) or found.get(k, ()) == v}  # fmt: skip
        foreign = [k for k in found if k not in expected and not k.startswith(HEAD)]
        if foreign:
            raise CannotTrainError(
                "bad_start", name=name, reason=f"tensor {foreign[0][:80]} has no place in it"
            )
        tensors = read_weights(path, found, sha256=None, model=name)
        for key, shape in kept.items():
            if key.endswith(".num_batches_tracked"):
                continue
            if key not in tensors:
                raise CannotTrainError("bad_start", name=name, reason=f"tensor {key} is missing")
            if tuple(tensors[key].shape) != tuple(shape):
                reason = f"tensor {key} has shape {list(tensors[key].shape)}, not {list(shape)}"
                raise CannotTrainError("bad_start", name=name, reason=reason)
    except BadModelError as e:
        raise CannotTrainError("bad_start", name=name, reason=str(e.slots["reason"])) from None
    return {k: tensors[k] for k in kept if k in tensors}


def cell_start(request: TrainRequest) -> dict[str, Tensor] | None:
    """Weights that the cell network starts from."""
    from napari_her2.models.networks.cell_shapes import CELL_NETWORKS, state_shapes
    from napari_her2.training.cell_task import MEMBRANE

    extra = len(MEMBRANE) if request.membrane else 0
    return start_of(request, state_shapes(CELL_NETWORKS["paper-466283"], extra))


def start_file(request: TrainRequest, fetch: Fetch | None = None) -> Path:
    """Where the weights to start from lie, after fetching them if that was allowed.

    Raises
    ------
    CannotTrainError
        If there are none, or they may not be fetched.
    """
    name = request.start_from or ""
    if "://" in name:
        return _fetched(request, fetch)
    path = Path(name)
    if path.suffix.lower() in PICKLES:
        raise CannotTrainError("start_pickle", name=path.name)
    if path.is_file():
        return path
    for model in Registry().list():
        if model.card.id == name:
            if model.is_torchscript:
                raise CannotTrainError("bad_start", name=name, reason="it is TorchScript")
            return model.weights_path
    raise CannotTrainError("bad_start", name=name, reason="it is neither a file nor a model here")


def _read(path: Path, name: str, sha256: str | None) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a file, its hash compared first."""
    data = read_bytes(path, name)
    if sha256 is not None and sha256_of(data) != sha256.lower():
        raise CannotTrainError("bad_start", name=name, reason="its SHA-256 is another one")
    return {k: e.shape for k, e in parse_header(data, name).items()}


def _fetched(request: TrainRequest, fetch: Fetch | None) -> Path:
    address, sha256 = request.start_from or "", request.start_sha256.lower()
    name = address.rsplit("/", 1)[-1] or address
    if Path(name.split("?")[0]).suffix.lower() in PICKLES:
        raise CannotTrainError("start_pickle", name=name)
    if not sha256:
        raise CannotTrainError("start_no_hash", name=name)
    if not address.startswith("https://") or len(sha256) != 64 or not sha256.isalnum():
        raise CannotTrainError("bad_start", name=name, reason="it needs https and 64 digits")
    kept = get_settings().cache_dir / "start" / f"{sha256}.safetensors"
    if kept.is_file() and sha256_of(kept.read_bytes()) == sha256:
        return kept
    if not request.download:
        raise CannotTrainError("start_offline", name=name)
    try:
        data = (fetch or _fetch())(address, MAX_TOTAL_BYTES)
    except OSError as e:
        raise CannotTrainError("bad_start", name=name, reason=str(e)[:200]) from None
    if sha256_of(data) != sha256:
        raise CannotTrainError("bad_start", name=name, reason="its SHA-256 is another one")
    write_atomic(kept, data)
    return kept


def _fetch() -> Callable[[str, int], bytes]:
    from napari_her2.models.intake import fetch_url

    return fetch_url
