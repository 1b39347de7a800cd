"""Classifies cells by their crops with the network of Vandenberghe 2017."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.protocols import CropChannels, Crops
from napari_her2.cells.runtime import (
    CellNetwork,
    CellRuntime,
    choose_runtime,
    make_runtime,
    run_cells,
)
from napari_her2.cells.table import CellTable
from napari_her2.errors import BadModelError
from napari_her2.models.architectures import cell_network_parts
from napari_her2.models.arrays import read_arrays
from napari_her2.models.networks.cell_shapes import state_shapes
from napari_her2.types import ModelStatus, Probs

if TYPE_CHECKING:
    from napari_her2.models.card import ModelCard
    from napari_her2.models.installed import InstalledModel

__all__ = ["NetworkClassifier", "load_network_classifier", "network_of"]


class NetworkClassifier:
    """A trained cell network; see :class:`~napari_her2.cells.protocols.CellClassifier`.

    Parameters
    ----------
    card : ModelCard
        What it is.
    network : CellNetwork
        Its numbers.
    runtime : str
        One of :data:`~napari_her2.cells.runtime.RUNTIMES`.
    threads : int, optional
        Threads of OpenVINO.
    digest : str
        Of card and weights.
    """

    needs_crops = True

    def __init__(
        self,
        card: ModelCard,
        network: CellNetwork,
        runtime: str = "auto",
        threads: int | None = None,
        digest: str = "",
    ) -> None:
        self.card = card
        self._network = network
        self._asked_for = runtime
        self._runtime_name = choose_runtime(runtime)
        self._threads = threads
        self._digest = hashlib.sha256(f"{digest} {self._runtime_name}".encode()).hexdigest()
        self._extra = tuple(str(n) for n in card.tile_model.get("extra_features", ()))
        self._extra_mean = _row(card, "extra_mean", len(self._extra), 0.0)
        self._extra_scale = _row(card, "extra_scale", len(self._extra), 1.0)

    @property
    def id(self) -> str:
        """Name it is asked for by."""
        return self.card.id

    @property
    def name(self) -> str:
        """Name for people."""
        return self.card.name

    @property
    def version(self) -> str:
        """As on the card."""
        return self.card.version

    @property
    def status(self) -> ModelStatus | None:
        """Status of the card."""
        return self.card.status

    @property
    def classes(self) -> tuple[str, ...]:
        """Columns of the result."""
        return self.card.class_names

    @property
    def channels(self) -> CropChannels | None:
        """What the crops must show."""
        return "stains" if self._network.shape.channels == 2 else "rgb"

    @property
    def crop_px(self) -> int | None:
        """Side of the crops."""
        return self.card.patch_size_pixels

    @property
    def crop_mpp(self) -> float | None:
        """Pixel size of the crops."""
        return self.card.spacing_um_px

    @property
    def digest(self) -> str:
        """Changes with card, weights and runtime."""
        return self._digest

    @property
    def runtime(self) -> str:
        """The runtime that was chosen, or taken instead where that one turned out broken."""
        return self._runtime.name if "_runtime" in vars(self) else self._runtime_name

    @cached_property
    def _runtime(self) -> CellRuntime:
        # Not before cells come: whoever leaves them to other processes need not load torch.
        return make_runtime(self._network, self._asked_for, self._threads)

    def logits(self, table: CellTable, crops: Crops) -> NDArray[np.float32]:
        """Logits before the softmax, shape (n, classes)."""
        side, channels = self.card.patch_size_pixels, self._network.shape.channels
        if crops.shape != (len(table), side, side, channels) or crops.dtype != np.uint8:
            wanted = (len(table), side, side, channels)
            msg = f"crops must be uint8 of shape {wanted}, not {crops.dtype} of {crops.shape}"
            raise ValueError(msg)
        if not len(table):
            return np.zeros((0, len(self.classes)), np.float32)
        return run_cells(self._runtime, crops, self._measured(table))

    def classify(self, table: CellTable, crops: Crops | None = None) -> Probs:
        """Classify cells by their crops.

        Raises
        ------
        ValueError
            If there are no crops, or not one of the right shape for each cell.
        """
        if crops is None:
            msg = "this classifier needs crops"
            raise ValueError(msg)
        logits = self.logits(table, crops).astype(np.float64)
        # Rows of no cells have no maximum.
        power = np.exp(logits - logits.max(1, keepdims=True, initial=-np.inf))
        return np.asarray(power / power.sum(1, keepdims=True), np.float32)

    def _measured(self, table: CellTable) -> NDArray[np.float32] | None:
        if not self._extra:
            return None
        columns = np.stack([np.asarray(table[n], np.float64) for n in self._extra], 1)
        # What could not be measured counts as average, not as extreme.
        scaled = (columns - self._extra_mean) / self._extra_scale
        return np.nan_to_num(scaled, nan=0.0).astype(np.float32)


def network_of(card: ModelCard, weights: dict[str, NDArray[Any]]) -> CellNetwork:
    """The numbers of a card's network.

    Raises
    ------
    BadModelError
        If the card does not say how channels are normalised.
    """
    shape, extra, at = cell_network_parts(card)
    steps = [t.arguments or {} for t in card.transform if t.name == "Normalize"]
    step = steps[0] if len(steps) == 1 else {}
    mean, std = (tuple(float(v) for v in step.get(k, ())) for k in ("mean", "std"))
    if len(mean) != shape.channels or len(std) != shape.channels or min(std) <= 0:
        reason = f"its card must normalise {shape.channels} channels"
        raise BadModelError("bad_weights", model=card.id, reason=reason)
    arrays = {k: v.astype(np.float32) for k, v in weights.items()}
    return CellNetwork(shape, arrays, mean, std, len(extra), at)


def load_network_classifier(
    model: InstalledModel, runtime: str = "auto", threads: int | None = None
) -> NetworkClassifier:
    """Load an installed cell network; its files are checked against the card first.

    Raises
    ------
    ModelIntegrityError, BadModelError
        If a file does not match the card or the architecture.
    UsageError, MissingExtraError
        If the runtime is unknown or not installed.
    """
    card = model.card
    shape, extra, at = cell_network_parts(card)
    weights = read_arrays(
        model.weights_path,
        state_shapes(shape, len(extra), at),
        sha256=card.weights_sha256,
        model=card.id,
    )
    network = network_of(card, weights)
    return NetworkClassifier(card, network, runtime, threads, model.digest)


def _row(card: ModelCard, name: str, n: int, default: float) -> NDArray[np.float64]:
    values = card.tile_model.get(name, [default] * n)
    try:
        row = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        row = np.full(0, np.nan)
    if (
        row.shape != (n,)
        or not np.isfinite(row).all()
        or (name.endswith("scale") and (row <= 0).any())
    ):
        raise BadModelError("bad_weights", model=card.id, reason=f"its {name} is wrong")
    return row
