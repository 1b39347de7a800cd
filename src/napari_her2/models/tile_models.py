"""Tile models that run a PyTorch network: our own weights, and TorchScript from WSInfer folders.

Both take uint8 tiles and give float32 probabilities. On a processor they run float32 in
channels-last order, which a tile in memory already has; on CUDA under automatic mixed precision.

On a processor each tile is one task of one thread, and as many tiles run at once as torch has
threads. The usual way, all threads on one batch, rounds differently for another batch size or
another number of threads. This way a tile's score is the same bytes however the slide was cut into
batches, resumed or given to workers; and it is faster for narrow networks, whose activations of a
single tile stay in the cache.
"""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_her2.errors import BadModelError, UsageError
from napari_her2.models.architectures import build_network, expected_shapes
from napari_her2.models.networks.inception import fuse_batch_norm
from napari_her2.models.stain_step import stain_step
from napari_her2.models.weights import read_weights
from napari_her2.types import Probs

if TYPE_CHECKING:
    from napari_her2.models.card import ModelCard, Transform

__all__ = ["TorchScriptTileModel", "TorchTileModel", "choose_device", "load_tile_model"]

_OUT_OF_MEMORY: Final = ("out of memory", "not enough memory", "can't allocate memory")


def choose_device(device: str = "auto") -> torch.device:
    """Choose where to run.

    Parameters
    ----------
    device : str
        ``auto`` (CUDA where there is one, else the processor), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    UsageError
        If the device does not exist here.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except RuntimeError:
        raise UsageError("no_device", device=device) from None
    count = torch.cuda.device_count() if chosen.type == "cuda" else 0
    if chosen.type not in {"cpu", "cuda"} or (chosen.type == "cuda" and not count):
        raise UsageError("no_device", device=device)
    index = device.partition(":")[2]
    if index and int(index) >= max(count, 1):
        raise UsageError("no_device", device=device)
    return chosen


@lru_cache(maxsize=1)
def _single_threads(pid: int) -> ThreadPoolExecutor:  # noqa: ARG001  (a fork needs its own)
    """Threads that each run torch on one core; as many as torch would use for one batch."""
    count = torch.get_num_threads()
    started = Barrier(count + 1)

    def settle() -> None:
        # Asking first makes torch set this thread up, or it would undo the next line later.
        torch.get_num_threads()
        torch.set_num_threads(1)

    threads = ThreadPoolExecutor(count, "napari-her2-tile", initializer=settle)
    for _ in range(count):
        threads.submit(started.wait)
    started.wait()
    # The setting is kept for each thread, but new threads inherit the one made last.
    torch.set_num_threads(count)
    return threads


class _Preprocess:
    """The card's transform list, applied to a whole batch."""

    def __init__(self, steps: Sequence[Transform], name: str) -> None:
        self.size: tuple[int, int] | None = None
        mean, std = [0.0] * 3, [1.0] * 3
        try:
            for step in steps:
                arguments = step.arguments or {}
                if step.name == "Resize":
                    self.size = _size(arguments["size"])
                elif step.name == "Normalize":
                    mean = [float(v) for v in arguments["mean"]]
                    std = [float(v) for v in arguments["std"]]
            good = len(mean) == len(std) == 3
            good = good and bool(np.isfinite(mean + std).all() and min(std) > 0)
        except (KeyError, TypeError, ValueError):
            good = False
        if not good:
            raise BadModelError("bad_weights", model=name, reason="its transform list is wrong")
        # ToTensor's division by 255 is folded in: one pass over the pixels instead of two.
        self.shift = torch.tensor(mean).mul(255).view(1, 3, 1, 1)
        self.factor = torch.tensor(std).mul(255).reciprocal().view(1, 3, 1, 1)

    def to(self, device: torch.device) -> None:
        self.shift, self.factor = self.shift.to(device), self.factor.to(device)

    def __call__(self, tiles: NDArray[np.uint8], device: torch.device) -> Tensor:
        if self.size is not None and tiles.shape[1:3] != self.size:
            tiles = _resize(tiles, self.size)
        batch = torch.from_numpy(np.ascontiguousarray(tiles)).to(device)
        # NHWC bytes seen as NCHW are channels-last already; nothing is copied here.
        return (batch.permute(0, 3, 1, 2).float() - self.shift) * self.factor


def _size(size: Any) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size)
    height, width = pair if len(pair) == 2 else pair * 2
    if not (16 <= int(height) <= 4096 and 16 <= int(width) <= 4096):
        raise ValueError(size)
    return int(height), int(width)


