"""Crops of synthetic slides, their labels, and the augmentation that makes colour worthless."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from demo_training.export import MEAN, STD
from demo_training.pool import BIOMARKERS, LABEL_PX, Slide

POSITION_PX = 32
"""Distance between positions of Mixed_7c, pixels of the tile."""


def positions(tile_px: int) -> int:
    """Positions of Mixed_7c along one side of a tile (unpadded stem and reductions)."""
    n = tile_px
    for kernel, stride in ((3, 2), (3, 1), (3, 2), (3, 1), (3, 2), (3, 2), (3, 2)):
        n = (n - kernel) // stride + 1
    return n


def one_hot(labels: NDArray[np.int8]) -> NDArray[np.float32]:
    """Class planes (..., 3): positive, negative, non-tumour; glass counts as non-tumour."""
    classes = np.where(labels < 0, 2, labels)
    return np.eye(3, dtype=np.float32)[classes]


class Sampler:
    """Draws crops of one biomarker, the three classes equally often.

    A crop's target is the share of each class in it, and, for the auxiliary loss, the share under
    each position of the last feature map.
    """

    def __init__(self, slides: Sequence[Slide], biomarker: str, crop_px: int, seed: int) -> None:
        self.slides = slides
        self.crop = crop_px
        self.rng = np.random.default_rng([seed, BIOMARKERS.index(biomarker), crop_px])
        self.planes = [one_hot(s.labels[BIOMARKERS.index(biomarker)]) for s in slides]
        self.choices: list[list[tuple[int, NDArray[np.intp]]]] = [[], [], []]
        cells = crop_px // LABEL_PX
        for i, slide in enumerate(slides):
            glass = (slide.labels[0] < 0).astype(np.float32)
            stack = np.concatenate([self.planes[i], glass[..., None]], 2)
            share = _box_mean(stack, cells)
            tissue = share[..., 3] < 0.5
            for k in range(3):
                places = np.argwhere(tissue & (share[..., :3].argmax(2) == k))
                if len(places):
                    self.choices[k].append((i, places))

    def batch(self, n: int) -> tuple[Tensor, Tensor, Tensor]:
        """Draw crops.

        Returns
        -------
        (Tensor, Tensor, Tensor)
            Pixels (n, 3, crop, crop) normalised and augmented; class shares (n, 3); class shares
            under each position (n, 3, p, p).
        """
        rng, cells = self.rng, self.crop // LABEL_PX
        pixels, shares, maps = [], [], []
        p = positions(self.crop)
        inset = (cells - p * POSITION_PX // LABEL_PX) // 2
        inner = slice(inset, inset + p * POSITION_PX // LABEL_PX)
        for _ in range(n):
            pool = self.choices[rng.integers(3)]
            i, places = pool[rng.integers(len(pool))]
            r, c = places[rng.integers(len(places))]
            rgb = self.slides[i].rgb
            rgb = rgb[r * LABEL_PX :, c * LABEL_PX :][: self.crop, : self.crop]
            plane = self.planes[i][r : r + cells, c : c + cells]
            turn, flip = int(rng.integers(4)), bool(rng.integers(2))
            rgb, plane = np.rot90(rgb, turn), np.rot90(plane, turn)
            if flip:
                rgb, plane = rgb[:, ::-1], plane[:, ::-1]
            pixels.append(np.ascontiguousarray(rgb))
            shares.append(plane.mean((0, 1)))
            block = plane[inner, inner].reshape(p, -1, p, POSITION_PX // LABEL_PX, 3)
            maps.append(block.mean((1, 3)).transpose(2, 0, 1))
        x = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)
        x = augment(x, rng)
        return x, torch.from_numpy(np.stack(shares)), torch.from_numpy(np.stack(maps))


def normalise(x: Tensor) -> Tensor:
    """Bytes or floats 0-255 to network input."""
    mean = torch.tensor(MEAN).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD).view(1, 3, 1, 1) * 255
    return (x.float() - mean) / std


def augment(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Change stain vectors, amounts, brightness, sharpness and noise of each crop at random.

    Optical densities are multiplied by a random 3 x 3 matrix near the identity and by a gain per
    channel; one crop in six loses its colour altogether. What is left to learn from is form.
    """
    # One crop at a time stays in the processor's cache, which halves the cost.
    out = torch.empty(x.shape, memory_format=torch.channels_last)
    for i in range(len(x)):
        out[i] = _augment_one(x[i], rng)
    return out


def _augment_one(x: Tensor, rng: np.random.Generator) -> Tensor:
    matrix = np.eye(3) + rng.normal(0, 0.12, (3, 3))
    matrix = matrix * np.exp(rng.normal(0, 0.22, (3, 1)))
    if rng.random() < 1 / 6:
        matrix[:] = matrix.mean(0)
    shift = rng.normal(0, 0.02, (3, 1))
    blur, sigma = rng.uniform(-0.35, 0.65), rng.uniform(0, 5)
    depth = x.contiguous().float().add_(1).div_(256).log_().neg_().flatten(1)
    depth = torch.addmm(_float(shift), _float(matrix), depth).clamp_(0, 5.5)
    out = depth.neg_().exp_().mul_(256).sub_(1).view(x.shape)
    # A slide read at 0.25 or at 1 µm/px is differently sharp once it is at 2 µm/px.
    out = torch.lerp(out, F.avg_pool2d(out, 3, 1, 1, count_include_pad=False), blur)
    grain = torch.from_numpy(rng.standard_normal(out.shape, dtype=np.float32))
    out = out.add_(grain, alpha=sigma).clamp_(0, 255)
    return normalise(out[None])[0]


def _float(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _box_mean(stack: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Mean over side x side boxes at every place, shape (h - side + 1, w - side + 1, planes)."""
    total = np.pad(stack.astype(np.float64).cumsum(0).cumsum(1), ((1, 0), (1, 0), (0, 0)))
    box = total[side:, side:] - total[:-side, side:] - total[side:, :-side] + total[:-side, :-side]
    return (box / side**2).astype(np.float32)
