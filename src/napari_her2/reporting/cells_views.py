"""Pictures of cells: dots by class over the slide, their density, and a field close up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from napari_her2.cells.table import RAYS, CellTable
from napari_her2.geometry import Region
from napari_her2.layers.colours import CELL_CLASSES, VEILS, border_of, hex_to_rgb
from napari_her2.reporting.views import Overview, finish, framed, legend
from napari_her2.types import RgbImage

__all__ = [
    "CLOSE_UM",
    "SQUARE_UM",
    "cells_view",
    "close_view",
    "colour_of",
    "densest_square",
    "density_view",
]

SQUARE_UM: Final = 122.5
"""Side of a square of the density map: 250 px at 0.49 µm/px, 0.015 mm² (Vandenberghe 2017)."""

CLOSE_UM: Final = 160.0
"""Side of the field shown close up."""

_CLOSE_PX: Final = 720
_DOTS: Final = 20_000
_SHADES: Final[Mapping[str, str]] = {
    **{name.lower(): colour for name, colour in CELL_CLASSES.items()},
    "negative": CELL_CLASSES["Tumour 0"],
    "weak": CELL_CLASSES["Tumour 1+"],
    "moderate": CELL_CLASSES["Tumour 2+"],
    "strong": CELL_CLASSES["Tumour 3+"],
    "nucleus": CELL_CLASSES["Stroma"],
}
# What is drawn last lies on top: stained cells, strongest last.
_LAST: Final = ("stroma", "immune", "nucleus", "negative", "tumour 0", "weak", "tumour 1+",
                "moderate", "tumour 2+", "strong", "tumour 3+")  # fmt: skip


def colour_of(class_name: str) -> tuple[int, int, int]:
    """Colour of a class of cells, 0 to 255."""
    return _rgb(_SHADES.get(class_name, "#808080"))


def cells_view(view: Overview, table: CellTable, caption: str) -> Image.Image:
    """Give the slide with a dot for each cell in the colour of its class.

    Parameters
    ----------
    view : Overview
        The slide.
    table : CellTable
        Its cells.
    caption : str
        What stands under it.
    """
    rgb = view.rgb.copy()
    x = np.clip(table["x_px"] / view.factor_x, 0, rgb.shape[1] - 1)
    y = np.clip(table["y_px"] / view.factor_y, 0, rgb.shape[0] - 1)
    for name in sorted(table.classes, key=lambda c: _LAST.index(c) if c in _LAST else -1):
        of_class = table["class"] == table.classes.index(name)
        _dots(rgb, x[of_class], y[of_class], name, small=len(table) > _DOTS)
    shown = Overview(rgb, view.factor_x, view.factor_y, view.mpp_x)
    picture = framed(shown)
    counts = table.counts()
    _legend(picture, [(n, f"{_short(n)} {counts[n]}") for n in table.classes if counts[n]])
    return finish(picture, shown, caption)


def density_view(
    view: Overview, table: CellTable, class_name: str, mpp: tuple[float, float], caption: str
) -> Image.Image:
    """Give the slide under the density of one class of cells.

    Parameters
    ----------
    view : Overview
        The slide.
    table : CellTable
        Its cells.
    class_name : str
        Which of them.
    mpp : (float, float)
        Micrometres per level-0 pixel in x and y.
    caption : str
        What stands under it.
    """
    height, width = view.rgb.shape[:2]
    counts = _squares(table, class_name, mpp, (width * view.factor_x, height * view.factor_y))
    most = max(float(counts.max()), 1.0)
    side_x, side_y = SQUARE_UM / mpp[0], SQUARE_UM / mpp[1]
    col = ((np.arange(width) + 0.5) * view.factor_x / side_x).astype(np.intp)
    row = ((np.arange(height) + 0.5) * view.factor_y / side_y).astype(np.intp)
    alpha = 0.8 * np.sqrt(counts / most)[np.ix_(row, col)][..., None]
    mixed = view.rgb * (1 - alpha) + np.array(_rgb(VEILS["density"][0])) * alpha
    shown = Overview(np.rint(mixed).astype(np.uint8), view.factor_x, view.factor_y, view.mpp_x)
    picture = framed(shown)
    per_mm2 = most / (SQUARE_UM / 1000) ** 2
    _legend(picture, [("density", f"{_short(class_name)}: up to {per_mm2:.0f} cells/mm²")])
    return finish(picture, shown, caption)


def densest_square(
    table: CellTable, class_name: str, mpp: tuple[float, float]
) -> tuple[float, float] | None:
    """Centre (level-0 pixels, x then y) of the square with most cells of a class."""
    if not len(table) or not table.counts().get(class_name):
        return None
    size = (float(table["x_px"].max()) + 1, float(table["y_px"].max()) + 1)
    counts = _squares(table, class_name, mpp, size)
    row, col = np.unravel_index(int(counts.argmax()), counts.shape)
    return (float(col) + 0.5) * SQUARE_UM / mpp[0], (float(row) + 0.5) * SQUARE_UM / mpp[1]


def close_view(
    rgb: RgbImage, field: Region, table: CellTable, mpp_x: float, caption: str
) -> Image.Image:
    """Give a field with the outline of each nucleus in the colour of its class.

    Parameters
    ----------
    rgb : RgbImage
        The field's pixels.
    field : Region
        What they show, level-0 pixels.
    table : CellTable
        Cells of the slide; those outside are left out.
    mpp_x : float
        Micrometres per level-0 pixel in x.
    caption : str
        What stands under it.
    """
    factor = field.width / _CLOSE_PX
    height = max(1, round(field.height / factor))
    enlarged = cv2.resize(rgb, (_CLOSE_PX, height), interpolation=cv2.INTER_CUBIC)
    picture: RgbImage = np.ascontiguousarray(enlarged, np.uint8)
    near = (np.abs(table["x_px"] - field.x - field.width / 2) < field.width / 2 + 20) & (
        np.abs(table["y_px"] - field.y - field.height / 2) < field.height / 2 + 20
    )
    cells = table.take(np.flatnonzero(near))
    angle = 2 * np.pi * np.arange(RAYS) / RAYS
    for i in range(len(cells)):
        radii = cells["nucleus_radii"][i] if "nucleus_radii" in cells else np.full(RAYS, 6.0)
        xy = np.stack(
            [
                (cells["x_px"][i] + radii * np.cos(angle) - field.x) / factor,
                (cells["y_px"][i] + radii * np.sin(angle) - field.y) / factor,
            ],
            axis=1,
        )
        name = cells.classes[int(cells["class"][i])]
        ring = [np.rint(xy * 8).astype(np.int32)]
        edge = _rgb(border_of(_SHADES.get(name, "#808080")))
        cv2.polylines(picture, ring, True, edge, 4, cv2.LINE_AA, 3)
        cv2.polylines(picture, ring, True, colour_of(name), 2, cv2.LINE_AA, 3)
    shown = Overview(picture, factor, factor, mpp_x)
    page = framed(shown)
    counts = cells.counts()
    _legend(page, [(n, f"{_short(n)} {counts[n]}") for n in cells.classes if counts[n]])
    return finish(page, shown, caption)


def _squares(
    table: CellTable, class_name: str, mpp: tuple[float, float], size: tuple[float, float]
) -> NDArray[np.float64]:
    """Number of cells of a class in each square, shape (rows, columns)."""
    side_x, side_y = SQUARE_UM / mpp[0], SQUARE_UM / mpp[1]
    shape = int(size[1] // side_y) + 1, int(size[0] // side_x) + 1
    of_class = table["class"] == table.classes.index(class_name)
    col = np.clip(table["x_px"][of_class] // side_x, 0, shape[1] - 1).astype(np.intp)
    row = np.clip(table["y_px"][of_class] // side_y, 0, shape[0] - 1).astype(np.intp)
    counts = np.bincount(row * shape[1] + col, minlength=shape[0] * shape[1])
    return counts.reshape(shape).astype(np.float64)


def _dots(
    rgb: RgbImage, x: NDArray[np.float64], y: NDArray[np.float64], name: str, *, small: bool
) -> None:
    colour = colour_of(name)
    if small:
        rgb[y.astype(np.intp), x.astype(np.intp)] = colour
        return
    edge = _rgb(border_of(_SHADES.get(name, "#808080")))
    for px, py in zip((x * 8).astype(int).tolist(), (y * 8).astype(int).tolist(), strict=True):
        cv2.circle(rgb, (px, py), 22, edge, -1, cv2.LINE_AA, 3)
        cv2.circle(rgb, (px, py), 16, colour, -1, cv2.LINE_AA, 3)


def _legend(picture: Image.Image, entries: Sequence[tuple[str, str]]) -> None:
    legend(picture, [(_legend_colour(name), text) for name, text in entries])


def _legend_colour(name: str) -> tuple[int, int, int]:
    return _rgb(VEILS["density"][0]) if name == "density" else colour_of(name)


def _short(name: str) -> str:
    return name.removeprefix("tumour ")


def _rgb(colour: str) -> tuple[int, int, int]:
    r, g, b = (round(255 * v) for v in hex_to_rgb(colour))
    return int(r), int(g), int(b)
