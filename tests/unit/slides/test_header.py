"""The header check refuses what can't be true, before any decoder sees it."""

from __future__ import annotations

import struct
import time
from pathlib import Path

import made_slides as made
import numpy as np
import pytest

from napari_her2.errors import Her2Error, NotASlideError, SlideTooLargeError
from napari_her2.slides import open_slide
from napari_her2.slides.header import read_structure

WIDTH, HEIGHT, SAMPLES, TILE_WIDTH, TILE_OFFSETS, TILE_COUNTS = 256, 257, 277, 322, 324, 325


def test_sound_files_pass(aperio_made: Path) -> None:
    structure = read_structure(aperio_made)
    assert [(d.width, d.height, d.tiled) for d in structure.directories] == [
        (1201, 901, True),
        (75, 56, False),
        (300, 225, True),
    ]
    assert len(structure.directories[0].offsets) == 5 * 4


def test_directory_loop_is_refused_at_once(aperio: Path) -> None:
    made.loop_directories(aperio)
    start = time.perf_counter()
    with pytest.raises(NotASlideError, match="loops"):
        open_slide(aperio)
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize(
    ("tag", "value", "reason"),
    [
        (WIDTH, 0, "claims to be"),
        (WIDTH, 2**16 - 1, "tiles or strips"),
        (HEIGHT, 600, "tiles or strips"),
        (TILE_WIDTH, 0, "claims tiles"),
        (262, 1, "colour tag"),
        (TILE_WIDTH, 65535, "claims tiles|tiles or strips"),
        (TILE_OFFSETS, 2**31, "past the end"),
        (TILE_COUNTS, 2**31, "past the end|overlap"),
    ],
)
def test_impossible_numbers(aperio: Path, tag: int, value: int, reason: str) -> None:
    made.set_tag(aperio, tag, value)
    with pytest.raises(NotASlideError, match=reason) as caught:
        open_slide(aperio)
    assert caught.value.message_id == "damaged_slide"


def test_samples_bomb(aperio: Path) -> None:
    made.set_tag(aperio, SAMPLES, 65535)
    with pytest.raises(NotASlideError, match="samples"):
        open_slide(aperio)


def test_a_tile_inside_another_is_refused(aperio: Path) -> None:
    first = made.tiled(aperio)[0]
    made.set_tag(aperio, TILE_OFFSETS, int(first.offsets[3]) + 100, index=2)
    with pytest.raises(NotASlideError, match="overlap"):
        open_slide(aperio)


def test_shared_tiles_are_fine(aperio: Path) -> None:
    """Some writers store equal tiles once: equal place and length is no damage."""
    first = made.tiled(aperio)[0]
    entries = [made.entry_of(aperio, tag) for tag in (TILE_OFFSETS, TILE_COUNTS)]
    for entry, value in zip(entries, (first.offsets[3], first.counts[3]), strict=True):
        made.put(aperio, entry, int(value), index=2)
    with open_slide(aperio) as slide:
        got = slide.read(0, 512, 0, 512, 256).rgb
        np.testing.assert_array_equal(got[:, :256], got[:, 256:])


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_truncated_file(aperio: Path, part: float) -> None:
    data = aperio.read_bytes()
    aperio.write_bytes(data[: int(len(data) * part)])
    with pytest.raises(NotASlideError) as caught:
        open_slide(aperio)
    assert caught.value.exit_code == 3


def test_one_enormous_strip_is_refused_by_arithmetic(tmp_path: Path) -> None:
    path = made.write_generic(
        tmp_path / "s.tif", made.picture(32, 64), factors=(1,), compression="lzw", tile=None
    )
    data = bytearray(path.read_bytes())
    at = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, at)[0]):
        entry = at + 2 + 12 * i
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in (WIDTH, HEIGHT, 278):
            struct.pack_into("<HII", data, entry + 2, 4, 1, 900_000)
    path.write_bytes(data)
    with pytest.raises(SlideTooLargeError, match="strip"):
        open_slide(path)


def test_huge_png_is_refused_before_decoding(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    head = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\x0dIHDR" + (2**30).to_bytes(4, "big") * 2
    path.write_bytes(head + b"\x08\x02\0\0\0" + bytes(100))
    with pytest.raises(SlideTooLargeError):
        open_slide(path)


def test_level_of_another_shape_is_dropped_with_a_warning(aperio: Path) -> None:
    made.set_tag(aperio, WIDTH, 280, level=1)
    with open_slide(aperio) as slide:
        assert slide.stored_levels == 1  # type: ignore[attr-defined]
        assert any("do not fit" in w for w in slide.info.warnings)


def test_seeded_flips_in_the_directories_never_crash(tmp_path: Path, aperio_made: Path) -> None:
    """Single bytes of the directories at random: a sentence, or a slide that reads to the end."""
    data = aperio_made.read_bytes()
    rng = np.random.default_rng(7)
    structure = read_structure(aperio_made)
    path = tmp_path / "flipped.svs"
    for _ in range(150):
        damaged = bytearray(data)
        at = int(rng.choice([d.offset for d in structure.directories])) + int(rng.integers(0, 200))
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        try:
            structure_found = read_structure(path)
        except Her2Error:
            continue
        for d in structure_found.directories:
            held = d.counts > 0
            assert (d.offsets[held] + d.counts[held] <= len(damaged)).all()
            assert 0 < d.width < 10**6
            assert d.tile_width * d.tile_height <= 2**31
