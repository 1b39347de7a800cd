"""How fast this computer was last time, to tell how long the next run will take."""

from __future__ import annotations

from qtpy.QtCore import QSettings

from napari_her2.settings import get_settings

__all__ = ["known_rate", "remember_rate"]


def _store() -> QSettings:
    return QSettings(str(get_settings().cache_dir / "rates.ini"), QSettings.Format.IniFormat)


def remember_rate(rate: float, kind: str = "predict/tiles_per_second") -> None:
    """Note the speed of a run.

    Parameters
    ----------
    rate : float
        Tiles (or mm2) a second.
    kind : str
        Of which work.
    """
    _store().setValue(kind, f"{rate:.4g}")


def known_rate(kind: str = "predict/tiles_per_second") -> float | None:
    """Speed of the last run of this kind here; None before the first."""
    try:
        return float(str(_store().value(kind, "") or 0)) or None
    except ValueError:
        return None
