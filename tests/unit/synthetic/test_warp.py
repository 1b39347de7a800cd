"""The warp of a pair: invertible, smooth, and the one that the pixels were drawn with."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_her2.synthetic import HeScene, IhcScene
from napari_her2.synthetic.nuclei import Kind
from napari_her2.synthetic.warp import WarpedSource, random_warp, warp_from_dict


def test_there_and_back_is_the_same_point() -> None:
    warp = random_warp(4, 3000, 2000)
    points = np.random.default_rng(0).uniform(0, 2000, (300, 2))
    moved = warp.to_moving(points)
    assert np.abs(warp.to_fixed(moved) - points).max() < 1e-5
    assert np.hypot(*(moved - points).T).mean() > 10


def test_parameters_survive_the_truth_file() -> None:
    warp = random_warp(5, 1500, 1500)
    again = warp_from_dict(json.loads(json.dumps(warp.describe())))
    points = np.random.default_rng(1).uniform(0, 1500, (50, 2))
    assert np.array_equal(warp.to_moving(points), again.to_moving(points))


@pytest.mark.parametrize("seed", range(6))
def test_no_warp_folds_the_tissue(seed: int) -> None:
    warp = random_warp(seed, 2000, 2000)
    grid = np.stack(np.meshgrid(np.arange(0, 2000, 25.0), np.arange(0, 2000, 25.0)), -1)
    moved = warp.to_moving(grid)
    dx, dy = np.diff(moved, axis=1)[:-1], np.diff(moved, axis=0)[:, :-1]
    area = dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]
    assert (area > 0.5 * 625).all()


def test_nuclei_lie_where_the_warp_puts_them() -> None:
    fixed = HeScene(6, 700.0, heterogeneous=False, full=True)
    moving = IhcScene(6, 700.0, "0", tissue=fixed.tissue)
    warp = random_warp(6, 700, 700)
    mpp = 0.5
    image = WarpedSource(moving, warp, mpp).pixels(0, 0, 1400, 1400)[..., 0].astype(float)
    cells = fixed.tissue.nuclei
    immune = cells.kind == Kind.IMMUNE
    here = warp.to_moving(np.stack([cells.x[immune], cells.y[immune]], 1))
    here = here[(here > 5).all(1) & (here < 695).all(1)]
    assert len(here) > 20
    col, row = (here / mpp).astype(int).T
    there = image[row, col]
    aside = image[np.clip(row + 16, 0, 1399), col]
    assert np.median(there) < np.median(aside) - 40


def test_a_warped_window_is_a_piece_of_the_whole() -> None:
    scene = IhcScene(7, 400.0)
    source = WarpedSource(scene, random_warp(7, 400, 400), 0.5)
    whole = source.pixels(0, 0, 800, 800).astype(int)
    strip = source.pixels(0, 512, 800, 288).astype(int)
    assert np.array_equal(whole[512:], strip)
