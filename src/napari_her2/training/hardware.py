"""Where a network is trained and in which arithmetic; fixed when a run begins."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
import torch.utils.deterministic

from napari_her2.errors import UsageError

__all__ = ["Hardware", "choose_hardware"]

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]


@dataclass(frozen=True, slots=True)
class Hardware:
    """Kept with the run: what goes on elsewhere would round differently.

    Attributes
    ----------
    accelerator : str
        ``cpu`` or ``cuda``.
    devices : int
        How many; more than one share each batch (DDP).
    precision : str
        As Lightning names it; weights are float32 in any case.
    threads : int
        Of torch on the processor.
    """

    accelerator: str = "cpu"
    devices: int = 1
    precision: Precision = "32-true"
    threads: int = 1

    @property
    def strategy(self) -> str:
        """How Lightning shares the work."""
        return "ddp_fork" if self.devices > 1 else "auto"

    def to_json(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Set torch up and put it back afterwards."""
        threads = torch.get_num_threads()
        strict = torch.are_deterministic_algorithms_enabled()
        warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
        cudnn = torch.backends.cudnn.benchmark
        # A module whose one switch torch's stubs do not know.
        memory: Any = torch.utils.deterministic
        filled = memory.fill_uninitialized_memory
        # Nothing reads memory it did not write; filling it all first costs time.
        memory.fill_uninitialized_memory = False
        # Without it cuBLAS may add up in another order from run to run.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.set_num_threads(self.threads)
        if self.devices > 1:
            # The process that trains is a daemon of the window's, and daemons may have no children.
            multiprocessing.current_process().daemon = False
        try:
            yield
        finally:
            torch.set_num_threads(threads)
            torch.use_deterministic_algorithms(strict, warn_only=warn_only)
            memory.fill_uninitialized_memory = filled
            torch.backends.cudnn.benchmark = cudnn


def choose_hardware(
    device: str = "auto", precision: str = "auto", threads: int | None = None
) -> Hardware:
    """Choose where to train.

    Parameters
    ----------
    device : str
        ``auto`` (all CUDA devices there are, else the processor), ``cpu``, or ``cuda``.
    precision : str
        ``auto`` (bfloat16 or float16 mixed with float32 where the hardware is faster by it),
        ``32``, ``bf16`` or ``16``.
    threads : int, optional
        Of torch; by default as many as there are cores.

    Raises
    ------
    UsageError
        If the device does not exist here.
    """
    # Asked this way CUDA is not started here, and processes forked later can start it.
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device not in {"auto", "cpu", "cuda"} or (device == "cuda" and not count):
        raise UsageError("no_device", device=device)
    cuda = device != "cpu" and count > 0
    return Hardware(
        "cuda" if cuda else "cpu",
        count if cuda else 1,
        _precision(precision, count if cuda else 0),
        threads or os.cpu_count() or 1,
    )


def _precision(asked: str, cuda: int) -> Precision:
    named: dict[str, Precision] = {"32": "32-true", "bf16": "bf16-mixed", "16": "16-mixed"}
    if asked in named:
        # float16 needs its loss scaled, which torch does on CUDA only.
        return "bf16-mixed" if asked == "16" and not cuda else named[asked]
    if asked != "auto":
        raise UsageError("usage", detail=f"{asked} is not a precision: auto, 32, bf16 or 16.")
    if cuda:
        # Asking a device starts CUDA, after which several processes can't share the work.
        return "bf16-mixed" if cuda == 1 and torch.cuda.is_bf16_supported() else "16-mixed"
    return "bf16-mixed" if _fast_bf16() else "32-true"


def _fast_bf16() -> bool:
    """Whether the processor calculates in bfloat16 itself instead of having it imitated."""
    known = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    found = (getattr(torch.cpu, name, None) for name in known)
    return any(bool(ask()) for ask in found if ask is not None)
