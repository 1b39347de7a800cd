"""Levels for display: positions, virtual levels, indexing, and a cache that stays bounded."""

from __future__ import annotations

import os
from pathlib import Path

import made_slides as made
import numpy as np
import pytest

from napari_her2.geometry import level_transform
from napari_her2.settings import reset_settings
from napari_her2.slides import cache_stats, display_levels, open_array, open_slide


@pytest.fixture(scope="module")
def long_slide(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[float, float]]:
    """45,001 px wide: level 1 is 4.000089 times smaller. Anisotropic, marked at the far corner."""
    image = np.full((512, 45001, 3), 200, np.uint8)
    image[496:504, 44984:44992] = (20, 30, 160)
    path = made.write_generic(
        tmp_path_factory.mktemp("long") / "l.tif", image, mpp=(0.25, 0.26), factors=(1, 4)
    )
    return path, (44988.0, 500.0)


def _centre(rgb: np.ndarray) -> tuple[float, float]:
    """Centre of the dark marker, x and y, pixel corners counting from 0."""
    weight = np.clip(150 - rgb[..., 0].astype(float), 0, None)
    ys, xs = np.mgrid[0 : rgb.shape[0], 0 : rgb.shape[1]] + 0.5
    return float((xs * weight).sum() / weight.sum()), float((ys * weight).sum() / weight.sum())


def test_far_corner_lies_right_on_every_level(long_slide: tuple[Path, tuple[float, float]]) -> None:
    path, (true_x, true_y) = long_slide
    with open_slide(path) as slide:
        assert slide.levels[1].downsample_x == pytest.approx(4.0000889, abs=1e-7)
        assert slide.levels[1].downsample_y == 4
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.y) == pytest.approx((0.25, 0.26))
        levels = display_levels(slide)
        assert [v.shape[1] for v in levels[:3]] == [45001, 22501, 11250]
        for level in levels[:4]:
            dy, dx = level.downsample
            left = int((true_x - 200) / dx)
            x, y = _centre(level[:, left:, :])
            assert abs((x + left) * dx - true_x) < 1
            assert abs(y * dy - true_y) < 1
            # The same in the world: centre of a level pixel i lies at i * scale + translate.
            t = level_transform(dx, dy, 0.25, 0.26)
            world_x = (x + left - 0.5) * t.scale[1] + t.translate[1]
            assert abs(world_x - (true_x - 0.5) * 0.25) < 0.25


def test_single_level_gets_coarser_levels(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_aperio(tmp_path / "a.svs", image, factors=(1,))
    with open_slide(path) as slide:
        sizes = [(v.width, v.height) for v in slide.levels]
        assert sizes == [(1201, 901), (601, 451)]
        assert slide.levels[1].downsample_x == 1201 / 601
        full = slide.read(0, 0, 0, 1201, 901).rgb
        got = slide.read(1, 0, 0, 601, 451)
        assert got.complete
        np.testing.assert_allclose(got.rgb.mean((0, 1)), full.mean((0, 1)), atol=0.6)
        part = slide.read(1, 333, 120, 200, 150).rgb
        np.testing.assert_array_equal(part, got.rgb[120:270, 333:533])
        assert [v.shape[:2] for v in display_levels(slide)] == [(901, 1201), (451, 601)]
        np.testing.assert_array_equal(display_levels(slide)[1][:], got.rgb)


def test_virtual_level_is_the_area_mean() -> None:
    image = made.picture(800, 1400, seed=3)
    slide = open_array(image)
    want = image.reshape(400, 2, 700, 2, 3).astype(float).mean((1, 3))
    got = slide.read(1, 0, 0, 700, 400).rgb
    assert np.abs(got - want).max() <= 0.5


def test_levels_of_factor_two_lie_between(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        assert [v.shape[1] for v in display_levels(slide)] == [1201, 601, 300]


@pytest.mark.parametrize(
    "key",
    [
        np.s_[:],
        np.s_[100:200, 300:400],
        np.s_[100:200, 300:400, :],
        np.s_[5, 7],
        np.s_[5, 7, 1],
        np.s_[-3:, -5:],
        np.s_[10:700:7, ::5, 0],
        np.s_[200:100:-3, 50],
        np.s_[..., 2],
        np.s_[4, ...],
        np.s_[3:3],
        np.s_[800:2000, 1190:5000],
        np.s_[np.int64(7), np.int32(9) : np.int64(20)],
    ],
    ids=str,
)
def test_indexing_is_numpys(aperio_made: Path, key: object) -> None:
    with open_slide(aperio_made) as slide:
        level = display_levels(slide)[0]
        whole = np.asarray(level)
        assert whole.shape == level.shape == (901, 1201, 3)
        np.testing.assert_array_equal(level[key], whole[key])  # type: ignore[index]


def test_index_errors(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        level = display_levels(slide)[0]
        with pytest.raises(IndexError):
            level[901]
        with pytest.raises(IndexError):
            level[0, 0, 0, 0]
        assert (level.ndim, level.dtype, len(level)) == (3, np.uint8, 901)
        assert level.size == level.nbytes == 901 * 1201 * 3


def test_cache_is_bounded_measured_and_shared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAPARI_HER2_TILE_CACHE_MB", "4")
    reset_settings()
    path = made.write_aperio(tmp_path / "a.svs", made.picture(2000, 2000), factors=(1, 4))
    a, b = open_slide(path), open_slide(path)
    for slide in (a, b):
        level = display_levels(slide)[0]
        for y in range(0, 2000, 500):
            level[y : y + 500, :]
            stats = cache_stats()
            assert stats.bytes <= stats.limit <= 4 * 2**20
    before = cache_stats()
    assert before.tiles > 4
    display_levels(b)[0][1800:2000, 1800:2000]
    assert cache_stats().hits > before.hits
    a.close()
    b.close()
    assert cache_stats().bytes == 0


def test_reading_the_coarsest_level_does_not_read_level_0(tmp_path: Path) -> None:
    path = made.write_aperio(tmp_path / "a.svs", made.picture(2000, 2000), factors=(1, 4, 16))
    with open_slide(path) as slide:
        asked: list[int] = []
        original = slide._read_stored  # type: ignore[attr-defined]

        def counting(level: int, *window: int):  # type: ignore[no-untyped-def]
            asked.append(level)
            return original(level, *window)

        slide._read_stored = counting  # type: ignore[attr-defined]
        levels = display_levels(slide)
        levels[-1][:]
        assert 0 not in asked


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_can_still_show_a_slide(aperio_made: Path) -> None:
    import multiprocessing

    with open_slide(aperio_made) as slide:
        display_levels(slide)[0][:]
    process = multiprocessing.get_context("fork").Process(target=_show, args=(aperio_made,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


def _show(path: Path) -> None:
    with open_slide(path) as slide:
        assert display_levels(slide)[0][:].shape == (901, 1201, 3)


def test_threads_read_the_same(aperio_made: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with open_slide(aperio_made) as slide:
        want = slide.read(0, 0, 0, 1201, 901).rgb
        spots = [(int(x), int(y)) for x, y in np.random.default_rng(0).integers(0, 600, (60, 2))]

        def same(spot: tuple[int, int]) -> bool:
            x, y = spot
            a = slide.read(0, x, y, 300, 300).rgb
            b = display_levels(slide)[0][y : y + 300, x : x + 300]
            part = want[y : y + 300, x : x + 300]
            return bool((a == part).all() and (b == part).all())

        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(same, spots))
