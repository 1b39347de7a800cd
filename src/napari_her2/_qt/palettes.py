"""Colours of the maps as napari's objects; the colours themselves are in ``layers/colours.py``."""

from __future__ import annotations

from functools import lru_cache

from napari.utils.colormaps import Colormap

from napari_her2.layers.colours import PALETTES, colour_map, veil_map

__all__ = ["PALETTES", "density_veil", "doubt_veil", "palette"]


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
    return Colormap(**veil_map("doubt"))


@lru_cache(maxsize=1)
def density_veil() -> Colormap:
    """Purple, from clear (no cell) to full (the densest place)."""
    return Colormap(**veil_map("density"))
