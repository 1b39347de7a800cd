"""The cell network's shapes, without torch: enough to check weights or to run them elsewhere.

The paper (Vandenberghe 2017) prints 466,283 learned parameters. With three same-padded 3 x 3 x 25
convolutions, each followed by a 2 x 2 max-pool that rounds up (44 -> 22 -> 11 -> 6, 900 numbers), a
hidden layer of 500 and a bias everywhere, that count asks for two input channels (the deconvolved
haematoxylin and HER2 stains) and eight outputs, of which seven are classes; the eighth most likely
stood for class 0 of labels counted from 1. The obvious reading, RGB and seven outputs, has 466,007.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "CELL_NETWORKS",
    "CROP_PX",
    "FILTERS",
    "FLAT",
    "HIDDEN",
    "CellShape",
    "ExtraAt",
    "state_shapes",
]

CROP_PX: Final = 44
"""Side of the input, pixels of 0.49 µm (21.6 µm)."""

FILTERS: Final = 25
HIDDEN: Final = 500
FLAT: Final = FILTERS * 6 * 6

ExtraAt = Literal["hidden", "output"]
"""Where measured features join: before the hidden layer, or before the output layer."""


@dataclass(frozen=True, slots=True)
class CellShape:
    """Input channels, output units, and how many of these are classes.

    Output units from ``used`` on are masked: their logit is minus infinity.
    """

    channels: int
    outputs: int
    used: int = 7


CELL_NETWORKS: Final[Mapping[str, CellShape]] = {
    "paper-466283": CellShape(channels=2, outputs=8),
    "rgb-7": CellShape(channels=3, outputs=7),
}
"""The reading that gives the paper's parameter count, and the obvious one."""


def state_shapes(
    shape: CellShape, extra: int = 0, extra_at: ExtraAt = "hidden"
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the network's weights, as in its state dict.

    Parameters
    ----------
    shape : CellShape
        Channels and outputs.
    extra : int
        Measured features beside the crop.
    extra_at : {"hidden", "output"}
        Where they join.
    """
    at_hidden = extra if extra_at == "hidden" else 0
    out: dict[str, tuple[int, ...]] = {}
    for i, channels in enumerate((shape.channels, FILTERS, FILTERS), 1):
        out[f"conv{i}.weight"] = (FILTERS, channels, 3, 3)
        out[f"conv{i}.bias"] = (FILTERS,)
    out["hidden.weight"] = (HIDDEN, FLAT + at_hidden)
    out["hidden.bias"] = (HIDDEN,)
    out["output.weight"] = (shape.outputs, HIDDEN + extra - at_hidden)
    out["output.bias"] = (shape.outputs,)
    return out
