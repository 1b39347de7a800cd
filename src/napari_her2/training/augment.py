"""Pictures turned, mirrored and stained differently, each by a generator of its own.

Chauhan 2021 (methods, augmentation): flips, turns by 90 degrees, hue, saturation and brightness a
little off, haematoxylin-eosin-DAB amounts a little off (Tellez 2018), Gaussian noise of a variance
up to 0.1. What a picture meets depends on its seed alone, not on its neighbours in the batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.training.learner import seed_of

__all__ = ["GEOMETRY", "HE_FULL", "IHC_FULL", "NOTHING", "Augmentation", "augment_rgb",
           "augment_stains", "turned"]  # fmt: skip

Floats = NDArray[np.float32]

_HED: Final = np.array(
    [[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]], np.float32
)  # fmt: skip
"""Optical densities of haematoxylin, eosin and DAB (Ruifrok and Johnston 2001)."""

_FROM_HED: Final = (_HED / np.linalg.norm(_HED, axis=1, keepdims=True)).astype(np.float32)
_TO_HED: Final = np.linalg.inv(_FROM_HED).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How far pictures may be changed.

    Attributes
    ----------
    turn : bool
        By 0, 90, 180 or 270 degrees, mirrored or not: eight ways.
    hsv : (float, float, float)
        Largest shift of hue (share of the circle), saturation and value (shares of full).
    hed : float
        Amounts of each stain times 1 +- this, plus +- this tenth.
    noise : float
        Largest variance of Gaussian noise, for values from 0 to 1.
    mix : float
        Spread of a random matrix near the identity that optical densities are multiplied by.
    grey : float
        Share of pictures that lose their colour altogether, so that form has to do.
    """

    turn: bool = False
    hsv: tuple[float, float, float] = (0.0, 0.0, 0.0)
    hed: float = 0.0
    noise: float = 0.0
    mix: float = 0.0
    grey: float = 0.0

    @property
    def changes_colour(self) -> bool:
        """Whether anything but the place of pixels changes."""
        return bool(any(self.hsv) or self.hed or self.noise or self.mix or self.grey)


NOTHING: Final = Augmentation()
GEOMETRY: Final = Augmentation(turn=True)
HE_FULL: Final = Augmentation(
    turn=True, hsv=(0.05, 0.075, 0.10), hed=0.10, noise=0.002, mix=0.12, grey=1 / 6
)
"""Ours are the HED range, the smaller noise (a variance of 0.1 hides nuclei altogether), and mixed
and lost colours: where each slide has one class, its stain would tell the class."""
IHC_FULL: Final = Augmentation(turn=True, hed=0.10, noise=0.0)


def turned(pictures: NDArray[np.uint8], way: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Square pictures turned by ``way % 4`` quarters and, from 4 on, mirrored.

    Parameters
    ----------
    pictures : ndarray
        Shape (n, side, side, channels).
    way : ndarray of int
        Shape (n,), 0 to 7.
    """
    out = np.empty_like(pictures)
    for k in np.unique(way):
        some = way == k
        part = np.rot90(pictures[some], int(k) % 4, (1, 2))
        out[some] = part[:, :, ::-1] if k >= 4 else part
    return out


def augment_stains(crops: NDArray[np.uint8], how: Augmentation, seed: int, step: int) -> Floats:
    """Crops of stain amounts, changed.

    Parameters
    ----------
    crops : ndarray of uint8
        Shape (n, side, side, stains).
    how : Augmentation
        ``hsv`` has no meaning for stains and is left out.
    seed, step : int
        Decide together with the place in the batch.

    Returns
    -------
    ndarray of float32
        0 to 1, same shape.
    """
    out, rngs = _begun(crops, how, seed, step)
    if how.hed:
        gain = np.array([r.normal(1, how.hed, crops.shape[-1]) for r in rngs], np.float32)
        out *= np.maximum(gain, 0)[:, None, None, :]
    if how.noise:
        for picture, rng in zip(out, rngs, strict=True):
            _add_noise(picture, how.noise, rng)
    return out


def augment_rgb(tiles: NDArray[np.uint8], how: Augmentation, seed: int, step: int) -> Floats:
    """Coloured pictures, changed.

    Parameters
    ----------
    tiles : ndarray of uint8
        Shape (n, side, side, 3).
    how : Augmentation
        How far.
    seed, step : int
        Decide together with the place in the batch.

    Returns
    -------
    ndarray of float32
        0 to 1, same shape.
    """
    out, rngs = _begun(tiles, how, seed, step)
    if how.changes_colour:
        for picture, rng in zip(out, rngs, strict=True):
            _recolour(picture, how, rng)
    return out


def _begun(
    pictures: NDArray[np.uint8], how: Augmentation, seed: int, step: int
) -> tuple[Floats, list[np.random.Generator]]:
    """Pictures turned and from 0 to 1, and what each of them draws further numbers from."""
    rngs = [
        np.random.Generator(np.random.Philox(seed_of(seed, 3, step, i)))
        for i in range(len(pictures))
    ]
    if how.turn:
        pictures = turned(pictures, np.array([r.integers(8) for r in rngs], np.intp))
    return pictures.astype(np.float32) / np.float32(255), rngs


def _recolour(picture: Floats, how: Augmentation, rng: np.random.Generator) -> None:
    """One picture, 0 to 1, changed in place."""
    if how.hed or how.mix or how.grey:
        gain = rng.uniform(1 - how.hed, 1 + how.hed, 3).astype(np.float32)
        shift = rng.uniform(-how.hed, how.hed, 3).astype(np.float32) / 10
        matrix = (_TO_HED * gain) @ _FROM_HED
        matrix = matrix @ (np.eye(3) + rng.normal(0, how.mix, (3, 3)))
        matrix = matrix * np.exp(rng.normal(0, 2 * how.mix, 3))
        if rng.random() < how.grey:
            matrix[:] = matrix.mean(1, keepdims=True)
        depth = -np.log(np.maximum(picture, np.float32(1 / 255)))
        depth = depth @ matrix.astype(np.float32) + np.float32(np.log(10)) * (shift @ _FROM_HED)
        picture[:] = np.clip(np.exp(-depth), 0, 1)
    if any(how.hsv):
        hue, saturation, value = (float(rng.uniform(-s, s)) for s in how.hsv)
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV)
        hsv[..., 0] = (hsv[..., 0] + 360 * hue) % 360
        hsv[..., 1] = np.clip(hsv[..., 1] * (1 + saturation), 0, 1)
        hsv[..., 2] = np.clip(hsv[..., 2] * (1 + value), 0, 1)
        picture[:] = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)
    if how.noise:
        _add_noise(picture, how.noise, rng)


def _add_noise(picture: Floats, largest: float, rng: np.random.Generator) -> None:
    sigma = np.float32(np.sqrt(rng.uniform(0, largest)))
    picture += sigma * rng.standard_normal(picture.shape, np.float32)
    np.clip(picture, 0, 1, out=picture)
