"""Read the structure of a TIFF file before any decoder sees it.

Decoders trust what a header says: one of them allocates what it claims and aborts the process,
another follows a directory chain that loops for ever. So the directories are read here first, by
arithmetic only, and a file whose numbers can't be true is refused.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import NotASlideError, SlideTooLargeError
from napari_her2.slides.rawfile import RawFile

__all__ = ["TiffDirectory", "TiffStructure", "read_structure"]

MAX_SIDE = 10**6
MAX_TILE_AREA = 2**26
MAX_STRIP_BYTES = 2**31
MAX_DIRECTORIES = 10_000

_SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
_INTEGERS = {1: "u1", 3: "u2", 4: "u4", 13: "u4", 16: "u8", 18: "u8"}

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION = 256, 257, 258, 259, 262, 270
_STRIP_OFFSETS, _SAMPLES, _ROWS, _STRIP_COUNTS, _PLANAR = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_OFFSETS, _TILE_COUNTS = 322, 323, 324, 325
_SUB_DIRECTORIES, _JPEG_TABLES, _NDPI_FLAG = 330, 347, 65420

_U64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class TiffDirectory:
    """One image of a TIFF file as its directory describes it.

    Attributes
    ----------
    tile_width, tile_height : int
        Extent of one segment; for strips the image width and the rows of a strip.
    offsets, counts : ndarray of uint64
        Place and length of each segment in the file; a length of 0 means an empty segment.
    """

    offset: int
    width: int
    height: int
    tiled: bool
    tile_width: int
    tile_height: int
    samples: int
    bits: tuple[int, ...]
    compression: int
    photometric: int
    planar: int
    offsets: _U64 = field(repr=False)
    counts: _U64 = field(repr=False)
    jpeg_tables: bytes = field(default=b"", repr=False)
    description: str = field(default="", repr=False)

    @property
    def columns(self) -> int:
        """Segments side by side."""
        return -(-self.width // self.tile_width)


@dataclass(frozen=True, slots=True)
class TiffStructure:
    """All directories of a TIFF file, sub-directories included."""

    path: Path
    size: int
    directories: tuple[TiffDirectory, ...]
    is_ndpi: bool

    @property
    def is_ome(self) -> bool:
        """Whether the first directory carries OME-XML."""
        return bool(self.directories) and "<OME" in self.directories[0].description[:4096]


class _DamageError(Exception):
    """Why the header can't be believed; becomes a sentence."""


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    at: int
    high: int = 0


