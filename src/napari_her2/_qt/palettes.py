"""Colours of the map: the palettes a probability is offered in, and the veil of doubt."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from napari.utils.colormaps import Colormap

from napari_her2.layers.colours import colour_map

__all__ = ["PALETTES", "doubt_veil", "palette"]

PALETTES: Final[tuple[str, ...]] = ("blue_red", "cividis", "paper")


@lru_cache(maxsize=8)
def palette(name: str) -> Colormap:
    """A palette for values from 0 to 1; what is NaN stays clear.

    Parameters
    ----------
    name : str
        One of :data:`PALETTES`.
    """
    return Colormap(**colour_map(name))


@lru_cache(maxsize=1)
def doubt_veil() -> Colormap:
    """White, from clear (sure) to 0.7 (even)."""
    return Colormap(
        colors=[(1.0, 1.0, 1.0, 0.0), (1.0, 1.0, 1.0, 0.7)],
        name="her2-doubt",
        nan_color=(0.0, 0.0, 0.0, 0.0),
    )
