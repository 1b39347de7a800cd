"""Where things are kept and how much memory they may take. Environment first, defaults second."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from platformdirs import user_cache_path, user_data_path

__all__ = ["LOGGER", "Settings", "get_settings", "reset_settings"]

LOGGER = logging.getLogger("napari_her2")
"""The one logger. At info level it names slides by hash, never by path."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one process.

    Attributes
    ----------
    data_dir : Path
        User data: installed models, trusted hashes, sidecars of read-only slides.
        Environment: ``NAPARI_HER2_DATA``.
    cache_dir : Path
        Things that can be made again. Environment: ``NAPARI_HER2_CACHE``.
    tile_cache_bytes : int
        Memory that showing slides may take, per process, all slides together; 256 MiB. Tiles kept
        are its larger part, buffers on the way to the screen the rest.
        Environment: ``NAPARI_HER2_TILE_CACHE_MB``.
    probe_seconds : float
        How long a child process may take to open a slide before the viewer gives it up.
    probe_bytes : int
        Memory that child may use.
    """

    data_dir: Path
    cache_dir: Path
    tile_cache_bytes: int = 256 * 2**20
    probe_seconds: float = 10.0
    probe_bytes: int = 2 * 2**30


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """Give the settings of this process, read once."""
    env = os.environ
    return Settings(
        data_dir=Path(env.get("NAPARI_HER2_DATA") or user_data_path("napari-her2", False)),
        cache_dir=Path(env.get("NAPARI_HER2_CACHE") or user_cache_path("napari-her2", False)),
        tile_cache_bytes=int(env.get("NAPARI_HER2_TILE_CACHE_MB", "256")) * 2**20,
    )


def reset_settings() -> None:
    """Forget the settings, so that a test's environment counts."""
    get_settings.cache_clear()
