"""What the user set under napari's Preferences, handed to the parts that know no napari."""

from __future__ import annotations

import os

from napari_her2.settings import LOGGER, get_settings, reset_settings

__all__ = ["apply_preferences"]

_CACHE = "NAPARI_HER2_TILE_CACHE_MB"


def apply_preferences() -> None:
    """Take over the size of the tile cache, unless the environment says otherwise.

    Counts from the first slide of a session on; a cache that exists keeps its size.
    """
    if _CACHE in os.environ:
        return
    try:
        from napari.settings import get_plugin_settings

        wanted = int(get_plugin_settings("napari-her2").display.tile_cache_mb)
    except (ImportError, AttributeError, KeyError, TypeError, ValueError) as error:
        LOGGER.info("preferences not read: %s", type(error).__name__)
        return
    if wanted * 2**20 != get_settings().tile_cache_bytes:
        os.environ[_CACHE] = str(wanted)
        reset_settings()
