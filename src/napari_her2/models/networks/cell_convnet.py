"""The cell network of Vandenberghe 2017: three convolutions, one hidden layer, seven classes.

Its shapes and the reading behind them: :mod:`napari_her2.models.networks.cell_shapes`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from napari_her2.models.networks.cell_shapes import (
    CELL_NETWORKS,
    FILTERS,
    FLAT,
    HIDDEN,
    CellShape,
    ExtraAt,
)

__all__ = ["CellConvNet"]


class CellConvNet(nn.Module):
    """Class of the cell in the middle of a crop (Vandenberghe 2017, Methods).

    Convolution, max-pooling and ReLU follow each other as the paper writes it; dropout stands
    before both fully connected layers.

    Parameters
    ----------
    shape : CellShape
        Channels and outputs.
    extra : int
        Measured features beside the crop, such as intensity and completeness of the membrane: the
        remedy the paper's discussion names for its weak 2+ against 3+. 0 = as published.
    extra_at : {"hidden", "output"}
        Where they join.
    dropout : float
        Share of connections left out in training.
    """

    def __init__(
        self,
        shape: CellShape = CELL_NETWORKS["paper-466283"],
        extra: int = 0,
        extra_at: ExtraAt = "hidden",
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.shape, self.extra, self.extra_at, self.dropout = shape, extra, extra_at, dropout
        at_hidden = extra if extra_at == "hidden" else 0
        self.conv1 = nn.Conv2d(shape.channels, FILTERS, 3, padding=1)
        self.conv2 = nn.Conv2d(FILTERS, FILTERS, 3, padding=1)
        self.conv3 = nn.Conv2d(FILTERS, FILTERS, 3, padding=1)
        self.hidden = nn.Linear(FLAT + at_hidden, HIDDEN)
        self.output = nn.Linear(HIDDEN + extra - at_hidden, shape.outputs)

    def learned_features(self, crops: Tensor, extra: Tensor | None = None) -> Tensor:
        """What the network learned to measure.

        Parameters
        ----------
        crops : Tensor
            Shape (n, channels, 44, 44), normalised.
        extra : Tensor, optional
            Shape (n, extra), normalised; needed if the network has extra features.

        Returns
        -------
        Tensor
            Shape (n, 500): output of the hidden layer.
        """
        x = crops
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = F.relu(F.max_pool2d(convolution(x), 2, ceil_mode=True))
        # Channels first whatever the memory format, so that weights mean the same everywhere.
        x = x.flatten(1)
        if self.extra and self.extra_at == "hidden":
            x = torch.cat([x, _needed(extra)], 1)
        return F.relu(self.hidden(F.dropout(x, self.dropout, self.training)))

    def forward(self, crops: Tensor, extra: Tensor | None = None) -> Tensor:
        """Logits, shape (n, outputs); those of unused units are minus infinity."""
        x = self.learned_features(crops, extra)
        if self.extra and self.extra_at == "output":
            x = torch.cat([x, _needed(extra)], 1)
        logits: Tensor = self.output(F.dropout(x, self.dropout, self.training))
        if self.shape.used == self.shape.outputs:
            return logits
        unused = torch.arange(self.shape.outputs, device=logits.device) >= self.shape.used
        return logits.masked_fill(unused, -torch.inf)


def _needed(extra: Tensor | None) -> Tensor:
    if extra is None:
        msg = "this network needs measured features beside the crops"
        raise ValueError(msg)
    return extra
