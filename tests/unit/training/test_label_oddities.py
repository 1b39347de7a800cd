"""Wrong labels stand out; arrays grow on disk and are checked when read."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.training.array_file import ArrayWriter, open_rows
from napari_her2.training.oddities import ODD, find_odd


def blobs(n=600, seed=0):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, n)
    return rng.normal(0, 1, (n, 6)) + 4 * np.eye(3, 6)[label], label


def test_labels_that_were_exchanged_are_found():
    features, label = blobs()
    wrong = np.random.default_rng(1).choice(len(label), 20, replace=False)
    given = label.copy()
    given[wrong] = (label[wrong] + 1) % 3
    odd = find_odd(features, given).score
    called = np.flatnonzero(odd >= ODD)
    assert len(set(called) & set(wrong)) >= 18
    assert set(np.argsort(-odd)[:15]) <= set(wrong)


def test_a_rare_class_is_not_odd_for_being_rare():
    features, label = blobs()
    kept = (label != 2) | (np.cumsum(label == 2) <= 12)
    odd = find_odd(features[kept], label[kept]).score
    assert (odd[label[kept] == 2] < ODD).mean() > 0.7


def test_far_from_everything_is_odd_too():
    features, label = blobs()
    features[5] = 40
    odd = find_odd(features, label)
    assert odd.score[5] >= ODD


@pytest.mark.parametrize("n", [0, 1, 10])
def test_too_few_labels_are_never_odd(n):
    assert (find_odd(np.ones((n, 4)), np.zeros(n, int)).score == 0).all()


def test_features_without_spread_do_no_harm():
    features, label = blobs()
    features[:, 3:] = 7
    assert np.isfinite(find_odd(features, label).score).all()


def test_an_array_grows_row_by_row(tmp_path):
    path = tmp_path / "a.npy"
    rows = np.arange(7 * 6, dtype=np.uint8).reshape(7, 2, 3)
    with ArrayWriter(path, (2, 3)) as writer:
        writer.append(rows[:3])
        writer.append(rows[3:])
    assert (open_rows(path) == rows).all()
    assert (np.lib.format.open_memmap(path, mode="r") == rows).all()
    with pytest.raises(ValueError, match="rows of shape"), ArrayWriter(tmp_path / "b", (2,)) as w:
        w.append(np.zeros((1, 3)))


def test_an_empty_array_has_its_shape(tmp_path):
    with ArrayWriter(tmp_path / "a.npy", (2, 3)):
        pass
    assert open_rows(tmp_path / "a.npy").shape == (0, 2, 3)


def test_what_is_cut_short_or_no_numbers_is_refused(tmp_path):
    path = tmp_path / "a.npy"
    with ArrayWriter(path, (4,)) as writer:
        writer.append(np.ones((3, 4)))
    data = path.read_bytes()
    for wrong in (data[:-1], data + b"x", b"nothing", data[:20]):
        path.write_bytes(wrong)
        with pytest.raises(ValueError):  # noqa: PT011
            open_rows(path)
    objects = np.empty(2, object)
    np.save(path, objects, allow_pickle=True)
    with pytest.raises(ValueError, match="plain numbers"):
        open_rows(path)
