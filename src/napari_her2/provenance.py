"""What a number was made with: versions, device, time."""

from __future__ import annotations

import datetime as dt
import platform
from importlib.metadata import PackageNotFoundError, version

from napari_her2 import __version__

__all__ = ["now", "software"]

_LIBRARIES = (
    "numpy", "torch", "openslide-python", "openslide-bin", "tifffile", "imagecodecs", "zarr",
    "scikit-image", "scikit-learn", "opencv-python-headless", "napari",
)  # fmt: skip


def software() -> dict[str, str]:
    """Versions of this package, Python, the system and the libraries that touch pixels."""
    found = {"napari-her2": __version__, "python": platform.python_version()}
    found["system"] = f"{platform.system()} {platform.machine()}"
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def now() -> str:
    """Wall-clock time as ISO 8601 with zone: a label, never used for order or duration."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
