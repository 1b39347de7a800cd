"""Opening: each kind of file finds its backend, what is no slide gets a sentence."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import made_slides as made
import numpy as np
import openslide
import pytest

from napari_her2.errors import (
    BadRegionError,
    NotASlideError,
    SlideNotFoundError,
    UsageError,
)
from napari_her2.slides import looks_like_slide, open_array, open_slide


def test_aperio_opens_with_direct_tiles_and_facts(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        assert slide.slide_id == "Fall_Ärztin 標本"
        assert slide.info.backend == "openslide+direct"
        assert slide.info.vendor == "aperio"
        assert (slide.size.width, slide.size.height) == (1201, 901)
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.y, slide.mpp.source) == (0.25, 0.25, "properties")
        assert slide.info.objective_power == 40
        assert slide.info.associated_images == ("thumbnail",)
        assert slide.associated_image("thumbnail").shape[2] == 3
        assert slide.levels[1].downsample_x == 1201 / 300
        assert slide.levels[1].downsample_y == 901 / 225
        assert slide.info.warnings == ()


def test_direct_pixels_equal_openslide(aperio_made: Path) -> None:
    theirs = openslide.OpenSlide(str(aperio_made))
    with open_slide(aperio_made) as ours:
        for x, y, w, h in ((0, 0, 1201, 901), (300, 100, 700, 513), (1190, 890, 11, 11)):
            want = np.asarray(theirs.read_region((x, y), 0, (w, h)))[..., :3]
            got = ours.read(0, x, y, w, h)
            assert got.complete
            np.testing.assert_array_equal(got.rgb, want)


@pytest.mark.parametrize("photometric", ["ycbcr", "rgb"])
@pytest.mark.parametrize("tile", [240, 256])
def test_colour_spaces_and_tile_sizes(
    tmp_path: Path, image: np.ndarray, photometric: str, tile: int
) -> None:
    path = made.write_aperio(tmp_path / "a.svs", image, photometric=photometric, tile=tile)
    theirs = openslide.OpenSlide(str(path))
    with open_slide(path) as ours:
        assert ours.info.backend == "openslide+direct"
        want = np.asarray(theirs.read_region((0, 0), 0, (1201, 901)))[..., :3]
        np.testing.assert_array_equal(ours.read(0, 0, 0, 1201, 901).rgb, want)


def test_other_compressions_are_left_to_openslide(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_generic(tmp_path / "g.tif", image, compression="zlib")
    with open_slide(path) as slide:
        assert slide.info.backend == "openslide"
        np.testing.assert_array_equal(slide.read(0, 5, 6, 700, 800).rgb, image[6:806, 5:705])


@pytest.mark.parametrize("compression", ["jpeg", "zlib", "lzw", None])
@pytest.mark.parametrize("levels", [1, 3])
def test_ome_tiff(tmp_path: Path, image: np.ndarray, compression: str | None, levels: int) -> None:
    path = made.write_ome_tiff(
        tmp_path / "x.ome.tif", image, compression=compression, levels=levels
    )
    with open_slide(path) as slide:
        assert slide.slide_id == "x"
        assert slide.info.backend == "tifffile"
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.source) == (0.3, "ome-xml")
        got = slide.read(0, 100, 50, 900, 800)
        assert got.complete
        off = np.abs(got.rgb.astype(int) - image[50:850, 100:1000])
        assert off.max() <= (40 if compression == "jpeg" else 0)
        if levels == 3:
            assert slide.stored_levels == 3  # type: ignore[attr-defined]


def test_planar_ome_tiff(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_ome_tiff(tmp_path / "p.ome.tiff", image, planar=True)
    assert looks_like_slide(path)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read(0, 0, 0, 1201, 901).rgb, image)


@pytest.mark.parametrize("compression", ["lzw", "packbits", None])
def test_strips(tmp_path: Path, image: np.ndarray, compression: str | None) -> None:
    path = made.write_generic(
        tmp_path / "s.tif", image, factors=(1,), compression=compression, tile=None
    )
    with open_slide(path) as slide:
        assert slide.info.backend == "tifffile"
        assert slide.mpp is not None
        assert slide.mpp.source == "tiff-tags"
        np.testing.assert_array_equal(slide.read(0, 3, 17, 400, 500).rgb, image[17:517, 3:403])


@pytest.mark.parametrize("axes", ["tczyx", "cyx", "yxc", "czyx"])
@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_ome_zarr(tmp_path: Path, image: np.ndarray, axes: str, version: str) -> None:
    path = made.write_ome_zarr(tmp_path / "z.ome.zarr", image, axes=axes, version=version)
    assert looks_like_slide(path)
    with open_slide(path) as slide:
        assert slide.slide_id == "z"
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.y, slide.mpp.source) == (0.25, 0.26, "ome-zarr")
        np.testing.assert_array_equal(slide.read(0, 30, 40, 500, 600).rgb, image[40:640, 30:530])
        np.testing.assert_array_equal(slide.read(1, 3, 4, 50, 60).rgb, image[::2, ::2][4:64, 3:53])


def test_ome_zarr_without_unit_states_no_pixel_size(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_ome_zarr(tmp_path / "z.zarr", image, mpp=None)
    with open_slide(path) as slide:
        assert slide.mpp is None


def test_ome_zarr_missing_chunk_is_missing(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_ome_zarr(tmp_path / "z.zarr", image, axes="cyx")
    (path / "0" / "c" / "0" / "1" / "2").unlink()
    with open_slide(path) as slide:
        got = slide.read(0, 0, 0, 600, 600)
        want = np.zeros((600, 600), bool)
        want[128:256, 256:384] = True
        np.testing.assert_array_equal(got.missing, want)
        assert got.faulty


def test_ome_zarr_path_may_not_leave_its_folder(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_ome_zarr(tmp_path / "z.zarr", image)
    meta = path / "zarr.json"
    meta.write_text(meta.read_text().replace('"path": "0"', '"path": "../other"'))
    assert not looks_like_slide(path)
    with pytest.raises(NotASlideError):
        open_slide(path)


def test_array(image: np.ndarray) -> None:
    slide = open_array(image, mpp=(0.25, 0.3), slide_id="core")
    assert slide.mpp is not None
    assert (slide.mpp.x, slide.mpp.y, slide.mpp.source) == (0.25, 0.3, "user")
    np.testing.assert_array_equal(slide.read(0, 5, 6, 70, 80).rgb, image[6:86, 5:75])
    again = pickle.loads(pickle.dumps(slide))
    np.testing.assert_array_equal(again.read(0, 5, 6, 70, 80).rgb, image[6:86, 5:75])
    assert again.content_key() == slide.content_key()
    with pytest.raises(NotASlideError):
        open_array(image.astype(np.float32))


def test_window_over_the_edge_is_missing_not_white(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        got = slide.read(0, -10, -20, 30, 40)
        assert got.missing is not None
        assert got.missing[:20].all()
        assert got.missing[:, :10].all()
        assert not got.missing[20:, 10:].any()
        assert not got.faulty
        assert (got.rgb[got.missing] == 128).all()
        beyond = slide.read(0, 5000, 5000, 10, 10)
        assert beyond.missing is not None
        assert beyond.missing.all()


def test_bad_requests(aperio_made: Path) -> None:
    with open_slide(aperio_made) as slide:
        with pytest.raises(BadRegionError):
            slide.read(9, 0, 0, 1, 1)
        with pytest.raises(BadRegionError):
            slide.read(0, 0, 0, 0, 5)
        with pytest.raises(BadRegionError, match="no image called"):
            slide.associated_image("label")


def test_pickle_reopens_with_the_users_pixel_size(aperio_made: Path) -> None:
    slide = open_slide(aperio_made, mpp=(0.3, 0.6))
    data = pickle.dumps(slide)
    assert len(data) < 1000
    again = pickle.loads(data)
    assert again.mpp == slide.mpp
    assert again.mpp.source == "user"
    np.testing.assert_array_equal(
        again.read(0, 100, 100, 300, 300).rgb, slide.read(0, 100, 100, 300, 300).rgb
    )


def test_closed_slide_reads_as_missing_with_a_reason(aperio_made: Path) -> None:
    slide = open_slide(aperio_made)
    slide.close()
    slide.close()
    got = slide.read(0, 0, 0, 10, 10)
    assert got.missing is not None
    assert got.missing.all()
    assert got.reason == "the slide was closed"


def test_relative_path_survives_a_change_of_folder(
    aperio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(aperio.parent)
    slide = open_slide(aperio.name)
    monkeypatch.chdir("/")
    assert pickle.loads(pickle.dumps(slide)).size == slide.size


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("empty.svs", b""),
        ("text.svs", b"IJrEr1vVVJCwCYMtcEJwkpHJUZFY0weMVE" * 30),
        ("short.tif", b"II*\0\x08\0\0\0"),
        ("nothing.tif", b"II*\0\0\0\0\0" + bytes(64)),
        ("x.dcm", bytes(128) + b"DICM" + bytes(400)),
        ("x.mrxs", b"not a slide" * 10),
        ("x.jpg", b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(40)),
        ("x.png", b"\x89PNG\r\n\x1a\n" + bytes(40)),
    ],
)
def test_what_is_no_slide_gets_one_sentence(tmp_path: Path, name: str, data: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(NotASlideError) as caught:
        open_slide(path)
    assert caught.value.exit_code == 3
    assert name in caught.value.sentence
    assert "\n" not in caught.value.sentence
    assert str(tmp_path) not in caught.value.sentence
    looks_like_slide(path)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    with pytest.raises(SlideNotFoundError):
        open_slide(tmp_path / "none.svs")
    with pytest.raises(SlideNotFoundError):
        open_slide("nul\0byte.svs")
    with pytest.raises(NotASlideError):
        open_slide(tmp_path)
    assert not looks_like_slide(tmp_path)
    assert not looks_like_slide("nul\0byte.svs")


@pytest.mark.parametrize("mpp", [0, -1, float("nan"), 1e9, (0.25, float("inf")), (1, 2, 3), "x"])
def test_impossible_pixel_size_from_the_user(aperio_made: Path, mpp: object) -> None:
    with pytest.raises(UsageError) as caught:
        open_slide(aperio_made, mpp=mpp)  # type: ignore[arg-type]
    assert caught.value.exit_code == 2


def test_a_microscopy_stack_is_declined(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((4, 64, 64), np.uint16), photometric="minisblack")
    assert not looks_like_slide(path)
    with pytest.raises(NotASlideError, match="8-bit RGB"):
        open_slide(path)


def test_colours_that_would_come_out_wrong_are_declined(tmp_path: Path) -> None:
    import tifffile

    path = tmp_path / "print.tif"
    tifffile.imwrite(path, np.zeros((64, 64, 4), np.uint8), photometric="separated")
    with pytest.raises(NotASlideError, match="8-bit RGB"):
        open_slide(path)


def test_first_plane_of_a_stack_is_named_as_such(tmp_path: Path, image: np.ndarray) -> None:
    import tifffile

    path = tmp_path / "z.ome.tif"
    stack = np.stack([image[:300, :300], image[300:600, :300]])
    tifffile.imwrite(path, stack, photometric="rgb", tile=(256, 256), metadata={"axes": "ZYXS"})
    with open_slide(path) as slide:
        assert any("first plane" in w for w in slide.info.warnings)
        np.testing.assert_array_equal(slide.read(0, 0, 0, 300, 300).rgb, stack[0])


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_unreadable_file(aperio: Path) -> None:
    aperio.chmod(0)
    try:
        if os.access(aperio, os.R_OK):
            pytest.skip("this user may read everything")
        with pytest.raises(NotASlideError):
            open_slide(aperio)
    finally:
        aperio.chmod(0o600)


def test_changed_is_noticed(aperio: Path) -> None:
    slide = open_slide(aperio)
    key = slide.content_key()
    assert not slide.changed()
    made.set_tag(aperio, 324, 8, index=1)
    assert slide.changed()
    aperio.with_suffix(".moved").write_bytes(aperio.read_bytes())
    aperio.unlink()
    assert slide.changed()
    assert len(key) == 64


def test_importing_slides_is_light() -> None:
    code = (
        "import sys, napari_her2.slides;"
        "heavy = {'openslide', 'tifffile', 'zarr', 'cv2', 'dask', 'napari', 'torch', 'qtpy'};"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
