"""Open slides lazily, whatever the vendor."""

from __future__ import annotations

from napari_her2.slides.cache import CacheStats, cache_stats
from napari_her2.slides.lazy import dask_levels
from napari_her2.slides.mpp import remember_mpp
from napari_her2.slides.opening import open_array, open_slide
from napari_her2.slides.pyramid import DisplayLevel, display_levels
from napari_her2.slides.sniff import looks_like_slide

__all__ = [
    "CacheStats",
    "DisplayLevel",
    "cache_stats",
    "dask_levels",
    "display_levels",
    "looks_like_slide",
    "open_array",
    "open_slide",
    "remember_mpp",
]
