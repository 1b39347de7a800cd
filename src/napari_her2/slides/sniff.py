"""Decide cheaply what a path may be, and which backend reads it. Never raises."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from napari_her2.slides.rawfile import RawFile

__all__ = ["Kind", "dicom_file_in", "kind_of", "looks_like_slide"]

Kind = Literal["tiff", "dicom", "dicom-folder", "zarr", "image", "openslide"]

_TIFF = {
    ".svs", ".ndpi", ".scn", ".bif", ".svslide", ".tif", ".tiff", ".btf", ".tf8",
}  # fmt: skip
_OPENSLIDE = {".mrxs", ".vms", ".vmu", ".czi", ".avs"}
_MAGIC_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ZARR_FILES = ("zarr.json", ".zattrs", ".zgroup")
_MAX_LISTED = 2000


def kind_of(path: Path) -> Kind | None:
    """What a path may be, from its name and first bytes; None for anything else."""
    try:
        if path.is_dir():
            if any((path / name).is_file() for name in _ZARR_FILES):
                return "zarr"
            return "dicom-folder" if dicom_file_in(path) is not None else None
        if not path.is_file():
            return None
        with RawFile(path) as raw:
            head = raw.read(0, 132)
    except (OSError, ValueError):
        return None
    suffix = path.suffix.lower()
    if head.startswith(_MAGIC_TIFF):
        return "tiff"
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith(b"\xff\xd8\xff"):
        # The index file of some scanners and the image of a MIRAX slide are JPEG inside.
        return "openslide" if suffix in _OPENSLIDE else "image"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image"
    return "openslide" if suffix in _OPENSLIDE else None


def dicom_file_in(folder: Path) -> Path | None:
    """The largest DICOM file directly in a folder: the finest level, so the slide itself."""
    best: tuple[int, Path] | None = None
    with os.scandir(folder) as entries:
        for i, entry in enumerate(entries):
            if i > _MAX_LISTED:
                break
            if not entry.name.lower().endswith((".dcm", ".dicom")) or not entry.is_file():
                continue
            found = (entry.stat().st_size, Path(entry.path))
            if best is None or found > best:
                best = found
    if best is None:
        return None
    with RawFile(best[1]) as raw:
        return best[1] if raw.read(128, 4) == b"DICM" else None


def looks_like_slide(path: str | os.PathLike[str]) -> bool:
    """Whether a path is worth opening as a slide; cheap, never raises.

    Parameters
    ----------
    path : str or path
        A file or folder.

    Returns
    -------
    bool
        True for a slide, a DICOM folder, an OME-Zarr image or a plain RGB image; False for
        anything else, such as a 16-bit microscopy stack, so that another reader can have it.
    """
    try:
        p = Path(path)
        kind = kind_of(p)
        if kind is None:
            return False
        if kind == "tiff":
            return _is_colour_tiff(p)
        if kind == "zarr":
            from napari_her2.slides.zarr_metadata import read_multiscales

            return read_multiscales(p) is not None
    except Exception:  # noqa: BLE001 - a reader that raises here stops all other readers
        return False
    return True


def _is_colour_tiff(path: Path) -> bool:
    """Whether the first directory is 8-bit colour; damaged slides count, to be named as such."""
    if path.suffix.lower() not in {".tif", ".tiff", ".btf", ".tf8"}:
        return path.suffix.lower() in _TIFF
    from napari_her2.errors import Her2Error
    from napari_her2.slides.header import read_structure

    try:
        structure = read_structure(path)
    except Her2Error:
        return False
    largest = max(structure.directories, key=lambda d: d.width * d.height)
    extent = (largest.width, largest.height)
    planes = sum((d.width, d.height) == extent for d in structure.directories)
    three_pages = structure.is_ome and largest.samples == 1 and planes == 3
    return set(largest.bits) == {8} and (largest.samples >= 3 or three_pages)
