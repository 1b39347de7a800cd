"""Levels for computing: dask tasks that name the slide, and keys that do not."""

from __future__ import annotations

import pickle
from pathlib import Path

import made_slides as made
import numpy as np
import pytest

from napari_her2.errors import TileReadError
from napari_her2.slides import dask_levels, open_array, open_slide


def test_equal_to_reading(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        arrays = dask_levels(slide, 500)
        assert [a.shape for a in arrays] == [(901, 1201, 3), (225, 300, 3)]
        assert arrays[0].chunks == ((500, 401), (500, 500, 201), (3,))
        for level, array in enumerate(arrays):
            h, w, _ = array.shape
            want = slide.read(level, 0, 0, w, h).rgb
            np.testing.assert_array_equal(array.compute(scheduler="threads"), want)


def test_keys_are_opaque_and_stable(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        keys = repr(dask_levels(slide)[0].__dask_keys__())
        assert "Fall" not in keys
        assert str(aperio_made.parent.name) not in keys
        assert keys == repr(dask_levels(slide)[0].__dask_keys__())


def test_the_graph_travels_without_a_handle(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        data = pickle.dumps(dask_levels(slide)[0])
        assert len(data) < 50_000
        want = slide.read(0, 0, 0, 1201, 901).rgb
    np.testing.assert_array_equal(pickle.loads(data).compute(scheduler="sync"), want)


def test_array_slide(image: np.ndarray) -> None:
    array = dask_levels(open_array(image), 256)[0]
    np.testing.assert_array_equal(array.compute(scheduler="threads"), image)


def test_unreadable_chunk_raises_and_the_rest_computes(aperio: Path) -> None:
    made.break_tile(aperio, 6)
    with open_slide(aperio) as slide:
        array = dask_levels(slide, 256)[0]
        assert array[:256].compute(scheduler="sync").shape == (256, 1201, 3)
        with pytest.raises(TileReadError, match="could not be read"):
            array[256:512, 256:512].compute(scheduler="sync")


def test_a_replaced_slide_is_opened_again(aperio: Path, image: np.ndarray) -> None:
    with open_slide(aperio) as slide:
        array = dask_levels(slide, 512)[0]
        first = array[:64, :64].compute(scheduler="sync")
        made.write_aperio(aperio, image[::-1].copy())
        second = array[:64, :64].compute(scheduler="sync")
        assert (first != second).any()
