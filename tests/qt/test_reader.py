from __future__ import annotations

import time

import numpy as np
import pytest
from made_windows import made_slide

from napari_her2._contrib.reader import get_reader, read_slide
from napari_her2.errors import NotASlideError, SlideNotFoundError


def test_one_multiscale_picture_in_micrometres(slide_path):
    reader = get_reader(str(slide_path))
    ((data, kwargs, kind),) = reader(str(slide_path))
    assert kind == "image"
    assert kwargs["multiscale"]
    assert kwargs["rgb"]
    assert tuple(kwargs["scale"]) == (0.5, 0.5)
    assert tuple(kwargs["axis_labels"]) == ("y", "x")
    assert kwargs["metadata"]["her2"]["kind"] == "slide"
    assert data[0].shape == (2048, 3072, 3)
    assert np.asarray(data[0][100:110, 200:220]).shape == (10, 20, 3)


@pytest.mark.parametrize("name", ["empty.tif", "text.svs", "movie.tiff", "nothing-there.ndpi"])
def test_what_is_no_slide_is_declined(tmp_path, name):
    path = tmp_path / name
    if name == "text.svs":
        path.write_text("hello")
    elif name != "nothing-there.ndpi":
        path.write_bytes(b"")
    assert get_reader(str(path)) is None


def test_a_plain_folder_and_odd_lists_are_declined(tmp_path, slide_path):
    assert get_reader(str(tmp_path / "")) is None
    assert get_reader([]) is None
    assert get_reader([str(slide_path), str(slide_path)]) is None
    assert get_reader([str(slide_path)]) is not None


def test_the_first_look_is_cheap(tmp_path, slide_path):
    get_reader(str(slide_path))
    start = time.perf_counter()
    for _ in range(10):
        get_reader(str(slide_path))
    assert (time.perf_counter() - start) / 10 < 0.05


def test_reading_what_is_gone_or_broken_is_one_sentence(tmp_path):
    with pytest.raises(SlideNotFoundError, match="was not found"):
        read_slide(str(tmp_path / "gone.svs"))
    broken = tmp_path / "broken.svs"
    broken.write_bytes(b"II*\x00" + bytes(50))
    with pytest.raises(NotASlideError) as caught:
        read_slide(str(broken))
    assert len(caught.value.sentence.splitlines()) == 1


def test_dicom_files_of_one_folder_are_one_slide(shared_data):
    files = sorted(map(str, (shared_data / "wsi-dicom-cmu1-small").rglob("*.dcm")))
    reader = get_reader(files)
    assert reader is not None
    ((_, kwargs, _),) = reader(files)
    assert kwargs["multiscale"]


def test_a_slide_without_pixel_size_stays_in_pixels(tmp_path):
    ((_, kwargs, _),) = read_slide(
        str(made_slide(tmp_path, "bare.tif", mpp=None, width=512, height=512))
    )
    assert tuple(kwargs["scale"]) == (1, 1)
    assert tuple(kwargs["units"]) == ("pixel", "pixel")
