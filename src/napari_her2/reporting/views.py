"""Pictures of a slide and of a heatmap over it, with scale bar, colour bar and the notice."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import as_file, files
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from napari_her2.layers.colours import BLUE_RED, hex_to_rgb
from napari_her2.results.heatmap import Heatmap
from napari_her2.slides import display_levels
from napari_her2.slides.base import Slide
from napari_her2.slides.pyramid import hatch
from napari_her2.types import RgbImage

__all__ = [
    "Overview",
    "encode",
    "finish",
    "framed",
    "heatmap_view",
    "legend",
    "nice_length",
    "overview",
    "slide_view",
]

_LONGEST: Final = 1200
_OPACITY: Final = 0.55
_STRIP: Final = 74
_INK: Final = (32, 32, 32)
_PAPER: Final = (255, 255, 255)
_SIDE: Final = 14


@dataclass(frozen=True, slots=True)
class Overview:
    """A whole slide as a small picture.

    Attributes
    ----------
    rgb : RgbImage
        Shape (height, width, 3). What could not be read is hatched.
    factor_x, factor_y : float
        Level-0 pixels per picture pixel.
    mpp_x : float or None
        Micrometres per level-0 pixel in x; None where it is unknown.
    """

    rgb: RgbImage
    factor_x: float
    factor_y: float
    mpp_x: float | None


def overview(slide: Slide, longest: int = _LONGEST) -> Overview:
    """Read a slide as one picture without touching more of it than needed.

    Parameters
    ----------
    slide : Slide
        Any open slide.
    longest : int
        Longest side of the picture, pixels. A slide smaller than that stays as it is.
    """
    size = slide.size
    target = max(max(size.width, size.height) / longest, 1.0)
    # The coarsest level that still has at least the wanted pixels; levels for display come with
    # their unreadable parts hatched.
    levels = display_levels(slide)
    fitting = [v for v in levels if max(v.downsample) <= target * 1.001]
    rgb = max(fitting, key=lambda v: max(v.downsample))[:]
    width = max(round(size.width / target), 1)
    height = max(round(size.height / target), 1)
    if (height, width) != rgb.shape[:2]:
        picture = Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX)
        rgb = np.asarray(picture)
    mpp = slide.mpp
    return Overview(rgb, size.width / width, size.height / height, mpp.x if mpp else None)


def slide_view(view: Overview, caption: str) -> Image.Image:
    """Give the slide with scale bar and caption.

    Parameters
    ----------
    view : Overview
        The slide.
    caption : str
        What stands under it, such as ``Research use only``.
    """
    picture, draw = _framed(view)
    _scale_bar(draw, picture, view)
    _caption(draw, picture, caption)
    return picture


def heatmap_view(view: Overview, heatmap: Heatmap, caption: str) -> Image.Image:
    """Give the slide under the map of a model's positive class.

    Cells without a score stay clear, cells that could not be read are hatched. The colours stand
    for 0 to 1, always.

    Parameters
    ----------
    view : Overview
        The slide.
    heatmap : Heatmap
        The scores.
    caption : str
        What stands under it; of a demo model it must say so.
    """
    role = "positive" if "positive" in heatmap.class_roles else next(iter(heatmap.class_roles))
    values, unread = _sample(view, heatmap, heatmap.role(role))
    table = _colour_table()
    seen = np.isfinite(values)
    index = np.zeros(values.shape, np.intp)
    index[seen] = np.clip(np.round(values[seen] * (len(table) - 1)), 0, len(table) - 1)
    over = table[index][..., :3]
    alpha = np.where(seen, _OPACITY, 0.0)[..., None]
    mixed = view.rgb * (1 - alpha) + over * alpha
    rgb = hatch(np.round(mixed).astype(np.uint8), unread, 0, 0)
    mapped = Overview(rgb, view.factor_x, view.factor_y, view.mpp_x)
    picture, draw = _framed(mapped)
    _colour_bar(picture, draw, table, f"{heatmap.biomarker} probability ({role} tile)")
    _scale_bar(draw, picture, view)
    _caption(draw, picture, caption)
    return picture


def framed(view: Overview) -> Image.Image:
    """Put a picture on paper with room for a legend and a caption below it."""
    return _framed(view)[0]


def finish(picture: Image.Image, view: Overview, caption: str) -> Image.Image:
    """Add scale bar and caption to a framed picture."""
    draw = ImageDraw.Draw(picture)
    _scale_bar(draw, picture, view)
    _caption(draw, picture, caption)
    return picture


def legend(picture: Image.Image, entries: Sequence[tuple[tuple[int, int, int], str]]) -> None:
    """Name some colours in the strip under a framed picture, as far as there is room."""
    draw = ImageDraw.Draw(picture)
    font = _font(13)
    x, y = float(_SIDE), picture.height - 58
    for colour, text in entries:
        width = draw.textlength(text, font=font) + 30
        if x + width > picture.width - _SIDE:
            x, y = float(_SIDE), y + 17
        if y > picture.height - 40:
            return
        draw.rectangle((x, y, x + 11, y + 11), fill=colour, outline=_INK)
        draw.text((x + 16, y + 11), text, _INK, font=font, anchor="ls")
        x += width


def encode(picture: Image.Image, kind: Literal["PNG", "JPEG"]) -> bytes:
    """Encode a picture: PNG exactly, JPEG small and with full colour resolution."""
    buffer = io.BytesIO()
    if kind == "PNG":
        picture.save(buffer, "PNG")
    else:
        picture.save(buffer, "JPEG", quality=88, subsampling=0)
    return buffer.getvalue()


def nice_length(most: float) -> float:
    """Give the largest of 1, 2, 5, 10, 20, … that is not above ``most``."""
    power = 10 ** math.floor(math.log10(most))
    return float(max(m * power for m in (1, 2, 5) if m * power <= most * (1 + 1e-9)))


def _sample(
    view: Overview, heatmap: Heatmap, plane: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Look up the cell under each picture pixel: value (NaN outside) and whether it was unread."""
    grid = heatmap.grid
    height, width = view.rgb.shape[:2]
    x = (np.arange(width) + 0.5) * view.factor_x
    y = (np.arange(height) + 0.5) * view.factor_y
    col = np.floor((x - grid.region.x) / grid.cell_width).astype(np.intp)
    row = np.floor((y - grid.region.y) / grid.cell_height).astype(np.intp)
    rows, cols = plane.shape
    inside_x = (col >= 0) & (col < cols) & (x < grid.region.right)
    inside_y = (row >= 0) & (row < rows) & (y < grid.region.bottom)
    inside = inside_y[:, None] & inside_x[None, :]
    at = np.ix_(np.clip(row, 0, rows - 1), np.clip(col, 0, cols - 1))
    return np.where(inside, plane[at], np.float32(np.nan)), inside & heatmap.unread[at]


