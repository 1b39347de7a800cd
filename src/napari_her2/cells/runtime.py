"""Where the cell network runs: torch by default, OpenVINO when it is installed.

Both give the same logits to 1e-4 in float32. bfloat16 is faster where the processor has it and
differs in the second digit of a logit, so it runs only when asked for by name. Cells go through in
batches of one size, the last one filled up, so that the same arithmetic is done for a cell whatever
came with it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.protocols import Crops
from napari_her2.errors import MissingExtraError, UsageError
from napari_her2.models.networks.cell_shapes import CellShape, ExtraAt
from napari_her2.settings import LOGGER

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "BATCH",
    "RUNTIMES",
    "CellNetwork",
    "CellRuntime",
    "choose_runtime",
    "make_runtime",
    "run_cells",
]

Floats = NDArray[np.float32]

RUNTIMES: Final = ("auto", "torch", "openvino", "torch-bf16", "openvino-bf16")
BATCH: Final = 64
"""Cells that go through at once: few enough that what lies between two layers stays in cache."""


@dataclass(frozen=True)
class CellNetwork:
    """A cell network as numbers.

    Attributes
    ----------
    shape : CellShape
        Channels and outputs.
    weights : mapping of str to ndarray
        State dict, float32.
    mean, std : tuple of float
        Of each channel, for grey levels divided by 255.
    n_extra : int
        Measured features beside the crop.
    extra_at : {"hidden", "output"}
        Where they join.
    """

    shape: CellShape
    weights: Mapping[str, Floats]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    n_extra: int = 0
    extra_at: ExtraAt = "hidden"

    @property
    def factor(self) -> Floats:
        """What grey levels are multiplied by, a channel each."""
        return np.asarray(1 / (255.0 * np.asarray(self.std)), np.float32)

    @property
    def shift(self) -> Floats:
        """What is added then."""
        return np.asarray(-np.asarray(self.mean) / np.asarray(self.std), np.float32)


class CellRuntime(Protocol):
    """Runs one network."""

    name: str

    def batch(self, crops: Crops, extra: Floats | None) -> Floats:
        """Logits of the classes, shape (BATCH, used), for exactly one batch."""
        ...


def choose_runtime(name: str) -> str:
    """What ``auto`` means here.

    Raises
    ------
    UsageError
        If there is no such runtime.
    MissingExtraError
        If OpenVINO was asked for by name and is not installed.
    """
    if name not in RUNTIMES:
        raise UsageError("bad_runtime", name=name[:40], available=", ".join(RUNTIMES))
    there = importlib.util.find_spec("openvino") is not None
    if name == "auto":
        return "openvino" if there else "torch"
    if name.startswith("openvino") and not there:
        raise MissingExtraError(
            "missing_extra", feature=f"The runtime “{name}”", package="OpenVINO", extra="fast"
        )
    return name


def make_runtime(
    network: CellNetwork, name: str = "auto", threads: int | None = None
) -> CellRuntime:
    """Prepare a network.

    Parameters
    ----------
    network : CellNetwork
        Its numbers.
    name : str
        One of :data:`RUNTIMES`.
    threads : int, optional
        Threads that OpenVINO takes; torch keeps to what the process is set to.
    """
    chosen = choose_runtime(name)
    if chosen.startswith("openvino"):
        try:
            return _OpenVinoRuntime(network, chosen, threads)
        except (ImportError, OSError, RuntimeError) as error:
            # A broken installation of what is only faster must not stop anybody.
            if name != "auto":
                raise
            LOGGER.warning("OpenVINO can't be used, torch is: %s", error)
            chosen = "torch"
    return _TorchRuntime(network, chosen)


def run_cells(runtime: CellRuntime, crops: Crops, extra: Floats | None) -> Floats:
    """Logits of any number of cells, shape (n, used)."""
    parts = []
    for start in range(0, len(crops), BATCH):
        part, some = crops[start : start + BATCH], None
        n = len(part)
        if extra is not None:
            some = np.ascontiguousarray(_filled(extra[start : start + BATCH]), np.float32)
        parts.append(runtime.batch(np.ascontiguousarray(_filled(part)), some)[:n])
    return np.concatenate(parts)


def _filled(rows: NDArray[Any]) -> NDArray[Any]:
    missing = BATCH - len(rows)
    if not missing:
        return rows
    return np.concatenate([rows, np.zeros((missing, *rows.shape[1:]), rows.dtype)])


class _TorchRuntime:
    """Float32 or bfloat16 with channels last: the plain layout is slower by half or more."""

    def __init__(self, network: CellNetwork, name: str) -> None:
        import torch

        self.name = name
        self._dtype = torch.bfloat16 if name.endswith("bf16") else torch.float32
        self._weights = {
            k: torch.from_numpy(v.copy()).to(self._dtype) for k, v in network.weights.items()
        }
        for k, weight in self._weights.items():
            if weight.ndim == 4:
                self._weights[k] = weight.contiguous(memory_format=torch.channels_last)
        self._used = network.shape.used
        self._extra_at = network.extra_at if network.n_extra else None
        self._factor = torch.from_numpy(network.factor).view(1, -1, 1, 1)
        self._shift = torch.from_numpy(network.shift).view(1, -1, 1, 1)

    def batch(self, crops: Crops, extra: Floats | None) -> Floats:
        import torch
        from torch.nn import functional as F  # noqa: N812

        w = self._weights
        with torch.inference_mode():
            # Bytes lie channel by channel already, so the view is in channels-last order.
            x = torch.from_numpy(crops).permute(0, 3, 1, 2).float()
            x = x.mul_(self._factor).add_(self._shift).to(self._dtype)
            for i in (1, 2, 3):
                x = F.conv2d(x, w[f"conv{i}.weight"], w[f"conv{i}.bias"], padding=1)
                x = F.relu_(_pooled(x))
            x = x.flatten(1)
            for layer in ("hidden", "output"):
                if extra is not None and self._extra_at == layer:
                    x = torch.cat([x, torch.from_numpy(extra).to(self._dtype)], 1)
                x = F.linear(x, w[f"{layer}.weight"], w[f"{layer}.bias"])
                x = F.relu_(x) if layer == "hidden" else x
            return np.asarray(x[:, : self._used].float().numpy(), np.float32)


def _pooled(x: Tensor) -> Tensor:
    """2 x 2 maximum, rounded up, without the bookkeeping that training needs."""
    import torch

    h, w = x.shape[2:]
    rows = torch.maximum(x[:, :, : h // 2 * 2 : 2], x[:, :, 1::2])
    if h % 2:
        rows = torch.cat([rows, x[:, :, -1:]], 2)
    both = torch.maximum(rows[..., : w // 2 * 2 : 2], rows[..., 1::2])
    return torch.cat([both, rows[..., -1:]], 3) if w % 2 else both


class _OpenVinoRuntime:
    """The same network written in OpenVINO's own operations; needs no torch and no export."""

    def __init__(self, network: CellNetwork, name: str, threads: int | None) -> None:
        import openvino

        self.name = name
        options: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": "bf16" if name.endswith("bf16") else "f32",
            "PERFORMANCE_HINT": "LATENCY",
            # Or else each of several processes binds itself to the first core, and all wait for it.
            "ENABLE_CPU_PINNING": False,
        }
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        model = _openvino_model(network)
        self._request = openvino.Core().compile_model(model, "CPU", options).create_infer_request()
        self._used = network.shape.used

    def batch(self, crops: Crops, extra: Floats | None) -> Floats:
        inputs = [crops] if extra is None else [crops, extra]
        result = self._request.infer(dict(enumerate(inputs)))
        return np.array(next(iter(result.values()))[:, : self._used], np.float32)


