"""Single cells as points: colour and symbol of each class, and what else they are coloured by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.cells.classes import NUCLEAR_CLASSES, NUCLEUS_CLASS
from napari_her2.cells.table import CellTable
from napari_her2.geometry import ScaleTranslate, xy_to_world_yx
from napari_her2.layers.colours import BLUE_RED, CELL_CLASSES, VEILS, border_of, hex_to_rgb
from napari_her2.layers.placing import LayerData, common

__all__ = [
    "COLOURINGS",
    "DENSITY",
    "CellLook",
    "CellStyle",
    "available_colourings",
    "cell_style",
    "cells_layer",
    "doubt_of",
    "look_of",
    "membrane_paths",
    "points_of",
    "ramp_colours",
    "value_limits",
]

Symbol = Literal["disc", "diamond", "square", "cross"]

COLOURINGS: Final = ("class", "completeness", "od", "doubt")
"""What cells can be coloured by."""

DENSITY: Final = "density "
"""Before the name of a class: how dense that class lies."""

_BASE: Final = {
    **dict(zip(NUCLEAR_CLASSES, ("Tumour 0", "Tumour 1+", "Tumour 2+", "Tumour 3+", "Artefact"),
               strict=True)),
    NUCLEUS_CLASS: "Stroma",
}  # fmt: skip
"""Classes that take the colours of others: graded like them, and never shown with them."""

_SYMBOLS: Final[dict[str, Symbol]] = {
    "Stroma": "diamond",
    "Immune": "square",
    "Artefact": "cross",
}
_DARK_PX: Final = 11.0
"""White borders vanish on pale tissue, so those classes are drawn larger."""
_LIGHT_PX: Final = 9.0
_BORDER_PX: Final = 1.0
_CORRECTED_PX: Final = 13.0
_RING_PX: Final = 3.0

_DOUBT: Final = ("#2B2B2B", "#FFFFFF")
_LIMITS: Final = {"completeness": (0.0, 1.0), "od": (0.0, 1.0), "doubt": (0.0, 1.0)}
_COLUMNS: Final = {"completeness": "membrane_completeness", "od": "membrane_od"}


@dataclass(frozen=True, slots=True)
class CellStyle:
    """How the cells of one class look.

    Attributes
    ----------
    fill, border : str
        Hex colours.
    symbol : str
        Name of a napari symbol.
    size_px : float
        Diameter on the screen.
    """

    fill: str
    border: str
    symbol: Symbol
    size_px: float


@dataclass(frozen=True, slots=True)
class CellLook:
    """How some cells are drawn, one row each.

    Attributes
    ----------
    fill, border : ndarray of float32
        Shape (m, 4), RGBA from 0 to 1.
    symbol : ndarray of str
        Shape (m,).
    size_px, border_px : ndarray of float32
        Shape (m,), screen pixels.
    """

    fill: NDArray[np.float32]
    border: NDArray[np.float32]
    symbol: NDArray[np.str_]
    size_px: NDArray[np.float32]
    border_px: NDArray[np.float32]


def cell_style(name: str) -> CellStyle:
    """Colours, symbol and size of a class.

    Parameters
    ----------
    name : str
        One of the classes of cells; an unknown one looks like artefact.
    """
    key = _BASE.get(name, name[:1].upper() + name[1:])
    fill = CELL_CLASSES.get(key, CELL_CLASSES["Artefact"])
    border = border_of(fill)
    symbol = _SYMBOLS.get(key, "disc") if key in CELL_CLASSES else "cross"
    return CellStyle(fill, border, symbol, _DARK_PX if border == "#FFFFFF" else _LIGHT_PX)


def look_of(
    table: CellTable, rows: ArrayLike, colouring: str = "class", corrected: ArrayLike = ()
) -> CellLook:
    """How some of a table's cells are drawn.

    Parameters
    ----------
    table : CellTable
        All cells.
    rows : array_like of int
        Shape (m,), which of them.
    colouring : str
        One of :data:`COLOURINGS`, or ``density <class>``: that class purple, all others black, as
        in the full-resolution view of Vandenberghe 2017. Symbols tell the class whatever the
        colour tells.
    corrected : array_like of int
        Rows of the table that get the white ring.
    """
    which = np.asarray(rows, np.intp)
    styles = [cell_style(name) for name in table.classes] or [cell_style(NUCLEUS_CLASS)]
    kind = table["class"][which] if "class" in table else np.zeros(len(which), np.uint8)
    symbol = np.array([s.symbol for s in styles])[kind]
    if colouring.startswith(DENSITY):
        one = [name == colouring.removeprefix(DENSITY) for name in table.classes] or [True]
        colours = [VEILS["density"][0] if this else "#000000" for this in one]
        fill = np.array([_rgba(c) for c in colours], np.float32)[kind]
        border = np.ones((len(which), 4), np.float32)
        size = np.full(len(which), _LIGHT_PX, np.float32)
    elif colouring == "class":
        fill = np.array([_rgba(s.fill) for s in styles], np.float32)[kind]
        border = np.array([_rgba(s.border) for s in styles], np.float32)[kind]
        size = np.array([s.size_px for s in styles], np.float32)[kind]
    else:
        fill = _ramp(colouring, _values(table, which, colouring))
        border = np.tile(np.array(_rgba("#000000"), np.float32), (len(which), 1))
        size = np.full(len(which), _LIGHT_PX, np.float32)
    thick = np.full(len(which), _BORDER_PX, np.float32)
    ringed = np.isin(which, np.asarray(corrected, np.intp))
    border[ringed] = 1.0
    thick[ringed] = _RING_PX
    size[ringed] = _CORRECTED_PX
    return CellLook(fill, border, symbol, size, thick)


def doubt_of(probs: ArrayLike) -> NDArray[np.float32]:
    """How close the second class comes to the first: 0 = sure, 1 = even.

    Parameters
    ----------
    probs : array_like
        Shape (m, n_classes); with fewer than two classes there is no doubt.
    """
    given = np.asarray(probs, np.float32)
    if given.ndim != 2 or given.shape[1] < 2:
        return np.zeros(len(given), np.float32)
    top = np.partition(given, -2, axis=1)[:, -2:]
    return np.asarray(1.0 - (top[:, 1] - top[:, 0]), np.float32)


def value_limits(colouring: str) -> tuple[float, float]:
    """Values at the two ends of a colouring's ramp, fixed so that slides compare.

    Raises
    ------
    KeyError
        For colours by class, which have no ends.
    """
    return _LIMITS[colouring]


def ramp_colours(colouring: str) -> tuple[str, ...]:
    """Hex colours of a colouring's ramp, evenly spaced from its lower to its upper limit.

    Raises
    ------
    KeyError
        For colours by class, which have no ramp.
    """
    return {"completeness": BLUE_RED, "od": BLUE_RED, "doubt": _DOUBT}[colouring]


def available_colourings(table: CellTable) -> tuple[str, ...]:
    """Those of :data:`COLOURINGS` that a table has the numbers for."""
    there = ["class"] + [k for k, column in _COLUMNS.items() if column in table]
    if "probs" in table and len(table.classes) > 1:
        there.append("doubt")
    return tuple(there)


def cells_layer(
    table: CellTable,
    rows: ArrayLike,
    slide_id: str,
    mpp: tuple[float, float] | None,
    *,
    screen_px: float = 1.0,
    colouring: str = "class",
    corrected: ArrayLike = (),
    **metadata: Any,
) -> LayerData:
    """Some cells as a layer of points.

    Parameters
    ----------
    table : CellTable
        All cells.
    rows : array_like of int
        Which of them.
    slide_id : str
        Whose cells.
    mpp : (float, float) or None
        Micrometres per level-0 pixel in x and y; None where unknown.
    screen_px : float
        Level-0 pixels to one pixel of the screen: sizes are meant for the screen.
    colouring, corrected
        As for :func:`look_of`.
    **metadata
        More for ``metadata["her2"]``.

    Returns
    -------
    LayerData
        Points (m, 2) in level-0 pixel indices, y then x; the layer's scale makes them micrometres.
        The name says so where a demo model told the classes.
    """
    which = np.asarray(rows, np.intp)
    look = look_of(table, which, colouring, corrected)
    mx, my = (1.0, 1.0) if mpp is None else mpp
    place = ScaleTranslate((my, mx), (0.0, 0.0))
    demo = metadata.get("model_status") == "synthetic-demo"
    label = "Cells demo" if demo else "Cells"
    kwargs = common("cells", label, slide_id, place, has_mpp=mpp is not None, **metadata)
    kwargs |= {"border_width_is_relative": True, "canvas_size_limits": (6, 14)}
    if len(which):
        # napari takes no empty arrays of colours.
        kwargs |= {
            "face_color": look.fill,
            "border_color": look.border,
            "symbol": look.symbol,
            "size": look.size_px * screen_px,
            "border_width": look.border_px / look.size_px,
        }
    return points_of(table, which), kwargs, "points"


def points_of(table: CellTable, rows: ArrayLike) -> NDArray[np.float64]:
    """Pixel indices of some cells, shape (m, 2), y then x: the first pixel's centre is 0, 0."""
    which = np.asarray(rows, np.intp)
    return np.stack([table["y_px"][which], table["x_px"][which]], axis=1) - 0.5


