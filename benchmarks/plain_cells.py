"""The plain way to score a slide cell by cell, for comparison: nothing clever, nothing of ours.

OpenSlide reads a tile of 2000 px with a margin; scikit-image takes it apart (``rgb2hed``, Gaussian,
Otsu per tile, distance transform, ``peak_local_max``, watershed of the whole mask); a crop of 44 px
round each cell goes through the network in plain float32 torch. Without a network a ring round each
nucleus (``expand_labels``) and ``regionprops_table`` measure the membrane instead.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["PlainShare", "plain_share", "share_in_child", "tissue_tiles"]

TILE, HALO, CROP = 2000, 64, 44


@dataclass(frozen=True)
class PlainShare:
    """What some tiles of the plain design took."""

    tiles: int
    cells: int
    cpu_s: float
    wall_s: float


def tissue_tiles(path: str) -> list[tuple[int, int]]:
    """Tiles with tissue, (y, x), by Otsu's threshold of the saturation at the coarsest level."""
    import openslide
    from skimage.color import rgb2hsv
    from skimage.filters import gaussian, threshold_otsu

    with openslide.OpenSlide(path) as slide:
        k = slide.level_count - 1
        small = slide.read_region((0, 0), k, slide.level_dimensions[k]).convert("RGB")
        d, (w, h) = slide.level_downsamples[k], slide.dimensions
    saturation = gaussian(rgb2hsv(np.asarray(small))[..., 1], 2)
    mask = saturation > threshold_otsu(saturation)

    def holds(y: int, x: int) -> bool:
        rows = slice(int(y / d), int((y + TILE) / d) + 1)
        return bool(mask[rows, int(x / d) : int((x + TILE) / d) + 1].any())

    return [(y, x) for y in range(0, h, TILE) for x in range(0, w, TILE) if holds(y, x)]


def plain_share(path: str, tiles: Sequence[tuple[int, int]], network: bool) -> PlainShare:
    """Run the plain design over some tiles in this process, one thread.

    Parameters
    ----------
    path : str
        A slide that OpenSlide reads, about 0.5 µm/px.
    tiles : sequence of (y, x)
        Which tiles.
    network : bool
        Classify by the network, else measure rings.
    """
    os.environ["OMP_NUM_THREADS"] = "1"
    import openslide

    classify = _network() if network else None
    with openslide.OpenSlide(path) as slide:
        _one(slide, tiles[0], classify)
        cpu, wall, cells = time.process_time(), time.perf_counter(), 0
        for tile in tiles:
            cells += _one(slide, tile, classify)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return PlainShare(len(tiles), cells, cpu, wall)


def _one(slide, tile, classify) -> int:
    y, x = tile
    left, top = max(x - HALO, 0), max(y - HALO, 0)
    right = min(x + TILE + HALO, slide.dimensions[0])
    bottom = min(y + TILE + HALO, slide.dimensions[1])
    rgb = np.asarray(slide.read_region((left, top), 0, (right - left, bottom - top)))[..., :3]
    hed, labels, centres = _find(rgb)
    cy, cx = centres[:, 0] + top, centres[:, 1] + left
    mine = (cy >= y) & (cy < y + TILE) & (cx >= x) & (cx < x + TILE)
    if classify is not None:
        classify(_crops(rgb, centres[mine]))
    elif len(centres):
        _measure(hed, labels)
    return int(mine.sum())


def _find(rgb):
    from scipy.ndimage import distance_transform_edt
    from skimage.color import rgb2hed
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import regionprops_table
    from skimage.segmentation import watershed

    hed = rgb2hed(rgb)
    smooth = gaussian(hed[..., 0], 1.5)
    mask = smooth > threshold_otsu(smooth)
    distance = distance_transform_edt(mask)
    peaks = peak_local_max(gaussian(distance, 1), min_distance=5, labels=mask.astype(int))
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, markers, mask=mask)
    table = regionprops_table(labels, properties=("centroid", "area"))
    return hed, labels, np.stack([table["centroid-0"], table["centroid-1"]], axis=1)


def _measure(hed, labels) -> None:
    from skimage.measure import regionprops_table
    from skimage.segmentation import expand_labels

    ring = expand_labels(labels, 6)
    ring[labels > 0] = 0
    regionprops_table(ring, hed[..., 2], properties=("label", "intensity_mean", "intensity_max"))
    regionprops_table(
        labels,
        hed[..., 0],
        properties=("label", "area", "perimeter", "eccentricity", "intensity_mean"),
    )


def _crops(rgb, centres):
    from numpy.lib.stride_tricks import sliding_window_view

    half = CROP // 2
    padded = np.pad(rgb, ((half, half), (half, half), (0, 0)), mode="edge")
    windows = sliding_window_view(padded, (CROP, CROP), (0, 1))
    at = np.rint(centres).astype(int)
    return np.ascontiguousarray(windows[at[:, 0], at[:, 1]][:, :2])


def _network():
    import torch

    from napari_her2.models.networks.cell_convnet import CellConvNet
    from napari_her2.models.networks.cell_shapes import CELL_NETWORKS

    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = next(s for s in CELL_NETWORKS.values() if s.channels == 2)
    net = CellConvNet(shape, 0, "hidden").eval()

    def classify(crops) -> None:
        with torch.no_grad():
            for i in range(0, len(crops), 512):
                net(torch.from_numpy(crops[i : i + 512]).float() / 255).argmax(1)

    return classify


def share_in_child(arguments: tuple[str, list[tuple[int, int]], bool]) -> PlainShare:
    """Take one argument, as a pool of processes gives it."""
    return plain_share(*arguments)