def _resize(tiles: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    # Pillow's bilinear filter is what WSInfer's models were trained behind.
    from PIL import Image

    bilinear = Image.Resampling.BILINEAR
    resized = [Image.fromarray(t).resize((size[1], size[0]), bilinear) for t in tiles]
    return np.stack([np.asarray(image) for image in resized])


class _TorchModel:
    """What both kinds share: preprocessing, running, out-of-memory, softmax."""

    def __init__(self, card: ModelCard, network: nn.Module, device: torch.device) -> None:
        self.card = card
        self.device = device
        self.network = network.eval().to(device)
        self._preprocess = _Preprocess(card.transform, card.id)
        self._preprocess.to(device)
        self._stain = stain_step(card)

    @property
    def batch_size(self) -> int:
        """Tiles at once that suit the device."""
        return 4 * torch.get_num_threads() if self.device.type == "cpu" else 64

    def predict(self, tiles: NDArray[np.uint8]) -> Probs:
        """Score a batch; see :class:`~napari_her2.models.protocols.TileModel`.

        Raises
        ------
        MemoryError
            If the batch does not fit; a smaller one may.
        ValueError
            If the tiles have another shape than the card says.
        """
        side = self.card.patch_size_pixels
        if tiles.ndim != 4 or tiles.shape[1:] != (side, side, 3) or tiles.dtype != np.uint8:
            msg = f"tiles must be uint8 of shape (n, {side}, {side}, 3), not {tiles.shape}"
            raise ValueError(msg)
        if not len(tiles):
            return np.zeros((0, self.card.num_classes), np.float32)
        try:
            if self.device.type != "cpu":
                return self._run(tiles)
            single = [tiles[i : i + 1] for i in range(len(tiles))]
            return np.concatenate(list(_single_threads(os.getpid()).map(self._run, single)))
        except torch.OutOfMemoryError as e:
            raise MemoryError(str(e)) from None
        except RuntimeError as e:
            if any(words in str(e).lower() for words in _OUT_OF_MEMORY):
                raise MemoryError(str(e)) from None
            raise

    def _run(self, tiles: NDArray[np.uint8]) -> Probs:
        if self._stain is not None:
            tiles = self._stain(tiles)
        with torch.inference_mode():
            logits = self._logits(self._preprocess(tiles, self.device))
            probs = self._to_probs(logits.float())
            return np.ascontiguousarray(probs.cpu().numpy(), dtype=np.float32)

    def _logits(self, batch: Tensor) -> Tensor:
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            logits: Tensor = self.network(batch)
        return logits

    def _to_probs(self, logits: Tensor) -> Tensor:
        return logits.softmax(1)


class TorchTileModel(_TorchModel):
    """One of our architectures with safetensors weights.

    Parameters
    ----------
    card : ModelCard
        Its transform list says how tiles are normalised.
    network : Module
        Gives logits of shape (n, num_classes).
    device : torch.device
        Where it runs.
    fuse : bool
        Fold batch normalisation into the convolutions: equal up to rounding, up to twice as fast.
    """

    def __init__(
        self, card: ModelCard, network: nn.Module, device: torch.device, *, fuse: bool = True
    ) -> None:
        network = network.eval()
        if fuse:
            network = fuse_batch_norm(network)
        # torch's stubs do not know this overload.
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        super().__init__(card, network, device)


class TorchScriptTileModel(_TorchModel):
    """A WSInfer zoo model (``config.json`` + TorchScript), run as it is.

    TorchScript is program code: the caller makes sure that the user trusts the hash of ``data``
    before this class sees it.

    Parameters
    ----------
    card : ModelCard
        Wrapped from ``config.json``.
    data : bytes
        The TorchScript archive.
    device : torch.device
        Where it runs.

    Raises
    ------
    BadModelError
        If the archive can't be read as TorchScript.
    """

    def __init__(self, card: ModelCard, data: bytes, device: torch.device) -> None:
        try:
            with warnings.catch_warnings():
                # PyTorch announces the end of TorchScript; the zoo's models are made of it.
                warnings.simplefilter("ignore")
                network = torch.jit.load(io.BytesIO(data), map_location=device)  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError, EOFError) as e:
            reason = str(e).strip().splitlines()[0][:200] if str(e).strip() else type(e).__name__
            raise BadModelError("bad_weights", model=card.id, reason=reason) from None
        self._outputs = int(card.tile_model.get("outputs", card.num_classes))
        super().__init__(card, network, device)

    def _to_probs(self, logits: Tensor) -> Tensor:
        if logits.ndim != 2 or logits.shape[1] != self._outputs:
            reason = f"it gives {tuple(logits.shape)} where (n, {self._outputs}) is needed"
            raise BadModelError("bad_weights", model=self.card.id, reason=reason)
        if self._outputs == 1:
            p = logits.sigmoid()
            return torch.cat([1 - p, p], 1)
        return logits.softmax(1)


def load_tile_model(card: ModelCard, folder: Path, device: str = "auto") -> TorchTileModel:
    """Load one of our models: weights are checked against card and architecture first.

    Parameters
    ----------
    card : ModelCard
        From ``card.json``.
    folder : Path
        Holds ``weights.safetensors``.
    device : str
        See :func:`choose_device`.

    Raises
    ------
    ModelIntegrityError
        If the hash differs from the card's.
    BadModelError
        If the file does not fit the architecture.
    """
    where = choose_device(device)
    state = read_weights(
        folder / "weights.safetensors",
        expected_shapes(card),
        sha256=card.weights_sha256,
        model=card.id,
    )
    network = build_network(card)
    network.load_state_dict(state, strict=False)
    return TorchTileModel(card, network, where)