def _openvino_model(network: CellNetwork) -> Any:
    import openvino
    from openvino import opset13 as ops

    side, w = 44, network.weights
    crops = ops.parameter([BATCH, side, side, network.shape.channels], np.uint8, "crops")
    inputs = [crops]
    x = ops.convert(crops, "f32")
    x = ops.add(ops.multiply(x, ops.constant(network.factor)), ops.constant(network.shift))
    x = ops.transpose(x, ops.constant(np.array([0, 3, 1, 2], np.int64)))
    for i in (1, 2, 3):
        x = ops.convolution(x, ops.constant(w[f"conv{i}.weight"]), [1, 1], [1, 1], [1, 1], [1, 1])
        x = ops.add(x, ops.constant(w[f"conv{i}.bias"].reshape(1, -1, 1, 1)))
        pooled = ops.max_pool(x, [2, 2], [1, 1], [0, 0], [0, 0], [2, 2], "ceil", axis=2)
        x = ops.relu(pooled.output(0))
    x = ops.reshape(x, ops.constant(np.array([BATCH, -1], np.int64)), False)
    beside = None
    if network.n_extra:
        beside = ops.parameter([BATCH, network.n_extra], np.float32, "extra")
        inputs.append(beside)
    for layer in ("hidden", "output"):
        if beside is not None and network.extra_at == layer:
            x = ops.concat([x, beside], 1)
        x = ops.matmul(x, ops.constant(w[f"{layer}.weight"]), False, True)
        x = ops.add(x, ops.constant(w[f"{layer}.bias"].reshape(1, -1)))
        if layer == "hidden":
            x = ops.relu(x)
    return openvino.Model([x], inputs, "cells")