@lru_cache(maxsize=1)
def _colour_table() -> NDArray[np.uint8]:
    """Blue low to red high: 256 colours, shape (256, 3)."""
    stops = 255 * np.stack([hex_to_rgb(c) for c in BLUE_RED])
    at = np.linspace(0, len(stops) - 1, 256)
    planes = [np.interp(at, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    return np.round(np.stack(planes, axis=1)).astype(np.uint8)


@lru_cache(maxsize=4)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    # Comes with matplotlib; has µ and ·, which Pillow's own font may lack.
    place = files("matplotlib") / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
    with as_file(place) as path:
        return ImageFont.truetype(str(path), size)


def _framed(view: Overview) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Put the picture on paper with room for bars and caption below it."""
    height, width = view.rgb.shape[:2]
    paper = Image.new("RGB", (max(width, 640), height + _STRIP), _PAPER)
    paper.paste(Image.fromarray(view.rgb), (0, 0))
    return paper, ImageDraw.Draw(paper)


def _caption(draw: ImageDraw.ImageDraw, picture: Image.Image, caption: str) -> None:
    draw.text((_SIDE, picture.height - 24), caption, _INK, font=_font(14))


def _scale_bar(draw: ImageDraw.ImageDraw, picture: Image.Image, view: Overview) -> None:
    width = view.rgb.shape[1]
    per_pixel = view.factor_x * (view.mpp_x or 1.0)
    length = nice_length(width * per_pixel * 0.25)
    pixels = length / per_pixel
    if view.mpp_x is None:
        label = f"{length:g} px"
    else:
        label = f"{length / 1000:g} mm" if length >= 1000 else f"{length:g} µm"
    right = picture.width - _SIDE
    y = picture.height - 40
    draw.rectangle((right - pixels, y, right, y + 4), fill=_INK)
    draw.text((right, y - 4), label, _INK, font=_font(14), anchor="rs")


def _colour_bar(
    picture: Image.Image, draw: ImageDraw.ImageDraw, table: NDArray[np.uint8], label: str
) -> None:
    width, height = 220, 12
    top = picture.height - 46
    ramp = table[np.linspace(0, len(table) - 1, width).round().astype(int)][:, :3]
    picture.paste(Image.fromarray(np.repeat(ramp[None], height, axis=0)), (_SIDE, top))
    draw.rectangle((_SIDE, top, _SIDE + width - 1, top + height - 1), outline=_INK)
    draw.text((_SIDE, top - 5), "0", _INK, font=_font(13), anchor="ls")
    draw.text((_SIDE + width, top - 5), "1", _INK, font=_font(13), anchor="rs")
    draw.text((_SIDE + width / 2, top - 5), ".5", _INK, font=_font(13), anchor="ms")
    draw.text((_SIDE + width + 12, top + height), label, _INK, font=_font(14), anchor="ls")
