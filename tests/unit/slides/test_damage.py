"""Damaged slides: refused, or the damage is marked; never silent, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import made_slides as made
import numpy as np
import pytest

from napari_her2.errors import Her2Error
from napari_her2.slides import display_levels, open_slide
from napari_her2.slides.base import NOT_SCANNED, Slide

HATCH = (0x4C, 0x2F, 0xC3)


def test_broken_tile_is_missing_and_only_it(aperio: Path, image: np.ndarray) -> None:
    with open_slide(aperio) as sound:
        want = sound.read(0, 0, 0, 1201, 901).rgb.copy()
    made.break_tile(aperio, 6)  # row 1, column 1
    with open_slide(aperio) as slide:
        got = slide.read(0, 0, 0, 1201, 901)
        assert got.faulty
        assert got.missing is not None
        expected = np.zeros((901, 1201), bool)
        expected[256:512, 256:512] = True
        np.testing.assert_array_equal(got.missing, expected)
        np.testing.assert_array_equal(got.rgb[~expected], want[~expected])
        assert (got.rgb[expected] == 128).all()


def test_broken_tile_is_hatched_and_recorded_in_the_view(aperio: Path) -> None:
    made.break_tile(aperio, 6)
    with open_slide(aperio) as slide:
        levels = display_levels(slide)
        shown = levels[0][:]
        cell = shown[256:512, 256:512].reshape(-1, 3)
        colours = {tuple(c) for c in np.unique(cell, axis=0).tolist()}
        assert colours == {HATCH, (128, 128, 128)}
        (error,) = levels[0].errors
        r = error.region
        assert (r.x, r.y, r.width, r.height) == (256, 256, 256, 256)
        assert error.reason
        # The levels averaged from it show the hatch too, in the same place.
        half = next(v for v in levels if v.shape[0] == 451)
        assert (half[190, 190:210] == HATCH).all(axis=1).any()
        assert len(half.errors) >= 1
        assert not (half[:][half[:].min(axis=2) > 250]).size


def test_empty_tile_is_missing_not_invented(aperio: Path) -> None:
    """OpenSlide draws an absent Aperio tile from the coarser level; that is not what was seen."""
    made.set_tag(aperio, 325, 0, index=6)
    with open_slide(aperio) as slide:
        got = slide.read(0, 300, 300, 100, 100)
        assert got.missing is not None
        assert got.missing.all()
        assert slide.read(0, 0, 0, 256, 256).complete


def test_openslide_error_costs_one_tile(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_generic(tmp_path / "g.tif", image, compression="zlib")
    d = made.tiled(path)[0]
    made.overwrite(path, int(d.offsets[6]), b"\xff" * 64)
    with open_slide(path) as slide:
        assert slide.info.backend == "openslide"
        got = slide.read(0, 0, 0, 1201, 901)
        assert got.missing is not None
        assert got.missing[256:512, 256:512].all()
        ok = ~got.missing
        assert ok.mean() > 0.9
        np.testing.assert_array_equal(got.rgb[ok], image[ok])
        # The handle was renewed: the next window is read as if nothing had happened.
        np.testing.assert_array_equal(slide.read(0, 600, 0, 200, 200).rgb, image[:200, 600:800])


def _cut(p: Path, rng: np.random.Generator) -> None:
    data = p.read_bytes()
    p.write_bytes(data[: int(len(data) * rng.random())])


def _emptied(p: Path, rng: np.random.Generator) -> None:
    made.set_tag(p, 325, 0, index=int(rng.integers(20)))


def _moved(p: Path, rng: np.random.Generator) -> None:
    d = made.tiled(p)[0]
    i = int(rng.integers(20))
    made.set_tag(p, 324, int(d.offsets[i]) + int(rng.choice([-1, 1, 7, 4096])), index=i)


def _shortened(p: Path, rng: np.random.Generator) -> None:
    d = made.tiled(p)[0]
    i = int(rng.integers(20))
    made.set_tag(p, 325, int(d.counts[i]) // 2, index=i)


def _half(p: Path, rng: np.random.Generator) -> None:
    made.break_tile(p, int(rng.integers(20)))


def _zeroed(p: Path, rng: np.random.Generator) -> None:
    d = made.tiled(p)[0]
    made.overwrite(p, int(d.offsets[int(rng.integers(20))]), bytes(4096))


def _resized(p: Path, rng: np.random.Generator) -> None:
    made.set_tag(p, int(rng.choice([256, 257])), int(rng.choice([0, 1, 300, 2402, 65535])))


def _tile_resized(p: Path, rng: np.random.Generator) -> None:
    made.set_tag(p, int(rng.choice([322, 323])), int(rng.choice([0, 1, 128, 512, 65535])))


def _start_of_frame(p: Path, rng: np.random.Generator) -> None:
    d = made.tiled(p)[0]
    i = int(rng.integers(20))
    data = p.read_bytes()
    at = data.find(b"\xff\xc0", int(d.offsets[i])) + int(rng.integers(5, 9))
    made.overwrite(p, at, bytes([data[at] ^ int(rng.choice([1, 128]))]))


DAMAGE: list[Callable[[Path, np.random.Generator], None]] = [
    _cut, _emptied, _moved, _shortened, _half, _zeroed, _resized, _tile_resized, _start_of_frame,
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda f: f.__name__.strip("_"))
def test_structural_damage_is_never_silent(
    tmp_path: Path, aperio_made: Path, damage: Callable[[Path, np.random.Generator], None]
) -> None:
    """Whatever is not marked missing is what the sound slide holds."""
    with open_slide(aperio_made) as sound:
        truth = [_whole(sound, k).rgb.copy() for k in range(2)]
    for seed in range(6):
        path = tmp_path / f"{seed}.svs"
        path.write_bytes(aperio_made.read_bytes())
        damage(path, np.random.default_rng(seed))
        try:
            slide = open_slide(path)
        except Her2Error:
            continue
        with slide:
            assert slide.size == sound.size
            flagged = bool(slide.info.warnings)
            for k in range(slide.stored_levels):  # type: ignore[attr-defined]
                got = _whole(slide, k)
                missing = np.zeros(got.rgb.shape[:2], bool) if got.missing is None else got.missing
                flagged |= bool(missing.any())
                # Levels that OpenSlide reads lie between pixels; then equal means about equal.
                off = np.abs(got.rgb[~missing].astype(int) - truth[k][~missing])
                assert off.size == 0 or np.median(off) <= 12
                if slide.info.backend == "openslide+direct" and k == 0:
                    assert off.size == 0 or off.max() == 0
            assert flagged, f"seed {seed} changed nothing anyone would notice"


def _whole(slide: Slide, level: int):  # type: ignore[no-untyped-def]
    size = slide.levels[level].size
    return slide.read(level, 0, 0, size.width, size.height)


def test_image_that_does_not_decode_is_hatched(tmp_path: Path, image: np.ndarray) -> None:
    import simplejpeg

    data = bytearray(simplejpeg.encode_jpeg(np.ascontiguousarray(image)))
    half = len(data) // 2
    path = tmp_path / "core.jpg"
    path.write_bytes(data[:half])
    with open_slide(path) as slide:
        got = slide.read(0, 0, 0, 50, 50)
        assert got.faulty
        shown = display_levels(slide)[0][:64, :64].reshape(-1, 3)
        assert {tuple(c) for c in np.unique(shown, axis=0).tolist()} == {HATCH, (128, 128, 128)}


def test_transparent_parts_are_not_scanned_and_shown_flat(
    tmp_path: Path, image: np.ndarray
) -> None:
    import imagecodecs

    rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    rgba[:300, :300, 3] = 0
    path = tmp_path / "core.png"
    path.write_bytes(imagecodecs.png_encode(rgba))
    with open_slide(path) as slide:
        got = slide.read(0, 200, 200, 200, 200)
        assert got.missing is not None
        assert got.missing[:100, :100].all()
        assert got.missing.sum() == 100 * 100
        assert got.reason == NOT_SCANNED
        assert not got.faulty
        level = display_levels(slide)[0]
        assert (level[0:300, 0:300] == 214).all()
        assert level.errors == ()


def test_failed_tiles_are_tried_again_later(aperio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from napari_her2.slides import sources

    monkeypatch.setattr(sources, "_RETRY_SECONDS", 0.0)
    sound = aperio.read_bytes()
    made.break_tile(aperio, 0)
    with open_slide(aperio) as slide:
        level = display_levels(slide)[0]
        assert (level[0:256, 0:256] == HATCH).all(axis=2).any()
        with aperio.open("r+b") as f:
            f.write(sound)
        assert not (level[0:256, 0:256] == HATCH).all(axis=2).any()
