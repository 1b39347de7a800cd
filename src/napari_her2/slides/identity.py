"""Tell whether a slide is still the file it was: cheap digests and file stamps."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

from napari_her2.slides.rawfile import RawFile

__all__ = ["Fingerprint", "content_key", "fingerprint", "slide_name"]

Fingerprint = tuple[tuple[str, int, int, int], ...]
"""(name, size, time in ns, inode) of each file that makes up the slide."""

_ENDS = 64 * 1024
_DOUBLE = (".ome.tif", ".ome.tiff", ".ome.zarr", ".ome.btf")
_METADATA = {"zarr.json", ".zattrs", ".zgroup", ".zarray", ".zmetadata", "slidedat.ini"}
_MAX_FILES = 10_000


def slide_name(path: Path) -> str:
    """Give the slide's id: the file name without its endings, or the folder's name."""
    name = path.name
    for ending in _DOUBLE:
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)]
    if path.is_dir() and path.suffix.lower() != ".zarr":
        return name
    return path.stem or name


def _parts(path: Path) -> Iterator[Path]:
    """The files that make up a slide: itself, its folder, or its companion folder."""
    if not path.is_dir():
        yield path
        folder = path.with_suffix("")
        if path.suffix.lower() in {".mrxs", ".vms", ".vmu"} and folder.is_dir():
            yield from sorted(p for p in folder.iterdir() if p.is_file())[:_MAX_FILES]
    elif path.suffix.lower() == ".zarr" or (path / "zarr.json").exists():
        # Chunks can be millions; the metadata of group and levels stand for them.
        for folder in [path, *sorted(p for p in path.iterdir() if p.is_dir())]:
            yield from sorted(p for p in folder.iterdir() if p.name in _METADATA)
    else:
        yield from sorted(p for p in path.iterdir() if p.is_file())[:_MAX_FILES]


def fingerprint(path: Path) -> Fingerprint:
    """Size, modification time and inode of the slide's files; empty where they are gone."""
    try:
        stats = [(p.name, p.stat()) for p in _parts(path)]
    except OSError:
        return ()
    return tuple((name, s.st_size, s.st_mtime_ns, s.st_ino) for name, s in stats)


def content_key(path: Path) -> str:
    """Digest of size, ends and TIFF directories: tells if a slide was replaced or edited.

    Not of all pixels: that would read the whole file.

    Returns
    -------
    str
        SHA-256, hexadecimal.

    Raises
    ------
    OSError
        If the slide can't be read.
    """
    digest = hashlib.sha256()
    for part in _parts(path):
        with RawFile(part) as raw:
            digest.update(f"{part.name if part != path else ''}:{raw.size}\0".encode())
            digest.update(raw.read(0, _ENDS))
            digest.update(raw.read(max(raw.size - _ENDS, 0), _ENDS))
            for block in _directories(raw):
                digest.update(block)
    return digest.hexdigest()


def _directories(raw: RawFile) -> Iterator[bytes]:
    """The directory blocks of a TIFF file; nothing for other files or broken chains."""
    head = raw.read(0, 16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16 or head[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return
    big = 43 in head[2:4]
    word, step, first = ("Q", 20, 8) if big else ("I", 12, 4)
    size = struct.calcsize("=" + word)
    at = struct.unpack_from(order + word, head, first)[0]
    seen: set[int] = set()
    while at and at not in seen and len(seen) < _MAX_FILES:
        seen.add(at)
        counter = raw.read(at, 8 if big else 2)
        if len(counter) < (8 if big else 2):
            return
        n = struct.unpack(order + ("Q" if big else "H"), counter)[0]
        if n > 4096:
            return
        block = raw.read(at + len(counter), n * step + size)
        yield block
        if len(block) < n * step + size:
            return
        at = struct.unpack_from(order + word, block, n * step)[0]
