"""Small slides made for tests: TIFF pyramids, OME-TIFF, OME-Zarr, and damage to them."""

from __future__ import annotations

import struct
from pathlib import Path

import cv2
import numpy as np
import tifffile
import zarr

from napari_her2.slides.header import TiffDirectory, read_structure


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """A smooth colour picture without flat areas, uint8 RGB, darker than glass."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 220, (height // 24 + 2, width // 24 + 2, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def shrink(image: np.ndarray, width: int, height: int) -> np.ndarray:
    """Area mean to an exact size."""
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def write_aperio(
    path: Path,
    image: np.ndarray,
    *,
    factors: tuple[int, ...] = (1, 4),
    mpp: float | None = 0.25,
    power: int = 40,
    tile: int = 256,
    photometric: str = "ycbcr",
    quality: int = 90,
) -> Path:
    """Write a pyramid as Aperio scanners do: levels of ``n // factor`` px, thumbnail second."""
    h, w = image.shape[:2]
    options: dict[str, object] = {
        "photometric": photometric,
        "compression": "jpeg",
        "compressionargs": {"level": quality},
        "tile": (tile, tile),
        "metadata": None,
        "subfiletype": 0,
    }
    if photometric == "ycbcr":
        options["subsampling"] = (2, 2)
    scale = f"|AppMag = {power}" + ("" if mpp is None else f"|MPP = {mpp}")
    with tifffile.TiffWriter(path) as tif:
        for f in factors:
            level = image if f == 1 else shrink(image, w // f, h // f)
            size = f"{level.shape[1]}x{level.shape[0]}"
            text = f"Aperio Image Library v11.2.1\r\n{w}x{h} [0,0 {size}] ({tile}x{tile}) JPEG/RGB"
            tif.write(level, description=text + scale, **options)
            if f == 1:
                thumb = shrink(image, max(w // 16, 16), max(h // 16, 16))
                text = f"Aperio Image Library v11.2.1\r\n{w}x{h} -> {thumb.shape[1]}x16 -{scale}"
                tif.write(
                    thumb, photometric="rgb", description=text, rowsperstrip=16, metadata=None
                )
    return path


def write_generic(
    path: Path,
    image: np.ndarray,
    *,
    factors: tuple[int, ...] = (1, 4),
    mpp: tuple[float, float] | None = (0.5, 0.5),
    compression: str = "jpeg",
    tile: int | None = 256,
) -> Path:
    """Write a tiled TIFF that states its pixel size in the resolution tags, x and y apart."""
    h, w = image.shape[:2]
    options: dict[str, object] = {"photometric": "rgb", "compression": compression}
    if tile is None:
        options["rowsperstrip"] = 32
    else:
        options["tile"] = (tile, tile)
    with tifffile.TiffWriter(path) as tif:
        for f in factors:
            level = image if f == 1 else shrink(image, w // f, h // f)
            if mpp is not None:
                options["resolution"] = (1e4 / mpp[0] / f, 1e4 / mpp[1] / f)
                options["resolutionunit"] = "CENTIMETER"
            tif.write(level, metadata=None, subfiletype=0 if f == 1 else 1, **options)
    return path


def write_ome_tiff(
    path: Path,
    image: np.ndarray,
    *,
    mpp: tuple[float, float] | None = (0.3, 0.3),
    levels: int = 1,
    planar: bool = False,
    compression: str | None = "jpeg",
) -> Path:
    """Write an OME-TIFF; further levels as sub-directories; planar = three pages of one colour."""
    metadata: dict[str, object] = {"axes": "CYX" if planar else "YXS"}
    if mpp is not None:
        metadata |= {
            "PhysicalSizeX": mpp[0], "PhysicalSizeXUnit": "µm",
            "PhysicalSizeY": mpp[1], "PhysicalSizeYUnit": "µm",
        }  # fmt: skip
    with tifffile.TiffWriter(path, ome=True) as tif:
        for k in range(levels):
            level = image[:: 2**k, :: 2**k]
            tif.write(
                np.ascontiguousarray(level.transpose(2, 0, 1)) if planar else level,
                photometric="minisblack" if planar else "rgb",
                tile=(256, 256),
                compression=None if planar else compression,
                metadata=metadata if k == 0 else None,
                subifds=levels - 1 if k == 0 else 0,
                subfiletype=0 if k == 0 else 1,
            )
    return path


def write_ome_zarr(
    folder: Path,
    image: np.ndarray,
    *,
    axes: str = "tczyx",
    version: str = "0.5",
    mpp: tuple[float, float] | None = (0.25, 0.26),
    levels: int = 2,
) -> Path:
    """Write an OME-Zarr image with the axes asked for."""
    group = zarr.open_group(folder, mode="w", zarr_format=3 if version == "0.5" else 2)
    datasets = []
    for k in range(levels):
        level = image[:: 2**k, :: 2**k]
        plain = [a for a in axes if a in "yxc"]
        data = level.transpose(["yxc".index(a) for a in plain])
        data = data.reshape([1 if a in "tz" else data.shape[plain.index(a)] for a in axes])
        chunks = tuple(
            {"y": 128, "x": 128, "c": data.shape[axes.index("c")]}.get(a, 1) for a in axes
        )
        group.create_array(str(k), data=np.ascontiguousarray(data), chunks=chunks)
        size = (1.0, 1.0) if mpp is None else mpp
        scale = [{"x": size[0] * 2**k, "y": size[1] * 2**k}.get(a, 1.0) for a in axes]
        datasets.append(
            {"path": str(k), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    kinds = {"t": "time", "c": "channel"}
    described = [
        {"name": a, "type": kinds.get(a, "space")}
        | ({"unit": "micrometer"} if a in "zyx" and mpp is not None else {})
        for a in axes
    ]
    image_meta = {"axes": described, "datasets": datasets, "version": version}
    if version == "0.5":
        group.attrs["ome"] = {"version": "0.5", "multiscales": [image_meta]}
    else:
        group.attrs["multiscales"] = [image_meta]
    return folder


# damage ---------------------------------------------------------------------------------


def tiled(path: Path) -> list[TiffDirectory]:
    """The tiled directories of a sound file."""
    return [d for d in read_structure(path).directories if d.tiled]


def overwrite(path: Path, offset: int, data: bytes) -> None:
    """Put bytes into a file."""
    with path.open("r+b") as f:
        f.seek(offset)
        f.write(data)


def break_tile(path: Path, index: int, level: int = 0) -> None:
    """Overwrite the coded part of one tile with zeros; its header stays."""
    d = tiled(path)[level]
    offset, count = int(d.offsets[index]), int(d.counts[index])
    overwrite(path, offset + count // 3, bytes(count - count // 3))


def entry_of(path: Path, tag: int, level: int = 0) -> int:
    """Place of a tag's entry (12 bytes) in a classic little-endian TIFF."""
    data = path.read_bytes()
    at = tiled(path)[level].offset
    for i in range(struct.unpack_from("<H", data, at)[0]):
        if struct.unpack_from("<H", data, at + 2 + 12 * i)[0] == tag:
            return at + 2 + 12 * i
    raise KeyError(tag)


def set_tag(path: Path, tag: int, value: int, level: int = 0, index: int = 0) -> None:
    """Change one number of a tag in place."""
    put(path, entry_of(path, tag, level), value, index)


def put(path: Path, at: int, value: int, index: int = 0) -> None:
    """Change one number of the entry at a place."""
    data = path.read_bytes()
    kind, count = struct.unpack_from("<HI", data, at + 2)
    size = {1: 1, 3: 2, 4: 4, 16: 8}[kind]
    place = at + 8 if size * count <= 4 else struct.unpack_from("<I", data, at + 8)[0]
    code = {1: "<B", 3: "<H", 4: "<I", 16: "<Q"}[kind]
    overwrite(path, place + size * index, struct.pack(code, value % 256**size))


def loop_directories(path: Path) -> None:
    """Let the last directory point back to the first."""
    data = path.read_bytes()
    first = struct.unpack_from("<I", data, 4)[0]
    at = first
    while True:
        link = at + 2 + 12 * struct.unpack_from("<H", data, at)[0]
        following = struct.unpack_from("<I", data, link)[0]
        if following == 0:
            break
        at = following
    overwrite(path, link, struct.pack("<I", first))