class _Parser:
    """Walks the directories; keeps to what lies inside the file."""

    def __init__(self, raw: RawFile, *, ndpi_name: bool) -> None:
        self.raw, self.size = raw, raw.size
        head = raw.read(0, 16)
        self.order = {b"II": "<", b"MM": ">"}.get(head[:2], "")
        if not self.order or len(head) < 16:
            reason = "it is not a TIFF file"
            raise _DamageError(reason)
        version = struct.unpack(self.order + "H", head[2:4])[0]
        if version not in (42, 43):
            reason = "it is not a TIFF file"
            raise _DamageError(reason)
        self.big = version == 43
        self.ndpi = False
        # Only NDPI files of more than 4 GiB keep the upper halves of offsets behind the entries.
        self.wide_ndpi = ndpi_name and not self.big and self.size >= 2**32
        self.word = "Q" if self.big else "I"
        self.first_link = 8 if self.big else 4

    def number(self, code: str, at: int) -> int:
        n = struct.calcsize("=" + code)
        data = self.raw.read(at, n)
        if len(data) < n:
            reason = "its directory is cut off"
            raise _DamageError(reason)
        return int(struct.unpack(self.order + code, data)[0])

    def walk(self) -> list[tuple[int, dict[int, _Entry]]]:
        """All directories as (offset, entries), in file order, sub-directories after theirs."""
        found: list[tuple[int, dict[int, _Entry]]] = []
        seen: set[int] = set()
        link = self.number("Q" if self.wide_ndpi else self.word, self.first_link)
        while link:
            entries, following = self._directory(link, seen)
            found.append((link, entries))
            # What follows a sub-directory is ignored, as readers do: it is listed itself.
            children = self.integers(entries, _SUB_DIRECTORIES).tolist()
            found.extend((child, self._directory(child, seen)[0]) for child in children)
            link = following
        if not found:
            reason = "it holds no image"
            raise _DamageError(reason)
        return found

    def _directory(self, at: int, seen: set[int]) -> tuple[dict[int, _Entry], int]:
        if at in seen:
            reason = "its directory chain loops"
            raise _DamageError(reason)
        seen.add(at)
        if len(seen) > MAX_DIRECTORIES:
            reason = f"it has more than {MAX_DIRECTORIES} directories"
            raise _DamageError(reason)
        n = self.number("Q" if self.big else "H", at)
        step, start = (20, at + 8) if self.big else (12, at + 2)
        link_at = start + n * step
        if not 0 < n <= 4096 or link_at + (8 if self.big else 4) > self.size:
            reason = "a directory lies past the end of the file"
            raise _DamageError(reason)
        block = self.raw.read(start, n * step)
        high = self.raw.read(link_at + 8, 4 * n) if self.wide_ndpi else b""
        entries: dict[int, _Entry] = {}
        for i in range(n):
            tag, kind, count = struct.unpack_from(f"{self.order}HH{self.word}", block, i * step)
            inline = 12 if self.big else 8
            length = _SIZES.get(kind, 0) * count
            place = start + i * step + inline
            upper = struct.unpack_from("<I", high, 4 * i)[0] if len(high) == 4 * n else 0
            if length > (8 if self.big else 4):
                place = struct.unpack_from(self.order + self.word, block, i * step + inline)[0]
                place, upper = place | upper << 32, 0
            if place + length > self.size:
                reason = f"the values of tag {tag} lie past the end of the file"
                raise _DamageError(reason)
            entries.setdefault(tag, _Entry(kind, count, place, upper))
        self.ndpi = self.ndpi or _NDPI_FLAG in entries
        return entries, self.number("Q" if self.wide_ndpi else self.word, link_at)

    def integers(self, entries: dict[int, _Entry], tag: int) -> _U64:
        entry = entries.get(tag)
        if entry is None:
            return np.zeros(0, np.uint64)
        code = _INTEGERS.get(entry.kind)
        if code is None:
            reason = f"tag {tag} is no whole number"
            raise _DamageError(reason)
        data = self.raw.read(entry.at, entry.count * _SIZES[entry.kind])
        values = np.frombuffer(data, self.order + code, entry.count).astype(np.uint64)
        return values | np.uint64(entry.high << 32) if entry.high else values

    def one(self, entries: dict[int, _Entry], tag: int, default: int | None = None) -> int:
        values = self.integers(entries, tag)
        if len(values):
            return int(values[0])
        if default is None:
            reason = f"tag {tag} is missing"
            raise _DamageError(reason)
        return default

    def data(self, entries: dict[int, _Entry], tag: int, limit: int = 2**24) -> bytes:
        entry = entries.get(tag)
        if entry is None:
            return b""
        return self.raw.read(entry.at, min(entry.count * _SIZES.get(entry.kind, 0), limit))

    def describe(self, offset: int, e: dict[int, _Entry]) -> TiffDirectory:
        """Read the tags that matter of one directory."""
        width, height = self.one(e, _WIDTH), self.one(e, _HEIGHT)
        tiled = _TILE_OFFSETS in e
        offsets = self.integers(e, _TILE_OFFSETS if tiled else _STRIP_OFFSETS)
        counts = self.integers(e, _TILE_COUNTS if tiled else _STRIP_COUNTS)
        rows = min(self.one(e, _ROWS, height), height)
        return TiffDirectory(
            offset=offset,
            width=width,
            height=height,
            tiled=tiled,
            tile_width=self.one(e, _TILE_WIDTH) if tiled else width,
            tile_height=self.one(e, _TILE_HEIGHT) if tiled else rows,
            samples=self.one(e, _SAMPLES, 1),
            bits=tuple(self.integers(e, _BITS)[:8].tolist()) or (1,),
            compression=self.one(e, _COMPRESSION, 1),
            photometric=self.one(e, _PHOTOMETRIC, 1),
            planar=self.one(e, _PLANAR, 1),
            offsets=offsets,
            counts=counts,
            jpeg_tables=self.data(e, _JPEG_TABLES, 2**16),
            description=self.data(e, _DESCRIPTION).rstrip(b"\0").decode("utf-8", "replace"),
        )


