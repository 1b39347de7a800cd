"""Areas in square millimetres, where the pixel size is known."""

from __future__ import annotations

__all__ = ["area_mm2"]


def area_mm2(area_px: float, mpp: float | tuple[float, float] | None) -> float | None:
    """Square level-0 pixels as square millimetres.

    Parameters
    ----------
    area_px : float
        Square level-0 pixels.
    mpp : float or tuple of float or None
        Micrometres per pixel, of both axes or of x and of y; None where unknown.

    Returns
    -------
    float or None
        None where the pixel size is unknown: it is never guessed.
    """
    if mpp is None:
        return None
    x, y = (mpp, mpp) if isinstance(mpp, (int, float)) else mpp
    return area_px * x * y * 1e-6
