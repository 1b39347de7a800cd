"""Inception-V3 with torchvision's state-dict names and a width multiplier.

The architecture is that of Szegedy et al. 2016 (arXiv:1512.00567) as torchvision lays it out, so
that at width 1.0 its public state dicts load entry by entry. The stages of P1 and P4 are this
network with a head of their own; the demo models are the same network at a quarter of the width.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own convention)

__all__ = ["MIN_INPUT_PX", "BasicConv2d", "InceptionV3", "fuse_batch_norm"]

MIN_INPUT_PX = 75
"""Smallest side for which the unpadded stem leaves at least one position in Mixed_7c."""

Kernel = int | tuple[int, int]


class BasicConv2d(nn.Module):
    """Convolution without bias, batch normalisation (eps 0.001), ReLU."""

    def __init__(
        self, inputs: int, outputs: int, kernel: Kernel, stride: int = 1, padding: Kernel = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False)
        self.bn: nn.Module = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """Shape (n, inputs, h, w) to (n, outputs, h', w')."""
        return F.relu(self.bn(self.conv(x)), inplace=True)


class _Widths:
    """Channel counts at a width: multiples of 8, which keeps convolutions on their fast path."""

    def __init__(self, width: float) -> None:
        self.width = width

    def __call__(self, channels: int) -> int:
        if self.width == 1.0:
            return channels
        return max(8, 8 * round(channels * self.width / 8))


def _avg_pool(x: Tensor) -> Tensor:
    return F.avg_pool2d(x, kernel_size=3, stride=1, padding=1)


class InceptionA(nn.Module):
    """35 x 35 block: 1x1, 5x5, double 3x3 and pooled branches."""

    def __init__(self, inputs: int, pool: int, c: _Widths) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(inputs, c(64), 1)
        self.branch5x5_1 = BasicConv2d(inputs, c(48), 1)
        self.branch5x5_2 = BasicConv2d(c(48), c(64), 5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(inputs, c(64), 1)
        self.branch3x3dbl_2 = BasicConv2d(c(64), c(96), 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(c(96), c(96), 3, padding=1)
        self.branch_pool = BasicConv2d(inputs, c(pool), 1)
        self.out_channels = c(64) + c(64) + c(96) + c(pool)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenation of the branches."""
        b5 = self.branch5x5_2(self.branch5x5_1(x))
        b3 = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), b5, b3, self.branch_pool(_avg_pool(x))], 1)


class InceptionB(nn.Module):
    """Reduction from 35 x 35 to 17 x 17."""

    def __init__(self, inputs: int, c: _Widths) -> None:
        super().__init__()
        self.branch3x3 = BasicConv2d(inputs, c(384), 3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(inputs, c(64), 1)
        self.branch3x3dbl_2 = BasicConv2d(c(64), c(96), 3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(c(96), c(96), 3, stride=2)
        self.out_channels = c(384) + c(96) + inputs

    def forward(self, x: Tensor) -> Tensor:
        """Concatenation of the branches."""
        b3 = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), b3, F.max_pool2d(x, 3, 2)], 1)


class InceptionC(nn.Module):
    """17 x 17 block with factorised 7x7 convolutions of ``mid`` channels."""

    def __init__(self, inputs: int, mid: int, c: _Widths) -> None:
        super().__init__()
        m, out = c(mid), c(192)
        self.branch1x1 = BasicConv2d(inputs, out, 1)
        self.branch7x7_1 = BasicConv2d(inputs, m, 1)
        self.branch7x7_2 = BasicConv2d(m, m, (1, 7), padding=(0, 3))
        self.branch7x7_3 = BasicConv2d(m, out, (7, 1), padding=(3, 0))
        self.branch7x7dbl_1 = BasicConv2d(inputs, m, 1)
        self.branch7x7dbl_2 = BasicConv2d(m, m, (7, 1), padding=(3, 0))
        self.branch7x7dbl_3 = BasicConv2d(m, m, (1, 7), padding=(0, 3))
        self.branch7x7dbl_4 = BasicConv2d(m, m, (7, 1), padding=(3, 0))
        self.branch7x7dbl_5 = BasicConv2d(m, out, (1, 7), padding=(0, 3))
        self.branch_pool = BasicConv2d(inputs, out, 1)
        self.out_channels = 4 * out

    def forward(self, x: Tensor) -> Tensor:
        """Concatenation of the branches."""
        b7 = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        d = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        d = self.branch7x7dbl_5(self.branch7x7dbl_4(d))
        return torch.cat([self.branch1x1(x), b7, d, self.branch_pool(_avg_pool(x))], 1)


