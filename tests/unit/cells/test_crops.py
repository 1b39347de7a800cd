"""Crops: where they start, at what scale, and what they show."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from napari_her2.cells.crops import CROP_PX, CropSource, cut_crops, od_to_levels


@pytest.fixture
def planes() -> Any:
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        haematoxylin=rng.uniform(-0.1, 2.9, (120, 150)).astype(np.float32),
        second=rng.uniform(-0.1, 2.9, (120, 150)).astype(np.float32),
        rgb=rng.integers(0, 255, (120, 150, 3), np.uint8),
    )


def test_a_crop_is_the_44_pixels_round_the_centre(planes: Any) -> None:
    # 61.4 lies nearest to 61.5, the middle between the 22nd and 23rd of the pixels 40 to 83.
    crop = cut_crops(planes, [[61.4, 71.6]], 0.49, "rgb")
    assert crop.shape == (1, 44, 44, 3)
    assert (crop[0] == planes.rgb[40:84, 50:94]).all()


def test_stains_are_optical_density_times_100(planes: Any) -> None:
    crop = cut_crops(planes, [[61.5, 71.5]], 0.5)[0]
    for i, plane in enumerate((planes.haematoxylin, planes.second)):
        wanted = np.clip(plane[40:84, 50:94] * 100, 0, 255)
        assert np.abs(crop[..., i] - wanted).max() <= 0.501
    assert (od_to_levels(np.array([[-0.3, 0.0, 0.5, 9.0]])) == [[0, 0, 50, 255]]).all()


@pytest.mark.parametrize(
    ("mpp", "side"), [(0.4757, 44), (0.49, 44), (0.5, 44), (0.504, 44), (0.46, 47), (0.25, 86)]
)
def test_other_pixel_sizes_are_brought_to_size(planes: Any, mpp: float, side: int) -> None:
    source = CropSource(planes, mpp, "rgb")
    assert source.side == side
    assert source.cut([[60, 70]]).shape == (1, CROP_PX, CROP_PX, 3)


def test_what_lies_in_the_middle_stays_there() -> None:
    for mpp in (0.46, 0.49, 0.53, 0.3):
        rgb = np.full((200, 200, 3), 255, np.uint8)
        rgb[96:105, 96:105] = 0  # the middle is pixel 100
        planes = SimpleNamespace(rgb=rgb)
        dark = 255.0 - cut_crops(planes, [[100.0, 100.0]], mpp, "rgb")[0, ..., 0]  # type: ignore[arg-type]
        grid = np.arange(CROP_PX)
        for axis in (0, 1):
            middle = (dark.sum(1 - axis) * grid).sum() / dark.sum()
            assert abs(middle - 21.5) <= 0.55


def test_the_same_cell_in_another_window_gives_the_same_bytes(planes: Any) -> None:
    moved = SimpleNamespace(
        haematoxylin=planes.haematoxylin[13:], second=planes.second[13:], rgb=planes.rgb[13:]
    )
    centres = np.array([[60.0 + 1 / 3, 70.25], [59.5, 64.0], [64.7, 71.9]])
    for mpp in (0.46, 0.49):
        here = cut_crops(planes, centres, mpp)
        there = cut_crops(moved, centres - [13, 0], mpp)  # type: ignore[arg-type]
        assert (here == there).all()


def test_cells_at_the_rim_have_crops_too_and_others_are_refused(planes: Any) -> None:
    crops = cut_crops(planes, [[0.0, 0.0], [119.0, 149.0]], 0.49, "rgb")
    assert (crops[0, :22, :22] == planes.rgb[0, 0]).all()
    assert (crops[0, 21:, 21:] == planes.rgb[:23, :23]).all()
    assert cut_crops(planes, np.zeros((0, 2)), 0.49).shape == (0, 44, 44, 2)
    with pytest.raises(ValueError, match="outside"):
        cut_crops(planes, [[300.0, 0.0]], 0.49)
