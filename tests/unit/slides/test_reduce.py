"""Halving a level: exact area means for every size, window by window."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.slides.reduce import halve, halved_size, source_span


def _exact(values: np.ndarray, coarse: int) -> np.ndarray:
    """Area mean along the first axis, by the integral."""
    fine = values.shape[0]
    edges = np.linspace(0, fine, coarse + 1)
    total = np.concatenate([np.zeros((1, *values.shape[1:])), np.cumsum(values, axis=0)])
    flat = total.reshape(fine + 1, -1)
    at = np.stack([np.interp(edges, np.arange(fine + 1), c) for c in flat.T], axis=1)
    return (np.diff(at, axis=0) / (fine / coarse)).reshape(coarse, *values.shape[1:])


@pytest.mark.parametrize("size", [(64, 64), (65, 64), (64, 65), (65, 67), (1, 9), (3, 3), (1, 1)])
def test_whole_level_is_the_area_mean(size: tuple[int, int]) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    h, w = size
    ch, cw = halved_size(h), halved_size(w)
    got, missing = halve(rgb, None, (0, 0), (0, ch, 0, cw), (h, w), (ch, cw))
    want = _exact(_exact(rgb.astype(float), ch).transpose(1, 0, 2), cw).transpose(1, 0, 2)
    assert got.shape == (ch, cw, 3)
    assert np.abs(got - want).max() <= 0.501
    assert missing is None


@pytest.mark.parametrize("n", [100, 101, 999])
def test_windows_fit_together(n: int) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (n, n, 3), dtype=np.uint8)
    c = halved_size(n)
    whole, _ = halve(rgb, None, (0, 0), (0, c, 0, c), (n, n), (c, c))
    for start in range(0, c, 17):
        stop = min(start + 17, c)
        a, b = source_span(start, stop, n, c)
        part, _ = halve(rgb[a:b], None, (a, 0), (start, stop, 0, c), (n, n), (c, c))
        np.testing.assert_array_equal(part, whole[start:stop])


@pytest.mark.parametrize("n", [64, 65])
def test_missing_spreads_to_every_pixel_it_touches(n: int) -> None:
    rgb = np.zeros((n, n, 3), np.uint8)
    missing = np.zeros((n, n), bool)
    missing[10, 21] = True
    c = halved_size(n)
    _, gone = halve(rgb, missing, (0, 0), (0, c, 0, c), (n, n), (c, c))
    assert gone is not None
    ratio = n / c
    rows = [i for i in range(c) if i * ratio < 11 - 1e-6 and (i + 1) * ratio > 10 + 1e-6]
    cols = [i for i in range(c) if i * ratio < 22 - 1e-6 and (i + 1) * ratio > 21 + 1e-6]
    want = np.zeros((c, c), bool)
    want[np.ix_(rows, cols)] = True
    np.testing.assert_array_equal(gone, want)