class InceptionD(nn.Module):
    """Reduction from 17 x 17 to 8 x 8."""

    def __init__(self, inputs: int, c: _Widths) -> None:
        super().__init__()
        self.branch3x3_1 = BasicConv2d(inputs, c(192), 1)
        self.branch3x3_2 = BasicConv2d(c(192), c(320), 3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(inputs, c(192), 1)
        self.branch7x7x3_2 = BasicConv2d(c(192), c(192), (1, 7), padding=(0, 3))
        self.branch7x7x3_3 = BasicConv2d(c(192), c(192), (7, 1), padding=(3, 0))
        self.branch7x7x3_4 = BasicConv2d(c(192), c(192), 3, stride=2)
        self.out_channels = c(320) + c(192) + inputs

    def forward(self, x: Tensor) -> Tensor:
        """Concatenation of the branches."""
        b3 = self.branch3x3_2(self.branch3x3_1(x))
        b7 = self.branch7x7x3_2(self.branch7x7x3_1(x))
        b7 = self.branch7x7x3_4(self.branch7x7x3_3(b7))
        return torch.cat([b3, b7, F.max_pool2d(x, 3, 2)], 1)


class InceptionE(nn.Module):
    """8 x 8 block with branches that fork into 1x3 and 3x1."""

    def __init__(self, inputs: int, c: _Widths) -> None:
        super().__init__()
        k = c(384)
        self.branch1x1 = BasicConv2d(inputs, c(320), 1)
        self.branch3x3_1 = BasicConv2d(inputs, k, 1)
        self.branch3x3_2a = BasicConv2d(k, k, (1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(k, k, (3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(inputs, c(448), 1)
        self.branch3x3dbl_2 = BasicConv2d(c(448), k, 3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(k, k, (1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(k, k, (3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(inputs, c(192), 1)
        self.out_channels = c(320) + 4 * k + c(192)

    def forward(self, x: Tensor) -> Tensor:
        """Concatenation of the branches."""
        s = self.branch3x3_1(x)
        d = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        parts = [self.branch1x1(x), self.branch3x3_2a(s), self.branch3x3_2b(s)]
        parts += [self.branch3x3dbl_3a(d), self.branch3x3dbl_3b(d)]
        return torch.cat([*parts, self.branch_pool(_avg_pool(x))], 1)


class InceptionAux(nn.Module):
    """Auxiliary classifier on the 17 x 17 stage; used in training only."""

    def __init__(self, inputs: int, num_classes: int, c: _Widths) -> None:
        super().__init__()
        self.conv0 = BasicConv2d(inputs, c(128), 1)
        self.conv1 = BasicConv2d(c(128), c(768), 5)
        self.fc = nn.Linear(c(768), num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, num_classes)."""
        x = self.conv1(self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3)))
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


class InceptionV3(nn.Module):
    """Inception-V3.

    Parameters
    ----------
    num_classes : int
        Outputs of the head; 3 for P1 (positive, negative, non-tumour).
    width : float
        Multiplies every channel count; below 1.0 counts are rounded to multiples of 8.
    dropout : float
        Before the head; torchvision's default is 0.5.
    aux : bool
        Whether to hold the auxiliary classifier.

    Notes
    -----
    At width 1.0 with 1,000 classes: 23,834,568 parameters without and 27,161,264 with the
    auxiliary classifier, torchvision's published numbers.
    """

    def __init__(
        self, num_classes: int = 3, width: float = 1.0, dropout: float = 0.5, *, aux: bool = False
    ) -> None:
        super().__init__()
        c = _Widths(width)
        self.Conv2d_1a_3x3 = BasicConv2d(3, c(32), 3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(c(32), c(32), 3)
        self.Conv2d_2b_3x3 = BasicConv2d(c(32), c(64), 3, padding=1)
        self.Conv2d_3b_1x1 = BasicConv2d(c(64), c(80), 1)
        self.Conv2d_4a_3x3 = BasicConv2d(c(80), c(192), 3)
        self.Mixed_5b = InceptionA(c(192), 32, c)
        self.Mixed_5c = InceptionA(self.Mixed_5b.out_channels, 64, c)
        self.Mixed_5d = InceptionA(self.Mixed_5c.out_channels, 64, c)
        self.Mixed_6a = InceptionB(self.Mixed_5d.out_channels, c)
        self.Mixed_6b = InceptionC(self.Mixed_6a.out_channels, 128, c)
        self.Mixed_6c = InceptionC(self.Mixed_6b.out_channels, 160, c)
        self.Mixed_6d = InceptionC(self.Mixed_6c.out_channels, 160, c)
        self.Mixed_6e = InceptionC(self.Mixed_6d.out_channels, 192, c)
        middle = self.Mixed_6e.out_channels
        self.AuxLogits = InceptionAux(middle, num_classes, c) if aux else None
        self.Mixed_7a = InceptionD(middle, c)
        self.Mixed_7b = InceptionE(self.Mixed_7a.out_channels, c)
        self.Mixed_7c = InceptionE(self.Mixed_7b.out_channels, c)
        self.feature_channels = self.Mixed_7c.out_channels
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(self.feature_channels, num_classes)

    def _middle(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = F.max_pool2d(x, 3, 2)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x))
        x = F.max_pool2d(x, 3, 2)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(x)))
        x = self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))
        middle: Tensor = self.Mixed_6e(self.Mixed_6d(x))
        return middle

    def _last(self, middle: Tensor) -> Tensor:
        last: Tensor = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(middle)))
        return last

    def features(self, x: Tensor) -> Tensor:
        """Activations of the last concatenation (Mixed_7c), where P1's TCAV looks.

        Parameters
        ----------
        x : Tensor
            Shape (n, 3, h, w), normalised, h and w at least 75.

        Returns
        -------
        Tensor
            Shape (n, feature_channels, h', w'); 14 x 14 positions for 512 px.
        """
        return self._last(self._middle(x))

    def head(self, features: Tensor) -> Tensor:
        """Logits of pooled features: (n, feature_channels, h', w') to (n, num_classes)."""
        logits: Tensor = self.fc(self.dropout(features.mean((2, 3))))
        return logits

    def forward(self, x: Tensor) -> Tensor:
        """Logits, shape (n, num_classes); ``x`` as in :meth:`features`."""
        return self.head(self.features(x))

    def forward_with_aux(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits of the head and of the auxiliary classifier, for training."""
        if self.AuxLogits is None:
            msg = "this network was built without the auxiliary classifier"
            raise ValueError(msg)
        middle = self._middle(x)
        return self.head(self._last(middle)), self.AuxLogits(middle)


def fuse_batch_norm(network: nn.Module) -> nn.Module:
    """Fold each batch normalisation into its convolution, in place; for inference only.

    Equal up to rounding; narrow networks are bound by memory traffic and gain most. The state-dict
    names change, so the result is never written to disk.

    Parameters
    ----------
    network : Module
        In ``eval`` mode.
    """
    for module in network.modules():
        if isinstance(module, BasicConv2d) and isinstance(module.bn, nn.BatchNorm2d):
            module.conv = torch.nn.utils.fuse_conv_bn_eval(module.conv, module.bn)
            module.bn = nn.Identity()
    return network