def membrane_paths(
    table: CellTable, row: int, mpp: tuple[float, float]
) -> list[tuple[NDArray[np.float64], bool]]:
    """The membrane ring of one cell, cut where stained and unstained parts meet.

    Parameters
    ----------
    table : CellTable
        With ``membrane_radii`` and ``membrane_stained``; without the latter the ring is unstained.
    row : int
        Which cell.
    mpp : (float, float)
        Micrometres per level-0 pixel in x and y; 1, 1 where unknown.

    Returns
    -------
    list of (ndarray, bool)
        World coordinates (m, 2), y then x, of each part, and whether it is stained. A ray stands
        for the arc half-way to its neighbours. Empty where the table has no radii.
    """
    name = "membrane_radii" if "membrane_radii" in table else "nucleus_radii"
    if name not in table:
        return []
    radii = np.asarray(table[name][row], np.float64)
    stained = (
        np.asarray(table["membrane_stained"][row], np.bool_)
        if name == "membrane_radii" and "membrane_stained" in table
        else np.zeros(len(radii), np.bool_)
    )
    if not np.isfinite(radii).all() or not (radii > 0).any():
        return []
    n = len(radii)
    # Two corners to each ray's arc: its start, half-way to the ray before, and the ray itself.
    angle = 2 * np.pi * (np.arange(2 * n) - 1) / (2 * n)
    reach = np.empty(2 * n)
    reach[1::2] = radii
    reach[0::2] = (radii + np.roll(radii, 1)) / 2
    x = table["x_px"][row] + reach * np.cos(angle)
    y = table["y_px"][row] + reach * np.sin(angle)
    corners = xy_to_world_yx(np.stack([x, y], axis=1), *mpp)
    starts = np.flatnonzero(stained != np.roll(stained, 1))
    if not len(starts):
        return [(np.concatenate([corners, corners[:1]]), bool(stained[0]))]
    ends = [*starts[1:], starts[0] + n]
    return [
        (corners[np.arange(2 * start, 2 * end + 1) % (2 * n)], bool(stained[start]))
        for start, end in zip(starts, ends, strict=True)
    ]


def _values(table: CellTable, rows: NDArray[np.intp], colouring: str) -> NDArray[np.float32]:
    if colouring == "doubt":
        return doubt_of(table["probs"][rows])
    return np.asarray(table[_COLUMNS[colouring]][rows], np.float32)


def _ramp(colouring: str, values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = _LIMITS[colouring]
    stops = ramp_colours(colouring)
    at = np.clip((np.nan_to_num(values) - low) / (high - low), 0, 1)
    colours = np.array([hex_to_rgb(c) for c in stops])
    where = np.linspace(0, 1, len(stops))
    rgba = np.ones((len(values), 4), np.float32)
    for channel in range(3):
        rgba[:, channel] = np.interp(at, where, colours[:, channel])
    # What could not be measured is grey: neither low nor high.
    rgba[~np.isfinite(values), :3] = 0.5
    return rgba


def _rgba(colour: str) -> list[float]:
    return [*map(float, hex_to_rgb(colour)), 1.0]
