"""What is known of one cell, for the card, the hover line and the crop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2._qt import numbers
from napari_her2._qt.score.facts import class_short
from napari_her2._qt.texts import ui
from napari_her2.cells.classes import NUCLEUS_CLASS
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["CROP_PX", "CellFacts", "cell_facts", "crop_region", "hover_line", "read_crop"]

CROP_PX = 96
_CROP_UM = 32.0
"""A cell and its neighbours: what tells whose membrane it is."""
_CROP_LEVEL0_PX = 96.0


@dataclass(frozen=True, slots=True)
class CellFacts:
    """One cell in numbers.

    Attributes
    ----------
    index : int
        Row of the table that is shown.
    x_px, y_px : float
        Centre, level-0 pixels.
    class_name, given_class : str
        Its class now, and before a reader corrected it.
    probs : tuple of (str, float)
        Classes and their probabilities, the largest first; empty if there are none.
    completeness, od, area_um2 : float or None
        Share of the membrane that is stained, its optical density, area of the nucleus.
    crop : ndarray of uint8 or None
        Shape (96, 96, 3); None until it is read.
    corrected : bool
        Whether a reader changed its class.
    """

    index: int
    x_px: float
    y_px: float
    class_name: str
    given_class: str
    probs: tuple[tuple[str, float], ...]
    completeness: float | None
    od: float | None
    area_um2: float | None
    crop: NDArray[np.uint8] | None
    corrected: bool


def cell_facts(
    table: CellTable, row: int, given_class: str, crop: NDArray[np.uint8] | None = None
) -> CellFacts:
    """Facts of one row of a table.

    Parameters
    ----------
    table : CellTable
        With the classes as they are now.
    row : int
        Which cell.
    given_class : str
        Its class before corrections.
    crop : ndarray, optional
        Its picture.
    """
    name = class_of(table, row)
    probs: tuple[tuple[str, float], ...] = ()
    if "probs" in table and table.classes:
        given = np.asarray(table["probs"][row], float)
        order = np.argsort(-given, kind="stable")
        probs = tuple((table.classes[i], float(given[i])) for i in order)
    return CellFacts(
        index=row,
        x_px=float(table["x_px"][row]),
        y_px=float(table["y_px"][row]),
        class_name=name,
        given_class=given_class,
        probs=probs,
        completeness=_number(table, "membrane_completeness", row),
        od=_number(table, "membrane_od", row),
        area_um2=_number(table, "area_um2", row),
        crop=crop,
        corrected=name != given_class,
    )


def class_of(table: CellTable, row: int) -> str:
    """Name of a cell's class; before classification it is a nucleus."""
    if "class" not in table or not table.classes:
        return NUCLEUS_CLASS
    return table.classes[int(table["class"][row])]


def hover_line(facts: CellFacts) -> str:
    """One line of at most 70 characters: ``cell 3+ 0.91 · membrane 88 % complete, OD 0.62``."""
    name = class_short(facts.class_name)
    if facts.corrected:
        text = ui("hover_cell_corrected", name=name, was=class_short(facts.given_class))
    elif facts.probs:
        p = dict(facts.probs).get(facts.class_name)
        text = ui("hover_cell", name=name, p=numbers.probability(p))
    else:
        text = ui("hover_cell_plain", name=name)
    parts = [text]
    if facts.completeness is not None and facts.od is not None:
        percent = numbers.fixed(100 * facts.completeness, 0)
        parts.append(ui("hover_membrane", percent=percent, od=numbers.fixed(facts.od, 2)))
    elif facts.area_um2 is not None:
        parts.append(ui("hover_nucleus", area=numbers.fixed(facts.area_um2, 0)))
    return " · ".join(parts)


def crop_region(entry: OpenSlide, x_px: float, y_px: float) -> Region:
    """The square round a cell that its picture shows: 32 µm, level-0 pixels."""
    mpp = entry.mpp
    width = _CROP_LEVEL0_PX if mpp is None else _CROP_UM / mpp.x
    height = _CROP_LEVEL0_PX if mpp is None else _CROP_UM / mpp.y
    return Region(x_px - width / 2, y_px - height / 2, width, height)


def read_crop(entry: OpenSlide, region: Region) -> NDArray[np.uint8] | None:
    """The picture of a region, shape (96, 96, 3); None where the slide can't be read."""
    pixels = entry.read_field(region, CROP_PX)
    if pixels is None:
        return None
    small = pixels.shape[0] < CROP_PX or pixels.shape[1] < CROP_PX
    how = cv2.INTER_LINEAR if small else cv2.INTER_AREA
    return np.asarray(cv2.resize(pixels, (CROP_PX, CROP_PX), interpolation=how), np.uint8)


def _number(table: CellTable, name: str, row: int) -> float | None:
    if name not in table:
        return None
    value = float(table[name][row])
    return value if np.isfinite(value) else None
