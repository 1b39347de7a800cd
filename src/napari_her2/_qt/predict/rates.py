"""How fast this computer was last time, to tell how long the next run will take."""

from __future__ import annotations

from qtpy.QtCore import QSettings

from napari_her2.settings import get_settings

__all__ = ["known_rate", "remember_rate"]

_KEY = "predict/tiles_per_second"


def _store() -> QSettings:
    return QSettings(str(get_settings().cache_dir / "rates.ini"), QSettings.Format.IniFormat)


def remember_rate(tiles_per_second: float) -> None:
    """Note the speed of a run."""
    _store().setValue(_KEY, f"{tiles_per_second:.3f}")


def known_rate() -> float | None:
    """Tiles a second of the last run here; None before the first."""
    try:
        return float(str(_store().value(_KEY, "") or 0)) or None
    except ValueError:
        return None
