"""Writes a pyramidal tiled JPEG TIFF strip by strip: memory does not grow with the slide's height.

The Aperio layout is the one OpenSlide and viewers know best: level 0, a stripped thumbnail, the
coarser levels, then label and macro.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

import cv2
import imagecodecs
import numpy as np
import tifffile

from napari_her2.types import RgbImage

__all__ = ["PixelSource", "SlideSpec", "write_pyramid"]

TILE = 256
_STRIP = 512


class PixelSource(Protocol):
    """Gives level-0 pixels of a slide."""

    def pixels(self, left: int, top: int, width: int, height: int) -> RgbImage:
        """A window in level-0 pixels."""
        ...


@dataclass(frozen=True, slots=True)
class SlideSpec:
    """What is written.

    Attributes
    ----------
    width, height : int
        Level 0, pixels.
    downsamples : tuple of int
        Of the levels, the first is 1. A level has size // downsample pixels.
    mpp, mpp_y : float or None
        Pixel size stated in the file; None states nothing. OpenSlide knows one MPP for Aperio
        files, so a slide with two pixel sizes is written as a plain tiled TIFF.
    power : float or None
        Objective power stated in the file.
    quality : int
        JPEG quality; below 60 colours are stored at half the resolution in both directions.
    label : bool
        Whether to add label and macro images.
    title : str
        Text on the label.
    """

    width: int
    height: int
    downsamples: tuple[int, ...]
    mpp: float | None
    mpp_y: float | None
    power: float | None
    quality: int
    label: bool = False
    title: str = ""

    @property
    def aperio(self) -> bool:
        """Whether the Aperio layout can hold it."""
        return self.mpp == self.mpp_y

    def level_size(self, downsample: int) -> tuple[int, int]:
        """Width and height of a level."""
        return max(1, self.width // downsample), max(1, self.height // downsample)


@dataclass
class _Level:
    """A coarser level while it grows: rows not yet encoded, encoded tiles in a spool file."""

    width: int
    height: int
    factor: int
    rows: list[RgbImage] = field(default_factory=list)
    waiting: int = 0
    below: list[RgbImage] = field(default_factory=list)
    below_rows: int = 0
    made: int = 0
    sizes: list[int] = field(default_factory=list)
    spool: IO[bytes] = field(default_factory=lambda: tempfile.TemporaryFile())  # noqa: SIM115

    def take(
        self, strip: RgbImage, last: bool, encode: Callable[[RgbImage], bytes]
    ) -> list[RgbImage]:
        """Reduce a strip of the finer level; give the rows this level gained."""
        self.below.append(strip)
        self.below_rows += strip.shape[0]
        usable = self.below_rows // self.factor * self.factor
        if usable == 0 and not last:
            return []
        stack = np.concatenate(self.below)
        self.below, self.below_rows = [stack[usable:]], self.below_rows - usable
        new = reduce_rows(stack[:usable], self.factor, self.width)[: self.height - self.made]
        self.made += new.shape[0]
        out = [new] if new.shape[0] else []
        self.rows += out
        self.waiting += new.shape[0]
        while self.waiting >= TILE or (last and self.waiting):
            block = np.concatenate(self.rows)
            self.rows, self.waiting = [block[TILE:]], max(0, self.waiting - TILE)
            for tile in _tiles(block[:TILE]):
                data = encode(tile)
                self.spool.write(data)
                self.sizes.append(len(data))
        return out

    def tiles(self) -> Iterator[bytes]:
        """The encoded tiles in order."""
        self.spool.seek(0)
        for size in self.sizes:
            yield self.spool.read(size)


def reduce_rows(rows: RgbImage, factor: int, width: int) -> RgbImage:
    """Area average of whole pixel blocks; columns that fill no block are left out."""
    if rows.shape[0] == 0:
        return np.zeros((0, width, 3), np.uint8)
    used = rows[:, : width * factor]
    if used.shape[1] < width * factor:  # a level never has fewer than one column
        used = np.pad(used, ((0, 0), (0, width * factor - used.shape[1]), (0, 0)), mode="edge")
    small = cv2.resize(used, (width, rows.shape[0] // factor), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def _tiles(rows: RgbImage) -> Iterator[RgbImage]:
    """Full tiles of a strip of at most 256 rows; edges are repeated to fill them."""
    h, w = rows.shape[:2]
    wide = -(-w // TILE) * TILE
    if (h, w) != (TILE, wide):
        rows = np.pad(rows, ((0, TILE - h), (0, wide - w), (0, 0)), mode="edge")
    for x in range(0, wide, TILE):
        yield np.ascontiguousarray(rows[:, x : x + TILE])


def _description(spec: SlideSpec, downsample: int, extra: str = "") -> str:
    w, h = spec.level_size(downsample)
    text = (
        "Aperio Image Library v11.2.1 \r\n"
        f"{spec.width}x{spec.height} [0,0 {w}x{h}] ({TILE}x{TILE}) JPEG/RGB Q={spec.quality}"
    )
    if spec.power is not None:
        text += f"|AppMag = {spec.power:g}"
    if spec.mpp is not None:
        text += f"|MPP = {spec.mpp:.6g}"
    return f"{text}|Title = synthetic tissue{extra}"


def _sticker(spec: SlideSpec, width: int, height: int) -> RgbImage:
    """A label: never text about a patient."""
    image = np.full((height, width, 3), 250, np.uint8)
    cv2.rectangle(image, (3, 3), (width - 4, height - 4), (30, 60, 120), 2)
    for i, line in enumerate(("SYNTHETIC", *spec.title.split("\n"))):
        cv2.putText(image, line, (14, 46 + 34 * i), cv2.FONT_HERSHEY_SIMPLEX, 0.75, (20, 20, 20), 2)
    return image


def write_pyramid(source: PixelSource, spec: SlideSpec, out: Path) -> None:
    """Write a slide; an unfinished file never stands under the final name.

    Parameters
    ----------
    source : PixelSource
        Gives level 0. It is read once, from top to bottom, in strips of 512 rows.
    spec : SlideSpec
        Extent and what the file states.
    out : Path
        Where to write.
    """

    def encode(tile: RgbImage) -> bytes:
        return bytes(
            imagecodecs.jpeg8_encode(
                tile,
                level=spec.quality,
                colorspace="RGB",
                outcolorspace="YCBCR",
                subsampling="422" if spec.quality >= 60 else "420",
            )
        )

    levels = []
    for finer, coarser in zip(spec.downsamples, spec.downsamples[1:], strict=False):
        levels.append(_Level(*spec.level_size(coarser), coarser // finer))

    smallest: list[RgbImage] = []

    def level_zero() -> Iterator[bytes]:
        for top in range(0, spec.height, _STRIP):
            rows = min(_STRIP, spec.height - top)
            strip = source.pixels(0, top, spec.width, rows)
            # Coarser levels first: nobody asks for anything after the last tile of level 0.
            strips, last = [strip], top + rows >= spec.height
            for level in levels:
                gained: list[RgbImage] = []
                for i, part in enumerate(strips):
                    gained += level.take(part, last and i == len(strips) - 1, encode)
                if not gained and last:
                    gained = [np.zeros((0, level.width, 3), np.uint8)]
                strips = gained
            if levels:
                smallest.extend(strips)
            else:
                smallest.append(reduce_rows(strip[: rows // 16 * 16], 16, spec.width // 16))
            for y in range(0, rows, TILE):
                for tile in _tiles(strip[y : y + TILE]):
                    yield encode(tile)

    options: dict[str, Any] = {
        "dtype": "uint8", "photometric": "ycbcr", "compression": "jpeg",
        "subsampling": (2, 1) if spec.quality >= 60 else (2, 2),
        "tile": (TILE, TILE), "metadata": None, "software": False,
    }  # fmt: skip
    if spec.mpp is not None and spec.mpp_y is not None:
        options["resolution"] = (1e4 / spec.mpp, 1e4 / spec.mpp_y)
        options["resolutionunit"] = "CENTIMETER"
    else:
        options["resolutionunit"] = "NONE"
    partial = out.with_name(f".{out.name}.part")
    big = spec.width * spec.height > 1_000_000_000
    try:
        with tifffile.TiffWriter(partial, bigtiff=big) as writer:
            writer.write(
                level_zero(),
                shape=(spec.height, spec.width, 3),
                description=_description(spec, 1) if spec.aperio else None,
                **options,
            )
            if spec.aperio:
                _write_thumbnail(writer, spec, np.concatenate(smallest))
            for downsample, level in zip(spec.downsamples[1:], levels, strict=True):
                writer.write(
                    level.tiles(),
                    shape=(level.height, level.width, 3),
                    description=_description(spec, downsample) if spec.aperio else None,
                    subfiletype=0 if spec.aperio else 1,
                    **options,
                )
            if spec.aperio and spec.label:
                _write_label(writer, spec, np.concatenate(smallest))
        with partial.open("rb+") as f:
            os.fsync(f.fileno())
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
        for level in levels:
            level.spool.close()


def _write_thumbnail(writer: tifffile.TiffWriter, spec: SlideSpec, small: RgbImage) -> None:
    scale = min(1.0, 768 / max(small.shape[:2]))
    size = (max(1, round(small.shape[1] * scale)), max(1, round(small.shape[0] * scale)))
    thumb = np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    text = _description(spec, 1).replace(f"({TILE}x{TILE})", f"-> {size[0]}x{size[1]} -")
    _write_stripped(writer, thumb, text, 0, spec.quality)


def _write_label(writer: tifffile.TiffWriter, spec: SlideSpec, small: RgbImage) -> None:
    label = _sticker(spec, 387, 300)
    glass = np.full((300, 900, 3), 236, np.uint8)
    glass[:, :230] = cv2.resize(label, (230, 300), interpolation=cv2.INTER_AREA)
    scale = min(640 / small.shape[1], 260 / small.shape[0])
    size = (max(1, round(small.shape[1] * scale)), max(1, round(small.shape[0] * scale)))
    tissue = cv2.resize(small, size, interpolation=cv2.INTER_AREA)
    glass[20 : 20 + size[1], 245 : 245 + size[0]] = tissue
    for image, name, kind in ((label, "label", 1), (glass, "macro", 9)):
        text = f"Aperio Image Library v11.2.1 \r\n{name} {image.shape[1]}x{image.shape[0]}"
        _write_stripped(writer, image, text, kind, spec.quality)


def _write_stripped(
    writer: tifffile.TiffWriter, image: RgbImage, text: str, kind: int, quality: int
) -> None:
    """An associated image: one JPEG strip, as Aperio's scanners write them."""
    writer.write(
        image, photometric="ycbcr", subsampling=(1, 1), compression="jpeg",
        compressionargs={"level": quality}, subfiletype=kind, description=text,
        rowsperstrip=image.shape[0], metadata=None, software=False,
    )  # fmt: skip
