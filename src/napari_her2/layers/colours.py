"""The colours of everything drawn over a slide: one table, checked by its tests.

Any two colours that can meet on one slide stay at least 20 apart (CIEDE2000), in normal vision and
under each of the three full colour-vision deficiencies (Machado 2009).
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ATTENTION",
    "BLUE_RED",
    "CELL_CLASSES",
    "CONCEPTS",
    "MAPS",
    "PALETTES",
    "PAPER",
    "QC",
    "REGIONS",
    "STATUS",
    "TISSUE",
    "VEILS",
    "border_of",
    "colour_map",
    "hex_to_rgb",
    "veil_map",
]

BLUE_RED: Final = ("#1F4FA0", "#6FA8DC", "#F4F1EC", "#EE9A6B", "#A81428")
"""The map of probabilities at 0, .25, .5, .75 and 1: blue low, red high, and safe to tell apart."""

PAPER: Final = ("#00008F", "#0000FF", "#00FFFF", "#FFFF00", "#FF0000", "#800000")
"""Figures like P1's. Its lightness rises and falls twice: not for reading values."""

CIVIDIS: Final = (
    "#00224E", "#123570", "#3B496C", "#575D6D", "#707173", "#8A8678", "#A59C74", "#C3B369",
    "#E1CC55", "#FEE838",
)  # fmt: skip
"""For printing in grey."""

ATTENTION: Final = (
    "#440154", "#482878", "#3E4989", "#31688E", "#26828E", "#1F9E89", "#35B779", "#6DCD59",
    "#B4DE2C", "#FDE725",
)  # fmt: skip
"""Never blue to red: attention is no probability."""

MAPS: Final[dict[str, tuple[str, ...]]] = {
    "blue_red": BLUE_RED,
    "cividis": CIVIDIS,
    "paper": PAPER,
    "attention": ATTENTION,
    "dab": ("#FFF7EC", "#E0B080", "#A86028", "#4A2A1A"),
}

PALETTES: Final[tuple[str, ...]] = ("blue_red", "cividis", "paper")
"""Those of :data:`MAPS` that probabilities are offered in, the default first."""

VEILS: Final[dict[str, tuple[str, float]]] = {
    "doubt": ("#FFFFFF", 0.7),
    "density": ("#5B1A8B", 1.0),
}
"""Maps of one colour, from clear at 0 to the opacity given at 1."""

CELL_CLASSES: Final[dict[str, str]] = {
    "Tumour 0": "#4C2FC3",
    "Tumour 1+": "#FFFF3F",
    "Tumour 2+": "#F06000",
    "Tumour 3+": "#8A0010",
    "Stroma": "#3CF0CC",
    "Immune": "#D883FF",
    "Artefact": "#808080",
}

REGIONS: Final[dict[str, str]] = {
    "ER+": "#8A0010",
    "PR+": "#F06000",
    "HER2+": "#FFFF3F",
    "ER-": "#4C2FC3",
    "PR-": "#3CF0CC",
    "HER2-": "#D883FF",
    "non-tumour": "#808080",
}

CONCEPTS: Final[dict[str, str]] = {
    "high grade": "#8A0010",
    "low grade": "#4C2FC3",
    "lobular": "#F06000",
    "DCIS": "#3CF0CC",
    "desmoplasia": "#D883FF",
    "TILs": "#FFFF3F",
}

STATUS: Final[dict[str, str]] = {
    "positive": "#B3261E",
    "negative": "#1F5FBF",
    "equivocal": "#F2A900",
    "not assessable": "#6E6E6E",
}
"""Always with a sign beside it: +, −, ≈, ∅."""

QC: Final[dict[str, str]] = {
    "pen": "#3CF0CC",
    "blur": "#FFFF3F",
    "fold": "#F06000",
    "unreadable": "#4C2FC3",
    "empty": "#808080",
}

TISSUE: Final = "#2B2B2B"
"""Outline of tissue: dark, as it runs along bare glass."""


def hex_to_rgb(colour: str) -> NDArray[np.float64]:
    """Shape (3,), sRGB from 0 to 1."""
    return np.frombuffer(bytes.fromhex(colour.removeprefix("#")), np.uint8) / 255.0


def border_of(colour: str) -> str:
    """Black round light colours (L* >= 56), white round dark ones."""
    linear = np.where(
        hex_to_rgb(colour) <= 0.04045,
        hex_to_rgb(colour) / 12.92,
        ((hex_to_rgb(colour) + 0.055) / 1.055) ** 2.4,
    )
    luminance = float(linear @ [0.2126, 0.7152, 0.0722])
    lightness = 116 * luminance ** (1 / 3) - 16 if luminance > 0.008856 else 903.3 * luminance
    return "#000000" if lightness >= 56 else "#FFFFFF"


def colour_map(name: str) -> dict[str, Any]:
    """One of :data:`MAPS` as napari takes it; what is NaN is transparent.

    Raises
    ------
    KeyError
        If there is no such map.
    """
    return {
        "colors": [[*map(float, hex_to_rgb(c)), 1.0] for c in MAPS[name]],
        "name": f"her2-{name}",
        "nan_color": [0.0, 0.0, 0.0, 0.0],
    }


def veil_map(name: str) -> dict[str, Any]:
    """One of :data:`VEILS` as napari takes it: clear at 0, the full veil at 1.

    Raises
    ------
    KeyError
        If there is no such veil.
    """
    colour, opacity = VEILS[name]
    rgb = [float(v) for v in hex_to_rgb(colour)]
    return {
        "colors": [[*rgb, 0.0], [*rgb, opacity]],
        "name": f"her2-{name}",
        "nan_color": [0.0, 0.0, 0.0, 0.0],
    }
