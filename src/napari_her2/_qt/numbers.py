"""Numbers as the docks write them: by locale, with the digits the words-and-numbers rules allow."""

from __future__ import annotations

import datetime as dt
import math

from qtpy.QtCore import QLocale

from napari_her2._qt.texts import ui

__all__ = [
    "area_mm2",
    "count",
    "duration",
    "estimate",
    "fixed",
    "millimetres",
    "mpp",
    "probability",
    "remaining",
    "significant",
    "when",
]


def fixed(value: float, decimals: int) -> str:
    """A number with so many decimals."""
    return QLocale().toString(float(value), "f", decimals)


def probability(p: float | None) -> str:
    """Two decimals; never ``0.00`` or ``1.00`` for something that is neither; ∅ if absent."""
    if p is None or math.isnan(p):
        return "∅"
    if 0 < p < 0.01:
        return f"< {fixed(0.01, 2)}"
    if 0.99 < p < 1:
        return f"> {fixed(0.99, 2)}"
    return fixed(p, 2)


def count(n: int) -> str:
    """Whole number with the locale's thousands mark."""
    return QLocale().toString(int(n))


def significant(value: float, digits: int = 3) -> str:
    """A positive quantity with so many significant figures."""
    if value == 0 or not math.isfinite(value):
        return fixed(0, 0)
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return fixed(value, decimals)


def mpp(value: float) -> str:
    """Pixel size, three significant figures."""
    return significant(value, 3)


def area_mm2(value: float) -> str:
    """Area, two to three significant figures."""
    return significant(value, 3 if value >= 100 else 2)


def millimetres(um: float) -> str:
    """Length in millimetres, three significant figures."""
    return significant(um / 1000, 3)


def duration(seconds: float) -> str:
    """``54 s``, ``2 min 54 s``, ``1 h 02 min``."""
    s = max(0, round(seconds))
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} min {s % 60} s"
    return f"{s // 3600} h {s % 3600 // 60:02d} min"


def remaining(seconds: float) -> str:
    """Rough time left: whole minutes above 90 s, else steps of 10 s."""
    if seconds > 90:
        return ui("eta_min", minutes=max(2, round(seconds / 60)))
    return ui("eta_s", seconds=max(10, math.ceil(seconds / 10) * 10))


def estimate(seconds: float, device: str) -> str:
    """Rough time a run will take on this computer."""
    if seconds > 90:
        return ui("estimate_min", minutes=max(2, round(seconds / 60)), device=device)
    return ui("estimate_s", seconds=max(10, math.ceil(seconds / 10) * 10), device=device)


def when(moment: dt.datetime, *, today: dt.date | None = None) -> str:
    """``today 14:02``, ``20 Nov 14:02``, ``20 Nov 2025``: a label in local time."""
    local = moment.astimezone()
    today = today or dt.datetime.now().astimezone().date()
    time = f"{local:%H:%M}"
    if local.date() == today:
        return f"today {time}"
    month = QLocale().standaloneMonthName(local.month, QLocale.FormatType.ShortFormat)
    if local.year == today.year:
        return f"{local.day} {month} {time}"
    return f"{local.day} {month} {local.year}"