def read_structure(path: Path) -> TiffStructure:
    """Read and check the directories of a TIFF file; milliseconds, nothing is decoded.

    Parameters
    ----------
    path : Path
        A classic or Big TIFF file (SVS, NDPI, SCN, BIF and OME-TIFF included).

    Returns
    -------
    TiffStructure
        The directories, with the place of every segment.

    Raises
    ------
    NotASlideError
        If the header contradicts itself or the size of the file.
    SlideTooLargeError
        If one segment alone would need more memory than is reasonable.
    """
    name = path.name
    try:
        with RawFile(path) as raw:
            parser = _Parser(raw, ndpi_name=path.suffix.lower() == ".ndpi")
            found = parser.walk()
            directories = tuple(parser.describe(at, entries) for at, entries in found)
            for directory in directories:
                _check(directory, raw.size, name, ndpi=parser.ndpi)
            if not parser.ndpi:
                _check_overlap(directories)
            return TiffStructure(path, raw.size, directories, parser.ndpi)
    except _DamageError as e:
        raise NotASlideError("damaged_slide", name=name, reason=str(e)) from None
    except OSError as e:
        raise NotASlideError("not_slide", name=name, reason=e.strerror or str(e)) from None


def _check(d: TiffDirectory, size: int, name: str, *, ndpi: bool) -> None:
    if not (0 < d.width < MAX_SIDE and 0 < d.height < MAX_SIDE):
        reason = f"it claims to be {d.width} x {d.height} px"
        raise _DamageError(reason)
    if d.tile_width <= 0 or d.tile_height <= 0:
        reason = f"it claims tiles of {d.tile_width} x {d.tile_height} px"
        raise _DamageError(reason)
    if d.tiled and d.tile_width * d.tile_height > MAX_TILE_AREA:
        reason = f"it claims tiles of {d.tile_width} x {d.tile_height} px"
        raise _DamageError(reason)
    if d.samples not in (1, 3, 4) or d.planar not in (1, 2):
        reason = f"it has {d.samples} samples per pixel"
        raise NotASlideError("not_slide", name=name, reason=reason)
    if d.compression == 7 and (d.photometric in (0, 1)) != (d.samples == 1) and d.planar == 1:
        reason = f"{d.samples} samples per pixel contradict its colour tag {d.photometric}"
        raise _DamageError(reason)
    deepest = max(d.bits)
    if not 0 < deepest <= 64:
        reason = f"it claims {deepest} bits per sample"
        raise _DamageError(reason)
    if len(d.bits) not in (1, d.samples):
        reason = f"{len(d.bits)} bit depths for {d.samples} samples"
        raise _DamageError(reason)
    bytes_each = -(-deepest // 8) * (1 if d.planar == 2 else d.samples)
    if not d.tiled and not ndpi and d.width * d.tile_height * bytes_each > MAX_STRIP_BYTES:
        reason = f"one strip of {d.width} x {d.tile_height} px"
        raise SlideTooLargeError("too_large", name=name, reason=reason)
    need = d.columns * -(-d.height // d.tile_height) * (d.samples if d.planar == 2 else 1)
    if len(d.offsets) != need or len(d.counts) not in ({need} if need > 1 else {0, 1}):
        reason = f"it lists {len(d.offsets)} of {need} tiles or strips"
        raise _DamageError(reason)
    if not len(d.counts):
        return
    held = d.counts > 0
    outside = held & ((d.offsets < 8) | (d.offsets > size) | (d.counts > size))
    with np.errstate(over="ignore"):
        outside |= held & (d.offsets + d.counts > size)
    if outside.any():
        reason = f"{int(outside.sum())} of {need} tiles or strips lie past the end of the file"
        raise _DamageError(reason)
    if d.compression == 1 and deepest % 8 == 0:
        full = d.tile_width * d.tile_height * bytes_each
        short = held & (d.counts < full)
        if not d.tiled:
            short = short[:-1]
        if short.any():
            reason = f"{int(short.sum())} uncompressed tiles or strips are too short"
            raise _DamageError(reason)


def _check_overlap(directories: tuple[TiffDirectory, ...]) -> None:
    """Refuse segments that share bytes; exactly equal ones are shared on purpose."""
    full = [d for d in directories if len(d.counts)]
    if not full:
        return
    offsets = np.concatenate([d.offsets for d in full])
    ends = offsets + np.concatenate([d.counts for d in full])
    spans = np.stack([offsets, ends], axis=1)[ends > offsets]
    if len(spans) < 2:
        return
    spans = spans[np.lexsort((spans[:, 1], spans[:, 0]))]
    distinct = np.ones(len(spans), bool)
    distinct[1:] = (spans[1:] != spans[:-1]).any(axis=1)
    spans = spans[distinct]
    over = spans[:-1, 1] > spans[1:, 0]
    if over.any():
        reason = f"{int(over.sum())} tiles or strips overlap in the file"
        raise _DamageError(reason)
