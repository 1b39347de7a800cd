"""Colours of the map: three palettes for a probability, and the veil of doubt."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from matplotlib import colormaps
from matplotlib.colors import to_rgba
from napari.utils.colormaps import Colormap

from napari_her2._qt.components.probability_bar import BLUE_RED

__all__ = ["PALETTES", "doubt_veil", "palette"]

PAPER: Final = ("#00008F", "#0000FF", "#00FFFF", "#FFFF00", "#FF0000", "#800000")

PALETTES: Final[tuple[str, ...]] = ("blue_red", "cividis", "paper")

_CLEAR: Final = (0.0, 0.0, 0.0, 0.0)


@lru_cache(maxsize=8)
def palette(name: str) -> Colormap:
    """A palette for values from 0 to 1; what is NaN stays clear.

    Parameters
    ----------
    name : {"blue_red", "cividis", "paper"}
        Which.
    """
    if name == "cividis":
        colours = [tuple(map(float, c)) for c in colormaps["cividis"]([i / 32 for i in range(33)])]
    else:
        colours = [to_rgba(c) for c in (PAPER if name == "paper" else BLUE_RED)]
    return Colormap(colors=colours, name=f"her2-{name}", display_name=name, nan_color=_CLEAR)


@lru_cache(maxsize=1)
def doubt_veil() -> Colormap:
    """White, from clear (sure) to 0.7 (even)."""
    return Colormap(
        colors=[(1.0, 1.0, 1.0, 0.0), (1.0, 1.0, 1.0, 0.7)], name="her2-doubt", nan_color=_CLEAR
    )
